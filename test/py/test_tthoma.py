# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""tthoma, ttsync and ttperfetto on a small recording, and the model below them."""
from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "test" / "golden" / "tt"
HOSTS = [f"h{i}" for i in range(1, 9)]
RPC = 1905581262        # a short one: h3 to h5
sys.path.insert(0, str(ROOT / "tt"))

from ttlib import binform, clocksync, files, losses, model, perfetto, suspects  # noqa: E402
from ttlib.recording import Recording, addresses  # noqa: E402
from ttlib.trace import TraceError  # noqa: E402


def tool(name: str, *args: object, cache: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "XDG_CACHE_HOME": str(cache)} if cache else None
    return subprocess.run([str(ROOT / "tt/bin" / name), *map(str, args)], env=env, check=False,
                          capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def traces() -> dict:
    return files.read_hosts([str(GOLDEN / f"{host}.ttb.xz") for host in HOSTS])


@pytest.fixture(scope="module")
def tables(traces: dict) -> model.Tables:
    return model.build(Recording.make(traces))


def test_summary__is_one_screen_and_names_an_rpc(tmp_path: Path) -> None:
    found = tool("tthoma", GOLDEN, cache=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    assert len(found.stdout.splitlines()) <= 40
    assert "Nothing is wrong" in found.stdout and "links of about 25 Gb/s" in found.stdout
    assert "Most suspicious RPC: " in found.stdout
    number = found.stdout.split("tthoma why ")[1].split()[0]
    assert f"RPC {number} from " in tool("tthoma", "why", number, GOLDEN, cache=tmp_path).stdout


def test_without_arguments__reads_the_folder_it_is_in(tmp_path: Path) -> None:
    found = subprocess.run([str(ROOT / "tt/bin/tthoma")], cwd=GOLDEN, capture_output=True,
                           text=True, timeout=120, check=True,
                           env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)})
    assert found.stdout.startswith("8 hosts (h1, h2, ")


def test_cache__is_used_and_not_trusted(tmp_path: Path) -> None:
    first = tool("tthoma", "findings", GOLDEN, cache=tmp_path)
    kept = list((tmp_path / "homa-timetrace").iterdir())
    assert len(kept) == 1 and kept[0].stat().st_mode & 0o77 == 0
    kept[0].write_bytes(b"cut short")
    assert tool("tthoma", "findings", GOLDEN, cache=tmp_path).stdout == first.stdout
    assert kept[0].stat().st_size > 1000


@pytest.mark.parametrize("args,complaint", [
    (["why", "7", GOLDEN], "has no RPC 7"), (["/nonexistent"], "No such file"),
    ([GOLDEN / "h1.ttb.xz", GOLDEN / "h1.ttb.xz"], "same host: h1"),
    (["filter", "--where", "nothing > 1", GOLDEN], "--where: "),
    (["packet", "--pkt", "1", GOLDEN], "is not ID:OFFSET"),
    (["rpcid", "--ids", "x", GOLDEN], "not a list of ids"), ([ROOT / "tt/bin"], "no traces here")])
def test_tthoma__errors_are_one_line(args: list, complaint: str) -> None:
    found = tool("tthoma", *args)
    assert found.returncode == 1 and found.stderr.count("\n") == 1 and complaint in found.stderr


def test_tthoma__writes_tables_and_figures_once(tmp_path: Path) -> None:
    args = ["delay,coregaps", "--min-us", 5, "--data", tmp_path / "d", "--plot", tmp_path / "p"]
    assert tool("tthoma", *args, GOLDEN).returncode == 0
    assert {path.name for path in (tmp_path / "d").iterdir()} == {"delay.csv", "coregaps.csv"}
    assert (tmp_path / "p/delay.png").read_bytes().startswith(b"\x89PNG")
    again = tool("tthoma", *args, GOLDEN)
    assert again.returncode == 1 and "exists already" in again.stderr


def test_tthoma__json() -> None:
    found = json.loads(tool("tthoma", "minlatency,rtt", "--json", GOLDEN).stdout)
    assert {row["from"] for row in found["minlatency"]["table"]} == set(HOSTS)
    assert json.loads(tool("tthoma", "findings", "--json", GOLDEN).stdout) == []


def test_tthoma__list_and_help() -> None:
    assert tool("tthoma", "list").stdout.count("\n") >= 48
    assert "--rx-core" in tool("tthoma", "filter", "--help").stdout


def test_model__knows_addresses_and_both_sides(tables: model.Tables) -> None:
    assert addresses(tables.recording) == {0x0a000000 + i: f"h{i}" for i in range(1, 9)}
    whole = tables.rpcs.dropna(subset=["c_send", "s_rcvd", "s_send", "c_done"])
    assert len(whole) > 40
    for first, second in (("c_send", "s_rcvd"), ("s_rcvd", "s_send"), ("s_send", "c_done")):
        assert (whole[first] <= whole[second]).all()
    assert (tables.packets.dropna().rcvd > tables.packets.dropna().xmit).all()


def test_story__tells_stages_in_order(tables: model.Tables) -> None:
    from ttlib import story
    rpc = tables.rpcs.dropna(subset=["rtt", "s_found"]).sort_values("rtt").iloc[-1]
    told = story.timeline(tables, rpc)
    assert told.us.is_monotonic_increasing and told.us.iloc[-1] >= rpc.rtt / 1000
    assert list(told.host.unique()) == [rpc.client, rpc.server]
    assert any("for " in line for line in story.tell(tables, rpc.id))


def test_ttsync__finds_wrong_clocks_within_a_microsecond(traces: dict) -> None:
    rng = random.Random(5)
    for _ in range(20):
        ahead = {host: rng.uniform(-3e6, 3e6) for host in HOSTS}
        found = clocksync.sync(Recording.make(
            {host: trace.delayed(ahead[host]) for host, trace in traces.items()}))
        for host in HOSTS:
            want = ahead[host] - ahead["h1"]
            assert abs(found.offsets[host] - want) < 1000
            assert abs(found.offsets[host] - want) <= found.errors[host] + 1


def test_ttsync__writes_new_files_only(tmp_path: Path, traces: dict) -> None:
    paths = []
    for host, trace in traces.items():
        paths.append(tmp_path / f"{host}.ttb")
        paths[-1].write_bytes(binform.write(trace.delayed(3e6 if host == "h2" else 0.0)))
    before = {path: path.read_bytes() for path in paths}
    found = tool("ttsync", "-b", "--out", tmp_path / "new", *paths)
    assert found.returncode == 0 and "wrong" in found.stdout
    assert {path: path.read_bytes() for path in paths} == before
    fixed = clocksync.sync(Recording.make(files.read_hosts(
        [str(tmp_path / "new" / f"{host}.ttb") for host in HOSTS])))
    assert fixed.wrong() == [] and abs(fixed.offsets["h2"]) < 1
    again = tool("ttsync", "--out", tmp_path / "new", "-b", *paths)
    assert again.returncode == 1 and "exists already" in again.stderr


def test_clocksync__refuses_traces_of_different_runs(traces: dict) -> None:
    fastest = clocksync.minima(Recording.make(traces))
    fastest.loc[0, "ns"] = -5000.0
    with pytest.raises(TraceError, match="cannot be of one run"):
        clocksync.solve(HOSTS, fastest)


def test_clocksync__does_without_fast_packets_of_a_pair(traces: dict) -> None:
    fastest = clocksync.minima(Recording.make(traces))
    exact = clocksync.solve(HOSTS, fastest).offsets
    # All packets to h1 but those of h6 had to queue, and all of h1's to others.
    slow = ((fastest.rx == "h1") & (fastest.tx != "h6")) \
        | ((fastest.tx == "h1") & (fastest.rx != "h3"))
    fastest.loc[slow, "ns"] += 80_000.0
    found = clocksync.solve(HOSTS, fastest)
    assert all(abs(found.offsets[host] - exact[host]) < 200 for host in HOSTS)
    assert all(found.errors[host] > 1000 for host in HOSTS[1:])


def test_clock_3_ms_off__is_found_and_corrected(traces: dict) -> None:
    moved = model.build(Recording.make(
        {host: trace.delayed(-3e6 if host == "h6" else 0.0) for host, trace in traces.items()}))
    found = suspects.find(moved)
    assert [(f.kind, f.host) for f in found] == [("clock", "h6")]
    assert (moved.packets.rcvd - moved.packets.xmit).min() > 1000


def test_losses__none_in_a_recording_without_any(tables: model.Tables) -> None:
    assert len(losses.lost_packets(tables)) == 0 and len(losses.lost_grants(tables)) == 0


# What the Trace Event Format demands of each kind of event.
NEEDED = {"M": {"pid", "name", "args"}, "X": {"pid", "tid", "ts", "dur", "name"},
          "b": {"pid", "ts", "id", "cat", "name"}, "e": {"pid", "ts", "id", "cat", "name"},
          "s": {"pid", "tid", "ts", "id", "name", "cat"},
          "f": {"pid", "tid", "ts", "id", "name", "cat", "bp"},
          "C": {"pid", "ts", "name", "args"}, "i": {"pid", "tid", "ts", "name", "s"}}


def test_perfetto__is_of_the_format(tables: model.Tables) -> None:
    found = json.loads(json.dumps(perfetto.events(tables, records=True), allow_nan=False))
    kinds = {event["ph"] for event in found}
    assert kinds == set(NEEDED)
    for event in found:
        assert NEEDED[event["ph"]] <= set(event)
        assert event["ph"] == "M" or event["ts"] >= 0
    times = [event["ts"] for event in found if event["ph"] != "M"]
    assert times == sorted(times)
    assert {event["args"]["name"] for event in found if event["name"] == "process_name"} \
        == set(HOSTS)


def test_perfetto__spans_and_flows_are_paired(tables: model.Tables) -> None:
    found = perfetto.events(tables)
    open_spans: dict[tuple, int] = {}
    for event in found:
        key = (event.get("cat"), event.get("id"), event.get("name"))
        if event["ph"] in "be":
            open_spans[key] = open_spans.get(key, 0) + (1 if event["ph"] == "b" else -1)
            assert open_spans[key] >= 0
    assert set(open_spans.values()) == {0}
    whole = tables.rpcs.rtt.notna().sum()
    assert sum(key[2].startswith("RPC ") for key in open_spans) == whole
    slices = {(e["pid"], e["tid"], e["ts"]) for e in found if e["ph"] == "X"}
    begins = {e["id"]: e for e in found if e["ph"] == "s"}
    ends = {e["id"]: e for e in found if e["ph"] == "f"}
    assert set(begins) == set(ends) and len(begins) == tables.packets.rcvd.notna().sum()
    for end in (*begins.values(), *ends.values()):
        assert (end["pid"], end["tid"], end["ts"]) in slices


def test_ttperfetto__writes_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    assert tool("ttperfetto", "--out", path, GOLDEN).returncode == 0
    assert json.loads(path.read_text())["displayTimeUnit"] == "ns"
    assert tool("ttperfetto", "--out", path, GOLDEN).returncode == 1


@pytest.mark.parametrize("name", ["tthoma", "ttsync", "ttperfetto"])
def test_help__has_examples(name: str) -> None:
    found = tool(name, "--help")
    assert found.returncode == 0 and "examples:" in found.stdout
