# SPDX-License-Identifier: Apache-2.0
"""hl_agent_cases.py - what an agent must do in a real guest, step by step

Steps for tests/it/agent (an emulated guest of two vcpus) and tests/lab/agent
(KVM, four vcpus): class Cases takes hl_agent.Sides whose VM is up. Every step
leaves hostd running, the VM owning cpus for some of its vcpus, and no agent in
the guest.
"""
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from hl_it import LabError, check, say, wait_for
from hl_agent import MEMCACHED, SERVERS
from hl_guest import SLOW
from hl_lab import cpus_of

SILENT_S = 5            # AGENT_SILENT_MS
FOLLOW_S = 5            # until the guest's masks follow, at most


def agents(lab, name):
    """What hostctl says of a VM's agent."""
    return lab.hostctl("agent", f"{lab.name}-{name}")


class Cases:
    def __init__(self, sides):
        self.sides, self.lab = sides, sides.lab
        self.name, self.inside = sides.name, sides.inside
        # Neither all of its vcpus nor none: there is something to follow.
        self.owned = next(n for n in sides.steps if n < sides.vcpus)
        self.before = self.masks()
        self.steering = self.inside.steering()

    def masks(self):
        return self.inside.masks(*SERVERS)

    def granted(self):
        """The vcpus that own a cpu, as hostctl says."""
        full = f"{self.lab.name}-{self.name}"
        rows = [self.lab.hostctl("cpu", cpu) for cpu in
                self.lab.hostctl("vm", full)["cpus"]]
        return {row["vcpu"] for row in rows if row["vm"] == full}

    def state(self):
        return agents(self.lab, self.name).get("state")

    def own(self, count):
        self.sides.own(count)
        wait_for(f"{count} vcpus to be granted",
                 lambda: len(self.granted()) == count, 10, 0.2)

    def wait_state(self, *states, seconds=15):
        try:
            wait_for(f"hostctl to call the agent {' or '.join(states)}",
                     lambda: self.state() in states, seconds, 0.2)
        except LabError as error:
            raise LabError(f"{error}: {agents(self.lab, self.name)}; in the "
                           f"guest: {self.inside.status()}") from error

    # --- what holds -----------------------------------------------------------

    def strays(self):
        """Workers that may run where nothing is granted, as lines."""
        granted = self.granted()
        return [f"thread {tid} may use vcpus {mask}, granted are "
                f"{sorted(granted)}" for tid, mask in self.masks().items()
                if not cpus_of(mask) <= granted]

    def follows(self):
        """Wait until workers may use granted vcpus only."""
        try:
            wait_for("the workers to follow", lambda: not self.strays(),
                     FOLLOW_S, 0.2)
        except LabError as error:
            raise LabError(f"{error}:\n" + "\n".join(self.strays()) +
                           f"\n{self.inside.status()}") from error

    def differences(self):
        """What is not as before there was an agent, as lines. A thread that
        came or went is none."""
        now, steering = self.masks(), self.inside.steering()
        return [f"thread {tid}: was {self.before[tid]}, is {now[tid]}"
                for tid in sorted(self.before.keys() & now.keys())
                if self.before[tid] != now[tid]] + \
            [f"{path}: was {value}, is {steering.get(path)}"
             for path, value in sorted(self.steering.items())
             if steering.get(path) != value]

    def as_before(self, what):
        try:
            wait_for(what, lambda: not self.differences(), FOLLOW_S, 0.2)
        except LabError as error:
            raise LabError(f"{error}:\n" + "\n".join(self.differences())) \
                from error

    def start(self, state="page", options=""):
        self.inside.start_agent(*SERVERS, options=options)
        self.wait_state(state)
        self.follows()

    # --- steps -----------------------------------------------------------------

    def step_none(self):
        """No agent: hostctl says so, nothing in the guest is touched."""
        self.wait_state("waiting", "off")
        check(not self.differences(), "changed without an agent")

    def step_page(self):
        """An agent with the page: workers follow the grants, the host sees
        hints; stopped, it leaves nothing behind."""
        self.start()
        wait_for(f"the agent to say it has {len(self.before) - 2} workers",
                 lambda: agents(self.lab, self.name)["workers"] >=
                 len(self.before) - 2, FOLLOW_S, 0.2)
        says = agents(self.lab, self.name)
        say(f"  hostctl agents: {says}")
        wait_for("hostd to see a hint under load", self.hinted, 20, 0)
        for count in (*self.sides.steps, self.owned):
            self.own(count)
            self.follows()
        self.inside.end_agent()
        self.as_before("masks and interrupts after the agent's end")
        self.wait_state("waiting", "off", "silent")

    def hinted(self):
        self.sides.ask(MEMCACHED, 1, rate=self.sides.rate[MEMCACHED])
        says = agents(self.lab, self.name)
        return says["hinted"] and says["wanted"] > 0

    def step_channel(self):
        """The channel alone will do."""
        self.start("channel", "--page none")
        self.inside.end_agent()
        self.as_before("masks after an agent without a page")

    def step_killed(self):
        """kill -9: its guardian puts everything back."""
        self.start()
        check(self.differences(), "the agent changed nothing")
        self.inside.end_agent("KILL")
        self.as_before("masks and interrupts after kill -9")
        self.start()            # and another one works at once
        self.inside.end_agent()
        self.as_before("masks after the next one's end")

    def step_hostd(self):
        """hostd dies: silence ends every grant. It comes again: they are
        back. The guest notes its masks meanwhile, for its NIC is dead, too."""
        self.start()
        wait_s = (SILENT_S + 5) * max(SLOW // 4, 1)
        self.inside.masks_later(wait_s, *SERVERS)
        self.lab.hostd.kill()
        self.lab.hostd.wait()
        self.lab.hostd = None
        time.sleep(wait_s + 1)
        self.lab.start_hostd(self.sides.conf(self.owned))
        wait_for("the guest's shell", self.inside.answers, 60, 0.5)
        wait_for("the guest's notes",
                 lambda: self.inside.masks_noted().keys() ==
                 self.before.keys(), 20, 0.5)
        noted = self.inside.masks_noted()
        check(noted == self.before, "without hostd the guest's masks were "
              f"{noted}, before {self.before}")
        self.lab.settled(self.name)
        self.wait_state("page", seconds=30)
        self.follows()
        self.inside.end_agent()
        self.as_before("masks after the agent's end")

    def step_policy(self):
        """Under a policy that grants nothing the guest is as without."""
        self.start()
        self.lab.reload_hostd(self.sides.conf(self.owned, "none"))
        self.as_before("masks under policy none")
        self.lab.reload_hostd(self.sides.conf(self.owned))
        self.follows()
        self.inside.end_agent()
        self.as_before("masks after the agent's end")

    def step_liar(self, seconds=2):
        """Somebody writes nonsense into page and channel: hostd lives, and
        an honest agent works after it."""
        alive = self.lab.hostd.pid
        told = self.inside.sh(f"liar --time {seconds} --seed 3", seconds + 10)
        say(f"  the liar: {told.strip()}; hostctl: "
            f"{agents(self.lab, self.name)}")
        check('"acts"' in told, f"the liar said: {told}")
        check(self.lab.hostd.poll() is None, "hostd ended")
        self.inside.start_agent(*SERVERS)
        self.wait_state("page", seconds=90)     # nonsense is punished a while
        self.follows()
        self.inside.end_agent()
        check(self.lab.hostd.pid == alive, "another hostd")
        self.as_before("masks after the agent's end")

    def all(self, *more):
        """Every step but those that take a minute; and these."""
        self.own(self.owned)
        for step in (self.step_none, self.step_page, self.step_channel,
                     self.step_killed, self.step_policy, self.step_hostd,
                     *more):
            say(re.split(r"[:.](?:\s|$)", step.__doc__)[0])
            step()
