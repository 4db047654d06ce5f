# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# size: check
# timeout: 240
# slots: 2
"""What cperf promises about a simulated cluster: it repeats, it is whole, it cleans up."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from cperf_job import TOP

CPERF = TOP / "cloudlab" / "bin" / "cperf"
SMALL = ["run", "cp_vs_tcp", "--cluster", "sim:3", "-w", "1000", "--load", "0.4", "--ms", "0.5"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list:
    """The same small run twice, into folders of different depth."""
    base = tmp_path_factory.mktemp("cperf")
    folders = [base / "a", base / "much" / "deeper" / "than" / "the" / "first"]
    for folder in folders:
        done = subprocess.run([CPERF, *SMALL, "--out", folder], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folders


def test_the_same_run_twice_gives_the_same_csv_files(runs: list) -> None:
    first, second = ({p.name: p.read_bytes() for p in f.glob("*.csv*")} for f in runs)
    assert len(first) == 14 and first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_both_protocols_did_the_same_work(runs: list) -> None:
    summary = json.loads((runs[0] / "summary.json").read_text())
    assert summary["same_arrivals"]
    for row in summary["protocols"].values():
        assert row["rpcs"] == row["done"] > 300
        assert 0 < row["measured_wire_load"] < 0.8
        assert row["port_drops"] == row["resent_packets"] == row["timeouts"] == 0
        assert row["all"]["p50_slowdown"] >= 1


def test_metrics_cover_the_run_and_nothing_else(runs: list) -> None:
    rpcs = pd.read_csv(runs[0] / "rpcs-homa.csv.gz")
    metrics = pd.read_csv(runs[0] / "metrics-homa.csv")
    started = metrics[metrics.metric == "client_requests_started"]
    assert started.delta.tolist() == rpcs.groupby("host").size().tolist()


def test_a_slow_rpc_is_told_by_both_hosts(runs: list) -> None:
    lines = (runs[0] / "traces" / "slow-rpc.txt").read_text().splitlines()
    hosts = {line.split("] ")[1].split()[0] for line in lines[1:]}
    assert len(hosts) == 2 and len(lines) > 10
    report = (runs[0] / "report.html").read_text()
    assert "RPC " in report and report.count("data:image/png;base64,") == 3


def test_a_slow_rpc_freezes_the_traces_of_all_hosts(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = subprocess.run([CPERF, *SMALL, "-w", "w3", "--ms", "2", "--protocols", "homa",
                           "--freeze", "slow=7,1000", "--out", out],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    texts = [(out / "traces" / f"homa-h{h}.tt").read_text() for h in (1, 2, 3)]
    wanted = [h for h, text in enumerate(texts, 1) if "freeze wanted, type 3" in text]
    obeyed = [h for h, text in enumerate(texts, 1) if "FREEZE accepted" in text]
    assert wanted and set(wanted) | set(obeyed) == {1, 2, 3}
    lines = (out / "traces" / "slow-rpc.txt").read_text()
    assert "freeze wanted" in lines and "sendmsg request" in lines
    assert "since it was slow" in (out / "report.html").read_text()
    rpcs = pd.read_csv(out / "rpcs-homa.csv.gz")
    low = int(re.search(r"freeze wanted, type 3 id (\d+)", lines)[1])
    (row,) = rpcs[(rpcs.rpc_id % 2 ** 32 == low) & rpcs.host.isin(wanted)].itertuples()
    assert row.resp_size <= 1000 and row.done_ns - row.sent_ns > 6000


def test_an_inventory_of_simulated_hosts_with_cards(tmp_path: Path) -> None:
    rack = tmp_path / "rack.toml"
    rack.write_text('backend = "sim"\nlink = "10g"\nnic = "ring=1024"\n[[hosts]]\nnodes = "h1"\n'
                    'roles = ["server"]\n[[hosts]]\nnodes = "h[2-3]"\nroles = ["client"]\n')
    done = subprocess.run([CPERF, *SMALL, "--cluster", rack, "--protocols", "homa", "--published",
                           "atc21", "--out", tmp_path / "out"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.search(r"about (\d+) RPCs, ([\d.]+) MB on disk", done.stdout)
    rpcs = pd.read_csv(tmp_path / "out" / "rpcs-homa.csv.gz")
    assert set(rpcs.host) == {2, 3} and set(rpcs.server) == {"10.0.0.1"}
    assert 0.5 < int(told[1]) / len(rpcs) < 2
    size = sum(p.stat().st_size for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert 0.3 < float(told[2]) / (size / 1e6) < 3
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert "ring=1024" in summary["setup"]["inventory"]
    assert summary["protocols"]["homa"]["ports"] is None


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    scratch.mkdir()
    with subprocess.Popen([CPERF, *SMALL, "--ms", "50", "--out", out], stderr=subprocess.PIPE,
                          stdout=subprocess.DEVNULL, text=True,
                          env={**os.environ, "TMPDIR": str(scratch)}) as run:
        deadline = time.monotonic() + 60
        while not out.is_dir() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(2)
        run.send_signal(signal.SIGTERM)
        said = run.communicate(timeout=60)[1]
    assert run.returncode == 130 and "interrupted" in said
    assert not out.exists() and list(scratch.iterdir()) == []
