# SPDX-License-Identifier: Apache-2.0
"""hl_agent.py - a guest with an agent, and the same guest without, in turns

class Inside is a shell in a guest: start, stop and kill its agent, read what
its kernel says, measure. class Sides runs a load on unmodified servers while
the number of cpus their VM owns goes up and down, alternating with and without
the agent; nothing else differs between the sides.

What is measured: the client's latencies, and what part of the server's run time
was spent on vcpus that were granted a cpu (tests/load/oncpu.c), over all time in
which some were and some were not.
"""
import json
import re
import signal
import socket
import statistics
import threading
import time

from hl_guest import SLOW, LabError, say, wait_for
from hl_lab import quantile

CONTROL = 7999
NOTES = "/tmp/masks"    # in the guest
CONF_FILE = "/etc/guest-agent.conf"
LEAST_RATE, MOST_RATE = 5, 100000   # requests a second
SETTLE_S = 1            # from an agent's start or end to the load
PARTS = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))

MEMCACHED, SYNTHETIC = "memcached", "synthetic"
SERVERS = {             # port, protocol and what a client is told
    MEMCACHED: (11211, "memcached", {"conns": 32, "keys": 1000, "value": 100,
                                     "sets": 10}),
    SYNTHETIC: (7000, "udp", {"conns": 32}),
}
CONF = """[hostd]
cpus = {managed}
floor = {floor}
poll-cpu = {poll}
policy = {policy}
backend = {backend}

[switch]
uplink = tap:{lab.tap}

"""
VM = """[vm {lab.name}-{name}]
class = latency-critical
slo-p99 = {slo}
cpus = {cpus}

"""


class Inside:
    """A shell in a guest, through its NIC; and its agent."""

    def __init__(self, lab, name):
        self.lab, self.guest = lab, lab.guests[name]
        self.address = self.guest.vm.ip.split("/")[0]

    def sh(self, script, seconds=20):
        """Run a script. Return: what it printed."""
        said = b""
        try:
            with socket.create_connection((self.address, CONTROL),
                                          10 * SLOW) as s:
                s.settimeout(seconds * SLOW)
                s.sendall(script.encode() + b"\n")
                s.shutdown(socket.SHUT_WR)
                while data := s.recv(65536):
                    said += data
        except OSError as error:
            raise LabError(f"{self.guest.vm.name}: no shell: {error}") \
                from error
        return said.decode(errors="replace")

    def answers(self):
        try:
            return self.sh("echo here", 2).strip() == "here"
        except LabError:
            return False

    def spawn(self, command):
        """Start a program that stays; what it says goes to the console."""
        self.sh(f"setsid {command} </dev/null >/dev/console 2>&1 &")

    def pid(self, program):
        """The first process of that name; 0: none."""
        found = self.sh(f"pidof {program}").split()
        return min(map(int, found)) if found else 0

    # --- its agent ----------------------------------------------------------

    def start_agent(self, *commands, options=""):
        """Let an agent look after the programs `commands`."""
        lines = "".join(f"command = {word}\n" for word in commands)
        self.sh(f"cat >{CONF_FILE} <<'END'\n[agent]\n{lines}END")
        self.spawn(f"guest-agent --conf {CONF_FILE} {options}")
        try:
            wait_for("the agent", self.status, 10)
        except LabError as error:
            self.guest.pump()
            raise LabError(f"{error}; the console:\n"
                           f"{self.guest.text[-1500:]}") from error

    def status(self):
        """What `guest-agent status` says; {}: there is none."""
        text = self.sh("guest-agent status --json 2>/dev/null")
        try:
            return json.loads(text)
        except ValueError:
            return {}

    def agent_gone(self):
        return not self.pid("guest-agent")

    def end_agent(self, how="TERM"):
        """Stop or kill it, and wait until its guardian is gone, too."""
        pid = self.pid("guest-agent")
        if pid:
            self.sh(f"kill -{how} {pid}")
        wait_for("the agent's end", self.agent_gone, 10)

    # --- what its kernel says ----------------------------------------------

    def cpu_ms(self, program):
        """cpu time of the first process of that name; 0: none."""
        text = self.sh(f"cat /proc/{self.pid(program)}/task/*/schedstat "
                       "2>/dev/null")
        return sum(int(line.split()[0]) for line in text.splitlines()
                   if line[:1].isdigit()) / 1e6

    def masks(self, *programs):
        """Thread -> the vcpus it may use, of all processes of these names."""
        return parse_masks(self.sh(masks_script(programs)))

    def masks_later(self, seconds, *programs):
        """Have the guest note them then, whether or not its NIC is served."""
        self.sh(f"rm -f {NOTES}; (sleep {seconds}; {masks_script(programs)}"
                f" >{NOTES}.new; mv {NOTES}.new {NOTES}) </dev/null "
                ">/dev/null 2>&1 &")

    def masks_noted(self):
        """What masks_later() noted; {}: nothing yet."""
        return parse_masks(self.sh(f"cat {NOTES}"))

    def steering(self):
        """Interrupt or queue of a NIC -> the vcpus it goes to."""
        text = self.sh(
            "for f in /proc/irq/*/smp_affinity_list "
            "/sys/class/net/eth*/queues/rx-*/rps_cpus; do "
            "echo $f $(cat $f 2>/dev/null); done")
        return dict(line.split(None, 1) for line in text.splitlines()
                    if len(line.split()) > 1)

    def share(self, program, seconds, look):
        """Measure for so long. Return: what oncpu reports."""
        text = self.sh(f"oncpu --pid {self.pid(program)} --time {seconds} "
                       f"--every {look} 2>&1", seconds + 20)
        try:
            return json.loads(text)
        except ValueError as error:
            raise LabError(f"oncpu: {text}") from error


def masks_script(programs):
    return (f"for p in $(pidof {' '.join(programs)}); do "
            "grep -H Cpus_allowed_list /proc/$p/task/*/status; done")


def parse_masks(text):
    return {int(tid): mask for tid, mask in re.findall(
        r"/task/(\d+)/status:Cpus_allowed_list:\s*(\S+)", text)}


class Task(threading.Thread):
    """Something that goes on beside; its error is raised where it is joined."""

    def __init__(self, what):
        super().__init__(daemon=True)
        self.what, self.result, self.error = what, None, None
        self.start()

    def run(self):
        try:
            self.result = self.what()
        except (LabError, OSError) as error:
            self.error = error

    def finish(self):
        self.join()
        if self.error:
            raise self.error
        return self.result


class Sides:
    """One VM, its servers, hostd with policy static; with and without.

    steps: how many cpus the VM owns, one after the other, in each measurement.
    late: how late a client may send. look: time between two looks at the grants;
    each costs the guest a wake-up.
    """

    def __init__(self, lab, name="web", vcpus=4, steps=(4, 2, 1, 3),
                 managed="1", floor="0", poll=0, backend="auto", load=0.5,
                 late="20ms", look="10ms"):
        self.lab, self.name = lab, name
        self.vcpus, self.steps = vcpus, steps
        self.managed, self.floor, self.poll = managed, floor, poll
        self.backend, self.load = backend, load
        self.late, self.look = late, look
        self.inside = None
        self.rate = {}
        self.service = None
        self.rounds = []        # of measure()'s results

    # --- the VM and who owns what -------------------------------------------

    def conf(self, owned, policy="static"):
        return CONF.format(
            lab=self.lab, managed=self.managed, floor=self.floor,
            poll=self.poll, policy=policy, backend=self.backend) + VM.format(
            lab=self.lab, name=self.name, slo="5ms",
            cpus=f"{owned}-{owned}")

    def own(self, count):
        """Have the VM own so many cpus from now on."""
        self.lab.write_conf(self.conf(count))
        self.lab.hostd.send_signal(signal.SIGHUP)

    def boot(self, host=2, agent="page"):
        """Start hostd and the VM; both servers run when it returns."""
        lab = self.lab
        lab.add_guest(self.name, host, vcpus=self.vcpus, run=MEMCACHED,
                      args=f"-t {self.vcpus} -p {SERVERS[MEMCACHED][0]} -m 32",
                      agent=agent, control=CONTROL, memory_mib=256)
        lab.start_hostd(self.conf(self.steps[0]))
        took = lab.boot(self.name, seconds=120)
        self.inside = Inside(lab, self.name)
        wait_for("the guest's shell", self.inside.answers, 60, 0.5)
        self.inside.spawn(f"synthetic server --udp {SERVERS[SYNTHETIC][0]} "
                          f"--threads {self.vcpus}")
        for port, proto, _ in SERVERS.values():
            lab.reachable(self.name, port, 60, proto)
        say(f"{self.name}: {self.vcpus} vcpus, up after {took:.0f} s")

    # --- measuring ------------------------------------------------------------

    def ask(self, server, seconds, warmup=0.5, **options):
        port, proto, given = SERVERS[server]
        return self.lab.client(self.name, port, seconds, proto=proto,
                               warmup=warmup, late=self.late,
                               **(given | options))

    def cost_us(self, server, rate, **options):
        """What a request costs the VM's vcpus, beside what they use anyway."""
        guest, seconds = self.lab.guests[self.name], 3
        at = [(guest.vcpu_ns(), time.monotonic_ns())]
        time.sleep(seconds)
        at.append((guest.vcpu_ns(), time.monotonic_ns()))
        result = self.ask(server, seconds, warmup=0.2, rate=rate, **options)
        at.append((guest.vcpu_ns(), time.monotonic_ns()))
        (idle_ns, idle_took), (used_ns, took) = (
            [b - a for a, b in zip(*pair)] for pair in zip(at, at[1:]))
        asked = result["answered"] * (seconds + 0.2) / seconds
        return max(used_ns - idle_ns * took / idle_took, 0) / 1e3 / \
            max(asked, 1)

    def fit(self, rate=300):
        """Load each server to `load` of one cpu: memcached by the rate, since
        its requests cost what they cost; synthetic by the work of each. `rate`
        must not be too much for what everything costs here."""
        cost_us = self.cost_us(MEMCACHED, rate)
        self.rate[MEMCACHED] = min(max(round(
            self.load * 1e6 / max(cost_us, 1)), LEAST_RATE), MOST_RATE)
        cost = self.cost_us(SYNTHETIC, rate, service="1us")
        self.rate[SYNTHETIC] = rate
        self.service = max(round(self.load * 1e6 / rate - cost), 10)
        # Emulated cpus that wait for real ones work more slowly than the server
        # has measured when it started.
        busy = self.cost_us(SYNTHETIC, rate, service=f"{self.service}us")
        if busy * rate > self.load * 1e6:
            self.service = max(round(
                self.service * self.load * 1e6 / rate / busy), 10)
        say(f"{self.load:g} of a cpu: memcached {self.rate[MEMCACHED]:g}/s at "
            f"{cost_us:.0f} us each; synthetic {rate}/s, {cost:.0f} us each "
            f"and {self.service} us of work")

    def walk(self, seconds):
        """Own each step's cpus for an equal part of the time."""
        for count in self.steps:
            self.own(count)
            time.sleep(seconds / len(self.steps))
        self.own(self.steps[0])     # oncpu may have begun late

    def measure(self, server, with_agent, seconds, seed, warmup=0.5):
        """One load. Return: latencies in us, lost, share and what oncpu
        says."""
        options = {"rate": self.rate[server], "seed": seed, "warmup": warmup}
        if server == SYNTHETIC:
            options["service"] = f"{self.service}us"
        guest = self.lab.guests[self.name]
        agent_ms, used_ns = self.inside.cpu_ms("guest-agent"), guest.vcpu_ns()
        began_ns = time.monotonic_ns()
        beside = [Task(lambda: self.walk(seconds + warmup)),
                  Task(lambda: self.inside.share(server, seconds + warmup,
                                                 self.look))]
        try:
            result = self.ask(server, seconds, **options)
        finally:
            for task in beside:
                task.join()
        beside[0].finish()
        took_ns = time.monotonic_ns() - began_ns
        samples = sorted(result.pop("samples_us"))
        result.update(
            server=server, agent=with_agent, samples_us=samples,
            oncpu=beside[1].finish(),
            vm_cpu=(guest.vcpu_ns() - used_ns) / took_ns,
            agent_cpu=(self.inside.cpu_ms("guest-agent") - agent_ms) * 1e6 /
            took_ns)
        for name, part in PARTS:
            result[name] = quantile(samples, part)
        return result

    def side(self, number, with_agent, servers, seconds):
        """Both servers, on one side of a round."""
        if with_agent:
            self.inside.start_agent(*SERVERS)
            wait_for("the agent to work", self.works, 20)
        time.sleep(SETTLE_S)
        for server in servers:
            result = self.measure(server, with_agent, seconds, number + 1)
            self.rounds.append(result)
            say(f"  {server:9} {'agent' if with_agent else 'none':6}" +
                line(result))
        if with_agent:
            self.inside.end_agent()

    def works(self):
        return self.inside.status().get("state") in ("page", "channel")

    def round(self, number, servers=tuple(SERVERS), seconds=8):
        """Both sides; who begins alternates."""
        say(f"round {number + 1}")
        for with_agent in ((False, True) if number % 2 else (True, False)):
            self.side(number, with_agent, servers, seconds)

    def of(self, server, with_agent):
        return [r for r in self.rounds
                if (r["server"], r["agent"]) == (server, with_agent)]

    def median(self, server, with_agent, value):
        """value: a function of a result."""
        return statistics.median(map(value, self.of(server, with_agent)))


def share(result):
    return result["oncpu"]["share"]


def line(result):
    """A result as part of a line."""
    shown = "".join(f"{name} {result[name]:9,.0f} us  " for name, _ in PARTS)
    o = result["oncpu"]
    return (f"{shown}lost {result['lost']:3}  not sent "
            f"{result['never_sent']:3}  on granted {100 * o['share']:5.1f}.."
            f"{100 * o['share_most']:.1f} % of {o['counted_ms'] / 1e3:.1f} s, "
            f"off by age {o['off_age_ms']} ms  "
            f"cpu: VM {result['vm_cpu']:.2f}, agent "
            f"{result['agent_cpu']:.3f}")


def table(sides, servers=tuple(SERVERS)):
    """Medians over the rounds, a line a side."""
    rows = [f"{'server':10}{'agent':6}{'p50':>14}{'p99':>14}{'p99.9':>14}"
            f"{'lost':>7}{'on granted vcpus':>18}"]
    for server in servers:
        for with_agent in (False, True):
            values = [sides.median(server, with_agent,
                                   lambda r, n=name: r[n])
                      for name, _ in PARTS]
            lost = sum(r["lost"] for r in sides.of(server, with_agent))
            rows.append(
                f"{server:10}{'yes' if with_agent else 'no':6}" +
                "".join(f"{v:>11,.0f} us" for v in values) + f"{lost:>7}"
                f"{100 * sides.median(server, with_agent, share):>16.1f} %")
    return "\n".join(rows)
