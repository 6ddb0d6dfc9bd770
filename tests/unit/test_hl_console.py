#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""test_hl_console.py - which lines of a kernel complain: a table"""
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from hl_console import Console, complaints

ROWS = [
    # line, complains?
    ("BUG: kernel NULL pointer dereference, address: 0000000000000008", True),
    ("WARNING: CPU: 3 PID: 99 at kernel/sched/core.c:2489 foo+0x1/0x2", True),
    ("Oops: 0000 [#1] PREEMPT SMP NOPTI", True),
    ("Kernel panic - not syncing: Fatal exception", True),
    ("Call Trace:", True),
    ("watchdog: BUG: soft lockup - CPU#4 stuck for 134s! [hostd:523]", True),
    ("rcu: INFO: rcu_preempt self-detected stall on CPU", True),
    ("rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", True),
    ("workqueue: events stalls on CPU 3", True),
    ("general protection: 0000 [#1] SMP", True),
    ("khungtaskd: hung_task: blocked tasks", True),
    ("INFO: task hostd:523 blocked for more than 120 seconds.", True),
    ("list_del corruption. prev->next should be ff11, but was 0", True),
    ("BUG kmalloc-64 (Not tainted): Poison overwritten", True),
    ("refcount_t: underflow; use-after-free.", True),
    ("qemu-system-x86[99]: segfault at 0 ip 00007f rsp 00007f", True),
    ("Command line: oops=panic rcupdate.rcu_cpu_stall_timeout=60", False),
    ("Command line: hung_task_panic=1", False),
    ("\tRCU CPU stall warnings timeout set to 60 (rcu_cpu_stall_timeout).",
     False),
    ("kvm [487]: vcpu0, guest rIP: 0xf Unhandled WRMSR(0xc0010007) = 0xffff",
     False),
    ("hrtimer: interrupt took 6176387 ns", False),
    ("ksched: loading out-of-tree module taints kernel.", False),
    ("smpboot: CPU 3 is now offline", False),
    ("debugfs: Directory 'x' with parent 'y' already present!", False),
]


class TestComplaints(unittest.TestCase):
    def test_rows(self):
        for line, wanted in ROWS:
            with self.subTest(line):
                self.assertEqual(complaints(["[    1.000000] " + line]),
                                 ["[    1.000000] " + line] if wanted else [])


class TestConsole(unittest.TestCase):
    def test_a_line_that_comes_in_parts_is_told_once(self):
        with tempfile.NamedTemporaryFile() as log:
            console = Console(log.name)
            self.assertEqual(console.pump(), [])
            log.write(b"all well\r\nBUG: ha")
            log.flush()
            self.assertEqual(console.pump(), [])
            log.write(b"lf a line\r\n")
            log.flush()
            self.assertEqual(console.pump(), ["BUG: half a line"])
            self.assertEqual(console.pump(), [])
            self.assertEqual(console.complaints, ["BUG: half a line"])

    def test_no_log_yet(self):
        self.assertEqual(Console("/nonexistent/log").pump(), [])


if __name__ == "__main__":
    unittest.main()
