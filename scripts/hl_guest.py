# SPDX-License-Identifier: Apache-2.0
"""hl_guest.py - a test guest under libvirt, driven through virsh

class Guest starts and stops it and follows its console; class Progress turns
what an antagonist prints there into work done between two points in time.
"""
import os
import pathlib
import re
import subprocess
import time

import hl_domain

URI = "qemu:///system"
# How much longer everything may take here. scripts/lab says so: its cpus are
# emulated, and wait for their turn on few real ones.
SLOW = int(os.environ.get("HL_SLOW", 1))
TURN_S = 0.5            # see wait_for()
PROGRESS = re.compile(r"time_ns (\d+) loops (\d+)\s*$")


class LabError(Exception):
    """A sentence for the operator."""


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def run(*command, check=True, timeout=60):
    """Run a command to its end. Return: what it printed."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True,
                              timeout=timeout * SLOW, check=False)
    except FileNotFoundError as error:
        raise LabError(f"{words[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(words)}: no end after "
                       f"{timeout * SLOW} s") from error
    if check and done.returncode:
        raise LabError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def virsh(*command, check=True):
    return run("virsh", "-q", "-c", URI, *command, check=check)


def wait_for(what, condition, seconds, every=0.05):
    """Wait until condition() is true; it may raise LabError to give up.

    A look counts for TURN_S at most: while the machine stands still, what is
    waited for cannot happen either. The last look begins after the time is up.
    Return: seconds it took, stalls and all.
    """
    seconds *= SLOW
    begun = last = time.monotonic()
    waited = 0
    while not condition():
        if waited > seconds:
            raise LabError(f"{what}: not after {seconds} s")
        time.sleep(every)
        now = time.monotonic()
        waited += min(now - last, TURN_S * SLOW)
        last = now
    return time.monotonic() - begun


class Progress:
    """What an antagonist has done, by this machine's monotonic clock.

    Its lines carry the guest's clock, and a starved guest prints late. The
    clocks differ by a constant, until the guest is suspended: the smallest
    difference ever seen.
    """

    def __init__(self):
        self.points = []        # (guest ns, loops)
        self.offset_ns = None

    def add(self, line, now_ns):
        found = PROGRESS.search(line)
        if not found:
            return
        guest_ns, loops = int(found[1]), int(found[2])
        self.points.append((guest_ns, loops))
        offset_ns = now_ns - guest_ns
        if self.offset_ns is None or offset_ns < self.offset_ns:
            self.offset_ns = offset_ns

    def at(self, host_ns):
        """Loops done then, between two lines in proportion."""
        if not self.points:
            return 0.0
        guest_ns = host_ns - self.offset_ns
        before = self.points[0]
        for after in self.points:
            if after[0] >= guest_ns:
                span = after[0] - before[0]
                part = (guest_ns - before[0]) / span if span > 0 else 0
                return before[1] + max(part, 0) * (after[1] - before[1])
            before = after
        return float(before[1])

    def covers(self, host_ns):
        return bool(self.points) and \
            self.points[-1][0] + self.offset_ns >= host_ns


class Guest:
    """A domain under libvirt, its console followed."""

    def __init__(self, vm):
        self.vm = vm
        self.console = pathlib.Path(vm.console)
        self.progress = Progress()
        self.text = ""
        self.read_bytes = 0

    def pump(self):
        """Read what the console has got since. Cheap; call it often."""
        try:
            with open(self.console, "rb") as f:
                f.seek(self.read_bytes)
                data = f.read()
        except FileNotFoundError:
            return
        whole = data[:data.rfind(b"\n") + 1]
        self.read_bytes += len(whole)
        now_ns = time.monotonic_ns()
        for line in whole.decode(errors="replace").splitlines():
            self.progress.add(line, now_ns)
        self.text += whole.decode(errors="replace")

    def is_up(self):
        """Has its program started? A guest that failed is an error."""
        self.pump()
        if "switching off" in self.text or "Kernel panic" in self.text:
            raise LabError(f"guest {self.vm.name} failed")
        words = "server ready" if self.vm.run == "server" else "guest: up"
        return words in self.text

    def has_spoken(self):
        self.pump()
        return bool(self.text)

    def wait_up(self, seconds):
        try:
            wait_for(f"guest {self.vm.name} is up", self.is_up, seconds)
        except LabError as error:
            raise LabError(f"{error}; its console:\n{self.text[-2000:]}") \
                from error

    def registers(self):
        """Where its vcpus are, in QEMU's words; for a guest that hangs."""
        return virsh("qemu-monitor-command", self.vm.name, "--hmp",
                     "info registers", check=False)[:600]

    def define(self):
        path = self.console.with_suffix(".xml")
        path.write_text(hl_domain.domain_xml(self.vm), encoding="utf-8")
        virsh("define", path)

    def start(self):
        virsh("start", self.vm.name)

    def restart(self):
        virsh("destroy", self.vm.name)
        self.text, self.read_bytes = "", 0
        self.start()

    def remove(self):
        virsh("destroy", self.vm.name, check=False)
        virsh("undefine", self.vm.name, check=False)

    def vcpu_ns(self):
        """cpu time its vcpu threads have used so far."""
        pid = pathlib.Path(f"/run/libvirt/qemu/{self.vm.name}.pid")
        total = 0
        for task in pathlib.Path(f"/proc/{pid.read_text().strip()}/task") \
                .iterdir():
            if (task / "comm").read_text().startswith("CPU "):
                total += int((task / "schedstat").read_text().split()[0])
        return total

    def suspend(self):
        virsh("suspend", self.vm.name)

    def resume(self):
        """Its clock stood still: what was noted of it holds no more."""
        self.pump()
        self.progress = Progress()
        virsh("resume", self.vm.name)

    def set_shares(self, shares):
        virsh("schedinfo", self.vm.name, "--live", f"cpu_shares={shares}")
