# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What tthoma prints and writes: the page about a recording, and results of analyzers."""
from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from ttlib import cli, plots, queues, stats, story, suspects
from ttlib.analysis import Analyzer
from ttlib.model import Tables
from ttlib.trace import TraceError

MAX_FINDINGS = 10


def overview(t: Tables) -> list[str]:
    """What the recording is."""
    begin, end = t.recording.common
    begin = max(begin, t.packets.xmit.min()) if len(t.packets) else begin
    lost = sum(trace.lost for trace in t.recording.traces.values())
    count = sum(len(trace) for trace in t.recording.traces.values())
    done = t.rpcs.rtt.notna().sum()
    lines = [f"{len(t.hosts)} hosts ({', '.join(t.hosts)}), {count} records; all hosts for "
             f"{max(end - begin, 0) / 1000:.0f} us; links of about {t.gbps:g} Gb/s",
             f"{len(t.rpcs)} RPCs, {done} of them whole; {len(t.packets)} data packets, "
             f"{len(t.grants)} grants"]
    if lost:
        lines.append(f"{lost} older records were overwritten in the rings")
    return lines


def latency(t: Tables) -> list[str]:
    """How long RPCs took, by size."""
    size = t.rpcs[["request", "response"]].max(axis=1)
    table = stats.spread(t.rpcs.rtt / 1000, stats.size_class(size))
    slow = (t.rpcs.rtt / story.ideal_ns(t)).groupby(stats.size_class(size))
    table["slowdown"] = slow.median()
    table["p99_slowdown"] = slow.quantile(.99)
    order = [name for name in ("<= 1 kB", "1-10 kB", "10-100 kB", "> 100 kB")
             if name in table.index]
    shown = table.loc[order, ["count", "p50", "p99", "max", "slowdown", "p99_slowdown"]]
    return ["RPC times in us, by the longer message:",
            *shown.rename_axis(None).to_string(float_format="{:.1f}".format).splitlines()]


def hosts(t: Tables) -> list[str]:
    """One line for each host."""
    seen = queues.queueing(t)
    rows = {}
    for host in t.hosts:
        got = seen[seen.rx == host]
        sent = t.packets[t.packets.tx == host]
        waits = t.messages[t.messages.rx == host]
        # Rings may reach back to long before the load.
        busy = pd.concat([sent.xmit, got.rcvd])
        us = max(busy.max() - busy.min(), 1.0) / 1000
        rows[host] = {"tx_gbps": sent.wire.sum() * 8 / us / 1e3,
                      "rx_gbps": got.wire.sum() * 8 / us / 1e3,
                      "queueing_p50_us": got.excess.median() / 1e3,
                      "queueing_p99_us": got.excess.quantile(.99) / 1e3,
                      "thread_wait_p99_us": (waits.found - waits.complete).quantile(.99) / 1e3,
                      "sent_again": int(sent.resent.sum())}
    table = pd.DataFrame(rows).T
    return ["Hosts (queueing of packets to them; wait of messages for their threads):",
            *table.to_string(float_format="{:.1f}".format).splitlines()]


def findings(t: Tables) -> list[str]:
    """What is wrong."""
    found = suspects.find(t)
    if not found:
        return ["Nothing is wrong that this tool knows of."]
    lines = ["What is wrong:"]
    for finding in found[:MAX_FINDINGS]:
        lines.append(f"  ! {finding.text} (see: {finding.look})")
    if len(found) > MAX_FINDINGS:
        lines.append(f"  ... and {len(found) - MAX_FINDINGS} more (tthoma findings)")
    return lines


def summary(t: Tables) -> list[str]:
    """One page about the recording."""
    lines = [*overview(t), "", *latency(t), "", *hosts(t), "", *findings(t), ""]
    worst = story.most_suspicious(t)
    if worst is None:
        return [*lines, "No RPC is known from its beginning."]
    rpc = story.find(t, worst)
    ideal = story.ideal_ns(t)[rpc.name]
    took = f"took {rpc.rtt / 1000:.1f} us" if rpc.rtt == rpc.rtt else "had not ended"
    return [*lines, f"Most suspicious RPC: {worst} ({rpc.client} to {rpc.server}, "
            f"{rpc.request:.0f} B, {rpc.response:.0f} B) {took}; alone about {ideal / 1000:.1f} us."
            f" Its story: tthoma why {worst}"]


def write_results(tables: Tables, chosen: list[Analyzer], args: argparse.Namespace) -> None:
    """Run analyzers; print and write what they found, as tthoma's options say."""
    for folder in filter(None, (args.data, args.plot)):
        folder.mkdir(parents=True, exist_ok=True)
    printed = {}
    for entry in chosen:
        given = {opt.name: getattr(args, f"opt_{opt.name}") for opt in entry.opts
                 if hasattr(args, f"opt_{opt.name}")}
        result = entry.run(tables, **given)
        if args.data:
            new_file(args.data / f"{entry.name}.csv")
            result.table.to_csv(args.data / f"{entry.name}.csv")
        if args.plot and result.plot:
            plots.save(result, entry.name, new_file(args.plot / f"{entry.name}.png"))
        if args.json:
            printed[entry.name] = {"headline": result.headline, "table": json.loads(
                result.table.reset_index().to_json(orient="records"))}
        else:
            cli.put([f"== {entry.name}: {result.text()}", ""])
    if args.json:
        cli.put([json.dumps(printed)])


def new_file(path: Path) -> Path:
    """A path at which there is nothing yet."""
    if path.exists():
        raise TraceError(f"{path} exists already")
    return path
