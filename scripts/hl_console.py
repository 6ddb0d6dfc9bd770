# SPDX-License-Identifier: Apache-2.0
"""hl_console.py - what a kernel's console says, and whether it complains

Whatever the patterns catch is a fault: nothing that a kernel says because it is
emulated is among them (MSRs that KVM does not know, timer interrupts that took
milliseconds). tests/unit/test_hl_console.py has examples of both sorts.
"""
import re

# The first line of what a kernel in trouble says.
COMPLAINT = re.compile(r"""
    \bBUG\b | \bWARNING\b | \bOops\b | Kernel\ panic | Call\ Trace
    | general\ protection | unable\ to\ handle | invalid\ opcode
    | double\ fault | stack\ segment | divide\ error | stack-protector
    | scheduling\ while\ atomic | sleeping\ function\ called
    | corruption | [Bb]ad\ page | Redzone | Poison\ overwritten
    | Object\ already\ free | refcount_t | UBSAN | KASAN | kmemleak
    | soft\ lockup | hard\ LOCKUP | blocked\ for\ more\ than | hung[ _]task\b
    | \bstalls?\ on | rcu.*starved\ for | workqueue\ lockup
    | Out\ of\ memory | segfault
    | still\ has\ locks\ held | unbalanced | nobody\ cared
""", re.X)


class Console:
    """Follows a growing log and keeps the lines that complain."""

    def __init__(self, path):
        self.path = path
        self.read_bytes = 0
        self.rest = b""
        self.complaints = []

    def pump(self):
        """Look at what has come since. Return: the new complaints."""
        try:
            with open(self.path, "rb") as f:
                f.seek(self.read_bytes)
                data = f.read()
        except FileNotFoundError:
            return []
        self.read_bytes += len(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        return self.look(line.decode(errors="replace").rstrip()
                         for line in lines)

    def look(self, lines):
        found = complaints(lines)
        self.complaints += found
        return found

    def tail(self, count):
        try:
            with open(self.path, encoding="utf-8", errors="replace") as f:
                return "".join(f.readlines()[-count:])
        except FileNotFoundError:
            return ""


def complaints(lines):
    """Those of a log's lines that complain."""
    return [line for line in lines if COMPLAINT.search(line)]
