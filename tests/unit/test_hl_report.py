#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_hl_report.py - owners of a cpu from decisions: a table a human checks"""
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from hl_report import owner_bars


def event(at_ns, vm, before, cpu=1):
    return {"at_ns": at_ns, "cpu": cpu, "vm": vm, "from": before}


ROWS = [
    # what, events, bars of cpu 1 between 100 and 200
    ("given within", [event(150, "a", "")], [("a", 150, 50)]),
    ("given back within", [event(150, "", "a")], [("a", 100, 50)]),
    ("given before", [event(50, "a", "")], [("a", 100, 100)]),
    ("given after: nobody had it", [event(250, "a", "")], []),
    ("taken after: had it all along", [event(250, "b", "a")],
     [("a", 100, 100)]),
    ("given back and given, out of order",
     [event(160, "a", ""), event(120, "", "a")],
     [("a", 100, 20), ("a", 160, 40)]),
    ("another cpu does not count", [event(150, "", "a"),
                                    event(110, "b", "", cpu=2)],
     [("a", 100, 50)]),
]


class Owners(unittest.TestCase):
    def test_rows(self):
        for what, events, bars in ROWS:
            with self.subTest(what):
                self.assertEqual(owner_bars(events, 1, 100, 200), bars)


if __name__ == "__main__":
    unittest.main()
