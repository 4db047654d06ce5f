# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""perf/plot/ideal.py against arithmetic."""

import importlib.util
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "perf" / "plot" / "ideal.py"
SPEC = importlib.util.spec_from_file_location("ideal", SOURCE)
ideal = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(ideal)

MTU = 1076                      # 1000 bytes of a message; 1114 ns at 8 Gb/s
FULL = 1000 + ideal.HEADERS + ideal.FRAME


def run(*rpcs: tuple) -> list:
    """Latencies with links of 8 Gb/s, a byte a ns, and 500 ns of delay a hop."""
    return ideal.Network([ideal.Rpc(*rpc) for rpc in rpcs], 8e9, MTU, 500).run()


def test_alone() -> None:
    """Two packets each way: the second is a packet behind the first."""
    assert run((0, 1, 2, 2000)) == [2 * (3 * FULL + 2 * 500)]


def test_shortest_first() -> None:
    """A short message goes before a long one that began earlier, but not into a packet."""
    latency = run((0, 1, 2, 100000), (10, 1, 3, 1000))
    assert latency[1] == (FULL - 10) + 2 * (2 * FULL + 2 * 500)
    assert latency[0] > 2 * 100 * FULL


def test_other_links_do_not_disturb() -> None:
    """Hosts that share no link are as fast as if they were alone."""
    assert run((0, 1, 2, 5000), (0, 3, 4, 5000)) == run((0, 1, 2, 5000)) * 2
