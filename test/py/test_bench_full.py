# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# size: full
# timeout: 1800
# slots: 2
"""The benches that test_bench_sim.py leaves out, each as small as it goes."""

from pathlib import Path

import pytest

from bench_smoke import smoke


@pytest.mark.parametrize("bench, words", [
    ("cp_client_threads", []), ("cp_server_ports", []), ("cp_load", []), ("cp_mtu", []),
    ("cp_tcp", []), ("cp_tcp_config", []), ("cp_config_buf", []), ("cp_loss", []),
    ("cp_scale", ["--only", "2,8"]), ("cp_scale", ["--by", "outstanding"])])
def test_smoke(bench: str, words: list, tmp_path: Path) -> None:
    smoke(bench, tmp_path / "out", *words)


def test_the_largest_messages_get_their_share(tmp_path: Path) -> None:
    table = smoke("cp_starve", tmp_path / "out")
    assert table.largest_p99_us.notna().all()
