# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""report.html: one file that can be mailed, and the PNG files beside it."""

import base64
import json
from pathlib import Path

import jinja2
import pandas as pd

from . import plots, published
from .stats import MIN_P99
from .summary import failures, table_rows, verdict
from .units import rate_label, size_label

TEMPLATES = Path(__file__).resolve().parent / "templates"
TITLES = {"slowdown": "Slowdown by message size", "rtt": "Round-trip time by message size",
          "short_ccdf": "Tail of the shortest messages"}
NO_TRACE = "No trace of a slow RPC: no trace that was read holds the whole life of one."


def _figures(folder: Path, summary: dict, results: list, what: str) -> list:
    others = published.find(summary["setup"].get("published"))
    buckets = {r.name: r.buckets for r in results}
    made = plots.all_figures(buckets, summary["done"], summary["sizes"],
                             summary["cuts"]["shortest_half"], what,
                             others and (others, summary["setup"]["workload"]))
    rows = []
    for name in ("slowdown", "short_ccdf", "rtt"):
        figure, caption = made[name]
        path = folder / f"{name}.png"
        plots.save_figure(figure, path)
        rows.append({"title": TITLES[name], "caption": caption, "file": path.name,
                     "data": base64.b64encode(path.read_bytes()).decode()})
    return rows


def _cell(value: float) -> str:
    if pd.isna(value):
        return "-"
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def _bucket_rows(results: list) -> list:
    rows = []
    for i, bucket in results[0].buckets.iterrows():
        row = [f"{size_label(int(bucket.above) + 1)} - {size_label(int(bucket.up_to))}"]
        for result in results:
            b = result.buckets.loc[i]
            row += [_cell(int(b.n)), *(_cell(float(b[c])) for c in (
                "p50_us", "p99_us", "p50_slowdown", "p99_slowdown"))]
        rows.append(row)
    return rows


# (source, what its names begin with, title): the first that fits has a metric.
METRIC_GROUPS = (("homa", ("msg_bytes_", "large_msg_"), "bytes received by message length"),
                 ("homa", ("",), "/proc/net/homa_metrics"),
                 ("ip", ("",), "/proc/net/snmp and netstat"))


def _metric_table(part: pd.DataFrame, title: str) -> dict:
    """A row a metric that changed, a column a host, in the order of the kernel's files."""
    wide = part.pivot(index="metric", columns="host", values="delta")
    wide = wide.loc[list(dict.fromkeys(part.metric)), list(dict.fromkeys(part.host))]
    wide = wide.fillna(0).astype(int)
    wide = wide[(wide != 0).any(axis=1)]
    return {"title": title, "hosts": list(wide.columns),
            "rows": [[name, _cell(int(values.sum())), *map(_cell, map(int, values))]
                     for name, values in wide.iterrows()]}


def _metric_tables(results: list) -> list:
    tables = []
    for result in results:
        rest, made = result.metrics, []
        for source, starts, title in METRIC_GROUPS:
            fits = (rest.source == source) & rest.metric.str.startswith(starts)
            if fits.any():
                made.append(_metric_table(rest[fits], f"{plots.label(result.name)} run: {title}"))
            rest = rest[~fits]
        # The long table of message lengths is the least telling.
        tables += sorted(made, key=lambda table: "message length" in table["title"])
    return tables


def _drop_rows(results: list) -> list:
    rows = []
    for i, port in results[0].drops.iterrows():
        cells = [result.drops.loc[i, column] for result in results
                 for column in ("queue_drops", "device_drops")]
        where = "uplink of" if port.node != "sw" else "switch port"
        name = port.node if port.node != "sw" else port.port
        rows.append([f"{where} {name}", *(_cell(int(c)) for c in cells)])
    return rows


def method(setup: dict) -> list:
    """What the words of the report mean."""
    loads = ", ".join(f"{plots.label(p)} {v:.3f}" for p, v in setup["wire_load"].items())
    return [
        f"Load is bits on the wire over the link rate: preamble, Ethernet header, FCS, gap, IP "
        f"and transport headers included, requests and the echoed responses that leave a host, "
        f"without pure control packets. All protocols get the same payload, "
        f"{setup['gbps']:.4g} Gb/s of requests a host, which makes a wire load of: {loads}.",
        "Arrivals are a Poisson process a host; sizes and servers are drawn from the seed, the "
        "same for all protocols. The loop is open: nothing holds an arrival back. Latency counts "
        "from the intended start of an RPC to the arrival of its whole response; an RPC without an "
        "outcome counts with the age that it had when the run ended.",
        "Slowdown is latency over the unloaded round-trip time of the same size, measured in the "
        "same cluster one RPC at a time; at each size the baseline is that of the protocol that is "
        "quicker there, for all.",
        f"A percentile is value number floor(n p) of the sorted values. A P99 of fewer than "
        f"{MIN_P99} values is not shown. The shortest half is all messages of at most the median "
        f"size, so ties can make it a little more than half.",
        f"TCP and DCTCP use 4 client and 8 server ports a pair of hosts, TCP_NODELAY, and do not "
        f"slow-start after idle. MTU {setup['mtu']}, {rate_label(setup['link_bps'])} links, "
        f"measured in virtual time: CPU time is free, so these are latencies of the network and of "
        f"the protocol, not of a processor.",
        "Goodput counts requests and responses of RPCs that ended while load was offered. What a "
        "switch port held is counted in bytes of frames, each until its last bit has left; a "
        "percentile of it is over time, not over frames.",
    ]


def write(folder: Path, summary: dict, results: list, manifest: dict, slow) -> Path:
    """Write the pictures and report.html; returns its path."""
    setup = summary["setup"]
    what = (f"{setup['workload'].upper()}, {setup['load']:.0%} load, {setup['hosts']} hosts, "
            f"{rate_label(setup['link_bps'])} links, MTU {setup['mtu']}")
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True,
                                     trim_blocks=True, lstrip_blocks=True)
    source = manifest["source"]
    changed = f" with {source['modified_files']} modified files" if source["modified_files"] else ""
    protocols = [plots.label(r.name) for r in results]
    html = environment.get_template("report.html.j2").render(
        title=" and ".join(protocols) + f" on {setup['hosts']} hosts", what=what, setup=setup,
        source=f"commit {source['commit'][:12]}{changed}", kernel=manifest["kernel"][0],
        verdict=verdict(summary), failures=failures(summary),
        outliers=summary["outliers"], protocols=protocols,
        summary_rows=table_rows(summary), figures=_figures(folder, summary, results, what),
        bucket_rows=_bucket_rows(results), slow=slow, no_trace=NO_TRACE,
        metric_tables=_metric_tables(results), drop_rows=_drop_rows(results),
        method=method(setup), manifest=json.dumps(manifest, indent=1))
    path = folder / "report.html"
    path.write_text(html)
    return path


def summary_text(summary: dict) -> str:
    """The summary table and the verdict as plain text."""
    names = [plots.label(p) for p in summary["protocols"]]
    rows = [("", names), *table_rows(summary)]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}" + "".join(f"{v:>14}" for v in values) for name, values in rows]
    notes = [*failures(summary), *summary["outliers"], verdict(summary)]
    return "\n".join(lines + ["", *notes]).rstrip() + "\n"
