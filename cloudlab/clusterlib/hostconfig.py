# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What the settings of a host should be. Needs nothing but Python, as hoststate.py."""

import ipaddress
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

if __package__:
    from .hoststate import STATE, ConfigError, Setting, System
else:                                   # beside hoststate.py, where `cperf install` put both
    from hoststate import STATE, ConfigError, Setting, System

QDISCS = ("homa", "fq", "fq_codel", "pfifo")
HANDLE = "4801:"                        # of qdiscs that are ours
GROUPS = ("channels", "qdisc", "power", "memory", "nic", "rps", "irq", "mtu", "address", "homa")
SMALL_NIC_RING = {"ice": 1024}          # driver: slots of a send ring that are enough
# Link speed in Mb/s from which on: unsched_bytes, max_incoming.
BY_SPEED = ((100_000, 60_000, 1_600_000), (25_000, 60_000, 480_000), (0, 30_000, 400_000))
COALESCING = {"adaptive-rx": "off", "rx-usecs": "0", "rx-frames": "1", "adaptive-tx": "off",
              "tx-usecs": "5"}
LABELS = {"adaptive-rx": r"Adaptive RX: (\w+)", "adaptive-tx": r"TX: (\w+)",
          "rx-usecs": r"^rx-usecs:\s*(\S+)", "rx-frames": r"^rx-frames:\s*(\S+)",
          "tx-usecs": r"^tx-usecs:\s*(\S+)"}


@dataclass(frozen=True)
class Wishes:
    """What a user can want different."""

    device: str = ""
    mtu: int = 0
    hugepages: int = 0              # of 2 MB
    idle_usecs: int = -1            # no deeper sleep than that; -1: leave them, for turbo's sake
    priorities: int = 8
    channels: int = 0               # 0: as many as there are
    qdisc: str = ""                 # of this kind; "": leave what is there
    address6: str = ""              # ADDRESS/LENGTH of the device; "": leave them
    groups: tuple = field(default_factory=tuple)


def add_wishes(parser: ArgumentParser) -> None:
    """What a user can want different."""
    add = parser.add_argument
    add("--mtu", type=int, default=0, help="of the device")
    add("--hugepages", type=int, default=0, metavar="N", help="of 2 MB")
    add("--idle-usecs", type=int, default=-1, metavar="N",
        help="no sleep that takes longer to leave (default: leave sleep alone, for turbo)")
    add("--priorities", type=int, default=8, metavar="N", help="of the switch (%(default)s)")
    add("--channels", type=int, default=0, metavar="N",
        help="pairs of queues of the device (default: leave them)")
    add("--qdisc", default="", choices=("", *QDISCS), metavar="KIND",
        help=f"of the device, or of each of its queues: {', '.join(QDISCS)} (default: leave it)")
    add("--address6", default="", metavar="ADDRESS/LENGTH",
        help="an IPv6 address of the device (default: that of the inventory, /64, if there is one)")
    add("--state", type=Path, default=Path(STATE), metavar="FILE",
        help="what settings were before (%(default)s)")


def wishes(args: Namespace) -> Wishes:
    """What the command line asks for."""
    return Wishes(args.device, args.mtu, args.hugepages, args.idle_usecs, args.priorities,
                  args.channels, args.qdisc, args.address6, tuple(args.groups))


def speed(system: System, device: str) -> int:
    """Mb/s of a link; 0 if the kernel does not say."""
    text = system.read(f"/sys/class/net/{device}/speed") or ""
    return int(text) if text.isdigit() else 0


def driver(system: System, device: str) -> str:
    """The driver of a device."""
    text = system.run("ethtool", "-i", device) or ""
    match = re.search(r"^driver: (\S+)", text, re.M)
    return match[1] if match else ""


def nic(system: System, device: str) -> list:
    """Interrupts at once, one packet each; a small send ring where the card holds on to packets."""
    found = [Setting("nic", f"{device} {name}", value, read=("ethtool", "-c", device),
                     pattern=LABELS[name], change=("ethtool", "-C", device, name, "{}"))
             for name, value in COALESCING.items()]
    ring = SMALL_NIC_RING.get(driver(system, device))
    if ring:
        found.append(Setting("nic", f"{device} tx ring", str(ring), read=("ethtool", "-g", device),
                             pattern=r"(?s)Current.*?^TX:\s*(\d+)",
                             change=("ethtool", "-G", device, "tx", "{}")))
    return found


def power(system: System, idle_usecs: int) -> list:
    """All cores at full speed; deep sleep off only if that is wanted."""
    found = [Setting("power", f"{name.split('/')[5]} governor", "performance", file=name)
             for name in system.glob("/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor")]
    if idle_usecs >= 0:
        for name in system.glob("/sys/devices/system/cpu/cpu*/cpuidle/state*/latency"):
            deep = int(system.read(name) or 0) > idle_usecs
            parts = name.split("/")
            found.append(Setting("power", f"{parts[5]} {parts[7]} off", str(int(deep)),
                                 file=name.replace("latency", "disable")))
    return found


def mask(cpus: int) -> str:
    """All processors, as the kernel writes them: 32 a word."""
    words = [f"{min((1 << min(cpus - at, 32)) - 1, 0xffffffff):08x}" for at in range(0, cpus, 32)]
    words[-1] = words[-1].lstrip("0")
    return ",".join(reversed(words))


def rps(system: System, device: str) -> list:
    """Packets are spread over all cores, and go where their receiver runs."""
    found = [Setting("rps", "rps_sock_flow_entries", "32768",
                     file="/proc/sys/net/core/rps_sock_flow_entries")]
    for name in system.glob(f"/sys/class/net/{device}/queues/rx-*"):
        queue = f"{device} {name.rsplit('/', 1)[1]}"
        found += [Setting("rps", f"{queue} flows", "2048", file=f"{name}/rps_flow_cnt"),
                  Setting("rps", f"{queue} cores", mask(system.cpus), file=f"{name}/rps_cpus")]
    return found


def irq(system: System, device: str) -> list:
    """The device's interrupts, one core each, in turn."""
    numbers = [Path(n).name for n in system.glob(f"/sys/class/net/{device}/device/msi_irqs/*")]
    return [Setting("irq", f"{device} irq {number}", str(i % system.cpus),
                    file=f"/proc/irq/{number}/smp_affinity_list")
            for i, number in enumerate(numbers)]


def memory(pages: int) -> list:
    """Large pages for receive regions."""
    found = [Setting("memory", "transparent hugepages", "madvise", pattern=r"\[(\w+)\]",
                     file="/sys/kernel/mm/transparent_hugepage/enabled")]
    if pages:
        found.append(Setting("memory", "2 MB hugepages", str(pages),
                             file="/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"))
    return found


def homa(system: System, device: str, priorities: int) -> list:
    """Homa's settings by the speed of the link."""
    rate = speed(system, device)
    unsched, incoming = next((u, i) for least, u, i in BY_SPEED if rate >= least)
    values = {"num_priorities": priorities, "link_mbps": rate, "unsched_bytes": unsched,
              "max_incoming": incoming, "max_nic_est_backlog_usecs": 5,
              "hijack_tcp": int(driver(system, device) == "ice")}
    return [Setting("homa", name, str(value), file=f"/proc/sys/net/homa/{name}")
            for name, value in values.items()]


def link(device: str, mtu: int) -> list:
    """The MTU."""
    if not mtu:
        return []
    return [Setting("mtu", f"{device} mtu", str(mtu), file=f"/sys/class/net/{device}/mtu")]


def address(device: str, text: str) -> list:
    """An IPv6 address, beside those that the device has."""
    if not text:
        return []
    try:
        wanted = str(ipaddress.IPv6Interface(text))
    except ValueError as error:
        raise ConfigError(f"--address6: {error}") from None
    words = ("ip", "-6", "addr")
    return [Setting("address", f"{device} address {wanted}", wanted, absent="none",
                    read=(*words, "show", "dev", device),
                    pattern=rf"inet6 ({re.escape(wanted)}) ",
                    change=(*words, "add", "{}", "dev", device, "nodad"),
                    undo=(*words, "del", wanted, "dev", device))]


def channels(device: str, count: int) -> list:
    """Pairs of queues, each with an interrupt."""
    if not count:
        return []
    return [Setting("channels", f"{device} channels", str(count), read=("ethtool", "-l", device),
                    pattern=r"(?s)Current.*?^Combined:\s*(\d+)",
                    change=("ethtool", "-L", device, "combined", "{}"))]


def qdisc(system: System, device: str, kind: str) -> Iterator:
    """A qdisc of this kind for the device, or for each of its queues below mq.

    Only in the place of what the kernel has put there by itself, which comes back when ours is
    deleted: the options of others cannot be restored.
    """
    if not kind:
        return
    read = ("tc", "qdisc", "show", "dev", device)
    root = Setting("qdisc", f"{device} qdisc", f"{kind} {HANDLE}", read=read,
                   pattern=r"^qdisc (\S+ \S+) root",
                   change=("tc", "qdisc", "replace", "dev", device, "root", "handle", HANDLE, kind),
                   undo=("tc", "qdisc", "del", "dev", device, "root"))
    now = root.now(system)
    if now is not None and not now.endswith((" 0:", f" {HANDLE}")):
        raise ConfigError(f"{device} has a qdisc that somebody has chosen, '{now}': "
                          f"tc qdisc del dev {device} root")
    queues = len(system.glob(f"/sys/class/net/{device}/queues/tx-*"))
    if queues < 2:
        yield root
        return
    yield replace(root, want=f"mq {HANDLE}", change=(*root.change[:-1], "mq"))
    for queue in range(1, queues + 1):
        parent = f"{HANDLE}{queue:x}"
        yield Setting("qdisc", f"{device} qdisc of queue {queue}", kind, read=read,
                      pattern=rf"^qdisc (\S+) \S+ parent {parent}\b",
                      change=("tc", "qdisc", "replace", "dev", device, "parent", parent, "{}"))


def _declared(system: System, wanted: Wishes) -> Iterator:
    """What changes how many queues there are comes first."""
    device = wanted.device
    if device:
        yield from channels(device, wanted.channels)
        yield from qdisc(system, device, wanted.qdisc)
    yield from power(system, wanted.idle_usecs) + memory(wanted.hugepages)
    if device:
        yield from nic(system, device) + rps(system, device) + irq(system, device)
        yield from link(device, wanted.mtu) + address(device, wanted.address6)
        yield from homa(system, device, wanted.priorities)


def settings(system: System, wanted: Wishes) -> Iterator:
    """Everything that is declared for a host; some of it this machine may not have."""
    unknown = set(wanted.groups) - set(GROUPS)
    if unknown:
        raise ConfigError(f"no group '{min(unknown)}'; groups: {' '.join(sorted(GROUPS))}")
    if wanted.device and not system.path(f"/sys/class/net/{wanted.device}").exists():
        raise ConfigError(f"there is no network device '{wanted.device}'")
    return (s for s in _declared(system, wanted) if not wanted.groups or s.group in wanted.groups)
