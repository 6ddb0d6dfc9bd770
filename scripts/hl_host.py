# SPDX-License-Identifier: Apache-2.0
"""hl_host.py - a virtual KVM host of many cpus, under QEMU without KVM

class Shape says how many cpus, how they hang together, how much memory; class
VirtualHost runs one such machine on a directory of files:

	OUT/console.log, qemu.log, dmesg.log	kept
	OUT/.lab/	what lab-init and lab-run read and write

The machine's root is this one's, served by virtiofsd out of a mount namespace
in which it is read-only and OUT is mounted on /run, writable: whatever happens
inside, nothing else here changes.
"""
import dataclasses
import os
import pathlib
import shutil
import signal
import socket
import subprocess

from hl_console import Console
from hl_guest import LabError, run

HERE = pathlib.Path(__file__).resolve().parent
VIRTIOFSD = "/usr/lib/qemu/virtiofsd"

# AMD's nested virtualization is the one that QEMU emulates. SMT siblings are
# told through topoext, which QEMU can tell but does not count among what it
# emulates: hence the force, and nothing else is asked for that it lacks. Linux
# believes topoext from family 23 on.
CPU = "max,x-force-features=on,topoext=on,xlevel=0x8000001e,family=23," \
    "model=49,stepping=0"

KERNEL_ARGS = [
    "console=ttyS0",
    "loglevel=5",               # warnings, too: WARN() is one
    "panic=-1", "oops=panic",   # end at once, the console says why
    "mitigations=off",          # no attacker here, and emulation is slow
    "tsc=reliable", "no_timer_check",   # no watching of an emulated clock
    # Eight cpus take turns on few real ones: one may stand still for seconds.
    # A cpu that really hangs is told after 60 s instead of 20.
    "watchdog_thresh=30", "rcupdate.rcu_cpu_stall_timeout=60",
    # Every object of the general caches is checked when it is freed, and
    # poisoned: use after free and overruns are found where they happen.
    "slub_debug=FZP,kmalloc-*",
]


@dataclasses.dataclass
class Shape:
    sockets: int = 2
    cores: int = 2
    threads: int = 2
    nodes: int = 2
    memory_mib: int = 6144
    hugepages: int = 0

    @property
    def cpus(self):
        return self.sockets * self.cores * self.threads

    def check(self):
        if min(self.sockets, self.cores, self.threads, self.nodes) < 1:
            raise LabError("a host has at least one of everything")
        if self.cpus > 255:
            raise LabError(f"{self.cpus} cpus: more than 255")
        if self.sockets * self.cores % self.nodes:
            raise LabError(f"{self.nodes} nodes cannot share "
                           f"{self.sockets * self.cores} cores evenly")

    def __str__(self):
        return (f"{self.cpus} cpus ({self.sockets} x {self.cores} x "
                f"{self.threads}), {self.nodes} nodes, {self.memory_mib} MiB")

    def qemu(self):
        """QEMU's words for it. virtiofsd needs memory that can be shared."""
        words = ["-smp", f"{self.cpus},sockets={self.sockets},"
                 f"cores={self.cores},threads={self.threads}",
                 "-m", f"{self.memory_mib // self.nodes * self.nodes}"]
        per_node = self.cpus // self.nodes
        for node in range(self.nodes):
            first = node * per_node
            words += ["-object", f"memory-backend-memfd,id=m{node},share=on,"
                      f"size={self.memory_mib // self.nodes}M",
                      "-numa", f"node,nodeid={node},memdev=m{node},"
                      f"cpus={first}-{first + per_node - 1}"]
        return words


class VirtualHost:
    """One boot. Use it as a context: at its end nothing runs any more."""

    def __init__(self, out, shape, kernel_args=(), qemu_args=(),
                 terminal=False):
        self.out, self.shape = pathlib.Path(out).resolve(), shape
        self.kernel_args, self.qemu_args = list(kernel_args), list(qemu_args)
        self.terminal = terminal
        self.dir = self.out / ".lab"
        self.console = Console(self.out / "console.log")
        self.programs = []
        self.qemu = None

    def prepare(self):
        """An empty directory for this boot; logs of the last one go."""
        shutil.rmtree(self.dir, ignore_errors=True)
        # `job` holds the caller's environment: for nobody else.
        self.dir.mkdir(mode=0o700, parents=True)
        for log in ("console.log", "qemu.log", "dmesg.log"):
            (self.out / log).unlink(missing_ok=True)
        shutil.copy(HERE / "lab-run", self.dir)

    def start(self):
        """Start the machine; `job` and `shell` are there already."""
        if os.geteuid():
            raise LabError("the lab must be started as root")
        if not os.access(VIRTIOFSD, os.X_OK):
            raise LabError(f"{VIRTIOFSD} is missing: "
                           "apt-get install qemu-system-common")
        image = dict(line.split("=", 1) for line in
                     run(HERE / "lab-image", timeout=300).splitlines())
        (self.dir / "boot").write_text(f"modules='{image['modules']}'\n")
        # By way of a descriptor: a socket's path may have 107 letters only.
        where = os.open(self.dir, os.O_PATH)
        files = f"/proc/self/fd/{where}/files"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(files)
            listener.listen(1)
            self.start_virtiofsd(listener.fileno())
        self.qemu = self.spawn(
            ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi",
             "-plugin", image["plugin"], "-cpu", CPU, *self.shape.qemu(),
             "-nodefaults", "-no-reboot", "-display", "none",
             "-kernel", image["kernel"], "-initrd", image["initrd"],
             "-append", self.cmdline(),
             "-chardev", f"socket,id=files,path={files}",
             "-device", "vhost-user-fs-pci,chardev=files,tag=host",
             "-serial", f"file:{self.console.path}",
             "-chardev", "stdio,id=shell,signal=off" if self.terminal
             else "null,id=shell", "-serial", "chardev:shell",
             *self.qemu_args], pass_fds=[where],
            stdin=None if self.terminal else subprocess.DEVNULL,
            stdout=None if self.terminal else subprocess.DEVNULL,
            start_new_session=not self.terminal)
        os.close(where)

    def cmdline(self):
        words = list(KERNEL_ARGS)
        if self.shape.hugepages:
            words.append(f"hugepages={self.shape.hugepages}")
        return " ".join(words + self.kernel_args)

    def start_virtiofsd(self, fd):
        """It ends with QEMU. A host's files hardly change while a lab runs:
        with cache=always a program is read once, not at each start."""
        script = ('mount -n --bind "$1" /run && '
                  'mount -n -o remount,bind,ro / && '
                  f'exec {VIRTIOFSD} --fd={fd} -o source=/ -o cache=always '
                  '-o sandbox=chroot -o log_level=warn')
        self.spawn(["unshare", "--mount", "--propagation", "private", "sh",
                    "-c", script, "sh", self.out], pass_fds=[fd],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   start_new_session=True)

    def spawn(self, command, **popen):
        """Start a program that ends with us, whatever ends us."""
        words = ["setpriv", "--pdeathsig", "KILL"] + [str(w) for w in command]
        with open(self.out / "qemu.log", "ab") as log:
            process = subprocess.Popen(words, stderr=log, **popen)
        self.programs.append(process)
        return process

    # --- what lab-run tells -----------------------------------------------

    def told(self, name):
        """A file of lab-run: its text; None before it is there."""
        try:
            return (self.dir / name).read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None

    def is_running(self):
        return self.qemu.poll() is None

    def stop(self):
        for process in reversed(self.programs):
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
        self.programs = []

    def give_back(self):
        """Files go to whoever called sudo, so that they can be removed."""
        if "SUDO_UID" not in os.environ:
            return
        owner = int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"])
        for path in [self.out, *self.out.rglob("*")]:
            os.chown(path, *owner, follow_symlinks=False)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.stop()
        self.give_back()
