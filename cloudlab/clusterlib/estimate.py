# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What a run will take, told before it begins: RPCs, disk, and for a simulation processor time.

Simulations cost what their hosts, RPCs and packets cost; in real time a run takes the time that
it offers load. All of this is right within a factor of two or so.
"""

from dataclasses import dataclass

from .nodes import parse_cluster
from .units import duration_label
from .wire import FRAMINGS, IP_HEADER, offer_for_load
from .workload import Workload

# Processor time, fitted to runs of W2 to W5 on 8, 16 and 144 hosts (scale.md):
BOOT_S, HOST_S = 3, 0.3         # a kernel, its network and what is counted; a host of it
RPC_S = 300e-6                  # an RPC, its system calls above all
PACKET_S = 6e-6                 # a packet with data, and what control it needs, in a star
FABRIC = 2.5                    # times that over two tiers
RPC_BYTES = 18                  # packed, in rpcs-PROTOCOL.csv.gz
HOST_BYTES = 65_000             # histograms and counters of a host
TRACE_BYTES = 1_300_000         # of a host's ring as text, once it is full
TRACE_RPC_BYTES = 3000          # of records an RPC leaves on both hosts, if it is short
RECORD_BYTES = 32               # with --traces, in binary form
ROUND_TRIP_S = 5e-6             # the shortest, which bounds closed loops


@dataclass(frozen=True)
class Estimate:
    """What a run takes: number of RPCs, bytes of its result, seconds of it, of a simulation
    those of one processor."""

    rpcs: int = 0
    disk: int = 0
    seconds: float = 0.0
    simulated: bool = True

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(self.rpcs + other.rpcs, self.disk + other.disk,
                        self.seconds + other.seconds, self.simulated and other.simulated)

    def text(self, jobs: int) -> str:
        """In words; several jobs at a time share a simulation's processor time."""
        spent = self.seconds / jobs if self.simulated else self.seconds
        size = f"{self.disk / 1e6:.2g} MB" if self.disk < 1e8 else f"{self.disk / 1e9:.2g} GB"
        return (f"about {self.rpcs:,} RPCs, {size} on disk, {duration_label(spent)} min"
                + (" if nothing else runs" if self.simulated else ""))


def packets(length: int, protocol: str, mtu: int, family: int) -> int:
    """Packets of a message."""
    framing = FRAMINGS[protocol]
    return max(1, -(-(length + framing.prefix) // (mtu - IP_HEADER[family] - framing.header)))


def mean_packets(workload: Workload, protocol: str, mtu: int, family: int) -> float:
    """Packets of a message of a workload, on average."""
    return sum(weight * packets(size, protocol, mtu, family)
               for size, weight in workload.weights())


def rate_of(experiment, load, setup: dict, workload: Workload) -> float:
    """RPCs a second of one host; in a closed loop what its link or client_max lets it do."""
    if load.gbps:
        return load.gbps * 1e9 / 8 / workload.mean
    full = offer_for_load(1, setup["link_bps"], workload, experiment.names, setup["mtu"],
                          6 if experiment.ipv6 else 4, experiment.factor(setup["hosts"]))
    return min(full.rpcs_per_second, load.client_max / ROUND_TRIP_S)


def of(experiment, load, setup: dict, workload: Workload) -> Estimate:
    """The estimate of one experiment."""
    kind, hosts = parse_cluster(experiment.cluster)[0], setup["hosts"]
    senders, seconds = len(load.senders(hosts)), setup["seconds"]
    rpcs = round(rate_of(experiment, load, setup, workload) * seconds * senders)
    family = 6 if experiment.ipv6 else 4
    packet_s = PACKET_S * (FABRIC if experiment.network.fabric else 1)
    ways = 1 if experiment.one_way else 2
    total = Estimate(simulated=kind.kind == "sim")
    for protocol in experiment.names:
        share = rpcs if not experiment.together else rpcs // len(experiment.names)
        each = experiment.unloaded + 1
        alone = each * sum(packets(size, protocol, setup["mtu"], family) for size in workload.sizes)
        sent = ways * (alone + share * mean_packets(workload, protocol, setup["mtu"], family))
        work = RPC_S * (share + each * len(workload.sizes)) + packet_s * sent
        traced = (hosts * RECORD_BYTES * experiment.traces + min(
            hosts * TRACE_BYTES, share * TRACE_RPC_BYTES)) if protocol == "homa" else 0
        total += Estimate(share, share * RPC_BYTES + hosts * HOST_BYTES + traced,
                          BOOT_S + HOST_S * hosts + work
                          if total.simulated else seconds + 3, total.simulated)
    return total
