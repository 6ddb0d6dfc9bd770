#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""hl_domain.py - a test guest as libvirt wants it told: domain XML

One NIC, served over vhost-user by hostd; kernel and initramfs of
scripts/guest-image; the console in a file; on request the channel of a
guest-agent, with or without its page (include/hl/agent.h). As a program it
prints the XML.
"""
import argparse
import dataclasses
import os
import sys
from xml.sax.saxutils import escape, quoteattr

NOTHING = ""
AGENT_PORT = "org.heighliner.agent.0"
AGENT_SHMEM = "heighliner-"
AGENT_PAGE_MIB = 1      # the least there is


@dataclasses.dataclass
class Vm:
    """All there is to say about a guest. Paths must be readable by the user
    QEMU runs as, for libvirt on Debian libvirt-qemu."""
    name: str
    kernel: str = "/boot/vmlinuz"
    initrd: str = "/boot/initrd"
    console: str = NOTHING      # file; none: no console
    socket: str = NOTHING       # vhost-user socket that hostd serves; no NIC
    socket_mode: str = "client"  # QEMU connects; "server": hostd does
    mac: str = NOTHING
    ip: str = NOTHING           # with length: 10.77.0.2/24
    agent: str = "none"         # its way to the host: none, channel, page
    control: int = 0            # TCP port of a shell in the guest; 0: none
    run: str = "idle"           # server, antagonist, memcached, idle, poweroff
    args: str = NOTHING         # options of what it runs
    cmdline: str = NOTHING      # further words for its kernel
    vcpus: int = 1
    memory_mib: int = 192
    cpus: str = NOTHING         # list for its vcpus; none: any
    emulator_cpus: str = NOTHING  # list for QEMU's other threads
    shares: int = 0             # cgroup cpu shares; 0: libvirt's default
    on_reboot: str = "destroy"


def kvm_works():
    """Can guests run on the processor itself? /dev/kvm alone says nothing:
    it may be there without the processor's help."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
            flags = f.read().split()
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError:
        return False
    return "vmx" in flags or "svm" in flags


def kernel_cmdline(vm, kvm):
    """What scripts/guest-init reads, and what an emulated guest needs: to
    know that its clock is good, and no MSI, since QEMU 7.2 without KVM crashes
    when the guest starts a vhost-user NIC that has it."""
    words = ["console=ttyS0", "quiet", "panic=-1"]
    if not kvm:
        words += ["tsc=reliable", "no_timer_check", "mitigations=off",
                  "pci=nomsi"]
    if vm.ip:
        words.append("hl.ip=" + vm.ip)
    if vm.control:
        words.append(f"hl.control={vm.control}")
    words.append("hl.run=" + vm.run)
    if vm.args:
        words.append("hl.args=" + ",".join(vm.args.split()))
    if vm.cmdline:
        words.append(vm.cmdline)
    return " ".join(words)


def interface_xml(vm):
    """Whoever connects does so again after the other one was away."""
    if not vm.socket:
        return NOTHING
    again = "<reconnect enabled='yes' timeout='1'/>" \
        if vm.socket_mode == "client" else NOTHING
    mac = f"<mac address={quoteattr(vm.mac)}/>" if vm.mac else NOTHING
    return f"""
    <interface type='vhostuser'>
      {mac}
      <source type='unix' path={quoteattr(vm.socket)} mode='{vm.socket_mode}'>
        {again}
      </source>
      <model type='virtio'/>
    </interface>"""


def agent_xml(vm):
    """libvirt puts the channel's socket where it likes, and tells hostd."""
    if vm.agent not in ("none", "channel", "page"):
        raise ValueError(f"agent: {vm.agent} is not none, channel or page")
    xml = NOTHING
    if vm.agent != "none":
        xml += f"""
    <channel type='unix'>
      <source mode='bind'/>
      <target type='virtio' name='{AGENT_PORT}'/>
    </channel>"""
    if vm.agent == "page":
        xml += f"""
    <shmem name={quoteattr(AGENT_SHMEM + vm.name)}>
      <model type='ivshmem-plain'/>
      <size unit='M'>{AGENT_PAGE_MIB}</size>
    </shmem>"""
    return xml


def cputune_xml(vm):
    parts = []
    if vm.shares:
        parts.append(f"<shares>{vm.shares}</shares>")
    if vm.emulator_cpus:
        parts.append(f"<emulatorpin cpuset={quoteattr(vm.emulator_cpus)}/>")
    return f"<cputune>{''.join(parts)}</cputune>" if parts else NOTHING


def domain_xml(vm, kvm=None):
    """The whole domain. kvm: None asks kvm_works()."""
    kvm = kvm_works() if kvm is None else kvm
    cpuset = f" cpuset={quoteattr(vm.cpus)}" if vm.cpus else NOTHING
    console = NOTHING
    if vm.console:
        console = (f"<serial type='file'><source path="
                   f"{quoteattr(vm.console)}/></serial>")
    return f"""<domain type='{'kvm' if kvm else 'qemu'}'>
  <name>{escape(vm.name)}</name>
  <memory unit='MiB'>{vm.memory_mib}</memory>
  <memoryBacking>
    <source type='memfd'/>
    <access mode='shared'/>
  </memoryBacking>
  <vcpu placement='static'{cpuset}>{vm.vcpus}</vcpu>
  {cputune_xml(vm)}
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{escape(vm.kernel)}</kernel>
    <initrd>{escape(vm.initrd)}</initrd>
    <cmdline>{escape(kernel_cmdline(vm, kvm))}</cmdline>
  </os>
  <features><acpi/><apic/></features>
  <cpu mode='{'host-passthrough' if kvm else 'maximum'}'/>
  <on_reboot>{vm.on_reboot}</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>{interface_xml(vm)}{agent_xml(vm)}
    {console}
  </devices>
</domain>
"""


def main():
    parser = argparse.ArgumentParser(
        description="Print the libvirt XML of a test guest.")
    for field in dataclasses.fields(Vm):
        required = field.default is dataclasses.MISSING
        parser.add_argument(
            "--" + field.name.replace("_", "-"), type=field.type,
            required=required, default=None if required else field.default)
    parser.add_argument("--type", choices=["auto", "kvm", "qemu"],
                        default="auto")
    given = vars(parser.parse_args())
    kvm = {"auto": None, "kvm": True, "qemu": False}[given.pop("type")]
    sys.stdout.write(domain_xml(Vm(**given), kvm))


if __name__ == "__main__":
    main()
