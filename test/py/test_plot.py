# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""perf/plot: diff_rtts.py, diff_metrics.py, plot_length_cdf.py."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest

ROOT = Path(__file__).resolve().parents[2]
PLOT = ROOT / "perf" / "plot"


def run(tool: str, *words: str | Path, code: int = 0) -> str:
    """Run a tool; errors are one line."""
    done = subprocess.run([sys.executable, PLOT / tool, *words], capture_output=True, text=True,
                          check=False)
    assert done.returncode == code, done.stderr
    assert code != 1 or (done.stderr.startswith(f"{tool}: ") and done.stderr.count("\n") == 1)
    return done.stdout


def write_rtts(path: Path, factor: float) -> Path:
    """Write 1000 samples: lengths 100 to 100000, each 100 times; (20 + i / 10) us times FACTOR."""
    lines = ["# time and experiment", "# columns"]
    lines += [f"{100 if at < 500 else 100000:8} {(20 + at % 500 / 10) * factor:12.2f}"
              for at in range(1000)]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def test_diff_rtts_splits_by_length(tmp_path: Path) -> None:
    a, b = write_rtts(tmp_path / "a", 1), write_rtts(tmp_path / "b", 3)
    first, second = json.loads(run("diff_rtts.py", "--json", "--base", "10", "--gbps", "8", a, b))
    assert [one["upto"] for one in first["deciles"]] == [100] * 5 + [100000] * 5
    assert all(one["n"] == 100 for one in first["deciles"])
    # Of the first hundred, 20.0 to 29.9 us, the 50th, 90th, 99th and 100th.
    assert [first["deciles"][0][key] for key in ("p50", "p90", "p99", "p999", "max")] == [
        24.9, 28.9, 29.8, 29.9, 29.9]
    assert second["deciles"][9]["max"] == pytest.approx(3 * 69.9)
    # Mean time 44.95 us; ideal 10.1 and 110 us.
    assert first["slowdown"] == pytest.approx((44.95 / 10.1 + 44.95 / 110) / 2)
    text = run("diff_rtts.py", a, b)
    assert text.count("ratio") == 10 and "     3.000" in text


def test_diff_rtts_errors(tmp_path: Path) -> None:
    good = write_rtts(tmp_path / "a", 1)
    bad = tmp_path / "bad"
    bad.write_text("1 2 3\n", encoding="ascii")
    run("diff_rtts.py", good, bad, code=1)
    run("diff_rtts.py", good, tmp_path / "none", code=1)
    run("diff_rtts.py", good, code=2)
    run("diff_rtts.py", "--gbps", "0", good, good, code=2)


def test_diff_metrics_sums_cores(tmp_path: Path) -> None:
    files = []
    for name, n in (("a", 1), ("b", 3)):
        lines = [f"time_cycles {n * 1000} Time", "cpu_khz 1000000 Rate"]
        for core in (0, 1):
            lines += [f"core {core} CPU", f"moves {n * (core + 1)} Moves a lot",
                      "stays 7 Never moves", f"more {10 + n} Moves a little"]
        files.append(tmp_path / name)
        files[-1].write_text("\n".join(lines) + "\n", encoding="ascii")
    changes = json.loads(run("diff_metrics.py", "--json", *files))
    assert [(one["name"], one["first"], one["second"], one["difference"]) for one in changes] == [
        ("moves", 3, 9, 6), ("more", 22, 26, 4)]
    text = run("diff_metrics.py", "--least", "2", *files)
    assert text.split() == ["moves", "+6", "3.000", "Moves", "a", "lot"]
    backwards = run("diff_metrics.py", "--least", "2", *reversed(files))
    assert backwards.split()[:2] == ["moves", "-6"]
    run("diff_metrics.py", files[0], tmp_path / "none", code=1)
    empty = tmp_path / "empty"
    empty.write_text("", encoding="ascii")
    run("diff_metrics.py", files[0], empty, code=1)


def test_plot_length_cdf_draws_two_curves(tmp_path: Path) -> None:
    write_rtts(tmp_path / "x-1.rtts", 1)
    write_rtts(tmp_path / "x-2.rtts", 1)
    out = tmp_path / "lengths.png"
    assert run("plot_length_cdf.py", "--out", out, "X", tmp_path / "x-*.rtts").strip() == str(out)
    picture = matplotlib.image.imread(out)
    assert picture.shape[1] > 900 and picture[..., :3].std() > 0.02
    run("plot_length_cdf.py", "--out", out, "X", tmp_path / "x-*.rtts", code=1)
    run("plot_length_cdf.py", "--out", tmp_path / "new.png", "X", tmp_path / "y-*", code=1)
    run("plot_length_cdf.py", "--out", tmp_path / "new.png", "X", code=2)


def test_cumulative_counts_messages_and_bytes() -> None:
    code = ("import sys; sys.path.insert(0, sys.argv[1]); import numpy as np; "
            "import plot_length_cdf as p; "
            "print([p.cumulative(np.array([10., 10., 20., 60.]), b)[1].tolist() "
            "for b in (False, True)])")
    done = subprocess.run([sys.executable, "-c", code, PLOT], capture_output=True, text=True,
                          check=True)
    assert done.stdout.strip() == "[[0.5, 0.75, 1.0], [0.2, 0.4, 1.0]]"
