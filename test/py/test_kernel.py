# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What the kernel recorded (net.homa.trace_kernel): in the tables, analyzers and Perfetto.

test/golden/tt/kernel has 20 RPCs of up to 20 kB, half from h1 and half from h3, to h2; each
host has a card with 64 slots that completes packets 2 us after they were sent. The numbers
that results are compared with are counted from the records' text. test/golden/tt/v1 has 8 RPCs
in version 1 of the events.
"""
from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "test" / "golden" / "tt"
HOSTS = ["h1", "h2", "h3"]
sys.path.insert(0, str(ROOT / "tt"))

from ttlib import (  # noqa: E402
    analysis, binform, events, files, kernel, model, perfetto, textform)
from ttlib.recording import Recording  # noqa: E402


@pytest.fixture(scope="module")
def traces() -> dict:
    return files.read_hosts([str(GOLDEN / "kernel" / f"{host}.ttb.xz") for host in HOSTS])


@pytest.fixture(scope="module")
def tables(traces: dict) -> model.Tables:
    return model.build(Recording.make(traces))


def numbers(traces: dict, pattern: str, host: str = "") -> list[tuple]:
    """(host, absolute ns, cpu, numbers...) of the records that match."""
    found = []
    for name, trace in traces.items():
        for ns, cpu, text in zip(trace.ns + trace.start_ns(), trace.cpu, trace.texts()):
            match = re.match(pattern, text) if host in ("", name) else None
            if match:
                found.append((name, ns, cpu, *(int(value, 0) for value in match.groups())))
    return found


def test_packets__have_their_times_in_order(tables: model.Tables) -> None:
    known = tables.packets.dropna(subset=["nic", "nic_done", "gro", "rcvd"])
    assert len(known) > 0.9 * len(tables.packets) > 100
    assert (known.xmit <= known.qdisc).all() and (known.qdisc <= known.nic).all()
    assert (known.nic < known.nic_done).all() and (known.gro <= known.rcvd).all()
    assert (known.nic < known.gro).all() and known.queue.notna().all()


def test_packets__times_are_those_of_the_records(traces: dict, tables: model.Tables) -> None:
    packet = tables.packets.dropna(subset=["nic", "nic_done", "gro"]).iloc[40]
    key = rf"id {packet.id} offset {packet.frame}"
    nic = [ns for _, ns, *_ in numbers(traces, rf"NIC gets DATA, {key} ", packet.tx)]
    gro = [ns for _, ns, *_ in numbers(
        traces, rf"GRO DATA from peer 0x\w+ id {packet.id} offset {packet.offset} ", packet.rx)]
    base = tables.recording.base
    assert min(abs(packet.nic + base - ns) for ns in nic) < 1
    assert min(abs(packet.gro + base - ns) for ns in gro) < 1


def test_softirqs_and_threads__have_begins_and_ends(traces: dict, tables: model.Tables) -> None:
    softirqs = kernel.softirqs(tables.recording)
    begun = numbers(traces, r"softirq begins, vector (\d+)")
    assert 0 < len(begun) - len(softirqs) <= len(HOSTS) or len(begun) == len(softirqs)
    assert (softirqs.end >= softirqs.begin).all() and set(softirqs.vector) <= {2, 3}
    open_at: dict[tuple, float] = {}
    spent: dict[str, float] = defaultdict(float)
    for host, ns, cpu, old, new in numbers(traces, r"task switch, old (\d+) new (\d+)"):
        begin = open_at.pop((host, cpu), None)
        if begin and begin[0] == old and old:
            spent[host] += ns - begin[1]
        open_at[host, cpu] = (new, ns)
    threads = kernel.threads(tables.recording)
    assert len(threads) > 0
    for host, turns in threads.groupby("host"):
        assert (turns.end - turns.begin).sum() == pytest.approx(spent[host], abs=len(turns))


def test_delay__has_all_phases(tables: model.Tables) -> None:
    found = analysis.find_all()["delay"].run(tables).table
    phases = found[found.packets == "long"].set_index("phase")
    assert {"xmit", "qdisc", "net", "softirq", "free", "total"} <= set(phases.index)
    # A card that completes 2 us late.
    assert phases["min"]["free"] >= 2.0


def test_nicbacklog__is_as_recorded(traces: dict, tables: model.Tables) -> None:
    found = analysis.find_all()["nicbacklog"].run(tables)
    assert "(as recorded)" in found.headline
    queues = analysis.find_all()["nicbacklog2"].run(tables).table
    recorded = numbers(traces, r"NIC gets DATA, id \d+ offset \d+ length \d+ queue (\d+)", "h1")
    assert set(queues[queues.host == "h1"].queue) == {row[3] for row in recorded}


def test_perfetto__draws_the_kernel(traces: dict, tables: model.Tables) -> None:
    found = perfetto.events(tables)
    named = {(e["pid"], e["tid"]): e["args"]["name"] for e in found if e["name"] == "thread_name"}
    for category, table in (("softirq", kernel.softirqs(tables.recording)),
                            ("thread", kernel.threads(tables.recording))):
        slices = [e for e in found if e.get("cat") == category]
        assert len(slices) == len(table) > 0
        assert all(category in named[e["pid"], e["tid"]] for e in slices)
        ends: dict[tuple, float] = {}
        for event in slices:        # slices of a track follow each other
            track = (event["pid"], event["tid"])
            assert event["ts"] >= ends.get(track, 0.0) - 0.001
            ends[track] = event["ts"] + event["dur"]
    polls = [e for e in found if e["name"].startswith("poll of device")]
    assert len(polls) == len(numbers(traces, r"device polled, device (\d+)")) > 0
    inside = [e for e in found if e.get("cat") == "device"]
    assert len(inside) == 2 * (tables.packets.nic_done >= tables.packets.nic).sum()


def test_cores_beyond_255() -> None:
    lines = ["cpu_khz: 1000000", "1000 [C255] poll, port 1 mask 0x1",
             "2000 [C256] poll, port 2 mask 0x1", "3000 [C300] poll, port 3 mask 0x1"]
    trace = textform.parse(lines)
    again = binform.parse(binform.write(trace), "again")
    assert again.cpu.tolist() == trace.cpu.tolist() == [255, 256, 300]
    assert "[C300] poll, port 3 mask 0x1" in list(textform.render(again))[-1]
    drawn = perfetto.events(model.build(Recording.make({"h": again})))
    assert {"core 255", "core 256", "core 300"} == {
        e["args"]["name"] for e in drawn if e["name"] == "thread_name"}


def test_every_event_of_these_traces_is_known(traces: dict) -> None:
    known = set(events.load().by_text)
    assert {text for trace in traces.values() for text in trace.formats} <= known


@pytest.mark.parametrize("folder,version", [("v1", 1), ("kernel", 2)])
def test_each_version_of_the_events_is_read(folder: str, version: int) -> None:
    paths = [str(path) for path in sorted((GOLDEN / folder).glob("*.ttb.xz"))]
    for path in paths:
        head = np.frombuffer(files.load(path), binform.HEADER, 1)[0]
        assert head["events_version"] == version
    found = model.build(Recording.make(files.read_hosts(paths)))
    whole = found.rpcs.dropna(subset=["rtt"])
    assert len(whole) == len(found.rpcs) == {1: 8, 2: 20}[version]
    assert whole[["c_xmit", "s_rcvd", "s_found", "c_complete"]].notna().all(axis=None)
