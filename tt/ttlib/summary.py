# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What a trace says of each kind of record: how long after which it comes, how often."""
from __future__ import annotations

import re

import numpy as np
import pandas as pd

from ttlib.trace import Trace, TraceError

NUMBER = re.compile(r"0x[0-9a-f]+|\d+")


def keys(trace: Trace, numbers: bool) -> np.ndarray:
    """What each record is called: its text, with ? for each number unless they matter."""
    if numbers:
        return np.array(trace.texts(), dtype=object)
    names = [NUMBER.sub("?", re.sub("0x%x|%[udx]", "?", text)).replace("%%", "%")
             for text in trace.formats]
    return np.array(names, dtype=object)[trace.code]


def _table(key: pd.Series, value: np.ndarray) -> pd.DataFrame:
    grouped = pd.Series(value).groupby(key.to_numpy(), sort=False)
    table = grouped.agg(["median", "min", "max", "mean", "count"])
    return table.rename(columns={"mean": "avg"}).sort_values(
        ["median", "count"], ascending=False, kind="stable")


def steps(trace: Trace, numbers: bool = False, cores: bool = False) -> pd.DataFrame:
    """How long before each record the previous one was, in ns, by what it is called.

    With cores, the previous one of the same CPU.
    """
    table = pd.DataFrame({"key": keys(trace, numbers), "ns": trace.ns, "cpu": trace.cpu})
    if cores:
        table["step"] = table.groupby("cpu").ns.diff()
        table["key"] = [f"[C{cpu:02d}] {key}" for cpu, key in zip(table.cpu, table.key)]
    else:
        table["step"] = table.ns.diff()
    table = table.dropna(subset=["step"]).reset_index(drop=True)
    return _table(table.key, table.step.to_numpy())


def timeline(trace: Trace, first: str, numbers: bool = False) -> pd.DataFrame:
    """What follows each record whose text matches `first`, until the next one that does.

    A record that follows twice has a row of its own for the second time, and so
    on. Times are ns since that record.
    """
    try:
        found = re.compile(first)
    except re.error as error:
        raise TraceError(f"bad pattern: {error}") from error
    starts = np.array([bool(found.search(text)) for text in trace.texts()], dtype=bool)
    if not starts.any():
        raise TraceError(f"no record matches {first!r}")
    table = pd.DataFrame({"key": keys(trace, numbers), "ns": trace.ns,
                          "run": np.cumsum(starts)})
    table = table[table.run > 0].reset_index(drop=True)
    table["since"] = table.ns - table.groupby("run").ns.transform("first")
    nth = table.groupby(["run", "key"]).cumcount()
    table["key"] = [f"{key} (#{n + 1})" if n else key for key, n in zip(table.key, nth)]
    grouped = table.groupby("key", sort=False).since
    result = grouped.agg(["median", "min", "max", "mean", "count"])
    result["p10"], result["p90"] = grouped.quantile(.1), grouped.quantile(.9)
    return result.rename(columns={"mean": "avg"}).sort_values("median", kind="stable")
