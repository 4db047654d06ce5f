# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Percentiles, slowdown and buckets: tables in, tables out; no files, no pictures.

A percentile p of n sorted values is value number floor(n * p), counted from 0.  The slowdown of
an RPC is its latency, from the time at which it was meant to start, over the unloaded latency of
the same size in the same cluster.  A P99 of fewer than MIN_P99 values is not shown.
"""

import math

import numpy as np
import pandas as pd

MIN_P99 = 300


def percentile(values: np.ndarray, p: float) -> float:
    """Value number floor(n * p) of the sorted values; NaN if there are none."""
    if len(values) == 0:
        return math.nan
    index = min(int(len(values) * p), len(values) - 1)
    return float(np.partition(np.asarray(values), index)[index])


def p99(values: np.ndarray) -> float:
    """The 99th percentile, or NaN where there are too few values to speak of one."""
    return percentile(values, 0.99) if len(values) >= MIN_P99 else math.nan


def common_baseline(unloaded: dict) -> pd.Series:
    """Unloaded latency (us) by size: the median of the protocol that is quicker at that size.

    `unloaded` maps protocol -> table of columns size, rtt_ns.  One baseline for all protocols
    makes their slowdowns comparable: equal slowdown at a size is equal latency.
    """
    medians = [table.groupby("size").rtt_ns.apply(lambda v: percentile(v.to_numpy(), 0.5))
               for table in unloaded.values()]
    return (pd.concat(medians, axis=1).min(axis=1) / 1e3).sort_index()


def add_latency(rpcs: pd.DataFrame, baseline: pd.Series) -> pd.DataFrame:
    """RPCs that did not fail with columns us (from the intended time), actual_us and slowdown.

    One that had no outcome when the run ended counts with the age that it had then.
    """
    done = rpcs[rpcs.status.isin(["ok", "unfinished"])].copy()
    done["us"] = (done.done_ns - done.intended_ns) / 1e3
    done["actual_us"] = (done.done_ns - done.sent_ns) / 1e3
    sizes = baseline.index.to_numpy(dtype=float)
    done["slowdown"] = done.us / np.interp(done["size"], sizes, baseline.to_numpy())
    return done


def size_at(sizes: np.ndarray, fraction: float) -> int:
    """The size that `fraction` of the messages do not exceed."""
    ordered = np.sort(np.asarray(sizes))
    return int(ordered[min(max(math.ceil(len(ordered) * fraction) - 1, 0), len(ordered) - 1)])


def bucket_edges(sizes: np.ndarray, most: int = 20, least: int = 10) -> list:
    """Upper sizes of buckets with about equally many messages each, enough for a P99 if possible."""
    count = max(least, min(most, len(sizes) // MIN_P99))
    edges = {size_at(sizes, (i + 1) / count) for i in range(count)}
    return sorted(edges)


def by_bucket(done: pd.DataFrame, edges: list) -> pd.DataFrame:
    """One row a bucket: sizes, n, cumulative fraction, P50 and P99 of latency and slowdown."""
    rows, lower = [], 0
    total, seen = max(len(done), 1), 0
    for upper in edges:
        part = done[(done["size"] > lower) & (done["size"] <= upper)]
        seen += len(part)
        rows.append({
            "above": lower, "up_to": upper, "n": len(part), "cumulative": seen / total,
            "p50_us": percentile(part.us.to_numpy(), 0.5), "p99_us": p99(part.us.to_numpy()),
            "p50_slowdown": percentile(part.slowdown.to_numpy(), 0.5),
            "p99_slowdown": p99(part.slowdown.to_numpy()),
        })
        lower = upper
    return pd.DataFrame(rows)


def ccdf(values: np.ndarray) -> tuple:
    """(sorted values, fraction of the values that are larger)."""
    ordered = np.sort(np.asarray(values))
    return ordered, 1 - np.arange(1, len(ordered) + 1) / max(len(ordered), 1)


def group_summary(done: pd.DataFrame, up_to: int) -> dict:
    """Count, P50 and P99 of the messages of at most `up_to` bytes."""
    part = done[done["size"] <= up_to]
    us, slowdown = part.us.to_numpy(), part.slowdown.to_numpy()
    return {
        "up_to": int(up_to), "n": len(part),
        "p50_us": percentile(us, 0.5), "p99_us": p99(us),
        "p50_slowdown": percentile(slowdown, 0.5), "p99_slowdown": p99(slowdown),
        "p99_actual_us": p99(part.actual_us.to_numpy()),
    }
