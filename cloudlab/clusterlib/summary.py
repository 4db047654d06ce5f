# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The figures of a run: what each protocol did, and how they compare."""

import math

import numpy as np
import pandas as pd

from . import outliers
from .counters import mean_in_load, received_gbps, total, uplink_load
from .results import ProtocolResult
from .stats import (add_latency, bucket_edges, by_bucket, common_baseline, group_summary,
                    percentile, size_at)
from .units import size_label

# What a protocol calls the same event.
TCP = {"resent": "Tcp.RetransSegs", "timeouts": "TcpExt.TCPTimeouts", "asked": None,
       "grants": None}
EVENTS = {"homa": {"resent": "resent_packets", "timeouts": "rpc_timeouts",
                   "asked": "packets_sent_RESEND", "grants": "packets_sent_GRANT"},
          "tcp": TCP, "dctcp": TCP}
INTEGRALS = {"waiting_for_grants": "grantable_rpcs_integral",
             "granted_kb": "granted_kb_integral"}
OTHERS = ("tcp", "dctcp")       # what Homa is compared with
LARGE = 100_000
LARGEST = 0.99                  # the size that so many messages do not exceed
GROUPS = {"shortest_half": 0.5, "shortest_tenth": 0.1, "all": 1.0}


def _port_summary(ports: pd.DataFrame) -> dict | None:
    """What the switch's ports held and sent; None where they cannot tell."""
    if ports.empty:
        return None
    sent = [int(ports[f"bytes_p{level}"].sum()) for level in range(8)]
    return {"peak_bytes": int(ports.peak_bytes.max()), "p99_bytes": int(ports.p99_bytes.max()),
            "mean_p99_bytes": float(ports.p99_bytes.mean()), "marked": int(ports.marked.sum()),
            "drops": int(ports.drops.sum()),
            "share_by_priority": [round(n / max(sum(sent), 1), 4) for n in sent]}


def _mean(result: ProtocolResult, metric: str, setup: dict) -> float | None:
    """The mean of what a metric of Homa integrates, over hosts and the time of the load."""
    if result.name != "homa":
        return None
    return mean_in_load(result.job, setup["hosts"], metric, setup["seconds"])


def _largest(done: pd.DataFrame, size: int) -> dict:
    """Latency of the largest messages: few, but all that there are, whether they ended or not."""
    part = done[done["size"] >= size]
    us = part.us.to_numpy()
    return {"size": size, "n": len(part), "unfinished": int((part.status != "ok").sum()),
            "p50_us": percentile(us, 0.5), "p99_us": percentile(us, 0.99)}


def _protocol_summary(result: ProtocolResult, done, cuts: dict, setup: dict) -> dict:
    """The row of one protocol; `setup` has hosts, link_bps, seconds and the offered wire load."""
    ended = done[done.status == "ok"]
    bits = 8 * (ended["size"] + ended.resp_size)
    in_time = ended.done_ns <= setup["seconds"] * 1e9
    per_host = setup["hosts"] * setup["seconds"] * 1e9
    drops = result.drops
    received = received_gbps(result.job, setup["hosts"])
    events = {what: name and total(result.metrics, name)
              for what, name in EVENTS[result.name].items()}
    return {
        "rpcs": result.node_total("started"), "done": len(ended),
        "unsent": result.node_total("unsent"),
        "failed": result.node_total("failed"), "lost": result.node_total("lost"),
        "repeated": result.node_total("executed_more_than_once"),
        "bad_content": result.node_total("bad_content"),
        "goodput_gbps": float(bits[in_time].sum() / per_host),
        "total_gbps": float(bits[in_time].sum() / (setup["seconds"] * 1e9)),
        "krpcs_per_second": float(in_time.sum() / (setup["seconds"] * 1e3)),
        "received_gbps": received,
        # The offered payload fills so much of a link as the load says; the rest is headers.
        "received_of_fit": received * setup["wire_load"][result.name] / (2 * setup["gbps"])
        if setup["gbps"] else math.nan,
        "offered_wire_load": setup["wire_load"][result.name],
        "measured_wire_load": uplink_load(result.job, setup["hosts"], setup["link_bps"],
                                          setup["seconds"]),
        "last_reply_ms": float(ended.done_ns.max() / 1e6) if len(ended) else math.nan,
        "timeouts": events["timeouts"], "resent_packets": events["resent"],
        "resend_requests": events["asked"], "grants": events["grants"],
        **{what: _mean(result, INTEGRALS[what], setup) for what in INTEGRALS},
        "port_drops": int(drops.queue_drops.sum() + drops.device_drops.sum()),
        "real_seconds": round(result.seconds, 1),
        "large_mean_slowdown": float(done[done["size"] > LARGE].slowdown.mean()),
        "largest": _largest(done, size_at(done["size"].to_numpy(), LARGEST)),
        "ports": _port_summary(result.ports),
        **{name: group_summary(done, cut) for name, cut in cuts.items()},
    }


def ratio(summaries: dict, other: str, group: str, key: str) -> float:
    """How many times the other protocol's value is Homa's; NaN unless both were measured."""
    if not {"homa", other} <= set(summaries):
        return math.nan
    low, high = summaries["homa"][group][key], summaries[other][group][key]
    return high / low if low > 0 else math.nan


def _over_own_idle(result: ProtocolResult, up_to: int) -> float:
    """P99 of latency over the protocol's own idle round trip, which may not be the shortest."""
    own = add_latency(result.rpcs, common_baseline({result.name: result.unloaded}))
    return group_summary(own, up_to)["p99_slowdown"]


def summarize(results: list, setup: dict) -> dict:
    """Fill in each result's buckets and summary; the return value is summary.json."""
    baseline = common_baseline({r.name: r.unloaded for r in results})
    done = {r.name: add_latency(r.rpcs, baseline) for r in results}
    # All protocols have the same arrivals, so that any of them tells the sizes.
    sizes = results[0].rpcs["size"].to_numpy()
    cuts = {name: size_at(sizes, fraction) for name, fraction in GROUPS.items()}
    edges = bucket_edges(sizes)
    for result in results:
        result.buckets = by_bucket(done[result.name], edges)
        result.summary = _protocol_summary(result, done[result.name], cuts, setup)
        result.summary["shortest_half"]["p99_over_own_idle"] = _over_own_idle(
            result, cuts["shortest_half"])
    summaries = {r.name: r.summary for r in results}
    return {
        "version": 1, "setup": setup, "protocols": summaries,
        "same_arrivals": same_arrivals(results),
        "outliers": [text for r in results for text in outliers.find(
            r.name, done[r.name], r.metrics)],
        "homa_times_better": {other: {g: {k: ratio(summaries, other, g, f"{k}_us")
                                          for k in ("p50", "p99")} for g in GROUPS}
                              for other in OTHERS},
        "done": done, "sizes": sizes, "cuts": cuts, "baseline": baseline,
    }


def same_arrivals(results: list) -> bool:
    """Whether all protocols were given the same messages at the same times."""
    what = ["host", "intended_ns", "size"]
    lists = [r.rpcs[what].sort_values(what).to_numpy() for r in results]
    return all(np.array_equal(lists[0], other) for other in lists[1:])


def failures(summary: dict) -> list:
    """Sentences about what must not happen in a run; none if all is well."""
    wrong = []
    cut_off = summary["setup"].get("drain_s") == 0
    for name, row in summary["protocols"].items():
        for key, text in (("failed", "RPCs failed"), ("lost", "RPCs were lost"),
                          ("repeated", "requests were executed more than once"),
                          ("bad_content", "messages had wrong content")):
            if row[key] and not (key == "lost" and cut_off):
                wrong.append(f"{name}: {row[key]} {text}")
        if row["unsent"] and not summary["setup"].get("client_max"):
            wrong.append(f"{name}: {row['unsent']} arrivals were held back: raise --client-max")
        if row["done"] != row["rpcs"] and not (row["failed"] or row["lost"]):
            wrong.append(f"{name}: {row['done']} of {row['rpcs']} RPCs are accounted for")
    own = summary["setup"].get("together") or not summary["setup"]["load"]
    if not summary["same_arrivals"] and not own:
        wrong.append("the protocols did not get the same arrivals")
    return wrong


def _number(value: float, digits: int = 1) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.{digits}f}"


def _group_rows(title: str, group: str, rows: list) -> list:
    first = rows[0][group]
    name = f"{title} (<= {size_label(first['up_to'])}B, n={first['n']:,})"
    return [(f"{name}: P50 us", [_number(r[group]["p50_us"]) for r in rows]),
            ("  P99 us", [_number(r[group]["p99_us"]) for r in rows]),
            ("  P50 slowdown", [_number(r[group]["p50_slowdown"], 2) for r in rows]),
            ("  P99 slowdown", [_number(r[group]["p99_slowdown"], 2) for r in rows])]


def _port_rows(rows: list) -> list:
    """What the switch's ports tell, if they can."""
    ports = [row["ports"] for row in rows]
    if not all(ports):
        return []
    table = [("Grants sent for each RPC", [_number(r["grants"] and r["grants"] / r["rpcs"], 2)
                                           for r in rows])]
    table.append(("Messages waiting for grants, mean a host",
                  [_number(r["waiting_for_grants"], 2) for r in rows]))
    table.append(("Granted bytes on their way, mean a host, kB",
                  [_number(r["granted_kb"]) for r in rows]))
    for text, key in (("Switch port, most bytes held, kB", "peak_bytes"),
                      ("  P99 in time, worst port, kB", "p99_bytes"),
                      ("  P99 in time, mean of ports, kB", "mean_p99_bytes")):
        table.append((text, [_number(p[key] / 1e3) for p in ports]))
    table.append(("Frames marked (ECN)", [_number(p["marked"]) for p in ports]))
    for level in reversed(range(8)):
        shares = [p["share_by_priority"][level] for p in ports]
        if any(shares):
            table.append((f"Bytes at priority {level}, %", [_number(100 * s) for s in shares]))
    return table


def table_rows(summary: dict) -> list:
    """(what, [text for each protocol]) of the summary table."""
    rows = list(summary["protocols"].values())
    plain = [("RPCs started", "rpcs", 0), ("RPCs done", "done", 0),
             ("RPCs failed or lost", None, 0),
             ("Goodput, Gb/s a host", "goodput_gbps", 2),
             ("Wire load offered (data packets)", "offered_wire_load", 3),
             ("Wire load measured (all packets)", "measured_wire_load", 3)]
    table = []
    for text, key, digits in plain:
        table.append((text, [_number(r[key] if key else r["failed"] + r["lost"], digits)
                             for r in rows]))
    for title, group in (("Shortest half", "shortest_half"),
                         ("Shortest tenth", "shortest_tenth"), ("All", "all")):
        table += _group_rows(title, group, rows)
    for text, key in (("Timeouts", "timeouts"), ("Packets sent again", "resent_packets"),
                      ("RESENDs sent (also to see if a peer is alive)", "resend_requests"),
                      ("Packets dropped at ports", "port_drops")):
        table.append((text, [_number(r[key]) for r in rows]))
    table.append(("Last reply, ms after the start", [_number(r["last_reply_ms"]) for r in rows]))
    table.append((f"Mean slowdown above {size_label(LARGE)}B",
                  [_number(r["large_mean_slowdown"], 2) for r in rows]))
    return table + _port_rows(rows)


def compared(times: float) -> str:
    """How Homa's value stands to TCP's, which is `times` as large."""
    if 0.95 < times < 1.05:
        return "the same as TCP's"
    better = f"{times:.1f} times better" if times > 1 else f"{1 / times:.1f} times worse"
    return f"{better} than TCP's"


def verdict(summary: dict) -> str:
    """The line that people read first; empty unless Homa and TCP were both measured."""
    best = summary["homa_times_better"]["tcp"]["shortest_half"]
    if not math.isfinite(best["p99"]):
        return ""
    return (f"Homa's P99 for the shortest half of the messages is {compared(best['p99'])}; "
            f"its P50 is {compared(best['p50'])}.")
