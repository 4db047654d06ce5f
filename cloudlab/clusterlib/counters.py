# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Counters of hosts and queues: what the kernel prints, as tables of differences."""

import json
import math
from pathlib import Path

import pandas as pd

from .errors import ClusterError
from .wire import DEVICE_FRAMING

# Clocks are no events, and would tell when a run took place.
NOT_COUNTED = {"time_cycles", "cpu_khz", "core"}
# What of messages has arrived, requests and responses.
ARRIVED = ("server_request_bytes_done", "client_response_bytes_done")


def parse_homa_metrics(text: str) -> dict:
    """Name -> value, summed over cores, from /proc/net/homa_metrics."""
    values = {}
    for line in text.splitlines():
        fields = line.split(None, 2)
        if len(fields) >= 2 and fields[0] not in NOT_COUNTED and fields[1].isdigit():
            values[fields[0]] = values.get(fields[0], 0) + int(fields[1])
    return values


def parse_snmp(text: str) -> dict:
    """Group.Name -> value from /proc/net/snmp and netstat: a line of names, a line of values."""
    values, names = {}, {}
    for line in text.splitlines():
        group, _, rest = line.partition(":")
        words = rest.split()
        if group not in names:
            names[group] = words
            continue
        values |= {f"{group}.{n}": int(v) for n, v in zip(names.pop(group), words)}
    return values


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def host_deltas(job: Path, hosts: int) -> pd.DataFrame:
    """Columns host, source, metric, delta: from before the first arrival to after the last end."""
    rows = []
    for host in range(1, hosts + 1):
        for source, suffix, parse in (("homa", "homa_metrics", parse_homa_metrics),
                                      ("ip", "snmp", parse_snmp)):
            before = parse(_read(job / f"h{host}.{suffix}.before"))
            after = parse(_read(job / f"h{host}.{suffix}.after"))
            rows += [(f"h{host}", source, name, value - before.get(name, 0))
                     for name, value in after.items()]
    return pd.DataFrame(rows, columns=["host", "source", "metric", "delta"])


def total(deltas: pd.DataFrame, metric: str) -> int:
    """Sum of one metric over all hosts (0 where no host has it)."""
    return int(deltas[deltas.metric == metric].delta.sum())


def _qdiscs(path: Path, where: str) -> dict:
    """(node, device, handle, kind, parent) -> queue, from `tc -s -j qdisc show`."""
    try:
        queues = json.loads(_read(path) or "[]")
    except json.JSONDecodeError:
        raise ClusterError(f"{path}: not the JSON that 'tc -j' prints") from None
    return {(where, q.get("dev", "e0"), q["handle"], q["kind"],
             "root" if q.get("root") else q.get("parent", "")): q
            for q in queues if q.get("dev") != "lo"}


def _all_queues(job: Path, hosts: int, moment: str) -> dict:
    queues = _qdiscs(job / f"sw.qdisc.{moment}", "sw")
    for host in range(1, hosts + 1):
        queues |= _qdiscs(job / f"h{host}.qdisc.{moment}", f"h{host}")
    return queues


def queue_deltas(job: Path, hosts: int) -> pd.DataFrame:
    """One row a queueing discipline: bytes, packets and drops since just before the load."""
    before, after = (_all_queues(job, hosts, m) for m in ("before", "after"))
    counted = ("bytes", "packets", "drops", "overlimits", "requeues")
    rows = []
    for key, queue in after.items():
        first = before.get(key, {})
        rows.append((*key, *(queue.get(c, 0) - first.get(c, 0) for c in counted)))
    return pd.DataFrame(rows, columns=["node", "dev", "handle", "kind", "parent", *counted])


def _device_drops(job: Path, moment: str) -> dict:
    drops = {}
    for link in json.loads(_read(job / f"sw.link.{moment}") or "[]"):
        stats = link.get("stats64", {})
        drops[link["ifname"]] = sum(stats.get(way, {}).get(what, 0) for way in ("rx", "tx")
                                    for what in ("dropped", "errors"))
    return drops


def port_drops(job: Path, hosts: int, queues: pd.DataFrame) -> pd.DataFrame:
    """One row a port: packets dropped in its queues and by its device.

    A queue counts what it refuses; its parents count that too, but not what a child loses
    silently.  So a port's drops are the root's, or its leaves' if those are more.
    """
    before, after = _device_drops(job, "before"), _device_drops(job, "after")
    rows = []
    for (node, dev), group in queues.groupby(["node", "dev"], sort=False):
        root = int(group[group.parent == "root"].drops.sum())
        inner = {p.split(":")[0] + ":" for p in group.parent if p != "root"}
        leaves = int(group[~group.handle.isin(inner)].drops.sum())
        device = after.get(dev, 0) - before.get(dev, 0) if node == "sw" else 0
        rows.append((node, dev, max(root, leaves), device))
    return pd.DataFrame(rows, columns=["node", "port", "queue_drops", "device_drops"])


def percentile_of(occupancy: dict, p: float) -> int:
    """The bytes that a queue held no more than for a share p of the time."""
    total, passed = sum(occupancy.values()), 0
    for most, ps in sorted(occupancy.items()):
        passed += ps
        if passed >= p * total:
            return most
    return 0


def port_table(job: Path) -> pd.DataFrame:
    """One row a port of the switch: what it held, marked and sent while load was offered.

    Ports tell that only where the network has exact ones (cloudlab/lab/kmod/sch_port.c).
    """
    ports: dict = {}
    for line in _read(job / "sw.ports.sent").splitlines():
        name, what, *words = line.split()
        row = ports.setdefault(name, {"occupancy": {}, "sent": [0] * 8, "drops": 0})
        if what == "total":
            row |= {"peak": int(words[3]), "marked": int(words[7])}
        elif what == "class":
            row["sent"][int(words[0])] = int(words[4])
            row["drops"] += int(words[6])
        elif what == "occupancy":
            row["occupancy"][int(words[1])] = int(words[3])
    rows = [(name, row["peak"], percentile_of(row["occupancy"], 0.99), row["marked"],
             row["drops"], *row["sent"]) for name, row in ports.items()]
    return pd.DataFrame(rows, columns=["port", "peak_bytes", "p99_bytes", "marked", "drops",
                                       *(f"bytes_p{level}" for level in range(8))])


def parse_sent(text: str, device: str) -> tuple:
    """(bytes, packets) that a device has sent, from /proc/net/dev."""
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name.strip() == device:
            values = rest.split()
            return int(values[8]), int(values[9])
    return 0, 0


def mean_in_load(job: Path, hosts: int, metric: str, seconds: float) -> float:
    """What an integral over time (of ns) amounts to while load was offered, mean over hosts."""
    total_ns = 0
    for host in range(1, hosts + 1):
        first, last = (parse_homa_metrics(_read(job / f"h{host}.homa_metrics.{moment}"))
                       for moment in ("before", "sent"))
        total_ns += last.get(metric, 0) - first.get(metric, 0)
    return total_ns / (hosts * seconds * 1e9)


def received_gbps(job: Path, hosts: int) -> float:
    """Payload that reached a host for the first time, mean over hosts; NaN if not measured.

    Also of messages that are not complete; from the end of the warm-up to that of the load.
    """
    rates = []
    for host in range(1, hosts + 1):
        texts = [_read(job / f"h{host}.homa_metrics.{moment}") for moment in ("warm", "sent")]
        if not all(texts):
            return math.nan
        warm, sent = ([int(text.split(None, 2)[1]), parse_homa_metrics(text)] for text in texts)
        arrived = sum(sent[1][name] - warm[1][name] for name in ARRIVED)
        rates.append(8 * arrived / (sent[0] - warm[0]))
    return sum(rates) / hosts


def uplink_load(job: Path, hosts: int, link_bps: float, seconds: float) -> float:
    """Measured wire load of the hosts' uplinks while the load was offered, control included."""
    wire_bytes = 0
    for host in range(1, hosts + 1):
        first, last = (parse_sent(_read(job / f"h{host}.dev.{moment}"), "e0")
                       for moment in ("before", "sent"))
        wire_bytes += last[0] - first[0] + DEVICE_FRAMING * (last[1] - first[1])
    return 8 * wire_bytes / (hosts * link_bps * seconds)
