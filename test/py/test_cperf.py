# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The pure parts of cperf: wire bytes, workloads, statistics, commands, usage errors."""

import subprocess

import numpy as np
import pandas as pd
import pytest

from cperf_job import TOP

from clusterlib import job, runner, stats, units, wire, workload
from clusterlib.errors import ClusterError
from clusterlib.nodes import Network, SimCluster, parse_cluster
from clusterlib.registry import all_benches

CPERF = TOP / "cloudlab" / "bin" / "cperf"
HOMA, TCP = wire.FRAMINGS["homa"], wire.FRAMINGS["tcp"]


@pytest.mark.parametrize("length, framing, mtu, family, expected", [
    (1, HOMA, 1500, 4, 1 + 56 + 20 + 18 + 20),
    (1424, HOMA, 1500, 4, 1538),                        # exactly one full packet
    (1425, HOMA, 1500, 4, 1538 + 1 + 56 + 20 + 38),
    (2848, HOMA, 1500, 4, 2 * 1538),
    (1404, HOMA, 1500, 6, 1538),                        # 20 bytes more of IP header
    (8924, HOMA, 9000, 4, 9038),
    (1444, TCP, 1500, 4, 1538),                         # 4 bytes of length in front
    (1, TCP, 1500, 4, 5 + 32 + 20 + 38),
])
def test_message_wire_bytes(length, framing, mtu, family, expected):
    assert wire.message_wire_bytes(length, framing, mtu, family) == expected


def test_short_frames_are_padded():
    tiny = wire.Framing("tiny", 0, 0)
    assert wire.message_wire_bytes(1, tiny) == 64 + 20


def test_offer_meets_the_load_with_the_costliest_framing():
    w = workload.load_workload("10000", TOP)
    offer = wire.offer_for_load(0.8, 25e9, w, ["homa", "tcp"], 1500)
    assert offer.wire_load["homa"] == pytest.approx(0.8, rel=1e-5)
    assert offer.wire_load["tcp"] < 0.8
    assert wire.offer_for_load(0.8, 25e9, w, ["tcp"], 1500).gbps == offer.gbps
    both = 2 * offer.rpcs_per_second * wire.message_wire_bytes(10000, HOMA) * 8
    assert both == pytest.approx(0.8 * 25e9, rel=1e-5)


def test_w4_is_thinned_as_the_load_generator_does():
    w4 = workload.load_workload("w4", TOP / "util" / "workloads")
    assert len(w4.points) == 225 and w4.sizes[-1] == 1_000_000
    assert w4.mean == pytest.approx(61008.147, abs=0.001)
    assert workload.thin(list(w4.points)) == w4.points


def test_bad_workloads():
    with pytest.raises(ClusterError, match="line 2"):
        workload.parse_cdf("10 0.5\nx y\n", "bad")
    with pytest.raises(ClusterError, match="w1"):
        workload.load_workload("w9", TOP / "util" / "workloads")
    with pytest.raises(ClusterError, match="1000001"):
        workload.load_workload("1000001", TOP)


def test_messages_that_only_tcp_has():
    longer = workload.load_workload("w5", TOP / "util" / "workloads", workload.MAX_STREAM)
    assert longer.sizes[-1] == 29_400_000 and longer.mean > 2_000_000


def test_percentile_is_value_floor_np():
    assert stats.percentile(np.array([3, 1, 2, 4]), 0.5) == 3
    assert stats.percentile(np.arange(100), 0.99) == 99
    assert stats.percentile(np.array([7]), 0.99) == 7
    assert np.isnan(stats.percentile(np.array([]), 0.5))


def test_p99_of_few_values_is_not_shown():
    assert np.isnan(stats.p99(np.arange(stats.MIN_P99 - 1)))
    assert stats.p99(np.arange(stats.MIN_P99)) == 297


def test_baseline_is_the_quicker_protocol_at_each_size():
    tables = {"homa": pd.DataFrame({"size": [100, 100, 100, 900], "rtt_ns": [5, 9, 7, 90]}),
              "tcp": pd.DataFrame({"size": [100, 900], "rtt_ns": [8, 30]})}
    assert (stats.common_baseline(tables) * 1e3).round(6).to_dict() == {100: 7, 900: 30}


def test_slowdown_counts_from_the_intended_start():
    rpcs = pd.DataFrame([[100, 0, 500, 2500, "ok"], [200, 0, 0, 1000, "ok"],
                         [100, 0, 0, 1, "ETIMEDOUT"]],
                        columns=["size", "intended_ns", "sent_ns", "done_ns", "status"])
    done = stats.add_latency(rpcs, pd.Series({100: 1.0, 300: 3.0}))
    assert done.slowdown.tolist() == [2.5, 0.5] and done.actual_us.tolist() == [2.0, 1.0]


def test_buckets_hold_every_message_once():
    sizes = np.random.default_rng(1).choice([1, 2, 3, 50, 60, 70, 800, 900], 9000)
    done = pd.DataFrame({"size": sizes, "us": sizes * 1.0, "slowdown": 1.0})
    table = stats.by_bucket(done, stats.bucket_edges(sizes))
    assert table.n.sum() == 9000 and table.up_to.is_monotonic_increasing
    assert table.cumulative.iloc[-1] == pytest.approx(1)
    assert table.up_to.iloc[-1] == 900 and (table.p50_us <= table.up_to).all()


def test_size_at_and_ccdf():
    assert stats.size_at(np.array([5, 1, 9, 7]), 0.5) == 5
    assert stats.size_at(np.array([5, 1, 9, 7]), 1.0) == 9
    x, y = stats.ccdf(np.array([2, 1, 4, 3]))
    assert x.tolist() == [1, 2, 3, 4] and y.tolist() == [0.75, 0.5, 0.25, 0.0]


def test_units():
    assert units.parse_rate("25g") == units.parse_rate("25gbit") == 25e9
    assert [units.size_label(n) for n in (5, 662, 1500, 99960, 120373, 1000000)] == \
        ["5", "662", "1.5K", "100K", "120K", "1M"]
    assert units.duration_label(65.2) == "1:05"
    for bad in ("", "fast", "0g", "-1g"):
        with pytest.raises(ClusterError):
            units.parse_rate(bad)


def test_clusters():
    assert parse_cluster("sim:8") == (SimCluster, 8, Network())
    kind, hosts, network = parse_cluster("paper21")
    assert kind is SimCluster and (hosts, network.link, network.mtu) == (16, "25g", 3000)
    assert parse_cluster("paper18:40")[1] == 40
    for bad in ("sim", "sim:1", "sim:x", "moon:8", "sim:201", "paper18:1"):
        with pytest.raises(ClusterError):
            parse_cluster(bad)


def test_a_job_has_the_same_arrivals_for_all_protocols(tmp_path):
    cluster = SimCluster(3, Network(), 7)
    load = job.Load("w4", 9.2, 70, 7, 4000)
    for protocol in ("homa", "tcp"):
        job.write_job(cluster, {protocol: load}, tmp_path / protocol)
    homa, tcp = ((tmp_path / p / "h2.client").read_text().split() for p in ("homa", "tcp"))
    for option in ("--workload", "--gbps", "--servers", "--seed", "--host-id", "--seconds"):
        assert homa[homa.index(option) + 1] == tcp[tcp.index(option) + 1]
    assert homa[homa.index("--servers") + 1] == "10.0.0.1,10.0.0.3"
    assert "SEND_US=70000\n" in (tmp_path / "tcp" / "job.env").read_text()


def test_a_job_can_have_knobs_and_large_regions(tmp_path):
    load = job.Load("w4", 9.2, 70, 7, 4000, warm_ms=7, knobs=(("window", 9), ("flags", 1)),
                       bpages=8000)
    job.write_job(SimCluster(2, Network(), 7), {"homa": load}, tmp_path / "a")
    settings = (tmp_path / "a" / "job.env").read_text()
    assert "KNOBS='window=9 flags=1'\n" in settings and "WARM_US=7000\n" in settings
    for role in ("server", "client"):
        assert "--buf-bpages 8000" in (tmp_path / "a" / f"h1.{role}").read_text()


def test_progress_of_a_job(tmp_path):
    assert runner.job_progress(tmp_path) == ("boot", 0.0)
    fractions = []
    for text in ("start 0", "unloaded 0", "load 1 4", "load 4 4", "drain 0"):
        (tmp_path / "progress").write_text(text)
        fractions.append(runner.job_progress(tmp_path)[1])
    assert fractions == sorted(fractions) and fractions[-1] < 1


def test_last_line_of_a_log(tmp_path):
    log = tmp_path / "log"
    log.write_text("")
    assert runner.last_line(log) == ""
    log.write_text("one\nbuilding 5%\rbuilding 7%\r")
    assert runner.last_line(log) == "building 7%"


def test_benches_are_found():
    assert "cp_vs_tcp" in [b.name for b in all_benches()]


@pytest.mark.parametrize("words, said", [
    (["--load", "1.6"], "--load must be"), (["--cluster", "moon:8"], "a cluster is one of"),
    (["-w", "w9"], "unknown workload"), (["--protocols", "udp"], "unknown protocol"),
    (["--link", "fast"], "not a link rate"), (["--mtu", "10"], "--mtu must be"),
])
def test_usage_errors_are_one_line(words, said):
    done = subprocess.run([CPERF, "run", "cp_vs_tcp", *words], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 2 and said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [["run"], *(["run", entry.name] for entry in all_benches())])
def test_help_is_printed(words):
    done = subprocess.run([CPERF, *words, "--help"], stdout=subprocess.PIPE, text=True, check=True)
    assert "examples:" in done.stdout
