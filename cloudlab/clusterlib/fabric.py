# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Two tiers of switches instead of one: leaves with hosts, spines that join the leaves.

    h1 .. h16 --- br1 (leaf) ---u1_1 ... d1_1--- sp1 (spine)
                             ---u1_2 ... d2_1--- sp2

All switches are bridges in namespace sw, so that what reads its ports sees all of them. A leaf
chooses the spine of a frame for another leaf by its two hosts, as switches do that hash over
addresses: packets of a pair take one way, and stay in order. No routing protocol runs: what is
sent over a link that is down is lost until it is up again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import ClusterError
from .units import parse_ns, parse_rate

KEYS = ("leaves", "spines", "over", "rate", "delay")
MULTICAST = "01:00:00:00:00:00/01:00:00:00:00:00"


@dataclass(frozen=True)
class Fabric:
    """What joins the leaves; a rate of 0: so that `over` times what fits can be offered."""

    leaves: int
    spines: int
    over: float = 1.0           # oversubscription: hosts' links over uplinks, of a leaf
    rate: float = 0
    delay: int = 500            # ns of a cable between tiers

    def leaf(self, host: int, hosts: int) -> int:
        """The leaf of a host, both from 1."""
        return (host - 1) // self.per_leaf(hosts) + 1

    def per_leaf(self, hosts: int) -> int:
        """Hosts of a leaf; the last one may have fewer."""
        return -(-hosts // self.leaves)

    def link_rate(self, hosts: int, host_rate: float) -> float:
        """Bits per second between a leaf and a spine."""
        return self.rate or host_rate * self.per_leaf(hosts) / self.spines / self.over

    def spine(self, source: int, target: int) -> int:
        """The spine that a leaf chooses for a pair of hosts."""
        return (source + target) % self.spines + 1


def parse(text: str, hosts: int) -> Fabric:
    """A fabric from `leaves=9 spines=4 over=2`."""
    found: dict = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if key not in KEYS or not equals:
            raise ClusterError(f"--fabric: '{word}' is not one of: "
                               + " ".join(f"{k}=.." for k in KEYS), 2)
        try:
            found[key] = {"rate": parse_rate, "delay": parse_ns, "over": float}.get(key, int)(value)
        except ValueError:
            raise ClusterError(f"--fabric: {key} is no number: '{value}'", 2) from None
    if {"leaves", "spines"} - found.keys():
        raise ClusterError("--fabric needs leaves=N and spines=N", 2)
    fabric = Fabric(**found)
    if not 2 <= fabric.leaves <= hosts or fabric.leaf(hosts, hosts) != fabric.leaves:
        raise ClusterError(f"--fabric: {hosts} hosts do not fill {fabric.leaves} leaves", 2)
    if fabric.spines not in (1, 2, 4, 8, 16) or fabric.over <= 0:
        raise ClusterError("--fabric: there are 1, 2, 4, 8 or 16 spines, and over is positive", 2)
    return fabric


def uplinks(fabric: Fabric) -> list[tuple]:
    """(leaf, spine) of all links between the tiers."""
    return [(leaf, spine) for leaf in range(1, fabric.leaves + 1)
            for spine in range(1, fabric.spines + 1)]


def bridges(fabric: Fabric, hosts: int, mtu: int) -> list[str]:
    """For `ip -n sw -batch`: all switches, and the links between them."""
    names = [f"br{n}" for n in range(1, fabric.leaves + 1)]
    names += [f"sp{n}" for n in range(1, fabric.spines + 1)]
    lines = ["link set lo up"]
    for name in names:
        lines += [f"link add {name} type bridge stp_state 0 mcast_snooping 0",
                  f"link set {name} addrgenmode none up"]
    for leaf, spine in uplinks(fabric):
        up, down = f"u{leaf}_{spine}", f"d{spine}_{leaf}"
        lines += [f"link add {up} mtu {mtu} type veth peer name {down} mtu {mtu}",
                  f"link set {up} master br{leaf} addrgenmode none up",
                  f"link set {down} master sp{spine} addrgenmode none up"]
    lines += [f"link set p{i} master br{fabric.leaf(i, hosts)} addrgenmode none up"
              for i in range(1, hosts + 1)]
    return lines


def forwarding(fabric: Fabric, hosts: int, mac) -> list[str]:
    """For `bridge -n sw -batch`: who is where, so that nothing is ever flooded."""
    ports = [f"p{i}" for i in range(1, hosts + 1)]
    ports += [name for leaf, spine in uplinks(fabric)
              for name in (f"u{leaf}_{spine}", f"d{spine}_{leaf}")]
    lines = [f"link set dev {port} learning off flood off mcast_flood off bcast_flood off"
             for port in ports]
    for i in range(1, hosts + 1):
        lines.append(f"fdb replace {mac(i)} dev p{i} master static")
        lines += [f"fdb replace {mac(i)} dev d{spine}_{fabric.leaf(i, hosts)} master static"
                  for spine in range(1, fabric.spines + 1)]
    return lines


def paths(fabric: Fabric, hosts: int, host: int, mac) -> list[str]:
    """For `tc -n sw -batch`: where the leaf sends the frames of one host."""
    dev, leaf = f"dev p{host}", fabric.leaf(host, hosts)
    start = f"filter add {dev} parent ffff: protocol all"
    local = [mac(i) for i in range(1, hosts + 1) if i != host and fabric.leaf(i, hosts) == leaf]
    lines = [f"qdisc add {dev} handle ffff: ingress"]
    lines += [f"{start} prio {i} flower dst_mac {match} action pass"
              for i, match in enumerate([MULTICAST, *local], 1)]
    # The spine is (host + other) mod spines, and spines are a power of two: the last bits tell.
    mask = f"00:00:00:00:00:{fabric.spines - 1:02x}"
    lines += [f"{start} prio {len(local) + 2 + k} flower dst_mac 00:00:00:00:00:{k:02x}/{mask}"
              f" action mirred egress redirect dev u{leaf}_{fabric.spine(host, k)}"
              for k in range(fabric.spines)]
    return lines


def queues(fabric: Fabric) -> list[str]:
    """For `tc -n sw -batch`: the ports between the tiers."""
    return [f"qdisc add dev {name} root handle 1: port" for leaf, spine in uplinks(fabric)
            for name in (f"u{leaf}_{spine}", f"d{spine}_{leaf}")]


FAILURE = re.compile(r"(?:h(\d+)|leaf(\d+)-spine(\d+))@(\d+(?:\.\d+)?)(?::(\d+(?:\.\d+)?))?")


def failures(text: str) -> tuple:
    """Events of job.Load from `h3@5:2,leaf1-spine2@7`: a link down at ms 5 for 2 ms, or for good."""
    events = []
    for word in text.split(","):
        match = FAILURE.fullmatch(word.strip())
        if not match:
            raise ClusterError(f"'{word}': write failures as h3@5:2 or leaf1-spine2@7", 2)
        host, leaf, spine, at, span = match.groups()
        device = f"p{host}" if host else f"u{leaf}_{spine}"
        events.append((float(at), f"ip -n sw link set {device} down"))
        if span:
            events.append((float(at) + float(span), f"ip -n sw link set {device} up"))
    return tuple(sorted(events))


def parse_rates(text: str, hosts: int) -> dict:
    """{host: bits per second} from `h3=10g h4=1g`."""
    found = {}
    for word in text.split():
        match = re.fullmatch(r"h(\d+)=(\S+)", word)
        if not match or not 1 <= int(match[1]) <= hosts:
            raise ClusterError(f"--rates: '{word}' is not hN=RATE, N one of the hosts", 2)
        found[int(match[1])] = parse_rate(match[2])
    return found
