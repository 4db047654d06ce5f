# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Studies: which cases run, what repeats make of them, and the store of results."""

import argparse
import json
import math
import subprocess
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from cperf_job import TOP

from clusterlib import estimate, repeats, results, store, study, studyplot
from clusterlib.errors import ClusterError
from clusterlib.experiment import Experiment
from clusterlib.registry import all_benches

CPERF = TOP / "cloudlab" / "bin" / "cperf"
RESULTS = TOP / "out" / "results"
STUDIES = {b.name: b.run.study for b in all_benches() if hasattr(b.run, "study")}
NAMED = {"cp_both", "cp_basic", "cp_client_threads", "cp_server_ports", "cp_load", "cp_mtu",
         "cp_tcp", "cp_config", "cp_tcp_config", "cp_buffers", "cp_config_buf", "cp_incast",
         "cp_starve", "cp_loss", "cp_scale", "cp_topology"}


def options(name: str, *words: str) -> argparse.Namespace:
    """The options of a bench as `cperf run` has them."""
    parser = argparse.ArgumentParser()
    study.add_options(parser, STUDIES[name])
    return parser.parse_args(words)


def all_cases(name: str, *words: str) -> list:
    """The cases of a bench; of one that goes by what it measures, the first ones."""
    args = options(name, *words)
    found = STUDIES[name].cases(args)
    return found if isinstance(found, list) else next(found)


def test_all_benches_are_there() -> None:
    assert NAMED <= set(STUDIES)


@pytest.mark.parametrize("name", sorted(STUDIES))
def test_each_case_can_be_planned(name: str) -> None:
    made = STUDIES[name]
    args = options(name, "--smoke")
    cases = all_cases(name)
    assert cases and len({c.name for c in cases}) == len(cases)
    for case in cases:
        load, setup = study.experiment(made, args, case, args.workloads.split(",")[0], 3).plan()
        assert load.ms > 0 and setup["seed"] == 3


def sweeps() -> list:
    """All settings that cp_config and cp_tcp_config can sweep."""
    return [(name, key) for name in ("cp_config", "cp_tcp_config")
            for key in STUDIES[name].cases.__globals__["SWEEPS"]]


@pytest.mark.parametrize("name, key", sweeps())
def test_each_sweep_can_be_planned(name: str, key: str) -> None:
    args = options(name, "-c", key)
    for case in STUDIES[name].cases(args):
        study.experiment(STUDIES[name], args, case, "w4", 1).plan()


def test_settings_that_are_swept_do_something() -> None:
    code = (TOP / "homa" / "sysctl.c").read_text()
    kept = (TOP / "docs/man/homa.7").read_text().split(".SS Kept")[1].split("\n.S")[0]
    for name, key in sweeps():
        for case in STUDIES[name].cases(options(name, "-c", key)):
            for knob, _ in dict(case.changes).get("knobs", ()):
                assert "." in knob or f"K({knob}," in code or f"ROW({knob}" in code, knob
                assert "." in knob or f".BR {knob} " not in kept, knob


def test_load_is_of_the_busiest_link() -> None:
    everyone = Experiment("x", load=0.8, workload="10000")
    assert everyone.factor(8) == 2
    assert Experiment("x", clients=(1,), servers=(2, 3, 4)).factor(8) == 1
    assert Experiment("x", clients=(2, 3, 4), servers=(1,)).factor(8) == 3
    assert Experiment("x", clients=(2, 3, 4), servers=(1,), one_way=True).factor(8) == 3
    assert Experiment("x", clients=(1,), servers=(2, 3), one_way=True).factor(8) == 1
    assert everyone.plan()[0].gbps == pytest.approx(
        2 * Experiment("x", load=0.4, workload="10000").plan()[0].gbps, rel=1e-5)


def test_what_a_run_takes_is_told_before() -> None:
    def of(**words: object) -> estimate.Estimate:
        return Experiment("x", **words).estimate()

    small, large = of(workload="w4", rpcs=1000), of(workload="w4", rpcs=10000)
    assert small.rpcs == pytest.approx(2 * 1060, rel=0.01)      # two protocols
    assert large.rpcs == pytest.approx(2 * 10600, rel=0.01)
    assert 5 * (large.seconds - small.seconds) > small.seconds and large.disk > small.disk
    assert of(protocols="homa").disk > of(protocols="tcp").disk        # traces
    assert of(workload="w5").seconds > 2 * of(workload="w3").seconds   # packets
    closed = {"load": 0, "ms": 2.0, "protocols": "homa"}
    assert of(client_max=1, workload="100", **closed).rpcs == 8 * 400
    assert 2000 < of(client_max=200, workload="10000", **closed).rpcs < 5000   # the links' rate
    real = of(cluster="netns:4", ms=60000.0)
    assert not real.simulated and real.seconds == pytest.approx(126, rel=0.1)
    assert "2:0" in real.text(1) and "2:0" in real.text(2)
    assert (small + real).rpcs == small.rpcs + real.rpcs


def test_both_at_once_share_the_load() -> None:
    one = Experiment("x", protocols="homa,tcp", together=True, homa_share=0.25, ms=1)
    (streams,) = one.streams(one.plan()[0])
    assert streams["tcp"].gbps == pytest.approx(3 * streams["homa"].gbps)


@pytest.mark.parametrize("values, mean, width", [
    ([5.0], 5.0, math.nan), ([], math.nan, math.nan), ([1.0, 3.0], 2.0, 12.706),
    ([10.0, 12.0, 14.0], 12.0, 4.303 * 2 / math.sqrt(3)),
    ([7.0, math.nan, 7.0], 7.0, 0.0)])
def test_intervals(values: list, mean: float, width: float) -> None:
    found = repeats.interval(np.array(values))
    assert found == pytest.approx((mean, width), nan_ok=True)


def test_repeats_are_summed_up_by_case() -> None:
    row = {name: 1.0 for name in repeats.FIGURES}
    table = pd.DataFrame([{"case": c, "x": 1, "workload": "w4", "seed": s, "protocol": "homa",
                           **row, "short_p99_us": v}
                          for c, s, v in (("a", 1, 10), ("a", 2, 14), ("b", 1, 5))])
    means = repeats.over_seeds(table).set_index("case")
    assert means.short_p99_us["a"] == 12 and means.seeds["a"] == 2
    assert means.short_p99_us_ci["a"] == pytest.approx(12.706 * 2)
    assert math.isnan(means.short_p99_us_ci["b"])
    assert "12 +- 25" in repeats.table_text(repeats.over_seeds(table), "short_p99_us")


def test_intervals_have_no_exponents() -> None:
    assert repeats.cell(14_731, 6800.4) == "14,731 +- 6,800"
    assert repeats.cell(4.711, 0.0479) == "4.711 +- 0.048"
    assert repeats.cell(0, 0) == "0 +- 0" and repeats.cell(5) == "5"


def test_arguments_without_where_results_go() -> None:
    words = ["run", "x", "--out", "a", "--seeds", "1-5", "--out=b", "--smoke"]
    assert results.plain_arguments(words) == ["run", "x", "--seeds", "1-5", "--smoke"]


def made_up(folder: Path, p99: float) -> Path:
    """A result with one figure."""
    folder.mkdir()
    figures = [{"case": "a", "workload": "w4", "protocol": "homa", "x": None, "seeds": 1,
                **{n: 1.0 for n in repeats.FIGURES}, "short_p99_us": p99}]
    (folder / "summary.json").write_text(json.dumps({"setup": {"bench": "x"}, "figures": figures}))
    (folder / "plan.json").write_text(json.dumps({"bench": "x", "arguments": ["run", "x"],
                                                  "source": {}}))
    (folder / "t.csv").write_text("1\n")
    return folder


def test_two_results_are_compared(tmp_path: Path) -> None:
    a, b = made_up(tmp_path / "a", 10), made_up(tmp_path / "b", 20)
    line = next(text for text in store.diff(a, b).splitlines() if "P99 of the shortest" in text)
    assert line.split()[-4:] == ["10", "20", "2.000", "*"]
    assert sum(text.endswith("*") for text in store.diff(a, b).splitlines()) == 1
    assert store.compare_tables(a, b) == (1, [])
    (b / "t.csv").write_text("2\n")
    assert store.compare_tables(a, b) == (1, ["t.csv"])
    (b / "u.csv").write_text("")
    assert store.compare_tables(a, b)[1] == ["u.csv", "t.csv"]


def test_results_are_listed_and_removed(tmp_path: Path) -> None:
    done, stopped = made_up(tmp_path / "a", 1), made_up(tmp_path / "b", 1)
    (stopped / "summary.json").unlink()
    (tmp_path / "other").mkdir()
    found = {e.folder.name: e.state for e in store.entries(tmp_path)}
    assert found == {"a": "done", "b": "stopped"}
    chosen = store.choose(tmp_path, [], None, None)
    assert [e.folder for e in chosen] == [stopped]
    store.remove(chosen)
    assert done.exists() and not stopped.exists() and (tmp_path / "other").exists()
    assert store.choose(tmp_path, [], 1, None) == []
    with pytest.raises(ClusterError):
        store.choose(tmp_path, [str(tmp_path / "other")], None, None)


@pytest.mark.parametrize("words, said", [
    (["show", "/no/such"], "no result"), (["diff", "/a", "/b"], "no result"),
    (["resume", "/a"], "no result"), (["run", "cp_config", "-c", "x"], "--config x"),
    (["run", "cp_both", "--homa-share", "2"], "--homa-share"),
    (["run", "cp_mtu", "--only", "7"], "--only: the cases are 1500")])
def test_wrong_usage_is_one_line(words: list, said: str) -> None:
    before = set(RESULTS.glob("*"))
    done = subprocess.run([CPERF, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and said in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert set(RESULTS.glob("*")) == before


def figures(cases: list, seeds: int = 1) -> pd.DataFrame:
    """Means of a made-up study: (case, x, P99 of the shortest half)."""
    rows = [{"case": c, "x": x, "workload": "w4", "seed": s, "protocol": "homa",
             **{n: 1.0 for n in repeats.FIGURES}, "short_p99_us": v * (1 + s / 100), "rpcs": 500}
            for c, x, v in cases for s in range(seeds)]
    return repeats.over_seeds(pd.DataFrame(rows))


def drawn(means: pd.DataFrame, bench: str):
    """The axes of the picture of its P99."""
    (axes,) = studyplot.versus(means, STUDIES[bench], "short_p99_us", "title").axes
    plt.close(axes.figure)
    return axes


def test_what_differs_much_is_drawn_on_a_logarithmic_axis() -> None:
    near, far = [("a", None, 5), ("b", None, 90)], [("a", None, 5), ("b", None, 170_000)]
    assert drawn(figures(near), "cp_topology").get_yscale() == "linear"
    assert drawn(figures(far), "cp_topology").get_yscale() == "log"
    assert drawn(figures(near), "cp_topology").get_ylim()[0] == 0


def test_pictures_say_what_their_bars_are() -> None:
    cases = [("a", None, 5), ("b", None, 6)]
    assert "95% confidence interval" not in drawn(figures(cases), "cp_topology").get_title("left")
    repeated = drawn(figures(cases, 5), "cp_topology")
    assert "mean of 5 seeds, 95% confidence interval" in repeated.get_title("left")
    assert repeated.containers[0].has_yerr


def test_a_case_without_a_number_is_a_line_across() -> None:
    axes = drawn(figures([("unlimited", None, 5), ("80%", 100, 6), ("40%", 50, 9)]), "cp_buffers")
    assert [line.get_label() for line in axes.lines if line.get_linestyle() == "--"] \
        == ["Homa, unlimited"]
    assert axes.get_xlabel() == "Buffer of the switch, kB"


def test_numbers_that_were_tried_are_on_the_axis() -> None:
    axes = drawn(figures([(f"{x:g}%", x, 5 + x) for x in (0, 0.01, 0.1, 2)]), "cp_loss")
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0", "0.01", "0.1", "2"]


def test_a_case_with_a_workload_of_its_own_says_so() -> None:
    own = {case.name: case.workload("100") for case in all_cases("cp_basic")}
    assert own["100 B latency"] == "100" and own["server Gbps"] == "500000"


def test_the_first_sentence_is_the_short_help() -> None:
    assert study.first_sentence("2, 4, ... hosts send\nto one. More of it.") \
        == "2, 4, ... hosts send to one."


def test_a_closed_loop_says_so() -> None:
    one = Experiment("x", load=0, client_max=40, ms=20.0)
    assert one.headline(*one.plan()).endswith("a closed loop of 40 RPCs a client for 20 ms")
