# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Bytes that a message takes on the wire: what "load" means in every benchmark here.

A packet occupies the link for preamble, Ethernet header, IP header, transport header, data,
FCS and inter-frame gap.  Load is those bits, of the requests and of the echoed responses that
leave one host, over the rate of its link.  Pure control packets (GRANT, ACK; TCP's own ACKs)
are not part of the offered load, for either protocol; they are in the measured load.
"""

from dataclasses import dataclass

from .workload import Workload

PREAMBLE = 8
ETH_HEADER = 14
FCS = 4
GAP = 12
MIN_FRAME = 64              # Ethernet pads shorter frames, header and FCS included
IP_HEADER = {4: 20, 6: 40}
DEVICE_FRAMING = PREAMBLE + FCS + GAP   # what a device's byte counter leaves out, a packet


@dataclass(frozen=True)
class Framing:
    """How a transport cuts messages into packets."""

    protocol: str
    header: int             # transport header with the options of every data packet
    prefix: int             # bytes that the load generator adds to a message, not payload


# Homa: 28 bytes common and 28 bytes of data header.  TCP: 20 and 12 of timestamps; cp_node
# writes the length, 4 bytes, before each TCP message, as any RPC protocol has to.
FRAMINGS = {
    "homa": Framing("homa", 56, 0),
    "tcp": Framing("tcp", 32, 4),
    "dctcp": Framing("dctcp", 32, 4),
}


def message_wire_bytes(length: int, framing: Framing, mtu: int = 1500, family: int = 4) -> int:
    """Wire bytes of one message sent alone, in full-size packets and a last partial one."""
    overhead = IP_HEADER[family] + framing.header
    room = mtu - overhead
    if room <= 0:
        raise ValueError(f"MTU {mtu} leaves no room for data")
    full, rest = divmod(length + framing.prefix, room)
    total = full * (mtu + ETH_HEADER + FCS + PREAMBLE + GAP)
    if rest or not full:
        total += max(rest + overhead + ETH_HEADER + FCS, MIN_FRAME) + PREAMBLE + GAP
    return total


def wire_ratio(workload: Workload, framing: Framing, mtu: int = 1500, family: int = 4) -> float:
    """Wire bytes for each byte of payload, averaged over a workload's messages."""
    wire = sum(weight * message_wire_bytes(size, framing, mtu, family)
               for size, weight in workload.weights())
    return wire / workload.mean


@dataclass(frozen=True)
class Offer:
    """The payload rate that makes a load, and what each protocol puts on the wire for it."""

    gbps: float             # request payload of one host, Gb/s (responses echo as much again)
    rpcs_per_second: float  # of one host
    wire_load: dict         # protocol -> fraction of the link, data packets only


def offer_for_load(load: float, link_bps: float, workload: Workload, protocols: list,
                   mtu: int = 1500, family: int = 4, factor: float = 2) -> Offer:
    """The same payload rate for all protocols: the one with the costliest framing meets `load`.

    The rate does not depend on which of them run, so that separate runs can be compared. The
    busiest direction of any link carries `factor` times what one client sends in requests: 2
    where each host serves as much as it asks.
    """
    ratios = {p: wire_ratio(workload, FRAMINGS[p], mtu, family) for p in FRAMINGS}
    payload_bps = load * link_bps / (factor * max(ratios.values()))
    gbps = float(f"{payload_bps / 1e9:.6g}")        # what the command line of cp_node carries
    wire = {p: factor * gbps * 1e9 * r / link_bps for p, r in ratios.items() if p in protocols}
    return Offer(gbps, gbps * 1e9 / 8 / workload.mean, wire)
