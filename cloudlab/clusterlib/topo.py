# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The simulated network: a star of hosts around one switch, as iproute2 batches.

    namespace h1                 namespace sw
    e0 10.0.0.1 ----- veth ----- p1 --+
       fd00::1                        br0     and so on for h2 ... hN
    tbf: the uplink's rate            |
                                 p2 --+  tbf: the downlink's rate
                                           prio: 8 bands by DSCP, both families
                                             netem: all delays, and the buffer

A frame waits for its uplink in the host's qdisc (which holds on to the socket's
memory, as a network card does), then for all delays of the path in the netem
of its band at the switch, then for the downlink in order of priority. Losses,
duplicates and reordering happen on an ifb device where frames enter the
switch: netem refuses to duplicate beside another netem of the same device.
Rates count Ethernet's preamble, checksum and gap. A tbf's bucket holds one
frame, so that the first frame of a burst passes without its transmission time.

With `ports`, one qdisc of the lab's own (lab/kmod/sch_port.c) takes the place of
each tbf and all below it: times exact to the nanosecond, a buffer in bytes, ECN
by bytes, occupancy; a switch port delays frames before they reach its queues.

With `nic`, e0 is a network card (lab/kmod/simnic.c) over the cable, c0. It has the
uplink's rate itself, so what waits is in its ring, and then in the default qdisc.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from . import fabric as tiers, nic
from .errors import ClusterError

WIRE_OVERHEAD = 24              # preamble 8, checksum 4, gap 12: what skb->len lacks
ETHERNET_HEADER = 14
BANDS = 8
MAX_HOSTS = 200
HOST_BUFFER = 100_000_000       # bytes that wait in a host for its uplink
IMPAIRED_LIMIT = 100_000        # packets that the impairment may hold; never a cause of drops


@dataclass(frozen=True)
class Star:
    """A star network; times in ns, sizes in bytes, probabilities in percent."""

    hosts: int = 2
    rate: float = 25e9          # bits per second of each link
    mtu: int = 1500
    host_delay: int = 500       # host to switch, and switch to host
    switch_delay: int = 1000
    buffer: int = 2_000_000     # of each band of each downlink, as if all frames were full
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_delay: int = 20_000
    shaped: bool = True         # with rates, delays and bands; in real time they only cost
    ports: bool = False         # exact ones, by sch_port; else tbf, prio and netem
    shared: bool = False        # the buffer is of the whole switch, not of each port (ports)
    mark: int = 0               # bytes in a port above which CE is set; 0: never (ports)
    nic: str | None = None      # settings of each host's card, "ring=64 ..."; None: no card
    fabric: tiers.Fabric | None = None      # two tiers of switches (ports)
    rates: tuple = ()           # (host, bits per second) of links that differ (ports)

    @property
    def path_delay(self) -> int:
        """Delay of a frame from host to host, without any transmission time."""
        return 2 * self.host_delay + self.switch_delay if self.shaped else 0

    @property
    def frame(self) -> int:
        """Bytes of the largest frame on the wire."""
        return self.mtu + ETHERNET_HEADER + WIRE_OVERHEAD

    @property
    def limit(self) -> int:
        """Packets that one band may hold: its buffer, and what the delay holds."""
        in_flight = self.rate / 8 * self.path_delay * 1e-9 / 84 * self.hosts
        return max(1, self.buffer // self.frame) + math.ceil(in_flight)

    @property
    def exact(self) -> bool:
        """Whether ports are sch_port's."""
        return self.ports and self.shaped

    @property
    def hardware(self) -> bool:
        """Whether the lab's own kernel modules are needed."""
        return self.exact or self.nic is not None

    @property
    def cable(self) -> str:
        """The device of a host that its cable ends in."""
        return "e0" if self.nic is None else "c0"

    @property
    def impaired(self) -> bool:
        """Whether frames are lost, duplicated or reordered on purpose."""
        return any((self.loss, self.duplicate, self.reorder))


def check(star: Star) -> None:
    """Refuse what cannot be built, with the reason."""
    if not 0 <= star.hosts <= MAX_HOSTS:
        raise ClusterError(f"a cluster has 0 to {MAX_HOSTS} hosts, not {star.hosts}", 2)
    if not 1280 <= star.mtu <= 65535:
        raise ClusterError(f"an MTU of {star.mtu} is not in 1280..65535", 2)
    for name in ("loss", "duplicate", "reorder"):
        if not 0 <= getattr(star, name) <= 100:
            raise ClusterError(f"--{name} is a percentage", 2)
    if star.buffer < 0 or star.rate < 1e6:
        raise ClusterError("a link has at least 1 Mb/s and a buffer of 0 or more bytes", 2)
    if (star.shared or star.mark) and not star.ports:
        raise ClusterError("a shared buffer and marks need --ports", 2)
    if star.fabric and (star.shared or star.impaired):
        raise ClusterError("two tiers have no shared buffer, and lose or reorder nothing", 2)
    if star.rates and star.nic is not None:
        raise ClusterError("rates of their own and cards do not go together", 2)
    if (star.fabric or star.rates) and not star.exact:
        raise ClusterError("two tiers, and links with rates of their own, need --ports", 2)
    if star.nic is not None:
        nic.check(star.nic, star.shaped)


def mac(host: int) -> str:
    """Return the hardware address of a host."""
    return f"02:00:00:00:{host >> 8:02x}:{host & 255:02x}"


def usec(time_ns: int) -> str:
    """Return a time as tc wants it; tc rounds it down to a multiple of 64 ns."""
    return f"{time_ns / 1000:.3f}us"


def everyone(star: Star) -> range:
    """Return the numbers of the hosts."""
    return range(1, star.hosts + 1)


def links(star: Star) -> list[str]:
    """For `ip -batch` in the initial namespace: namespaces and cables."""
    lines = ["netns add sw"] + [f"netns add h{i}" for i in everyone(star)]
    lines += [f"link add {star.cable} netns h{i} address {mac(i)} mtu {star.mtu} type veth"
              f" peer name p{i} mtu {star.mtu} netns sw" for i in everyone(star)]
    return lines


def switch(star: Star) -> list[str]:
    """For `ip -n sw -batch`: the bridge and its ports, or those of two tiers."""
    if star.fabric:
        return tiers.bridges(star.fabric, star.hosts, star.mtu)
    lines = ["link set lo up",
             "link add br0 type bridge stp_state 0 mcast_snooping 0",
             "link set br0 addrgenmode none up"]
    lines += [f"link set p{i} master br0 addrgenmode none up" for i in everyone(star)]
    if star.impaired:
        for i in everyone(star):
            lines += [f"link add i{i} type ifb", f"link set i{i} addrgenmode none up"]
    return lines


def forwarding(star: Star) -> list[str]:
    """For `bridge -n sw -batch`: who is where, so that nothing is ever flooded."""
    if star.fabric:
        return tiers.forwarding(star.fabric, star.hosts, mac)
    return [line for i in everyone(star) for line in (
        f"link set dev p{i} learning off flood off",
        f"fdb replace {mac(i)} dev p{i} master static")]


def netem(star: Star) -> str:
    """Return netem's words for the impairments."""
    words = []
    if star.reorder:
        words.append(f"delay {usec(star.reorder_delay)} reorder {100 - star.reorder:g}%")
    if star.loss:
        words.append(f"loss {star.loss:g}%")
    if star.duplicate:
        words.append(f"duplicate {star.duplicate:g}%")
    return " ".join(words)


def shaper(star: Star) -> str:
    """Return tbf's words for a link's rate."""
    return (f"tbf rate {star.rate:.0f}bit overhead {WIRE_OVERHEAD}"
            f" burst {star.frame + 16} limit 100m")


def nic_settings(star: Star) -> str:
    """Return what simnic is told to make a host's card."""
    return f"e0 on {star.cable} rate={star.rate:.0f} {star.nic}".rstrip()


def switch_port(star: Star, rate: float, delay: int) -> str:
    """Return what sch_port is told of a switch's port."""
    return (f"rate={rate:.0f} delay={delay} buffer={star.buffer} shared={star.shared:d}"
            f" mark={star.mark}")


def port_groups(star: Star) -> list[str]:
    """Return lines `batch settings`: ports of the switch that are alike."""
    rates = dict(star.rates)
    lines = ["switch_queues " + switch_port(star, star.rate, star.path_delay)]
    lines += [f"port{i} " + switch_port(star, rate, star.path_delay) for i, rate in rates.items()]
    if star.fabric:
        rate = star.fabric.link_rate(star.hosts, star.rate)
        lines.append("fabric_queues " + switch_port(star, rate,
                                                    star.switch_delay + star.fabric.delay))
    return lines


def port_settings(star: Star) -> dict[str, str]:
    """Return what the guest is told of ports, by the name of its variable."""
    rates = dict(star.rates)
    return {"LAB_PORT_GROUPS": "port_groups",
            "LAB_HOST_PORT": f"buffer={HOST_BUFFER} host=1",
            "LAB_HOST_RATES": " ".join(f"{rates.get(i, star.rate):.0f}" for i in everyone(star))}


def downlink(star: Star, host: int) -> list[str]:
    """Return the queues of one port of the switch."""
    dev = f"dev p{host}"
    if star.ports:
        return [f"qdisc add {dev} root handle 1: port"]
    lines = [f"qdisc add {dev} root handle 1: {shaper(star)}",
             f"qdisc add {dev} parent 1:1 handle 10: prio bands {BANDS} priomap"
             + f" {BANDS - 1}" * 16]
    for band in range(1, BANDS + 1):
        lines.append(f"qdisc add {dev} parent 10:{band} handle 2{band}: netem"
                     f" delay {usec(star.path_delay)} limit {star.limit}")
    for band in range(1, BANDS):
        match = f"{(BANDS - band) << 5:#x} 0xe0 flowid 10:{band}"
        lines.append(f"filter add {dev} parent 10: protocol ip prio 1 u32 match ip dsfield {match}")
        lines.append(f"filter add {dev} parent 10: protocol ipv6 prio 2"
                     f" u32 match ip6 priority {match}")
    return lines


def impairment(star: Star, host: int) -> list[str]:
    """Return what sends the frames of one host through its ifb device."""
    return [f"qdisc add dev i{host} root netem limit {IMPAIRED_LIMIT} {netem(star)}",
            f"qdisc add dev p{host} handle ffff: ingress",
            f"filter add dev p{host} parent ffff: protocol all prio 1 matchall"
            f" action mirred egress redirect dev i{host}"]


def switch_queues(star: Star) -> list[str]:
    """For `tc -n sw -batch`: all queues of the switch."""
    lines = []
    if star.shaped:
        lines += [line for i in everyone(star) if i not in dict(star.rates)
                  for line in downlink(star, i)]
    if star.fabric:
        lines += [line for i in everyone(star)
                  for line in tiers.paths(star.fabric, star.hosts, i, mac)]
    if star.impaired:
        lines += [line for i in everyone(star) for line in impairment(star, i)]
    return lines


def host(star: Star, number: int) -> list[str]:
    """For `ip -n hN -batch`: addresses, and where the others are."""
    # A card has a carrier at once, and with it a link-local address unless it was told before.
    card = [] if star.nic is None else [f"link set {star.cable} addrgenmode none up",
                                        "link set e0 addrgenmode none"]
    lines = ["link set lo up", *card, "link set e0 addrgenmode none up",
             f"addr add 10.0.0.{number}/24 dev e0",
             f"addr add fd00::{number:x}/64 dev e0 nodad"]
    for other in everyone(star):
        if other != number:
            for address in (f"10.0.0.{other}", f"fd00::{other:x}"):
                lines.append(f"neigh add {address} lladdr {mac(other)} dev e0 nud permanent")
    return lines


def uplink(star: Star) -> list[str]:
    """For `tc -n hN -batch`: the host's own queue."""
    if not star.shaped or star.nic is not None:
        return []
    return [f"qdisc add dev e0 root handle 1: {'port' if star.ports else shaper(star)}"]


def batches(star: Star) -> dict[str, list[str]]:
    """Return every batch by file name; cloudlab/lab/guest knows the names."""
    files = {"links": links(star), "switch": switch(star), "forwarding": forwarding(star),
             "switch_queues": switch_queues(star), "uplink": uplink(star)}
    files.update({f"host{i}": host(star, i) for i in everyone(star)})
    if star.exact:
        files["port_groups"] = port_groups(star)
        files.update({f"port{i}": downlink(star, i) for i, _ in star.rates})
    if star.fabric:
        files["fabric_queues"] = tiers.queues(star.fabric)
    return files
