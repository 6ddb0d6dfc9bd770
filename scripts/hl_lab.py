# SPDX-License-Identifier: Apache-2.0
"""hl_lab.py - hostd, guests and load on this machine, and nothing left behind

class Lab holds everything that a demo or a bench starts: libvirtd where nobody
runs it, hostd, guests, clients. Everything started has its undo noted at once;
close() carries them out in reverse, and is called however the program ends
(catch_signals() turns signals into exits). What a killed run left behind is
removed by the next one: names and paths are always the same.
"""
import csv
import grp
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import hl_domain
from hl_guest import SLOW, URI, Guest, LabError, run, say, virsh, wait_for

HERE = pathlib.Path(__file__).resolve().parent
SHM = pathlib.Path("/dev/shm")
SILENT_S = 20           # by then a kernel has said something
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def catch_signals():
    """Make the usual signals end the program through its finally blocks."""
    def leave(number, _frame):
        raise SystemExit(128 + number)

    for number in ENDING:
        signal.signal(number, leave)


class Lab:
    """Everything that runs, and how to be rid of it."""

    def __init__(self, build, name="hl-demo", host_cpus="0", vm_cpus="1",
                 net="10.77.0", agent=False):
        """agent: the guests' image has the guest-agent, and what goes with
        it."""
        self.build = pathlib.Path(build).resolve()
        self.name = name
        self.host_cpus, self.vm_cpus = host_cpus, vm_cpus
        self.net = net
        self.agent = agent
        self.tap = name[:15]
        self.dir = pathlib.Path("/run") / name
        self.guests = {}
        self.hostd = None
        self.image = {}
        self.undo = []

    def __enter__(self):
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exc):
        self.close()

    def open(self):
        if os.geteuid():
            raise LabError("this must run as root")
        self.stay_on_host_cpus()
        self.open_kvm_device()
        self.start_libvirt()
        self.sweep()
        self.undo.append(lambda: shutil.rmtree(self.dir, ignore_errors=True))
        self.dir.mkdir(mode=0o755)
        self.make_image()

    def close(self):
        """Undo everything, last first; a failure does not stop the rest."""
        old = [signal.signal(number, signal.SIG_IGN) for number in ENDING]
        while self.undo:
            try:
                self.undo.pop()()
            except (LabError, OSError) as error:
                say(f"cleaning up: {error}")
        for number, handler in zip(ENDING, old):
            signal.signal(number, handler)

    def sweep(self):
        """Remove what a killed run left: domains of our name, our directory
        with consoles that tell of other guests."""
        for domain in virsh("list", "--all", "--name").split():
            if domain.startswith(self.name + "-"):
                say(f"removing {domain} of a former run")
                virsh("destroy", domain, check=False)
                virsh("undefine", domain, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)
        for page in SHM.glob(f"{hl_domain.AGENT_SHMEM}{self.name}-*"):
            page.unlink()

    def spawn(self, command, log=None, **popen):
        """Start a program that ends with us, whatever ends us."""
        words = ["setpriv", "--pdeathsig", "TERM"] + [str(w) for w in command]
        if log:
            with open(log, "ab") as f:
                return subprocess.Popen(words, stdin=subprocess.DEVNULL,
                                        stdout=f, stderr=f, **popen)
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, **popen)

    # --- libvirt ----------------------------------------------------------

    def stay_on_host_cpus(self):
        """Off the cpus the guests are measured on, and so is all we start."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cpus_of(self.host_cpus))
        self.undo.append(lambda: os.sched_setaffinity(0, before))

    def open_kvm_device(self):
        """Give /dev/kvm the group and mode Debian's udev gives it, where no
        udev runs. When QEMU's user cannot open it, libvirt distrusts what it
        knows of QEMU and asks again at every call: a define takes minutes."""
        try:
            gid = grp.getgrnam("kvm").gr_gid
            if os.stat("/dev/kvm").st_gid == gid:
                return
            say("/dev/kvm: giving it to group kvm, as udev would")
            os.chown("/dev/kvm", 0, gid)
            os.chmod("/dev/kvm", 0o660)
        except (KeyError, FileNotFoundError):
            return

    def start_libvirt(self):
        """Start libvirtd where nobody does, and stop it at the end."""
        def answers():
            try:
                done = subprocess.run(["virsh", "-q", "-c", URI, "version"],
                                      capture_output=True, check=False,
                                      timeout=30 * SLOW)
            except subprocess.TimeoutExpired as error:
                raise LabError("libvirtd hangs: restart it") from error
            return done.returncode == 0

        if not shutil.which("virsh") or not shutil.which("libvirtd"):
            raise LabError("libvirt is missing: apt-get install "
                           "libvirt-daemon-system libvirt-clients")
        if answers():
            return
        if os.path.isdir("/run/systemd/system"):
            run("systemctl", "start", "libvirtd")
        else:
            say("starting virtlogd and libvirtd")
            for daemon in ("virtlogd", "libvirtd"):
                self.start_daemon(daemon)
        wait_for("libvirtd to answer", answers, 20, 0.2)

    def start_daemon(self, daemon):
        pid_file = f"/run/{self.name}-{daemon}.pid"
        run(daemon, "-d", "-p", pid_file)

        def stop():
            with open(pid_file, encoding="ascii") as f:
                os.kill(int(f.read()), signal.SIGTERM)
            wait_for(f"{daemon} to end", lambda: not os.path.exists(pid_file),
                     10)

        self.undo.append(stop)

    # --- guests -----------------------------------------------------------

    def make_image(self):
        """Kernel and initramfs where QEMU's user can read them."""
        words = ["--bin", self.build / "tests/load"]
        if self.agent:
            words += ["--agent", self.build / "guest-agent/guest-agent"]
        lines = run(HERE / "guest-image", *words, timeout=300)
        for line in lines.splitlines():
            what, path = line.split("=", 1)
            self.image[what] = self.dir / what
            shutil.copyfile(path, self.image[what])
            self.image[what].chmod(0o644)

    def add_guest(self, name, host, nic=True, **vm):
        """Define a guest. host: last number of its address."""
        full = f"{self.name}-{name}"
        given = {
            "kernel": str(self.image["kernel"]),
            "initrd": str(self.image["initrd"]),
            "console": str(self.dir / f"{full}.log"),
            "cpus": self.vm_cpus,
            "emulator_cpus": self.host_cpus,
        }
        if nic:
            given.update(socket=str(self.dir / f"{full}.sock"),
                         mac=f"52:54:00:77:00:{host:02x}",
                         ip=f"{self.net}.{host}/24")
        guest = Guest(hl_domain.Vm(full, **(given | vm)))
        if guest.vm.agent == "page":    # QEMU leaves it there
            page = SHM / (hl_domain.AGENT_SHMEM + full)
            self.undo.append(lambda: page.unlink(missing_ok=True))
        self.undo.append(guest.remove)
        guest.define()
        self.guests[name] = guest
        return guest

    def remove_guest(self, name):
        self.guests.pop(name).remove()

    def boot(self, *names, seconds=60):
        """Start guests and wait until their programs run."""
        started = time.monotonic()
        for name in names:
            self.guests[name].start()
        for name in names:
            self.wait_booted(self.guests[name], seconds)
        return time.monotonic() - started

    @staticmethod
    def wait_booted(guest, seconds):
        """A KVM guest under emulated SVM now and then hangs before its kernel
        has said a word, whoever made it. It is told and started once more."""
        if SLOW > 1:
            try:
                wait_for(f"{guest.vm.name}'s first word", guest.has_spoken,
                         SILENT_S)
            except LabError as error:
                say(f"{error}, started anew; it was here:\n"
                    f"{guest.registers()}")
                guest.restart()
        guest.wait_up(seconds)

    # --- hostd ------------------------------------------------------------

    def write_conf(self, text):
        path = self.dir / "hostd.conf"
        path.write_text(text, encoding="utf-8")
        return path

    def start_hostd(self, conf):
        """Start hostd with this configuration, wait for sockets and tap."""
        path = self.write_conf(conf)
        log = self.dir / "hostd.log"
        self.hostd = self.spawn([self.build / "hostd/hostd", "-c", path, "-d",
                                 self.dir / "conf.d", "-r", self.dir], log)
        if self.stop_hostd not in self.undo:
            self.undo.append(self.stop_hostd)

        def ready():
            if self.hostd.poll() is not None:
                raise LabError("hostd ended:\n" + log.read_text()[-2000:])
            return os.path.exists(f"/sys/class/net/{self.tap}") and all(
                os.path.exists(g.vm.socket) for g in self.guests.values()
                if g.vm.socket and g.vm.socket_mode == "client")

        wait_for("hostd's sockets and tap", ready, 30)
        self.address_tap()

    def address_tap(self):
        run("ip", "address", "replace", f"{self.net}.1/24", "dev", self.tap)
        run("ip", "link", "set", self.tap, "up")

    def stop_hostd(self):
        if not self.hostd:
            return
        self.hostd.terminate()
        try:
            self.hostd.wait(10 * SLOW)
        except subprocess.TimeoutExpired:
            self.hostd.kill()
            self.hostd.wait()
        self.hostd = None

    def reload_hostd(self, conf):
        self.write_conf(conf)
        run(self.build / "hostd/hostctl", "reload", timeout=20)

    def ask(self, *words):
        """What hostctl prints. It gives up after seconds, as its users wish;
        on emulated or stolen cpus hostd may want a second and a third."""
        command = (self.build / "hostd/hostctl", *words)
        for _ in range(2):
            try:
                return run(*command, timeout=10)
            except LabError as error:
                if "does not answer" not in str(error):
                    raise
        return run(*command, timeout=10)

    def hostctl(self, *query):
        """Ask hostd. Return: its answer, without the query it comes under."""
        answer = json.loads(self.ask("--json", *query))
        if isinstance(answer, dict) and len(answer) == 1 and \
                next(iter(answer)).startswith("/"):
            return next(iter(answer.values()))
        return answer

    def events(self, since=0):
        """hostd's decisions from number `since` on, as far as it keeps them.

        Return: list of dicts (at_ns: the monotonic clock), and the number of
        the next one to come. hostd answers in pages, newest first.
        """
        events, before, following = [], [], None
        while True:
            page = self.hostctl("log", 1024, *before)
            following = page["next"] if following is None else following
            rows = [{"number": page["first"] + i,
                     **{key: page[key][i] for key in
                        ("at_ns", "cpu", "vm", "vcpu", "from", "reason")}}
                    for i in range(page["count"])]
            events = [row for row in rows if row["number"] >= since] + events
            if not rows or page["first"] <= since:
                return events, following
            before = [page["first"]]

    # --- load -------------------------------------------------------------

    def pump(self):
        for guest in self.guests.values():
            guest.pump()

    def reachable(self, name, port, seconds=20, proto="udp"):
        """Wait until a guest answers through its NIC."""
        guest = self.guests[name]
        address = guest.vm.ip.split("/")[0]

        def answers():
            text = run(self.build / "tests/load/synthetic", "client", "--to",
                       f"{address}:{port}", "--proto", proto, "--rate", 100,
                       "--time", 0.1, "--warmup", 0, "--grace", 0.3, "--late",
                       "1s", check=False)
            return '"answered": 0,' not in text and "result" in text

        wait_for(f"guest {name} at {address}", answers, seconds)

    def client(self, name, port, seconds, **options):
        """Load a guest's server; meanwhile read the consoles.

        The client stands for another machine: it shares no cpu time with what
        it measures, so it runs before everything else on the host's cpus.
        Return: the client's result line, with `samples_us` added.
        """
        out = self.dir / "samples.csv"
        address = self.guests[name].vm.ip.split("/")[0]
        command = ["taskset", "-c", self.host_cpus, "chrt", "-f", "1",
                   self.build / "tests/load/synthetic", "client", "--to",
                   f"{address}:{port}", "--time", seconds, "--out", out]
        for option, value in options.items():
            command += ["--" + option, value]
        process = self.spawn(command, stdout=subprocess.PIPE, text=True)
        try:
            while process.poll() is None:
                self.pump()
                time.sleep(0.1)
            text = process.stdout.read()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        if process.returncode:
            raise LabError(f"the client failed, see above\n{text}")
        result = json.loads(re.search(r"^result (.*)$", text, re.M)[1])
        result["samples_us"] = read_samples(out)
        return result

    def work(self, name, from_ns, to_ns):
        """Loops a second a guest's antagonist did between two times."""
        progress = self.guests[name].progress
        wait_for(f"{name}'s report", lambda: self.pump() or
                 progress.covers(to_ns), 20, 0.1)
        return (progress.at(to_ns) - progress.at(from_ns)) * 1e9 / \
            (to_ns - from_ns)


def cpus_of(text):
    """The set of cpus a list like 0-3,5 names."""
    cpus = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def read_samples(path):
    """Latencies of a client's CSV in us; a lost one is infinite, one never
    sent is left out."""
    samples = []
    with open(path, newline="", encoding="ascii") as f:
        for row in csv.DictReader(f):
            value = row["latency_ns"]
            if value == "lost":
                samples.append(float("inf"))
            elif value != "never_sent":
                samples.append(int(value) / 1e3)
    return samples


def quantile(ordered, part):
    """Nearest rank: the value that `part` of the samples do not exceed."""
    if not ordered:
        return 0.0
    rank = -(-len(ordered) * round(part * 10000) // 10000)
    return ordered[max(rank, 1) - 1]
