#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""docs/workers.md: its example is the program that is tested, the header is C
and C++, and the calls it lists are there."""
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")


def text(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as f:
        return f.read()


def compiles(compiler, source, suffix):
    with tempfile.NamedTemporaryFile("w", suffix=suffix) as f:
        f.write(source)
        f.flush()
        done = subprocess.run(
            compiler + ["-Wall", "-Wextra", "-Wpedantic", "-Werror",
                        "-fsyntax-only", "-I" + os.path.join(ROOT, "include"),
                        f.name],
            stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    return done.stderr if done.returncode else ""


CALLS = """#include "hl/worker.h"
int main(void)
{
    struct hl_door door;
    struct hl_worker me;
    hl_door_open(&door, 0);
    hl_worker_open(&me, &door);
    bool any = hl_worker_taken(&me) || hl_worker_vcpu(&me) ||
        hl_worker_state(&me) == HL_WORKER_PLACED || hl_door_there(&door);
    hl_worker_wait(&me, hl_worker_seq(&me), 1);
    hl_worker_close(&me, &door);
    hl_door_close(&door);
    return any;
}
"""


class Workers(unittest.TestCase):
    def test_example(self):
        block = re.findall(r"```c\n(.*?)```", text("docs/workers.md"), re.S)[0]
        self.assertEqual(block, text("tests/load/cooperate.c"))

    def test_calls(self):
        header = text("include/hl/worker.h")
        for call in re.findall(r"`(hl_\w+)\(", text("docs/workers.md")):
            self.assertIn(call + "(", header)

    def test_languages(self):
        for compiler, suffix in (
                (["gcc", "-std=c11", "-D_DEFAULT_SOURCE"], ".c"),
                (["gcc", "-std=gnu11", "-D_GNU_SOURCE"], ".c"),
                (["clang", "-std=gnu11", "-D_GNU_SOURCE"], ".c"),
                (["clang", "-x", "c++", "-std=c++17"], ".cc")):
            with self.subTest(compiler=compiler):
                self.assertEqual(compiles(compiler, CALLS, suffix), "")


if __name__ == "__main__":
    sys.exit(not unittest.main(exit=False).result.wasSuccessful())
