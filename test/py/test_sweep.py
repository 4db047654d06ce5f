# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Sweeps: which points run, how figures are judged, what a sweep leaves behind."""

import math
import subprocess

import pytest

from cperf_job import TOP

from clusterlib import sweep
from clusterlib.errors import ClusterError
from clusterlib.registry import all_benches

CPERF = TOP / "cloudlab" / "bin" / "cperf"


@pytest.mark.parametrize("text, seeds", [("1", [1]), ("1-5", [1, 2, 3, 4, 5]), ("7,2-3", [7, 2, 3])])
def test_seeds(text: str, seeds: list) -> None:
    assert sweep.parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "5-1", "a", "1,", "-3"])
def test_bad_seeds(text: str) -> None:
    with pytest.raises(ClusterError):
        sweep.parse_seeds(text)


def test_limits() -> None:
    assert sweep.Verdict("x", 1.5, at_most=1.5).passed
    assert not sweep.Verdict("x", 1.51, at_most=1.5).passed
    assert sweep.Verdict("x", 10, at_least=10).passed
    assert not sweep.Verdict("x", 9.9, at_least=10).passed
    assert sweep.Verdict("x", 99).passed


def test_a_figure_that_is_missing_fails() -> None:
    assert not sweep.Verdict("x", math.nan, at_most=1).passed
    assert not sweep.Verdict("x", math.nan, at_least=1).passed


def protocols(**p99: float) -> dict:
    """Summaries of protocols by their P99 slowdown; large messages take as many times longer."""
    return {name: {"shortest_half": {"p50_slowdown": 1.0, "p99_slowdown": value,
                                     "p99_over_own_idle": value},
                   "shortest_tenth": {"p99_slowdown": value}, "large_mean_slowdown": value,
                   "measured_wire_load": 0.8} for name, value in p99.items()}


def passed(bench: str, point: str, **p99: float) -> list:
    """Which figures with a limit are within it."""
    module = next(b.run.__globals__ for b in all_benches() if b.name == bench)
    chosen = sweep.choose(module["POINTS"], point)[0]
    return [v.passed for v in module["judge"](chosen, protocols(**p99)) if v.limit]


def test_slowdown21_wants_all_of_its_claims() -> None:
    assert passed("slowdown21", "w4", homa=1.5, tcp=15, dctcp=7.5) == [True] * 4
    assert passed("slowdown21", "w4", homa=1.5, tcp=14.9, dctcp=7.4) == [True, False, False, True]
    assert passed("slowdown21", "w4", homa=1.6, tcp=16, dctcp=8) == [False, True, True, True]
    assert passed("slowdown21", "w4", homa=1.5) == [True]


def test_slowdown18_has_the_paper_s_values() -> None:
    for name, limit in (("w2", 2.67), ("w3", 2.7), ("w4", 2.18), ("w5", 1.79)):
        assert passed("slowdown18", name, homa=limit) == [True]
        assert passed("slowdown18", name, homa=limit + 0.01) == [False]


def overloaded(of_fit: float = 0.95, p99_us: float = 1e5) -> dict:
    """The summary of a point whose links are offered more than fits."""
    return {"homa": {"received_of_fit": of_fit, "measured_wire_load": 0.95, "granted_kb": 300.0,
                     "goodput_gbps": 9.0, "all": {"p99_us": 1e4},
                     "largest": {"n": 300, "unfinished": 9, "p50_us": 1e4, "p99_us": p99_us}}}


def test_saturation_wants_full_links_and_overcommitment_to_be_why() -> None:
    module = next(b.run.__globals__ for b in all_benches() if b.name == "saturation")
    w4, alone = sweep.choose(module["POINTS"], "w4")
    assert (w4.name, alone.name) == ("w4", "w4-max_overcommit=1") and not w4.knobs

    def limited(figures: list) -> list:
        return [v.passed for v in figures if v.limit]

    assert limited(module["judge"](w4, overloaded(0.93))) == [True]
    assert limited(module["judge"](w4, overloaded(0.929))) == [False]
    assert limited(module["judge"](alone, overloaded(0.5))) == []
    for less, good in ((0.88, True), (0.91, False)):
        found = module["compare"]({w4: overloaded(0.94), alone: overloaded(less)})
        assert [(point, verdict.passed) for point, verdict in found] == [(w4, good)]


def test_starvation_is_judged_by_the_largest_messages() -> None:
    module = next(b.run.__globals__ for b in all_benches() if b.name == "starvation")
    ours, without = module["POINTS"]
    assert dict(without.knobs) == {"grant_fifo_fraction": 0} and not ours.knobs
    for p99_us, good in ((4.9e5, True), (5.1e5, False)):
        found = module["compare"]({ours: overloaded(p99_us=p99_us),
                                   without: overloaded(p99_us=9.9e5)})
        assert [verdict.passed for _, verdict in found] == [good]


def test_unknown_workloads_are_refused() -> None:
    done = subprocess.run([CPERF, "run", "slowdown18", "--workloads", "w9"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 2 and "w9" in done.stderr and len(done.stderr.splitlines()) == 1


def test_too_few_rpcs_fail_a_point(monkeypatch) -> None:
    row = protocols(homa=1.0)["homa"] | {"rpcs": sweep.RPCS - 1}
    monkeypatch.setattr(sweep, "failures", lambda summary: [])
    found = sweep._verdicts(sweep.Point("w2", 0.8), {"protocols": {"homa": row}}, lambda p, s: [])
    assert [v.passed for v in found] == [False, True]
    lines = sweep.table([(1, "w2", "80%", v.what, v.value, v.limit, v.passed) for v in found])
    assert len(lines.splitlines()) == 3
