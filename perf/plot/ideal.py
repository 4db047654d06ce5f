#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What ideal SRPT would do with the RPCs of a measured run.

Each host has an uplink and a downlink. Both send the packet of the message with fewest bytes left
first; a packet that is on its way is not interrupted. No grants, no levels, no software: what is
slow here is slow because something shorter goes first. Response = request, as cp_node echoes.

    perf/plot/ideal.py out/results/RUN/w2-s1
    perf/plot/ideal.py --json out/results/RUN

Prints the mean slowdown of messages above 100 kB and the P99 slowdown of the shortest half.
Exit codes: 0 done, 2 wrong usage.
"""

import argparse
import csv
import gzip
import heapq
import json
import statistics
import sys
from collections import namedtuple
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cloudlab"))

from clusterlib.summary import LARGE                                            # noqa: E402
from clusterlib.wire import DEVICE_FRAMING, ETH_HEADER, FRAMINGS, IP_HEADER     # noqa: E402

HEADERS = IP_HEADER[4] + FRAMINGS["homa"].header    # of each packet
FRAME = DEVICE_FRAMING + ETH_HEADER
Rpc = namedtuple("Rpc", "start client server size")


class Message:
    """A request or response on its way."""

    def __init__(self, rpc: int, src: int, dst: int, size: int, response: bool) -> None:
        self.rpc, self.src, self.dst, self.response = rpc, src, dst, response
        self.size = self.unsent = size
        self.arrived = 0


class Links:
    """Links of one direction, one a host: shortest remaining first."""

    def __init__(self) -> None:
        self.queues, self.busy = {}, set()

    def add(self, host: int, entry: tuple) -> None:
        """Queue (bytes left, order, ...) for a host's link."""
        heapq.heappush(self.queues.setdefault(host, []), entry)

    def take(self, host: int) -> tuple | None:
        """Begin to send the most urgent entry, if the link is free and there is one."""
        if host in self.busy or not self.queues.get(host):
            return None
        self.busy.add(host)
        return heapq.heappop(self.queues[host])


class Network:
    """The simulation; times in ns."""

    def __init__(self, rpcs: list, bps: float, mtu: int, delay: float) -> None:
        self.rpcs, self.ns_a_byte, self.delay = rpcs, 8e9 / bps, delay
        self.payload = mtu - HEADERS
        self.up, self.down = Links(), Links()
        self.events, self.order, self.done = [], 0, {}

    def wire(self, length: int) -> float:
        """Time of a packet with so many bytes of a message."""
        return (length + HEADERS + FRAME) * self.ns_a_byte

    def at(self, when: float, what, *args) -> None:
        """Do something later; in order of time, then of being asked."""
        self.order += 1
        heapq.heappush(self.events, (when, self.order, what, args))

    def begin(self, now: float, message: Message) -> None:
        """A message is to be sent."""
        self.order += 1
        self.up.add(message.src, (message.unsent, self.order, message))
        self.send(now, message.src)

    def send(self, now: float, host: int) -> None:
        """Look after a host's uplink."""
        entry = self.up.take(host)
        if entry:
            urgency, _, message = entry
            length = min(self.payload, message.unsent)
            message.unsent -= length
            self.at(now + self.wire(length), self.sent, message, length, urgency)

    def sent(self, now: float, message: Message, length: int, urgency: int) -> None:
        """A packet has left its host."""
        self.up.busy.discard(message.src)
        self.at(now + self.delay, self.switched, message, length, urgency)
        if message.unsent:
            self.order += 1
            self.up.add(message.src, (message.unsent, self.order, message))
        self.send(now, message.src)

    def switched(self, now: float, message: Message, length: int, urgency: int) -> None:
        """A packet is at the port of its destination."""
        self.order += 1
        self.down.add(message.dst, (urgency, self.order, message, length))
        self.receive(now, message.dst)

    def receive(self, now: float, host: int) -> None:
        """Look after a host's downlink."""
        entry = self.down.take(host)
        if entry:
            self.at(now + self.wire(entry[3]), self.received, entry[2], entry[3])

    def received(self, now: float, message: Message, length: int) -> None:
        """A packet has arrived, maybe the last one of its message."""
        self.down.busy.discard(message.dst)
        message.arrived += length
        if message.arrived == message.size and message.response:
            self.done[message.rpc] = now + self.delay
        elif message.arrived == message.size:
            self.at(now + self.delay, self.begin,
                    Message(message.rpc, message.dst, message.src, message.size, True))
        self.receive(now, message.dst)

    def run(self) -> list:
        """Latency of each RPC, ns."""
        for i, rpc in enumerate(self.rpcs):
            self.at(rpc.start, self.begin,
                    Message(i, rpc.client, rpc.server, rpc.size, False))
        while self.events:
            now, _, what, args = heapq.heappop(self.events)
            what(now, *args)
        return [self.done[i] - rpc.start for i, rpc in enumerate(self.rpcs)]


def idle(network: Network, size: int) -> float:
    """Latency of an RPC that is alone, ns."""
    alone = Network([Rpc(0, 1, 2, size)], 8e9 / network.ns_a_byte, network.payload + HEADERS,
                    network.delay)
    return alone.run()[0]


def read_rpcs(path: Path) -> list:
    """The RPCs of a run, as cperf records them."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [Rpc(int(row["intended_ns"]), int(row["host"]),
                    int(row["server"].rpartition(".")[2]), int(row["size"]))
                for row in csv.DictReader(file)]


def figures(folder: Path, delay: float | None) -> dict:
    """Slowdowns in an ideal network; the delay makes the idle round trip of 100 B as set."""
    setup = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["setup"]
    network = Network(read_rpcs(folder / "rpcs-homa.csv.gz"), setup["link_bps"], setup["mtu"],
                      3600 if delay is None else delay)
    base = {size: idle(network, size) for size in {rpc.size for rpc in network.rpcs}}
    slow = sorted((rpc.size, latency / base[rpc.size])
                  for rpc, latency in zip(network.rpcs, network.run()))
    half = sorted(s for _, s in slow[:len(slow) // 2])
    large = [s for size, s in slow if size > LARGE]
    return {"run": str(folder), "rpcs": len(slow), "large": len(large),
            "large_mean_slowdown": statistics.mean(large) if large else None,
            "half_p99_slowdown": half[int(len(half) * 0.99)]}


def main() -> int:
    """Read the arguments, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a point of a cperf run, or a whole run")
    parser.add_argument("--delay", type=float, metavar="NS",
                        help="hosts and switch, one way and one link (3600, as paper21)")
    parser.add_argument("--json", action="store_true", help="for programs")
    args = parser.parse_args()
    found = sorted(p.parent for p in args.folder.rglob("rpcs-homa.csv.gz"))
    if not found:
        print(f"ideal.py: no rpcs-homa.csv.gz in {args.folder}", file=sys.stderr)
        return 2
    rows = [figures(folder, args.delay) for folder in found]
    if args.json:
        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        large = row["large_mean_slowdown"]
        print(f"{row['run']}: {row['rpcs']} RPCs, P99 slowdown of the shortest half "
              f"{row['half_p99_slowdown']:.2f}; {row['large']} above 100 kB, mean slowdown "
              + (f"{large:.2f}" if large else "-"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
