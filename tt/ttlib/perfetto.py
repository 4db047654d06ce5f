# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""A recording as events of the Trace Event Format, which trace viewers read.

Of the format only these are used: M (names), X (a slice with a duration), b and e
(asynchronous spans), s and f (flows: arrows between slices), C (counters), i
(instants). Times are microseconds.
"""
from __future__ import annotations

from typing import Any, Iterator

import numpy as np

from ttlib import kernel, queues
from ttlib.model import Tables
from ttlib.trace import THREADS

Event = dict[str, Any]
SLICE_US = 0.2      # a packet's slice: arrows need one at each end
PHASES = [("request", "c_send", "s_complete"), ("wait for server", "s_complete", "s_found"),
          ("service", "s_found", "s_send"), ("response", "s_send", "c_complete"),
          ("wait for client", "c_complete", "c_done")]
COUNTERS = {"live RPCs": ("live_out", "live_in"), "kB to this host": ("inflight_kb",),
            "kB granted": ("granted_kb",)}


# Tracks beside those of the cores, whose slices would overlap: number of the first core's.
SOFTIRQ_TRACKS, THREAD_TRACKS = 1_000_000, 2_000_000
INSTANTS = {"NAPI_POLL": "poll of device {device}: {work} of {budget}",
            "TXQ_STOPPED": "queue {queue} is stopped, {waiting} wait",
            "KERNEL_DROP": "drop of RPC {id}, reason {reason}"}


def names(t: Tables, pids: dict[str, int]) -> Iterator[Event]:
    """Names of processes and threads."""
    for host, pid in pids.items():
        yield {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": host}}
        trace = t.recording.traces[host]
        for cpu in np.unique(trace.cpu).tolist():
            yield {"ph": "M", "name": "thread_name", "pid": pid, "tid": cpu,
                   "args": {"name": f"core {cpu}" if cpu < THREADS else
                            "thread " + trace.threads[cpu - THREADS]}}


def rpcs(t: Tables, pids: dict[str, int]) -> Iterator[Event]:
    """A span for each whole RPC, and one in it for each phase that is known."""
    for rpc in t.rpcs.dropna(subset=["rtt"]).itertuples():
        pid = pids[rpc.client]
        common = {"cat": "rpc", "id": f"{rpc.client}.{rpc.id}", "pid": pid, "tid": 0}
        label = f"RPC {rpc.id} to {rpc.server}"
        yield {**common, "ph": "b", "name": label, "ts": rpc.c_send / 1000,
               "args": {"request": rpc.request, "response": rpc.response} if
               rpc.request == rpc.request and rpc.response == rpc.response else {}}
        for name, begin, end in PHASES:
            first, last = getattr(rpc, begin), getattr(rpc, end)
            if first <= last:       # also false if one is not known
                yield {**common, "ph": "b", "name": name, "ts": first / 1000}
                yield {**common, "ph": "e", "name": name, "ts": last / 1000}
        yield {**common, "ph": "e", "name": label, "ts": rpc.c_done / 1000}


def packets(t: Tables, pids: dict[str, int]) -> Iterator[Event]:
    """A slice where a packet was sent, one where it was received, an arrow between."""
    for number, packet in enumerate(t.packets.itertuples()):
        name = f"{packet.id}:{packet.offset}"
        args = {"length": packet.length, "prio": packet.prio}
        sent = {"cat": "packet", "pid": pids[packet.tx], "tid": int(packet.tx_cpu),
                "ts": packet.xmit / 1000}
        yield {**sent, "ph": "X", "name": f"tx {name}", "dur": SLICE_US, "args": args}
        if packet.rcvd != packet.rcvd:
            continue
        got = {"cat": "packet", "pid": pids[packet.rx], "tid": int(packet.rx_cpu),
               "ts": packet.rcvd / 1000}
        yield {**got, "ph": "X", "name": f"rx {name}", "dur": SLICE_US, "args": args}
        yield {**sent, "ph": "s", "name": "packet", "id": number}
        yield {**got, "ph": "f", "bp": "e", "name": "packet", "id": number}


def counters(t: Tables, pids: dict[str, int]) -> Iterator[Event]:
    """What each host had under way, and what its device held."""
    for row in t.intervals.itertuples():
        for name, columns in COUNTERS.items():
            yield {"ph": "C", "name": name, "pid": pids[row.host], "tid": 0,
                   "ts": row.begin / 1000,
                   "args": {column: round(getattr(row, column), 3) for column in columns}}
    held = queues.sender_queue(t)
    for row in held.itertuples():
        yield {"ph": "C", "name": "kB in the device", "pid": pids[row.tx], "tid": 0,
               "ts": row.window * queues.WINDOW_NS / 1000,
               "args": {"kb": round(row.excess * t.gbps / 8e3, 3)}}


def cores(t: Tables, pids: dict[str, int]) -> Iterator[Event]:
    """What the kernel recorded of cores: softirqs, turns of threads, polls, drops."""
    runs = [(SOFTIRQ_TRACKS, "softirqs", "softirq", kernel.softirqs(t.recording), lambda row:
             kernel.VECTORS.get(int(row.vector), f"vector {row.vector:.0f}")),
            (THREAD_TRACKS, "threads", "thread", kernel.threads(t.recording),
             lambda row: f"thread {row.pid:.0f}")]
    for first, title, kind, table, name in runs:
        for host, cpu in table[["host", "cpu"]].drop_duplicates().itertuples(index=False):
            yield {"ph": "M", "name": "thread_name", "pid": pids[host], "tid": first + int(cpu),
                   "ts": 0, "args": {"name": f"core {cpu:.0f} {title}"}}
        for row in table.itertuples():
            yield {"ph": "X", "cat": kind, "name": name(row), "pid": pids[row.host],
                   "tid": first + int(row.cpu), "ts": row.begin / 1000,
                   "dur": (row.end - row.begin) / 1000}
    for event, text in INSTANTS.items():
        for row in t.event(event).to_dict("records"):
            yield {"ph": "i", "s": "t", "cat": "kernel", "name": text.format(**row),
                   "pid": pids[row["host"]], "tid": int(row["cpu"]), "ts": row["ns"] / 1000}


def device_spans(t: Tables, pids: dict[str, int]) -> Iterator[Event]:
    """A span for each packet in its device, by transmit queue."""
    inside = t.packets[t.packets.nic_done >= t.packets.nic]
    for number, packet in enumerate(inside.itertuples()):
        common = {"cat": "device", "id": f"d{number}", "pid": pids[packet.tx], "tid": 0,
                  "name": f"queue {packet.queue:.0f}: {packet.id}:{packet.offset}"}
        yield {**common, "ph": "b", "ts": packet.nic / 1000, "args": {"length": packet.length}}
        yield {**common, "ph": "e", "ts": packet.nic_done / 1000}


def instants(t: Tables, pids: dict[str, int]) -> Iterator[Event]:
    """Each record as an instant."""
    for host, trace in t.recording.traces.items():
        us = (trace.ns + trace.start_ns() - t.recording.base) / 1000
        for time, cpu, text in zip(us.tolist(), trace.cpu.tolist(), trace.texts()):
            yield {"ph": "i", "s": "t", "name": text, "cat": "record", "pid": pids[host],
                   "tid": cpu, "ts": time}


def events(t: Tables, records: bool = False) -> list[Event]:
    """All events of a recording, in order of time after the names."""
    pids = {host: number for number, host in enumerate(t.hosts, 1)}
    found = [*rpcs(t, pids), *packets(t, pids), *counters(t, pids), *cores(t, pids),
             *device_spans(t, pids)]
    if records:
        found += instants(t, pids)
    order = np.argsort([event["ts"] for event in found], kind="stable")
    plain = [found[i] for i in order]
    return [*names(t, pids), *({key: plain_value(value) for key, value in event.items()}
                               for event in plain)]


def plain_value(value: Any) -> Any:
    """Numbers of numpy as those of Python, which JSON knows."""
    if isinstance(value, dict):
        return {key: plain_value(inner) for key, inner in value.items()}
    return value.item() if isinstance(value, np.generic) else value
