# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Each analyzer on a small recording: its golden output, and one number counted apart.

test/golden/tt has 400 us of 8 hosts under W4 at 80% load. What is counted apart comes
from the text of the records, by a few lines that share nothing with the model.
HOMA_GOLDEN=write makes the golden files anew.
"""
from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Any, Callable

import pytest

from counted import (
    COMPLETE, FOUND, GOLDEN, HOSTS, NEW, QUEUED, ROOT, SENDMSG, TRACES, arrived,
    complete_messages, count, departures, events, fastest, fastest_grant, gaps, in_common,
    late_packets, longest_request, messages, most_held_kb, most_received_kb,
    one_packet_us, round_trips, sent_before, short_here, wire_kb)

from ttlib import analysis, files, model, plots, textform  # noqa: E402
from ttlib.recording import Recording  # noqa: E402

ANALYZERS = analysis.find_all()
# With these, there is something to see in so short a recording.
OPTIONS = {"coregaps": {"min_us": 5.0}, "smis": {"min_us": 5.0}, "filter": {"tx": "h1"},
           "nicsnapshot": {"host": "h4", "at_us": 74.0}, "pid": {"host": "h1", "pid": 101},
           "txsnapshot": {"host": "h8", "at_us": 300.0}, "intervals": {"host": "h1"},
           "rxsnapshot": {"host": "h8", "at_us": 300.0}}
LOST_GRANT = ("h5", r"GRANT accepted, id (\d+) ")
"""Who is taken a record away, so that there is a loss to find: the first match."""


# 30 requests and answers over TCP from h1 to h2, one at a time, after 10 RPCs.
TCP = ("tcp_rpcs", "tcpdelay", "tcppackets")
TCP_TRACES = [str(GOLDEN / "tcp" / f"{host}.ttb.xz") for host in ("h1", "h2")]


def without_a_grant() -> Recording:
    """The recording as if one grant had not arrived: the records of it are left out."""
    traces = files.read_hosts(TRACES)
    host, pattern = LOST_GRANT
    texts = traces[host].texts()
    first = next(i for i, text in enumerate(texts) if re.match(pattern, text))
    keep = [i for i in range(len(texts)) if i != first]
    traces[host] = traces[host].chosen(keep)
    return Recording.make(traces)


@cache
def tables(name: str = "") -> model.Tables:
    if name == "lost":
        return model.build(without_a_grant())
    return model.build(Recording.make(files.read_hosts(TCP_TRACES if name == "tcp" else TRACES)))


@cache
def result(name: str) -> analysis.Result:
    recording = "tcp" if name in TCP else "lost" if name == "lost" else ""
    return ANALYZERS[name].run(tables(recording), **OPTIONS.get(name, {}))


Check = tuple[Callable[[Any], float], Callable[[], float]]
CHECKS: dict[str, Check] = {
    "activity": (lambda t: t.tx_gbps["h8"] * t.us["h8"] / 8, lambda: wire_kb("h8")),
    "bpages": (lambda t: t.messages.sum(), lambda: count(r"receive buffer found")),
    "copy": (lambda t: t["count"]["out long"], lambda: sum(
        v[0] >= 5000 for _, _, v in events(r"copy-out finished, start 0 end (\d+)"))),
    "core": (lambda t: t.rx_data.sum(), lambda: count(r"DATA accepted", "h1")),
    "coregaps": (lambda t: t.us.max(), lambda: max(max(gaps(h, 0)) for h in HOSTS) / 1000),
    "delay": (lambda t: t[t.packets == "grant"]["min"].min(), fastest_grant),
    "filter": (lambda t: len(t), lambda: sum(p[0] == "h1" for p in arrived())),
    "grantlock": (lambda t: t.grants.sum(), lambda: sum(
        v[0] for _, _, v in events(r"grant check finished, grants (\d+)"))),
    "grants": (lambda t: t.grants.sum(), lambda: count(r"GRANT to IP")),
    "handoffs": (lambda t: t["count"].sum(), lambda: len(messages(QUEUED, FOUND))),
    "incoming": (lambda t: t[t.host == "h2"].max_pkts.max(), lambda: max(
        sum(p[1] == "h2" and p[5] // 20000 == n for p in arrived()) for n in range(21))),
    "intervals": (lambda t: t.tx_kb.sum(), lambda: wire_kb("h1")),
    "longterm": (lambda t: t[t.kind == "request"].begun_per_ms.sum()
                 * (t.begin_us[1] - t.begin_us[0]) / 1000,
                 lambda: in_common([ns for _, ns, _ in events(SENDMSG)])),
    "lost": (lambda t: t.id[0], lambda: events(LOST_GRANT[1], LOST_GRANT[0])[0][2][0]),
    "minlatency": (lambda t: t.loc["h3", "h8"], lambda: fastest("h3", "h8")),
    "msgrange": (lambda t: t["count"].sum(), lambda: len(complete_messages())),
    "net": (lambda t: t[t.host == "h5"].packets.sum(),
            lambda: sum(p[1] == "h5" for p in arrived())),
    "nicbacklog": (lambda t: t.max_kb["h6"], lambda: most_held_kb("h6", 5000)),
    "nicbacklog2": (lambda t: t.packets.sum(), lambda: count(r"DATA to IP")),
    "nicpkts": (lambda t: (t.tx == "h7").sum(), lambda: count(r"DATA to IP", "h7")),
    "nicqueues": (lambda t: t.max_kb["h1"], lambda: max(
        left - xmit - size * 8 / 25 for xmit, left, size in departures("h1")) * 25 / 8e3),
    "nicsnapshot": (lambda t: (t.state == "in").sum(), lambda: sum(
        xmit <= 74000 < left for xmit, left, _ in departures("h4"))),
    "nictx": (lambda t: t[t.host == "h1"].intervals.sum(), lambda: len(range(
        departures("h1")[0][0], int(departures("h1")[-1][1]) + 20000, 20000))),
    "ooo": (lambda t: t.late.sum(), late_packets),
    "p99short": (lambda t: t.rtt_us[0], lambda: max(short_here())),
    "packet": (lambda t: re_number(r"was at h\d ([\d.]+) us later", "packet"),
               lambda: round(one_packet_us(1847437196, 521312), 1)),
    "packets": (lambda t: t.rcvd.notna().sum(), lambda: len(arrived())),
    "pairs": (lambda t: t[(t.tx == "h2") & (t.rx == "h4")].packets.sum(),
              lambda: count(r"DATA to IP, wire_bytes \d+ peer 0xa000004 ", "h2")),
    "pid": (lambda t: (t.event == "RECVMSG_START").sum(),
            lambda: count(r"recvmsg starting, port \d+ pid 101$", "h1")),
    "qdelay": (lambda t: t.packets["h3"], lambda: sum(p[1] == "h3" for p in arrived())),
    "rpcid": (lambda t: t.mean_us["all"], lambda: sum(
        ns for ns, _ in round_trips().values()) / len(round_trips()) / 1000),
    "rpcs": (lambda t: t.rtt_us.max(), lambda: max(ns for ns, _ in round_trips().values()) / 1000),
    "rtt": (lambda t: re_number(r"P0 ([\d.]+)", "rtt"), lambda: round(min(short_here()), 1)),
    "rx": (lambda t: t[t.host == "h4"].rx_pkts.sum(),
           lambda: sum(p[1] == "h4" for p in arrived())),
    "rxbufs": (lambda t: t[t.host == "h6"].peak_kb.max(), lambda: most_received_kb("h6")),
    "rxsnapshot": (lambda t: t.sent[0], lambda: sent_before(
        result("rxsnapshot").table.tx[0], result("rxsnapshot").table.id[0], 300_000)),
    "service": (lambda t: t.max_us["rest"], lambda: longest_request()),
    "smis": (lambda t: len(t), lambda: sum(len(gaps(h, 5000)) for h in HOSTS)),
    "sockqs": (lambda t: len(t), lambda: len(messages(QUEUED, FOUND))),
    "tcp_rpcs": (lambda t: t.request.sum(), lambda: tcp_values(
        "h2", r"GRO TCP, from \w+ to \w+ bytes (\d+) ")),
    "tcpdelay": (lambda t: t[(t.phase == "net") & ~t.packets.str.contains("P98")]["count"].sum(),
                 lambda: tcp_packets()),
    "tcppackets": (lambda t: t.bytes[t.tx == "h2"].sum(), lambda: tcp_values(
        "h2", r"NIC gets TCP, from \w+ to \w+ bytes (\d+) ")),
    "timeline": (lambda t: t[(t.side == "client") & (t.stage == "done")].mean_us.iloc[0],
                 lambda: sum(short_here()) / len(short_here())),
    "tput": (lambda t: t.us[0], lambda: message_us(result("tput").table)),
    "txintervals": (lambda t: t.deferred.sum(), lambda: count(r"message waits for device")),
    "txpkts": (lambda t: (t.tx == "h2").sum(), lambda: count(r"DATA to IP", "h2")),
    "txqstop": (lambda t: t.waits["h3"], lambda: count(r"message waits for device", "h3")),
    "txsnapshot": (lambda t: t.sent[0], lambda: sent_before(
        "h8", result("txsnapshot").table.id[0], 300_000)),
}


def tcp_lines(host: str) -> list[str]:
    return files.read(TCP_TRACES[int(host[1]) - 1]).texts()


def tcp_values(host: str, pattern: str) -> int:
    """Sum of a value in the records of a host that match."""
    return sum(int(m[1]) for text in tcp_lines(host) if (m := re.match(pattern, text)))


def tcp_packets() -> int:
    return sum(bool(re.match(r"NIC gets TCP, from \w+ to \w+ bytes [1-9]", text))
               for host in ("h1", "h2") for text in tcp_lines(host))


def re_number(pattern: str, name: str) -> float:
    match = re.search(pattern, result(name).headline)
    return float(match[1])


def message_us(table: Any) -> float:
    begin, end = messages(NEW, COMPLETE)[table.rx[0], table.id[0]]
    return (end - begin) / 1000


@pytest.mark.parametrize("name", ANALYZERS)
def test_golden(name: str) -> None:
    found = result(name)
    shown = found.text(10) + "\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("HOMA_GOLDEN") == "write":
        path.write_text(shown)
    assert shown == path.read_text()
    assert len(found.table) > 0


@pytest.mark.parametrize("name", CHECKS)
def test_number_counted_apart(name: str) -> None:
    mine, theirs = CHECKS[name]
    assert mine(result(name).table) == pytest.approx(theirs(), rel=1e-6)


@pytest.mark.parametrize("name", ANALYZERS)
def test_says_how_to_read_it(name: str) -> None:
    entry = ANALYZERS[name]
    assert entry.about.endswith(".") and len(entry.reading) > 40
    readme = (ROOT / "tt/README.md").read_text()
    assert f"| {name} |" in readme


def test_figures_have_axes_with_units(tmp_path: Path) -> None:
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    drawn = 0
    for name in ANALYZERS:
        if result(name).plot:
            figure, ax = plt.subplots()
            result(name).plot(ax)
            labels = f"{ax.get_xlabel()} {ax.get_ylabel()} " + " ".join(
                other.get_ylabel() for other in figure.axes)
            assert ax.has_data() and ax.get_xlabel() and ax.get_ylabel(), name
            assert re.search(r", (us|kB|Gb/s|bytes|ns)|packets|pages|records|messages|fraction"
                             r"|checks", labels), f"{name}: {labels}"
            plt.close(figure)
            drawn += 1
    assert drawn >= 40
    plots.save(result("delay"), "delay", tmp_path / "delay.png")
    assert (tmp_path / "delay.png").stat().st_size > 5000


@pytest.mark.parametrize("hosts", [["h1"], []])
def test_of_one_host_or_none__says_so(hosts: list[str]) -> None:
    """Tables that lack what an analyzer looks at are no error."""
    from ttlib.trace import TraceError
    some = textform.parse(["cpu_khz: 1000000", "5 [C00] nothing known"])
    found = model.build(Recording.make({
        "one": some, **files.read_hosts([str(GOLDEN / f"{h}.ttb.xz") for h in hosts])}))
    for entry in ANALYZERS.values():
        try:
            assert entry.run(found).headline.endswith(".")
        except TraceError:
            pass
