# SPDX-License-Identifier: Apache-2.0
"""hl_ksched.py - what the lab's cases about ksched share

The module (load, unload, drain), the kernel's log, affinities as the kernel
tells them, class Herd (a process of threads that stand in for vcpus), class
Mover (moves their threads at random), slab counts.
"""
import errno
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # as root it would litter the source tree
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "it"))

from hl_it import Skip, check, read, status
from hl_console import complaints
from hl_guest import LabError, run, wait_for

BUILD = pathlib.Path(os.environ.get("O", HERE.parent.parent / "build"))
KO = BUILD / "ksched/module/ksched.ko"
DEVICE = "/dev/ksched"
PARAMETERS = pathlib.Path("/sys/module/ksched/parameters")
CPUS = 8                # of the lab
# Of these there may be more for any reason.
NOISE = re.compile(r"dentry|inode|buffer_head|kernfs|radix_tree|lsm_|proc_|"
                   r"vmap_area")


def need_lab():
    """Raise Skip where the module cannot be tried."""
    if not KO.exists():
        raise Skip(f"{KO} is not built: make ksched-module")
    if os.uname().release not in run("modinfo", "-F", "vermagic", KO):
        raise Skip("the module is for another kernel: run it in the lab")
    if (os.cpu_count() or 1) < CPUS:
        raise Skip(f"needs {CPUS} cpus: run it in the lab")


# --- the module -------------------------------------------------------------

def load():
    if not PARAMETERS.exists():
        run("insmod", KO)
    wait_for(DEVICE, lambda: os.path.exists(DEVICE), 5)
    drain(False)


def drain(on):
    (PARAMETERS / "drain").write_text("1" if on else "0", encoding="ascii")


def unload(seconds=10):
    """After a drain: whoever has the device open will let it go."""
    def gone():
        run("rmmod", "ksched", check=False)
        return not PARAMETERS.exists()
    wait_for("rmmod", gone, seconds)


def is_held():
    """Has somebody a session?"""
    try:
        os.close(os.open(DEVICE, os.O_RDWR))
        return False
    except OSError as error:
        if error.errno in (errno.EBUSY, errno.ESHUTDOWN):
            return error.errno == errno.EBUSY
        raise


class KernelLog:
    """The kernel's log from now on."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def complaints(self):
        """Lines since the last call that no healthy kernel prints."""
        found = []
        while True:
            try:
                line = os.read(self.fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return found
            except BrokenPipeError:     # overwritten: go on with the rest
                continue
            found += complaints([line.split(";", 1)[-1].strip()])


def slabs():
    """Objects in use of each cache, without those cpus hold in reserve."""
    for file in pathlib.Path("/sys/kernel/slab").glob("*/shrink"):
        try:
            file.write_text("1", encoding="ascii")
        except OSError:
            pass
    rows = [line.split() for line in read("/proc/slabinfo").splitlines()[2:]]
    return {row[0]: int(row[1]) for row in rows if not NOISE.search(row[0])}


# --- affinities -------------------------------------------------------------

def tasks(pid):
    try:
        return [int(tid) for tid in os.listdir(f"/proc/{pid}/task")]
    except FileNotFoundError:
        return []


def masks(*pids):
    """tid -> Cpus_allowed_list of every thread there is."""
    found = {}
    for pid in pids:
        for tid in tasks(pid):
            mask = status(f"/proc/{pid}/task/{tid}", "Cpus_allowed_list")
            if mask:
                found[tid] = mask
    return found


def changed(before, after):
    """What differs for threads that are in both, as lines."""
    return [f"thread {tid}: was {before[tid]}, is {after[tid]}"
            for tid in sorted(before.keys() & after.keys())
            if before[tid] != after[tid]]


def set_online(cpu, on):
    pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/online").write_text(
        "1" if on else "0", encoding="ascii")


# --- threads, and who moves them ---------------------------------------------

class Herd:
    """A process of threads, watched through the file they live in."""
    WORKER = struct.Struct("=IiQII40x")     # struct worker of worker.h

    def __init__(self, lab, name, threads, cpus=None, group=None):
        """cpus: sets of cpus the threads get in turn; group: a cgroup to be
        made, with that cpuset."""
        self.file = lab.dir / f"herd-{name}"
        self.threads, self.lab = threads, lab
        self.cpus, self.group = cpus, group
        self.process = None

    def start(self):
        self.file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", BUILD / "tests/lab/lab_herd",
             self.file, str(self.threads)], stdin=subprocess.PIPE)
        wait_for("the herd", lambda: self.file.exists() and
                 len(self.workers()) == self.threads and
                 all(w["tid"] for w in self.workers()), 10)
        if self.group:
            (self.group / "cgroup.procs").write_text(
                str(self.process.pid), encoding="ascii")
        for index, tid in enumerate(tasks(self.process.pid)):
            if self.cpus:
                os.sched_setaffinity(tid, self.cpus[index % len(self.cpus)])
        return self

    @property
    def pid(self):
        return self.process.pid

    def workers(self):
        data = self.file.read_bytes()
        names = ("work", "tid", "turns", "stop", "again")
        return [dict(zip(names, row)) for row in self.WORKER.iter_unpack(data)]

    def replace(self, index):
        """Ask a thread to end; another one comes in its stead."""
        with open(self.file, "r+b") as f:
            f.seek(index * self.WORKER.size + 16)
            f.write(struct.pack("=II", 1, 1))

    def all_turn(self, seconds=10):
        """Wait until every thread has taken another turn."""
        before = [w["turns"] for w in self.workers()]

        def turned():
            now = self.workers()
            # A new thread counts from 0 again.
            return all(n["tid"] and n["turns"] != b and not n["stop"]
                       for n, b in zip(now, before))
        try:
            wait_for("turns", turned, seconds, 0.02)
        except LabError as error:
            still = [n for n, b in zip(self.workers(), before)
                     if n["turns"] == b or n["stop"]]
            raise LabError(f"threads that do not go on: {still}") from error

    def end(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process = None


class Mover:
    """lab_mover, moving the threads of these processes."""

    def __init__(self, lab, pids, seed, seconds=600, rough=True, silence=5000,
                 pause=500):
        words = [BUILD / "tests/lab/lab_mover", "--seed", seed, "--seconds",
                 seconds, "--silence", silence, "--pause", pause]
        words += ["--rough"] * rough
        self.process = lab.spawn(words + list(pids), stdout=subprocess.PIPE,
                                 text=True)

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def finish(self, timeout=30, end=True):
        """End it. Return: its account. A fault is an error."""
        if end:
            self.signal(signal.SIGTERM)
        text = self.process.communicate(timeout=timeout)[0]
        check(self.process.returncode == 0,
              f"lab_mover ended with {self.process.returncode}:\n{text}")
        return json.loads(text.splitlines()[-1])


class Clock:
    """Seconds since the beginning."""

    def __init__(self):
        self.begin = time.monotonic()

    def __call__(self):
        return time.monotonic() - self.begin
