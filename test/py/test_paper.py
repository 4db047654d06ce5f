# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# size: quick
"""What others have published, beside what is measured here."""

import json
from pathlib import Path

import pandas as pd
import pytest

from cperf_job import TOP, make_job

from clusterlib import paper, plots, published, redraw, results, summary
from clusterlib.errors import ClusterError
from clusterlib.experiment import Experiment, write_tables

SETUP = {"hosts": 3, "link_bps": 25e9, "seconds": 0.08, "workload": "w4", "load": 0.8,
         "wire_load": {"homa": 0.8, "tcp": 0.787}, "gbps": 9.2, "mtu": 3000, "link": "25g",
         "seed": 1}


def make_point(folder: Path, raw: Path, workload: str) -> None:
    """A point of a sweep with Homa and TCP, from a made-up job."""
    folder.mkdir(parents=True)
    measured = [results.collect(p, make_job(raw / p, p, slow=slow), 3, 1.0)
                for p, slow in (("homa", 0.5), ("tcp", 8))]
    write_tables(folder, measured, SETUP | {"workload": workload})


@pytest.fixture(name="sweep")
def made_up_sweep(tmp_path: Path) -> Path:
    """A sweep of two workloads and a second seed of one of them."""
    for name in ("w4-s1", "w4-s2", "w5-s1"):
        make_point(tmp_path / "sweep" / name, tmp_path / name, name[:2])
    return tmp_path / "sweep"


def test_published_values_are_of_the_workload_and_protocols_of_a_picture() -> None:
    table = published.TABLES["atc21"]
    assert sorted(table.lines("w4", ["homa", "dctcp"], "us")) == [
        ("dctcp", "p99", 10, 881), ("homa", "p50", 10, 46.8), ("homa", "p99", 10, 109)]
    assert table.lines("w4", ["homa"], "slowdown") == [] == table.lines("w1", ["homa"], "us")
    with pytest.raises(ClusterError, match="sigcomm18 atc21"):
        published.find("sigcom18")
    with pytest.raises(ClusterError):
        Experiment("x", published="sigcom18").check()


def test_a_paper_has_ours_beside_its_own(sweep: Path) -> None:
    found = paper.write(sweep, paper.PAPERS["atc21"]).set_index(["figure", "workload"])
    row = found.loc["homa_p99_us", "w4"]
    ours = [json.loads((sweep / f"w4-s{s}" / "summary.json").read_text())["protocols"]["homa"][
        "shortest_tenth"]["p99_us"] for s in (1, 2)]
    assert row.published == 109 and row.seeds == 2
    assert row.ours == pytest.approx(sum(ours) / 2)
    assert row.ours_over_published == pytest.approx(row.ours / 109)
    assert set(found.index) == {(f, w) for f in ("homa_p50_us", "homa_p99_us", "tcp_p99_us")
                                for w in ("w4", "w5")}
    for name in ("homa_p50_us", "tcp_p99_us", "sizes"):
        assert (sweep / f"paper_{name}.png").stat().st_size > 10000
        assert (sweep / f"paper_{name}.pdf").is_file()


def test_panels_have_what_was_published_as_a_line(sweep: Path) -> None:
    one = paper.PAPERS["atc21"]
    figure = paper.draw_sizes(one, {"w4": sweep / "w4-s1", "w5": sweep / "w5-s1"})
    lines = [c for c in figure.axes[0].collections if "ATC'21" in c.get_label()]
    assert sorted(c.get_segments()[0][0][1] for c in lines) == [46.8, 109, 2113]
    assert figure.axes[0].get_ylim()[1] >= 10000
    plots.plt.close(figure)


def test_too_few_messages_are_no_paper(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="300 messages"):
        paper.table(tmp_path, paper.PAPERS["sigcomm18"])


def test_pictures_are_drawn_again_beside_a_table(sweep: Path, tmp_path: Path) -> None:
    plain = redraw.redraw(sweep / "w4-s1", tmp_path / "plain")
    beside = redraw.redraw(sweep / "w4-s1", tmp_path / "beside", "atc21")
    changed = {a.stem for a, b in zip(plain, beside)
               if a.suffix == ".png" and a.read_bytes() != b.read_bytes()}
    assert changed == {"rtt"}               # the others have no figure of that table
    with pytest.raises(ClusterError, match="one of its points, such as w4-s1"):
        redraw.redraw(sweep, tmp_path / "all")


@pytest.mark.parametrize("what, code, said", [
    ("Homa's mean slowdown above 100 kB over TCP's", 0, "beyond the bench's own limit: w2, Homa's"),
    ("RPCs", 1, "cperf: w2: RPCs: 1.17"), ("failures: h1 timed out", 1, "cperf: w2: failures")])
def test_limits_of_the_bench_do_not_decide_whether_figures_count(
        tmp_path: Path, capsys: pytest.CaptureFixture, what: str, code: int, said: str) -> None:
    (tmp_path / "verdicts.csv").write_text(
        "seed,workload,load,what,value,limit,passed\n1,w4,0.8,RPCs,900,>= 300,True\n"
        f'1,w2,0.8,"{what}",1.17,<= 1,False\n')
    assert paper.unsound(tmp_path) == code
    printed = capsys.readouterr()
    assert said in (printed.err if code else printed.out)
