# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What keeps a host from good numbers, and what to do about each. Needs nothing but Python."""

import re
from dataclasses import dataclass

if __package__:
    from .hostconfig import speed
    from .hoststate import System
else:                                   # beside both, where `cperf install` put them
    from hostconfig import speed
    from hoststate import System

GOOD, BAD, UNKNOWN = "ok", "BAD", "?"
DEEP_USECS = 10                         # of waking from sleep: more shows in round trips
LEAST_MBPS, LEAST_MTU = 10_000, 3000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: str
    found: str
    fix: str = ""


def judge(what: str, good: bool | None, found: str, fix: str) -> Finding:
    """A finding; what could not be seen is neither good nor bad."""
    if good is None:
        return Finding(what, UNKNOWN, found, fix)
    return Finding(what, GOOD if good else BAD, found, "" if good else fix)


def link(system: System, device: str) -> list:
    """The link itself."""
    state = system.read(f"/sys/class/net/{device}/operstate")
    rate = speed(system, device)
    mtu = int(system.read(f"/sys/class/net/{device}/mtu") or 0)
    return [judge("link is up", state == "up" if state not in (None, "unknown") else None,
                  str(state), f"ip link set {device} up; look at the cable and the switch's port"),
            judge("link speed", rate >= LEAST_MBPS if rate else None, f"{rate or 'unknown'} Mb/s",
                  f"ethtool -s {device} autoneg on; another cable, or sysctl net.homa.link_mbps"),
            judge("MTU", mtu >= LEAST_MTU, str(mtu), f"config apply mtu --device {device} --mtu "
                  "9000, on all hosts and the switch: 1500 costs throughput, and must be stated")]


def offloads(system: System, device: str) -> list:
    """Segmentation and GRO."""
    text = system.run("ethtool", "-k", device)
    found = []
    for name, why in (("generic-receive-offload", "gro"), ("tcp-segmentation-offload", "tso"),
                      ("scatter-gather", "sg")):
        match = re.search(rf"^{name}: (\w+)", text or "", re.M)
        found.append(judge(name, match[1] == "on" if match else None,
                           match[1] if match else "cannot be read", f"ethtool -K {device} {why} on"))
    return found


def receive_queues(system: System, device: str) -> list:
    """Cards hash no ports of a protocol that they do not know: a pair of hosts has one queue."""
    queues = len(system.glob(f"/sys/class/net/{device}/queues/rx-*"))
    spread = [system.read(f"{n}/rps_cpus") or "0"
              for n in system.glob(f"/sys/class/net/{device}/queues/rx-*")]
    steered = bool(spread) and all(s.replace(",", "").strip("0") for s in spread)
    return [judge("several receive queues", queues > 1, str(queues),
                  f"ethtool -L {device} combined N"),
            judge("receive packet steering", steered, "on" if steered else "off",
                  f"config apply rps --device {device}: without it all packets of one peer are "
                  "one core's, as cards do not hash Homa's ports")]


def interrupts(system: System, device: str) -> list:
    """Where interrupts go."""
    numbers = [n.rsplit("/", 1)[1]
               for n in system.glob(f"/sys/class/net/{device}/device/msi_irqs/*")]
    places = {system.read(f"/proc/irq/{n}/smp_affinity_list") for n in numbers}
    balance = [n for n in system.glob("/proc/[0-9]*/comm") if system.read(n) == "irqbalance"]
    return [judge("interrupts have cores of their own",
                  len(places) >= min(len(numbers), system.cpus) if numbers else None,
                  f"{len(numbers)} interrupts, {len(places)} places",
                  f"config apply irq --device {device}"),
            judge("irqbalance does not run", not balance, "runs" if balance else "does not run",
                  "systemctl stop irqbalance: it moves interrupts while you measure")]


def processor(system: System) -> list:
    """Speed, sleep and mitigations."""
    governors = {system.read(n)
                 for n in system.glob("/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor")}
    deep = [int(system.read(n) or 0)
            for n in system.glob("/sys/devices/system/cpu/cpu0/cpuidle/state*/latency")
            if (system.read(n.replace("latency", "disable")) or "0") == "0"]
    words = (system.read("/proc/cmdline") or "").split()
    return [judge("governor", governors == {"performance"} if governors else None,
                  " ".join(sorted(map(str, governors))) or "none to be seen",
                  "config apply power"),
            judge("sleep states", max(deep) <= DEEP_USECS if deep else None,
                  f"deepest takes {max(deep)} us to leave" if deep else "none to be seen",
                  f"config apply power --idle-usecs {DEEP_USECS}: costs turbo, so try both"),
            judge("mitigations", "mitigations=off" in words,
                  "off" if "mitigations=off" in words else "on",
                  "boot with mitigations=off on machines that run nobody else's code, as they "
                  "cost time in each system call and interrupt; or state that they were on")]


def clock(system: System) -> list:
    """Clocks matter only for traces of several hosts: latency is one host's."""
    text = system.run("timedatectl", "show", "-p", "NTPSynchronized", "--value")
    return [judge("clock is synchronized", text.strip() == "yes" if text else None,
                  (text or "cannot be read").strip(),
                  "chrony or ptp4l; traces can be aligned without (tthoma sync)")]


def module(system: System) -> list:
    """Homa itself, and what can be seen of priorities."""
    levels = system.read("/proc/sys/net/homa/num_priorities")
    return [judge("homa.ko is loaded", levels is not None, "yes" if levels else "no",
                  "cperf install, or make install && modprobe homa"),
            judge("priorities", int(levels) > 1 if levels else None, levels or "not loaded",
                  "sysctl net.homa.num_priorities=8"),
            Finding("the switch honours priorities", UNKNOWN, "cannot be seen from a host",
                    "config switch prints what to configure; then cperf run cp_incast with "
                    "--set num_priorities=1 must be worse than without")]


def examine(system: System, device: str) -> list:
    """All findings about one host."""
    found = processor(system) + clock(system)
    if device:
        found = (link(system, device) + offloads(system, device) + receive_queues(system, device)
                 + interrupts(system, device) + found + module(system))
    return found


def page(name: str, found: list) -> str:
    """One page about a host: what is bad first."""
    order = {BAD: 0, UNKNOWN: 1, GOOD: 2}
    lines = [f"{name}: {sum(f.state == BAD for f in found)} of {len(found)} are bad"]
    for one in sorted(found, key=lambda f: order[f.state]):
        lines.append(f"  {one.state:<4}{one.what}: {one.found}")
        if one.fix:
            lines.append(f"        {one.fix}")
    return "\n".join(lines)
