# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# size: full
# timeout: 1800
# slots: 2
"""The benches that test_bench_sim.py leaves out, each as small as it goes."""

from pathlib import Path

import pytest

from bench_smoke import cperf, smoke


@pytest.mark.parametrize("bench, words", [
    ("cp_client_threads", []), ("cp_server_ports", []), ("cp_load", []), ("cp_mtu", []),
    ("cp_tcp", []), ("cp_tcp_config", []), ("cp_config_buf", []), ("cp_loss", []),
    ("cp_scale", ["--only", "2,8"]), ("cp_scale", ["--by", "outstanding"])])
def test_smoke(bench: str, words: list, tmp_path: Path) -> None:
    smoke(bench, tmp_path / "out", *words)


def test_the_largest_messages_get_their_share(tmp_path: Path) -> None:
    table = smoke("cp_starve", tmp_path / "out")
    assert table.largest_p99_us.notna().all()


@pytest.mark.parametrize("what, number, words", [
    ("again", 1, []), ("lost", 4, []),
    ("timeout", 2, ["--set", "timeout_ticks=3", "--set", "resend_ticks=1"])])
def test_what_goes_wrong_freezes_the_traces_of_all_hosts(what: str, number: int, words: list,
                                                         tmp_path: Path) -> None:
    rack, out = tmp_path / "rack.toml", tmp_path / "out"
    rack.write_text('backend = "sim"\nlink = "25g"\nloss = 5\n[[hosts]]\nnodes = "h[1-3]"\n')
    done = cperf("run", "cp_vs_tcp", "--cluster", rack, "-w", "w3", "--load", "0.3", "--ms", "2",
                 "--protocols", "homa", "--freeze", what, *words, "--out", out)
    assert done.returncode == (what == "timeout"), done.stdout + done.stderr
    texts = [(out / "traces" / f"homa-h{h}.tt").read_text() for h in (1, 2, 3)]
    assert any(f"freeze wanted, type {number}" in text for text in texts)
    assert all("freeze wanted" in text or "FREEZE accepted" in text for text in texts)
    if what != "timeout":               # of RPCs that fail none is told
        assert "freeze wanted" in (out / "traces" / "slow-rpc.txt").read_text()
