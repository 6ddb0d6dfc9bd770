# SPDX-License-Identifier: Apache-2.0
"""hl_it.py - what integration tests with hostd and real guests share

main() runs a test in a Lab and turns its end into an exit code: 0 passed, 77
skipped, else failed. class Host is the Lab plus what may be asked of a process
and of what hostd changes on the host; class Probe is a client that never stops.
"""
import errno
import fcntl
import os
import pathlib
import re
import select
import socket
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True  # as root it would litter the source tree
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "scripts"))

from hl_guest import SLOW, LabError, run, say, virsh, wait_for
from hl_lab import Lab, catch_signals

PORT = 7000
LOCK = "/run/heighliner.lock"
OTHER_S = 120           # how long another hostd on this host is waited for
CGROUP = pathlib.Path("/sys/fs/cgroup")
GROUP_FILES = ("cpu.idle", "cpu.shares", "cpu.weight", "cpuset.cpus")

CONF = """[hostd]
cpus = 1
floor = 1
poll-cpu = 0
policy = {policy}
backend = {backend}
{more}
[switch]
uplink = tap:{lab.tap}

"""
VM = """[vm {lab.name}-{name}]
class = latency-critical
slo-p99 = 500us
cpus = {cpus}

"""


class Skip(Exception):
    """A sentence: why this cannot be tried here."""


def check(true, what):
    if not true:
        raise LabError(what)


def figure(name, value, unit, limit=None):
    """One line a figure, with its goal where it has one. Return: met?"""
    met = limit is None or value <= limit
    goal = "" if limit is None else \
        f" goal <={limit} {'met' if met else 'missed'}"
    print(f"figure {name} {value:g} {unit}{goal}", flush=True)
    return met


def read(path, default=None):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8",
                                            errors="replace").strip()
    except OSError:
        if default is None:
            raise
        return default


def status(task, field):
    """A line of a task's status in /proc; "" when the task is gone."""
    found = re.search(rf"^{field}:\s*(.*)$", read(f"{task}/status", ""), re.M)
    return found[1] if found else ""


def alive(pid):
    """Is there such a process? A zombie is none."""
    return status(f"/proc/{pid}", "State")[:1] not in ("", "Z")


def is_free(path=LOCK):
    """Does no hostd, nor the guardian of a dead one, run on this host?"""
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError as error:
        if error.errno != errno.EWOULDBLOCK:
            raise
        return False
    finally:
        os.close(fd)


class Host(Lab):
    """The Lab, and questions about what runs in it."""

    def conf(self, policy="slo", backend="cgroup", more="", critical=None):
        """hostd.conf with `more` keys; `critical`: the latency-critical
        guests and how many cpus each may own."""
        critical = critical or {"web": "1-1"}
        return CONF.format(lab=self, policy=policy, backend=backend,
                           more=more) + "".join(
            VM.format(lab=self, name=name, cpus=cpus)
            for name, cpus in critical.items())

    def start_hostd(self, conf):
        """As the Lab's, but wait while another hostd runs on this host."""
        end = time.monotonic() + OTHER_S
        while True:
            if not is_free():
                say("another hostd runs on this host: waiting for its end")
                wait_for("the other hostd's end", is_free,
                         max(end - time.monotonic(), 1), 0.5)
            try:
                (self.dir / "hostd.log").unlink(missing_ok=True)
                super().start_hostd(conf)
                return
            except LabError as error:
                if "another hostd" not in str(error) or \
                        time.monotonic() > end:
                    raise

    def server(self, name, host, **vm):
        return self.add_guest(name, host, run="server",
                              args=f"--udp {PORT} --threads 1", **vm)

    def log_lines(self, word):
        return [line for line in read(self.dir / "hostd.log", "").splitlines()
                if word in line]

    # --- what hostd may change ------------------------------------------

    def qemu(self, name):
        """The process of a guest's QEMU; 0: none."""
        return int(read(f"/run/libvirt/qemu/{self.name}-{name}.pid", "0"))

    def domstate(self, name):
        return virsh("domstate", f"{self.name}-{name}").strip()

    def groups(self, name):
        """The control groups of a guest, in every hierarchy: libvirt calls
        them after the guest, in its systemd spelling."""
        scope = f"{self.name}-{name}".replace("-", r"\x2d")
        return {group for where in ("machine*/*", "*/machine*/*")
                for group in CGROUP.glob(where)
                if scope in group.name or
                f"-{self.name}-{name}." in group.name}

    def state(self, *names):
        """Everything hostd may change of these guests: file or thread ->
        value. Threads that QEMU starts and ends as it likes are told by
        `same()`."""
        found = {}
        for name in names:
            for group in self.groups(name):
                for file in group.glob("**/*"):
                    if file.name in GROUP_FILES:
                        found[str(file)] = read(file, "gone")
            for task in pathlib.Path(
                    f"/proc/{self.qemu(name)}/task").iterdir():
                found[str(task)] = status(task, "Cpus_allowed_list")
        return found

    def pins(self, *names):
        """What libvirt says about vcpu pins."""
        return {name: virsh("vcpupin", f"{self.name}-{name}")
                for name in names}

    # --- hostd's process ------------------------------------------------

    def guardian(self):
        """hostd's guardian: its only child."""
        pid = self.hostd.pid
        children = set()
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            children |= set(read(task / "children", "").split())
        check(len(children) == 1, f"hostd has children {children}, not one")
        return int(children.pop())

    def poll_thread(self):
        for task in pathlib.Path(f"/proc/{self.hostd.pid}/task").iterdir():
            if read(task / "comm", "") == "hostd-poll":
                return int(task.name)
        raise LabError("hostd has no thread hostd-poll")

    def read_anew(self, name):
        """A guest was started again, and with it its console's file."""
        guest = self.guests[name]
        guest.text, guest.read_bytes = "", 0

    def settled(self, name, timeout=10):
        """Wait until hostd has taken a guest that runs in hand."""
        uuid = virsh("domuuid", f"{self.name}-{name}").strip()
        wait_for(f"hostd to adopt {name}", lambda: f"vm {uuid} " in
                 read(self.dir / "restore", ""), timeout)

    def resources(self):
        """Open files and resident KiB of hostd."""
        proc = pathlib.Path(f"/proc/{self.hostd.pid}")
        return (len(list((proc / "fd").iterdir())),
                int(status(proc, "VmRSS").split()[0]))

    def vms(self):
        return sorted(self.hostctl("vms"))

    def journal_is_true(self, running):
        """Every guest of these, and none that is gone. Other people's VMs may
        be there as well."""
        noted = set(re.findall(r"^vm (\S+)", read(self.dir / "restore", ""),
                               re.M))
        ours = {virsh("domuuid", f"{self.name}-{name}").strip()
                for name in running}
        return ours <= noted <= set(virsh("list", "--uuid").split())

    def check_truth(self, *names):
        """hostd knows these guests and no others; what it does to running
        ones, and nothing else, is in its journal; what is gone left nothing
        behind.
        """
        full = sorted(f"{self.name}-{name}" for name in names)
        wait_for(f"hostctl to tell of {full}", lambda: [
            vm for vm in self.vms() if vm.startswith(self.name)] == full, 5)
        running = [name for name in names if self.domstate(name) == "running"]
        wait_for("the journal to list what runs and nothing else",
                 lambda: self.journal_is_true(running), 5)
        for name, guest in self.guests.items():
            if name not in running:
                check(not self.groups(name), f"{name} left control groups")
            if guest.vm.socket_mode == "client":
                check(os.path.exists(guest.vm.socket) == (name in names),
                      f"socket of {name} is wrong")
        for cpu, owner in self.owners().items():
            check(not owner or not owner.startswith(self.name) or
                  owner[len(self.name) + 1:] in running,
                  f"cpu {cpu} belongs to {owner}, which does not run")

    def owners(self):
        """cpu -> VM that owns it, "" for nobody."""
        return {cpu: self.hostctl("cpu", cpu)["vm"]
                for cpu in self.hostctl("cpus")}

    def stop_cleanly(self):
        """SIGTERM, and hostd ends with 0 by itself."""
        self.hostd.terminate()
        code = self.hostd.wait(15 * SLOW)
        check(code == 0, f"hostd ended with {code}:\n" +
              read(self.dir / "hostd.log")[-2000:])
        self.hostd = None


def same(before, after):
    """Differences between two states, as lines. A thread that came or went
    is none: QEMU's workers live as long as they like."""
    return [f"{key}: was {before[key]}, is {after.get(key, 'gone')}"
            for key in sorted(before)
            if after.get(key, "gone") != before[key] and
            not (key.startswith("/proc/") and not after.get(key))]


class Probe(threading.Thread):
    """Asks a guest's server `rate` times a second, whatever happens, and notes
    when answers came. A host without a way there is no error: it comes back.
    """
    MESSAGE = struct.Struct("=IBBHQQQ")     # struct msg of tests/load/msg.h
    MAGIC, REQUEST, ANSWER, NS = 0x686c6c64, 1, 2, 1

    def __init__(self, address, rate=200):
        super().__init__(daemon=True)
        self.to, self.every = (address, PORT), 1 / rate
        self.answered = []      # monotonic seconds
        self.sent = 0
        self.over = threading.Event()

    def socket(self):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setblocking(False)
        return s

    def run(self):
        due = time.monotonic()
        with self.socket() as s:
            while not self.over.is_set():
                try:
                    s.sendto(self.MESSAGE.pack(self.MAGIC, self.REQUEST,
                                               self.NS, 0, 1, self.sent,
                                               20000), self.to)
                except OSError:
                    pass        # no tap, no route, a full queue: ask again
                self.sent += 1
                due = max(due + self.every, time.monotonic())
                self.listen(s, due)

    def listen(self, s, until):
        while (left := until - time.monotonic()) > 0:
            if not select.select([s], [], [], left)[0]:
                return
            try:
                data = s.recv(64)
            except OSError:
                continue
            if len(data) == self.MESSAGE.size and \
                    self.MESSAGE.unpack(data)[1] == self.ANSWER:
                self.answered.append(time.monotonic())

    def since(self, start):
        """Answers that came after `start`."""
        return [t for t in self.answered if t > start]

    def flows(self, seconds, what, count=3):
        """Wait for `count` answers from now on. Return: when the first came.
        """
        start = time.monotonic()
        wait_for(what, lambda: len(self.since(start)) >= count, seconds, 0.01)
        return self.since(start)[0]

    def silence_ms(self, start):
        """The longest time without an answer, from `start` until now."""
        times = [start, *self.since(start), time.monotonic()]
        return max(b - a for a, b in zip(times, times[1:])) * 1000

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_exc):
        self.over.set()
        self.join()


def address(lab, name):
    return lab.guests[name].vm.ip.split("/")[0]


def explain(lab):
    """Before all is cleaned up after a failure: how things stand."""
    asked = [(["ip", "-s", "link", "show", lab.tap], "the uplink"),
             (["ip", "neigh"], "neighbours")]
    if lab.hostd:
        asked += [([lab.build / "hostd/hostctl", "--json", "vm",
                    f"{lab.name}-{name}"], f"hostd on {name}")
                  for name in lab.guests]
    for command, what in asked:
        try:
            text = run(*command, check=False, timeout=10)
        except LabError as error:
            text = str(error)
        print(f"--- {what}:\n{text.strip()}")
    log = read(lab.dir / "hostd.log", "").splitlines()
    print("--- hostd's last words:\n" + "\n".join(log[-15:]), flush=True)


def main(test, name, net, **lab_options):
    """Run test(lab) in a Lab and exit. HL_HOST_CPUS: where everything but the
    guests' vcpus runs; a host of many cpus has more than one to give."""
    catch_signals()
    lab_options.setdefault("host_cpus", os.environ.get("HL_HOST_CPUS", "0"))
    build = pathlib.Path(os.environ.get("O", HERE.parent.parent / "build"))
    started = time.monotonic()
    lab = None
    try:
        if os.geteuid():
            raise Skip("needs root")
        if (os.cpu_count() or 1) < 2:
            raise Skip("needs two cpus: one for hostd, one for guests")
        for program in ("qemu-system-x86_64", "virsh", "busybox"):
            if not any(os.access(f"{place}/{program}", os.X_OK) for place in
                       os.environ["PATH"].split(":")):
                raise Skip(f"{program} is not installed")
        with Host(build, name=name, net=net, **lab_options) as lab:
            try:
                test(lab)
            except LabError:
                explain(lab)
                raise
    except Skip as reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    except LabError as error:
        print(f"FAILED: {error}")
        sys.exit(1)
    say(f"passed, and cleaned up, after {time.monotonic() - started:.0f} s")
