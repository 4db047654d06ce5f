# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# size: full
# timeout: 900
# slots: 2
"""cperf on namespaces of a distribution's kernel, in real time: whole, and clean afterwards."""

import json
from pathlib import Path

import pandas as pd
import pytest

from bench_smoke import cperf


@pytest.fixture(scope="module", name="out")
def fixture_out(tmp_path_factory) -> Path:
    """A run of both protocols, in which the first RPC of some time freezes all traces."""
    out = tmp_path_factory.mktemp("vm") / "out"
    done = cperf("run", "cp_vs_tcp", "--cluster", "vm:3", "-w", "1000", "--link", "100m", "--load",
                 "0.01", "--ms", "1000", "--set", "timeout_ticks=2000", "--freeze", "slow=10",
                 "--jobs", "1", "--out", out)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out


@pytest.mark.parametrize("protocol", ["homa", "tcp"])
def test_all_hosts_did_their_share(out: Path, protocol: str) -> None:
    rpcs = pd.read_csv(out / f"rpcs-{protocol}.csv.gz")
    assert (rpcs.groupby("host").size() > 20).all() and set(rpcs.host) == {1, 2, 3}
    assert (rpcs.status == "ok").all()


def test_it_was_a_distributions_kernel(out: Path) -> None:
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["kernel"][0].startswith("Linux ") and "um" not in manifest["kernel"][0].split()
    assert any("timeout_ticks:2000" in line for line in manifest["sysctls"])


def test_a_slow_rpc_froze_the_traces_of_all_hosts(out: Path) -> None:
    texts = [(out / "traces" / f"homa-h{h}.tt").read_text() for h in (1, 2, 3)]
    assert any("freeze wanted, type 3" in text for text in texts)
    assert all("freeze wanted" in text or "FREEZE accepted" in text for text in texts)
