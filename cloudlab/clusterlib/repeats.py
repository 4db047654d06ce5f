# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Figures over repeats: means and their 95% confidence intervals."""

import math

import numpy as np
import pandas as pd

# Name -> (label, group of the summary or None, key).
FIGURES = {
    "short_p50_us": ("P50 of the shortest half, us", "shortest_half", "p50_us"),
    "short_p99_us": ("P99 of the shortest half, us", "shortest_half", "p99_us"),
    "short_p99_slowdown": ("P99 slowdown, shortest half", "shortest_half", "p99_slowdown"),
    "all_p50_us": ("P50 of all, us", "all", "p50_us"),
    "all_p99_us": ("P99 of all, us", "all", "p99_us"),
    "all_p99_slowdown": ("P99 slowdown, all", "all", "p99_slowdown"),
    "largest_p99_us": ("P99 of the largest messages, us", "largest", "p99_us"),
    "goodput_gbps": ("Goodput, Gb/s a host", None, "goodput_gbps"),
    "total_gbps": ("Payload of both directions, Gb/s in all", None, "total_gbps"),
    "krpcs_per_second": ("Thousand RPCs a second, in all", None, "krpcs_per_second"),
    "measured_wire_load": ("Wire load measured", None, "measured_wire_load"),
    "peak_kb": ("Most bytes in a switch port, kB", "ports", "peak_bytes"),
    "port_drops": ("Packets dropped at ports", None, "port_drops"),
    "resent_packets": ("Packets sent again", None, "resent_packets"),
    "rpcs": ("RPCs", None, "rpcs"),
    "n_short": ("n of the shortest half", "shortest_half", "n"),
}
SCALE = {"peak_kb": 1e-3}
KEYS = ["case", "workload", "protocol"]
# Of Student's distribution: two-sided 95%, for 1, 2, ... degrees of freedom; then the normal's.
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179,
       2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086)


def row_of(summary: dict) -> dict:
    """The figures of one protocol's summary; NaN where there is none."""
    found = {}
    for name, (_, group, key) in FIGURES.items():
        part = summary if group is None else summary.get(group) or {}
        value = part.get(key)
        found[name] = math.nan if value is None else value * SCALE.get(name, 1)
    return found


def interval(values: np.ndarray) -> tuple:
    """(mean, half width of its 95% confidence interval); no width for fewer than two values."""
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return math.nan, math.nan
    if len(values) == 1:
        return float(values[0]), math.nan
    t = T95[len(values) - 2] if len(values) - 2 < len(T95) else 1.96
    return float(values.mean()), float(t * values.std(ddof=1) / math.sqrt(len(values)))


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """A row a case, workload and protocol: mean and NAME_ci of each figure, number of seeds."""
    rows = []
    for key, part in table.groupby(KEYS, sort=False):
        row = dict(zip(KEYS, key)) | {"x": part.x.iloc[0], "seeds": len(part)}
        for name in FIGURES:
            row[name], row[f"{name}_ci"] = interval(part[name].to_numpy())
        rows.append(row)
    return pd.DataFrame(rows)


def cell(value: float, width: float = math.nan) -> str:
    """12.3 or 12.3 +- 0.4; - if there is none."""
    if not math.isfinite(value):
        return "-"
    text = f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
    half = f"{width:,.0f}" if width >= 100 else f"{width:.2g}"
    return text + (f" +- {half}" if math.isfinite(width) else "")


SHOWN = ("rpcs", "short_p50_us", "short_p99_us", "all_p99_us", "goodput_gbps", "port_drops",
         "resent_packets")
SHORT = {"rpcs": "RPCs", "short_p50_us": "P50 short us", "short_p99_us": "P99 short us",
         "all_p99_us": "P99 all us", "goodput_gbps": "Gb/s a host", "port_drops": "dropped",
         "resent_packets": "sent again", "total_gbps": "Gb/s in all",
         "krpcs_per_second": "kRPC/s in all", "largest_p99_us": "P99 largest us",
         "peak_kb": "peak kB"}


def table_text(means: pd.DataFrame, first: str) -> str:
    """The figures as text; short: the messages up to the median size."""
    names = [first] * (first not in SHOWN) + list(SHOWN)
    if first == "total_gbps":           # of one client or server: the mean host says nothing
        names[names.index("goodput_gbps")] = "krpcs_per_second"
    lines = [["case", "workload", "protocol", *(SHORT.get(n, n) for n in names)]]
    for row in means.to_dict("records"):
        lines.append([row["case"], row["workload"].rsplit("/", 1)[-1], row["protocol"],
                      *(cell(row[n], row[f"{n}_ci"]) for n in names)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(f"{c:<{w}}" if i < 3 else f"{c:>{w}}"
                               for i, (c, w) in enumerate(zip(line, widths))).rstrip()
                     for line in lines)
