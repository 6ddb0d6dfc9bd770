# SPDX-License-Identifier: Apache-2.0
"""hl_phases.py - the same load on the same guests under four ways of sharing

Two guests on the same cpus: `web` answers requests, `batch` computes without
end. A round goes through the phases
	alone		while batch is suspended: as good as this machine can,
	equal		shared as Linux does by default,
	shares		libvirt's cpu shares favour web as far as they go,
	hostd slo	hostd watches web's delay and decides.
Packets take the same path in all of them: a hostd that decides nothing serves
the first three. Phases alternate within a round, so a machine that slows down
slows all of them.

The load is fitted to the machine: requests come at a fixed rate, and each asks
for so much work that web uses LOAD of a cpu, so that an emulated guest and a
real one are loaded alike. It is a little more than an equal share: below it a
neighbour costs web a scheduling slice, above it everything.
"""
import argparse
import os
import pathlib
import platform
import time

import hl_domain
import hl_report
from hl_lab import quantile, say

PORT = 7000
WEB, BATCH = "web", "batch"
LOAD = 0.6              # of one cpu; docs/decisions/0005
SERVICE_MIN_US = 10     # what a request asks for on a very slow machine

CONF = """[hostd]
cpus = {o.vm_cpus}
floor = {o.vm_cpus}
poll-cpu = {poll_cpu}
policy = {policy}
backend = {backend}

[switch]
uplink = tap:{lab.tap}

[vm {lab.name}-web]
class = latency-critical
slo-p99 = {o.slo}
cpus = 0-{o.vcpus}
"""

PHASES = {
    "alone": "batch is suspended: as good as this machine can.",
    "equal": "Linux shares the cpus between both guests' groups.",
    "shares": "libvirt's cputune gives web the most shares there are, batch "
              "the fewest.",
    "hostd slo": "hostd moves the cpus, policy slo; batch rides on what web "
                 "leaves. Shares as in `equal`.",
}


def shares_range():
    """Default, least and most: libvirt passes cgroup v2 weights through."""
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        return 100, 1, 10000
    return 1024, 2, 262144


def parser(description, rounds, seconds):
    """Options that the demo and the bench have in common."""
    p = argparse.ArgumentParser(description=description)
    build = pathlib.Path(__file__).resolve().parent.parent / "build"
    p.add_argument("--build", default=build, type=pathlib.Path,
                   help="where hostd is built (build)")
    p.add_argument("--out", type=pathlib.Path,
                   help="directory for index.html (BUILD/demo)")
    p.add_argument("--rounds", type=int, default=rounds,
                   help=f"each of all four phases ({rounds})")
    p.add_argument("--seconds", type=float, default=seconds,
                   help=f"measured time of a phase ({seconds})")
    p.add_argument("--rate", type=float, default=1000,
                   help="requests a second (1000)")
    p.add_argument("--service", help="work of a request, as 50us (what makes "
                   "web use --load of a cpu)")
    p.add_argument("--load", type=float, default=LOAD,
                   help=f"part of a cpu web shall use ({LOAD})")
    p.add_argument("--slo", default="500us", help="slo-p99 of web (500us)")
    p.add_argument("--vcpus", type=int, default=1,
                   help="vcpus of each guest (1)")
    p.add_argument("--host-cpus", default="0",
                   help="for hostd, the client, QEMU's own threads (0)")
    p.add_argument("--vm-cpus", default="1",
                   help="for the vcpus of both guests (1)")
    return p


class Phases:
    def __init__(self, lab, options):
        self.lab, self.options = lab, options
        self.service = options.service
        self.phases = {
            title: {"title": title, "note": note, "samples_us": [],
                    "never_sent": 0, "work": 0.0, "moved": 0, "events": [],
                    "stretches": [], "rounds": []}
            for title, note in PHASES.items()}

    def start_hostd(self, policy, backend):
        poll_cpu = self.options.host_cpus.split(",")[0].split("-")[0]
        self.lab.start_hostd(CONF.format(
            o=self.options, lab=self.lab, poll_cpu=poll_cpu, policy=policy,
            backend=backend))

    def boot(self):
        o, lab = self.options, self.lab
        threads = f"--threads {o.vcpus}"
        lab.add_guest(WEB, 2, run="server", vcpus=o.vcpus,
                      args=f"--udp {PORT} {threads}")
        lab.add_guest(BATCH, 3, run="antagonist", vcpus=o.vcpus,
                      args=f"spin --report 0.25 {threads}")
        self.start_hostd("none", "null")
        say(f"both guests are up after {lab.boot(WEB, BATCH):.1f} s")
        lab.reachable(WEB, PORT)

    def fit_load(self):
        """How much work a request may ask for, so that web uses
        its --load."""
        if self.service:
            return
        batch, web = self.lab.guests[BATCH], self.lab.guests[WEB]
        batch.suspend()
        used_ns = web.vcpu_ns()
        result = self.lab.client(WEB, PORT, 2, warmup=0.2, rate=self.options.rate,
                                 service="1us", conns=4)
        batch.resume()
        sent = result["answered"] * 2.2 / 2
        cost_us = (web.vcpu_ns() - used_ns) / 1e3 / max(sent, 1)
        room_us = self.options.load * 1e6 / self.options.rate - cost_us
        self.service = f"{max(room_us, SERVICE_MIN_US):.0f}us"
        say(f"a request costs web {cost_us:.0f} us of cpu by itself; each asks "
            f"for {self.service} more, {self.options.load:g} of a cpu in all")

    def batch_alone(self, seconds):
        """Loops a second batch does while nobody asks web anything."""
        from_ns = time.monotonic_ns()
        time.sleep(seconds)
        return self.lab.work(BATCH, from_ns, time.monotonic_ns())

    def measure(self, title, seed):
        """One phase of one round."""
        o, lab, phase = self.options, self.lab, self.phases[title]
        web = lab.guests[WEB]
        moved = lab.hostctl("info")["moves_done"]
        used_ns, began_ns = web.vcpu_ns(), time.monotonic_ns()
        result = lab.client(WEB, PORT, o.seconds, warmup=0.5, rate=o.rate,
                            service=self.service, seed=seed, conns=4)
        result["web_share"] = (web.vcpu_ns() - used_ns) / \
            (time.monotonic_ns() - began_ns)
        phase["events"] += lab.events()[0]  # of this hostd, from its start
        phase["moved"] += lab.hostctl("info")["moves_done"] - moved
        stretch = result["from_ns"], result["to_ns"]
        work = 0.0 if title == "alone" else lab.work(BATCH, *stretch)
        phase["stretches"].append(stretch)
        phase["work"] += work / o.rounds
        phase["never_sent"] += result["never_sent"]
        samples = sorted(result.pop("samples_us"))
        phase["samples_us"] += samples
        result["work"] = work
        for name, part in hl_report.PARTS:
            result[name] = quantile(samples, part)
        phase["rounds"].append(result)
        shown = [f"{name} {result[name]:,.0f} us"
                 for name, _ in hl_report.PARTS]
        say(f"  {title:10} {'  '.join(shown)}  work {work:,.0f}/s")

    def set_shares(self, web, batch):
        self.lab.guests[WEB].set_shares(web)
        self.lab.guests[BATCH].set_shares(batch)

    def round(self, number):
        """All phases once. hostd comes anew for the last one, since its
        backend cannot be changed while it runs; the guests reconnect."""
        lab, seed = self.lab, number + 1
        batch = lab.guests[BATCH]
        default, least, most = shares_range()
        say(f"round {number + 1} of {self.options.rounds}")
        if number:
            lab.stop_hostd()
            self.start_hostd("none", "null")
            lab.reachable(WEB, PORT)
        free = self.batch_alone(1.5)
        batch.suspend()
        self.measure("alone", seed)
        batch.resume()
        self.measure("equal", seed)
        self.set_shares(most, least)
        self.measure("shares", seed)
        self.set_shares(default, default)
        lab.stop_hostd()
        self.start_hostd("slo", "auto")
        lab.reachable(WEB, PORT)
        self.measure("hostd slo", seed)
        for title in PHASES:
            self.phases[title]["rounds"][-1]["batch_alone"] = free

    def report(self, title):
        o, phases = self.options, list(self.phases.values())
        kind = "KVM" if hl_domain.kvm_works() else \
            "QEMU's emulation (no KVM here)"
        machine = (f"Linux {platform.release()}, guests under {kind}, "
                   f"{o.vcpus} vcpu each on cpu {o.vm_cpus}; {o.rate:g} "
                   f"requests a second of {self.service}, {o.rounds} rounds "
                   f"of {o.seconds:g} s.")
        print("\n" + hl_report.text_table(phases) + "\n" + machine + "\n")
        return hl_report.write(
            o.out or o.build / "demo", title, "One guest, web, answers "
            "requests; the other, batch, computes without end; both on the "
            "same cpus.", machine, phases)
