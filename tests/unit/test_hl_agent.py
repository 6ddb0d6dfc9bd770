#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_hl_agent.py - what a guest's shell says, and medians over rounds"""
import pathlib
import sys
import unittest
import xml.etree.ElementTree as tree

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from hl_agent import Sides, parse_masks, share, table
from hl_domain import Vm, domain_xml
from hl_lab import cpus_of

MASKS = """\
/proc/112/task/112/status:Cpus_allowed_list:\t0-1
/proc/112/task/116/status:Cpus_allowed_list:\t1
/proc/9/task/9/status:Cpus_allowed_list:\t0,2-3
grep: /proc/112/task/120/status: No such file or directory
"""
LISTS = [("", set()), ("3", {3}), ("0-2,5", {0, 1, 2, 5}), ("7,7", {7})]
# the way to the host, channels, pages
WAYS = [("none", 0, 0), ("channel", 1, 0), ("page", 1, 1)]


def result(server, with_agent, p99, part):
    return {"server": server, "agent": with_agent, "p50": 1.0, "p99": p99,
            "p99.9": 9.0, "lost": 1, "oncpu": {"share": part}}


class Agent(unittest.TestCase):
    def test_masks(self):
        self.assertEqual(parse_masks(MASKS),
                         {112: "0-1", 116: "1", 9: "0,2-3"})

    def test_lists(self):
        for text, cpus in LISTS:
            with self.subTest(text):
                self.assertEqual(cpus_of(text), cpus)

    def test_xml(self):
        for agent, channels, pages in WAYS:
            with self.subTest(agent):
                root = tree.fromstring(domain_xml(Vm("a&b", agent=agent)))
                found = root.findall("devices/channel/target")
                self.assertEqual(len(found), channels)
                for target in found:
                    self.assertEqual(target.get("name"),
                                     "org.heighliner.agent.0")
                names = [s.get("name") for s in root.findall("devices/shmem")]
                self.assertEqual(names, ["heighliner-a&b"] * pages)
        with self.assertRaises(ValueError):
            domain_xml(Vm("a", agent="pages"))

    def test_medians(self):
        sides = Sides(None)
        sides.rounds = [result("memcached", True, p99, part) for p99, part in
                        ((5.0, 0.9), (7.0, 0.99), (6.0, 0.97))]
        sides.rounds.append(result("memcached", False, 50.0, 0.4))
        self.assertEqual(sides.median("memcached", True, share), 0.97)
        self.assertEqual(sides.median("memcached", True, lambda r: r["p99"]),
                         6.0)
        rows = table(sides, ("memcached",)).splitlines()
        self.assertEqual(rows[1].split(), "memcached no 1 us 50 us 9 us 1 "
                         "40.0 %".split())
        self.assertEqual(rows[2].split(), "memcached yes 1 us 6 us 9 us 3 "
                         "97.0 %".split())


if __name__ == "__main__":
    unittest.main()
