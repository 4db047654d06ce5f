# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# size: check
# timeout: 600
# slots: 2
"""One bench of each family on a simulated cluster, small; the store and the reports."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from bench_smoke import CPERF, cperf, on_a_phone, smoke


@pytest.fixture(scope="module", name="incast")
def fixture_incast(tmp_path_factory) -> Path:
    """A study with two seeds."""
    out = tmp_path_factory.mktemp("study") / "incast"
    smoke("cp_incast", out, "--cluster", "sim:4", "--seeds", "1-2", "--protocols", "homa",
          "--set", "poll_usecs=0")
    return out


def test_only_one_host_serves(incast: Path) -> None:
    table = pd.read_csv(incast / "cases.csv")
    assert sorted(table.x.unique()) == [2, 3] and sorted(table.seed.unique()) == [1, 2]
    rpcs = pd.read_csv(next(incast.glob("3-w4-s1")) / "rpcs-homa.csv.gz")
    assert set(rpcs.host) == {2, 3, 4} and set(rpcs.server) == {"10.0.0.1"}
    assert (rpcs.resp_size <= 100).all()
    setting = json.loads(next(incast.glob("3-w4-s1")).joinpath("manifest.json").read_text())
    assert setting["settings"]["knobs"] == {"poll_usecs": "0"}
    assert any(line.endswith("poll_usecs:0") for line in setting["sysctls"])


def test_seeds_differ_and_give_an_interval(incast: Path) -> None:
    table = pd.read_csv(incast / "cases.csv")
    assert table.groupby("case").all_p50_us.nunique().eq(2).all()
    figures = json.loads((incast / "summary.json").read_text())["figures"]
    assert all(row["seeds"] == 2 and row["all_p50_us_ci"] > 0 for row in figures)
    assert "+-" in (incast / "summary.txt").read_text()


def test_a_rerun_gives_the_same_bytes(incast: Path) -> None:
    done = cperf("rerun", incast)
    assert done.returncode == 0 and "identical: " in done.stdout, done.stdout + done.stderr
    again = incast.with_name("incast-again")
    (again / "cases.csv").write_text((again / "cases.csv").read_text().replace("homa", "amoh"))
    assert "identical" not in cperf("diff", incast, again).stdout


def test_pictures_are_drawn_from_tables_alone(incast: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(incast, copy, ignore=shutil.ignore_patterns("*.png", "*.pdf"))
    assert cperf("plot", copy).returncode == 0
    names = {p.name for p in incast.glob("*.p[nd][gf]")}
    assert names and names == {p.name for p in copy.glob("*.p[nd][gf]")}
    for name in names:
        assert (copy / name).read_bytes() == (incast / name).read_bytes(), name


def test_a_phone_shows_the_report(incast: Path, tmp_path: Path) -> None:
    if not shutil.which("chromium"):
        pytest.skip("no chromium (300 MB, so `make deps` leaves it out): a report's width is not "
                    "looked at; test_cperf_report.py sees to the rest")
    fits, count, shown = on_a_phone(incast / "report.html", tmp_path)
    assert fits and shown and count == len(list(incast.glob("*.png")))


def test_what_is_finished_survives_an_interrupt(tmp_path: Path) -> None:
    out = tmp_path / "stopped"
    words = [CPERF, "run", "cp_mtu", "--cluster", "sim:3", "--smoke", "--protocols", "tcp",
             "--seeds", "1-3", "--workloads", "1000", "--out", out]
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          text=True) as run:
        deadline = time.monotonic() + 300
        while not list(out.glob("*-s1/manifest.json")) and time.monotonic() < deadline:
            time.sleep(0.2)
        os.kill(run.pid, signal.SIGTERM)
        said = run.communicate(timeout=60)[1]
    assert run.returncode == 130 and f"cperf resume {out}" in said
    kept = {p: p.stat().st_mtime_ns for p in out.glob("*/manifest.json")}
    assert 1 <= len(kept) < 6
    assert cperf("resume", out).returncode == 0
    assert len(pd.read_csv(out / "cases.csv")) == 6
    assert all(p.stat().st_mtime_ns == then for p, then in kept.items())


def test_both_at_once(tmp_path: Path) -> None:
    table = smoke("cp_both", tmp_path / "out", "--cluster", "sim:3", "--workloads", "w3")
    both = table[table.case == "both"].set_index("protocol")
    assert set(both.index) == {"homa", "tcp"} and (both.rpcs > 100).all()


def test_a_setting_is_swept(tmp_path: Path) -> None:
    table = smoke("cp_config", tmp_path / "out", "--cluster", "sim:3", "-c", "window=0,50000",
                  "--workloads", "w3")
    assert list(table.case) == ["0", "50000"]


def test_the_buffer_shrinks(tmp_path: Path) -> None:
    table = smoke("cp_buffers", tmp_path / "out", "--cluster", "sim:4", "--protocols", "homa")
    assert list(table.case) == ["unlimited", "10%"]
    assert table.peak_kb[1] < table.peak_kb[0] and table.peak_kb[1] > 0


def test_one_client_in_a_closed_loop(tmp_path: Path) -> None:
    table = smoke("cp_basic", tmp_path / "out", "--cluster", "sim:3", "--protocols", "homa",
                  "--only", "100 B latency")
    assert 2 < table.all_p50_us[0] < 20


def test_two_tiers_take_longer_than_one(tmp_path: Path) -> None:
    table = smoke("cp_topology", tmp_path / "out", "--protocols", "homa", "--workloads", "1000",
                  "--load", "0.2").set_index("case")
    assert table.all_p50_us["over 4"] > table.all_p50_us["one switch"] + 2


def test_a_link_that_fails_costs_time_and_no_rpc(tmp_path: Path) -> None:
    table = smoke("cp_topology", tmp_path / "out", "--cluster", "sim:4", "--fabric",
                  "leaves=2 spines=2", "--fail", "leaf1-spine1@0.1:3", "--protocols", "homa",
                  "--workloads", "1000", "--load", "0.2")
    assert table.resent_packets[0] > 0


def test_a_workload_and_rates_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.cdf").write_text("200 0.5\n5000 1.0\n")
    table = smoke("cp_topology", tmp_path / "out", "--cluster", "sim:3", "--only", "one switch",
                  "--workloads", tmp_path / "mine.cdf", "--protocols", "homa", "--rates", "h2=1g",
                  "--load", "0.02")
    sizes = pd.read_csv(next((tmp_path / "out").glob("one*")) / "rpcs-homa.csv.gz")
    assert set(sizes["size"]) == {200, 5000} and len(table) == 1
    slow = sizes[(sizes["size"] == 5000) & (sizes.server == "10.0.0.2")]
    fast = sizes[(sizes["size"] == 5000) & (sizes.server == "10.0.0.3") & (sizes.host == 1)]
    took = [(t.done_ns - t.sent_ns).median() for t in (slow, fast)]
    assert took[0] > 5 * took[1]
