# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Runs benches of cperf, as small as they go or in full, and looks at what they leave."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pandas as pd

from cperf_job import TOP

CPERF = TOP / "cloudlab" / "bin" / "cperf"
MOST_S = 1800               # for a bench at the size that one would publish
# Of those that take over five minutes on a busy machine: test_bench_whole_long.py.
LONG = ("cp_basic", "cp_buffers", "cp_config_buf", "cp_load", "cp_loss")
PROBE = """<script>document.title = [document.documentElement.scrollWidth <= innerWidth,
[...document.images].length, [...document.images].every(i => i.naturalWidth > 100)].join()
</script></body>"""


def cperf(*words: object) -> subprocess.CompletedProcess:
    """Run cperf."""
    return subprocess.run([CPERF, *map(str, words)], capture_output=True, text=True, check=False)


def smoke(bench: str, out: Path, *words: object) -> pd.DataFrame:
    """Run a bench with --smoke; its figures, a row a case and protocol."""
    done = cperf("run", bench, "--smoke", "--out", out, *words)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    table = pd.read_csv(out / "cases.csv", dtype={"case": str})
    assert (table.rpcs > 20).all() and table.case.nunique() >= 1
    summary = json.loads((out / "summary.json").read_text())
    assert summary["failures"] == [] and summary["bench"] == bench
    assert list(out.glob("*.png")) and list(out.glob("*.pdf"))
    for manifest in out.glob("*/manifest.json"):
        told = json.loads(manifest.read_text())
        assert told["kernel"] and told["topology"] and told["source"]["commit"]
    return table


def in_full(bench: str, out: Path) -> None:
    """Run a bench as it is: within half an hour, and nothing fails."""
    began = time.monotonic()
    done = cperf("run", bench, "--out", out)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    table = pd.read_csv(out / "cases.csv", dtype={"case": str})
    assert (table.rpcs > 50).all() and table.short_p50_us.notna().all()
    # A few long messages tell no P99.
    assert table.short_p99_us.notna().any()
    assert time.monotonic() - began < MOST_S


def on_a_phone(report: Path, tmp: Path) -> tuple:
    """(whether a phone's width is enough, number of pictures, whether all are shown)."""
    page = tmp / "probe.html"
    page.write_text(report.read_text().replace("</body>", PROBE))
    done = subprocess.run(
        [shutil.which("chromium"), "--headless", "--no-sandbox", "--disable-gpu",
         "--window-size=500,900", f"--user-data-dir={tmp}/profile", "--virtual-time-budget=5000",
         "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    fits, count, shown = re.search(r"<title>(\w+),(\d+),(\w+)</title>", done.stdout).groups()
    return fits == "true", int(count), shown == "true"
