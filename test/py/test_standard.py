# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# size: check
# timeout: 240
# slots: 2
"""The standard clusters are what they say: round trips, and switch ports that know what they hold."""

import subprocess
from pathlib import Path

import pandas as pd
import pytest

from cperf_job import TOP

CPERF = TOP / "cloudlab" / "bin" / "cperf"


@pytest.mark.parametrize("cluster, rtt_us", [("paper18", 5), ("paper21", 15)])
def test_an_idle_round_trip_takes_what_the_paper_says(cluster: str, rtt_us: float,
                                                      tmp_path: Path) -> None:
    done = subprocess.run([CPERF, "run", "cp_vs_tcp", "--cluster", cluster, "-w", "100", "--load",
                           "0.05", "--ms", "1", "--protocols", "homa", "--unloaded", "5", "--out",
                           tmp_path / "out"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    idle = pd.read_csv(tmp_path / "out" / "unloaded-homa.csv.gz")
    assert idle["size"].unique().tolist() == [100]
    assert idle.rtt_ns.median() / 1e3 == pytest.approx(rtt_us, rel=0.05)
    ports = pd.read_csv(tmp_path / "out" / "ports-homa.csv")
    assert len(ports) == 16 and (ports.peak_bytes >= 190).all() and not ports.drops.any()
    # Most of the requests and responses passed while load was offered, each 190 bytes and 24.
    messages = 2 * len(pd.read_csv(tmp_path / "out" / "rpcs-homa.csv.gz"))
    sent = ports[[f"bytes_p{level}" for level in range(8)]].to_numpy().sum()
    assert 0.9 * messages < sent / 214 < 1.3 * messages
