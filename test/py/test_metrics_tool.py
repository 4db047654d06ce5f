# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""out/bin/homa_metrics: figures, canaries, JSON and OpenMetrics, from readings in files."""
from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "out" / "bin" / "homa_metrics"
TYPES = "DATA GRANT RESEND RPC_UNKNOWN BUSY CUTOFFS FREEZE NEED_ACK ACK".split()
CORES = 3


def names() -> list[str]:
    """Return the counters of homa/metrics.h in the order of the file."""
    found = []
    text = (ROOT / "homa" / "metrics.h").read_text(encoding="utf-8")
    text = text[text.index("#define HOMA_METRICS("):text.index("#define HOMA_METRIC_FIELD(")]
    for kind, name in re.findall(r"\b([AM])\((\w+), [\"\w]", text):
        many = {"small_msg_bytes": [f"msg_bytes_{n}" for n in range(64, 4097, 64)],
                "medium_msg_bytes": [f"msg_bytes_{n}" for n in range(5120, 131073, 1024)],
                "packets_sent": [f"packets_sent_{kind}" for kind in TYPES],
                "packets_rcvd": [f"packets_rcvd_{kind}" for kind in TYPES],
                "priority_bytes": [f"priority{n}_bytes" for n in range(8)],
                "priority_packets": [f"priority{n}_packets" for n in range(8)]}
        found += many[name] if kind == "A" else [name]
    return found


def reading(path: Path, ms: int, values: dict[str, int]) -> Path:
    """Write a reading of 3 cores of 2 GHz; core N has N + 1 times each value."""
    lines = [f"time_cycles {ms * 2000000} Time", "cpu_khz 2000000 Rate"]
    for core in range(CORES):
        lines.append(f"core {core} CPU")
        lines += [f"{name:30} {values.get(name, 0) * (core + 1):20} What \"{name}\" counts"
                  for name in names()]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def metrics(*words: str | Path) -> str:
    """Run the tool."""
    return subprocess.run([TOOL, *words], capture_output=True, text=True, check=True).stdout


def change(tmp_path: Path, values: dict[str, int], ms: int = 500) -> dict:
    """Return the JSON for a change by VALUES in some time."""
    before = reading(tmp_path / "before", 1000, {name: 5 for name in values})
    after = reading(tmp_path / "after", 1000 + ms, {name: 5 + n for name, n in values.items()})
    return json.loads(metrics("--json", "--by-core", before, after))


def test_every_counter_has_its_change_rate_and_cores(tmp_path: Path) -> None:
    values = {name: at + 1 for at, name in enumerate(names())}
    counters = change(tmp_path, values)["counters"]
    assert list(counters) == names() and len(names()) > 340
    for name, n in values.items():
        assert counters[name] == {"value": 6 * n, "per_second": pytest.approx(12 * n),
                                  "cores": [n, 2 * n, 3 * n]}


def test_more_than_256_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "CORES", 300)
    counted = change(tmp_path, {"send_calls": 7})["counters"]["send_calls"]
    assert counted["value"] == 7 * 300 * 301 // 2
    assert counted["cores"] == [7 * n for n in range(1, 301)]


def test_figures(tmp_path: Path) -> None:
    # 0.5 s of 2 GHz are 1e9 cycles; sums are six times the values.
    said = change(tmp_path, {
        "send_cycles": 10_000_000, "send_calls": 1000, "recv_cycles": 30_000_000,
        "poll_cycles": 10_000_000, "wait_none": 1, "wait_block": 3, "grant_locks": 100,
        "grant_lock_misses": 10, "grant_lock_miss_cycles": 20_000, "packets_sent_DATA": 100,
        "packets_sent_GRANT": 50, "client_request_bytes_done": 125_000_000,
        "nic_backlog_cycles": 50_000_000, "pacer_homa_bytes": 12_500_000,
        "grantable_rpcs_integral": 500_000_000})
    figures = {(one["section"], one["label"]): (one["value"], one["unit"])
               for one in said["figures"]}
    want = {("Core utilization", "send"): (0.06, "cores"),
            ("Core utilization", "send, each"): (5.0, "us"),
            ("Core utilization", "recv, without polling"): (0.12, "cores"),
            ("Receiving messages", "were waiting"): (25.0, "%"),
            ("Receiving messages", "arrived while asleep"): (75.0, "%"),
            ("Lock misses", "grant: misses"): (120.0, "/s"),
            ("Lock misses", "grant: wait"): (1000.0, "ns"),
            ("Grants", "lock contended"): (10.0, "%"),
            ("Grants", "messages that need grants, at a time"): (3.0, ""),
            ("Packets and messages", "packets out"): (1800.0, "/s"),
            ("Packets and messages", "message bytes out"): (12.0, "Gbps"),
            ("Pacer", "packets are held back"): (30.0, "%"),
            ("Pacer", "Homa, while they are"): (4.0, "Gbps")}
    for key, (value, unit) in want.items():
        assert figures[key] == (pytest.approx(value), unit), key
    assert ("Receiving messages", "arrived while polling") not in figures
    assert [core["total"] for core in said["core_use"]] == [
        pytest.approx(0.04 * n) for n in (1, 2, 3)]


def test_canaries_one_by_one(tmp_path: Path) -> None:
    assert change(tmp_path, {"packets_sent_DATA": 10000, "packets_rcvd_DATA": 10000,
                             "resent_packets": 1, "gaps_created": 5,
                             "send_cycles": 10000000})["canaries"] == []
    source = (ROOT / "util" / "lib" / "figures.c").read_text(encoding="utf-8")
    table = source[source.index("} canaries[] = {"):]
    listed = re.findall(r"^\t\{ \"(\w+)\", (?:NULL|\"\w+\"),", table, re.M)
    assert len(listed) >= 40 and set(listed) <= set(names())
    for name in listed:
        # Against so few other events any of these is a bad sign.
        said = change(tmp_path, {name: 10 ** 11, "packets_sent_DATA": 10})["canaries"]
        assert [one["counter"] for one in said] == [name]
        assert said[0]["sentence"].endswith(".") and said[0]["value"] == 6 * 10 ** 11
    assert "all well" in metrics(reading(tmp_path / "a", 1, {}), reading(tmp_path / "b", 2, {}))


@pytest.mark.parametrize("by_core", [False, True])
def test_openmetrics(tmp_path: Path, by_core: bool) -> None:
    values = {name: at + 1 for at, name in enumerate(names())}
    text = metrics("--openmetrics", *(["--by-core"] if by_core else []),
                   reading(tmp_path / "a", 1000, values))
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert {family.type for family in families.values()} == {"counter"}
    samples = {(sample.name, *sorted(sample.labels.items())): sample.value
               for family in families.values() for sample in family.samples}
    scratch = sum(name.startswith("temp") for name in names())
    assert len(samples) == (len(names()) - scratch) * (CORES if by_core else 1)
    core, factor = ((("core", "2"),), 3) if by_core else ((), 6)
    data = tuple(sorted((*core, ("type", "DATA"))))
    assert samples["homa_packets_sent_total", *data] == factor * values["packets_sent_DATA"]
    length = tuple(sorted((*core, ("max", "5120"))))
    assert samples["homa_msg_bytes_total", *length] == factor * values["msg_bytes_5120"]
    level = tuple(sorted((*core, ("priority", "7"))))
    assert samples["homa_priority_bytes_total", *level] == factor * values["priority7_bytes"]
    assert samples["homa_send_seconds_total", *core] == pytest.approx(
        factor * values["send_cycles"] / 2e9, abs=1e-9)
    assert families["homa_send_seconds"].unit == "seconds"
    assert families["homa_rpc_timeouts"].documentation == 'What "rpc_timeouts" counts'


def test_modules_that_were_loaded_anew_are_noticed(tmp_path: Path) -> None:
    before = reading(tmp_path / "a", 1000, {"send_calls": 5})
    after = reading(tmp_path / "b", 2000, {"send_calls": 4})
    done = subprocess.run([TOOL, before, after], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "send_calls went back" in done.stderr
