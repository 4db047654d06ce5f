# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""From a finished job to tables, figures and a report."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from cperf_job import TOP, make_job

from clusterlib import counters, report, results, summary, traces
from clusterlib.errors import ClusterError

HOSTS = 3
SETUP = {"hosts": HOSTS, "link_bps": 25e9, "seconds": 0.08, "workload": "w4", "load": 0.8,
         "wire_load": {"homa": 0.8, "tcp": 0.787}, "gbps": 9.2, "mtu": 1500, "link": "25g",
         "seed": 1}
MANIFEST = {"source": {"commit": "0" * 40, "modified_files": 0}, "kernel": ["Linux made-up"]}


def measure(path, **homa):
    jobs = {"homa": make_job(path / "homa", "homa", slow=0.5, **homa),
            "tcp": make_job(path / "tcp", "tcp", slow=8)}
    return [results.collect(p, job, HOSTS, 1.0) for p, job in jobs.items()]


def test_summary_compares_the_protocols(tmp_path):
    s = summary.summarize(measure(tmp_path), SETUP)
    homa, tcp = s["protocols"]["homa"], s["protocols"]["tcp"]
    assert homa["rpcs"] == homa["done"] == HOSTS * 2000
    assert homa["shortest_half"]["up_to"] == tcp["shortest_half"]["up_to"] == 1500
    assert homa["all"]["n"] == HOSTS * 2000
    assert 1.3 < homa["all"]["p50_slowdown"] < tcp["all"]["p50_slowdown"]
    assert s["homa_times_better"]["tcp"]["shortest_half"]["p99"] > 5
    assert s["same_arrivals"] and summary.failures(s) == []
    assert "times better" in summary.verdict(s)


def test_ratios_in_words():
    assert summary.compared(5.04) == "5.0 times better than TCP's"
    assert summary.compared(0.25) == "4.0 times worse than TCP's"
    assert summary.compared(0.99) == "the same as TCP's"


def test_counters_are_differences_over_all_cores(tmp_path):
    homa, tcp = measure(tmp_path)
    assert counters.total(homa.metrics, "resent_packets") == HOSTS * 3 * 1020
    assert counters.total(tcp.metrics, "Tcp.RetransSegs") == HOSTS * 3 * 1020
    assert "time_cycles" not in set(homa.metrics.metric)
    load = counters.uplink_load(homa.job, HOSTS, 25e9, 0.08)
    assert load == pytest.approx(1000 * 1024 * 8 / (25e9 * 0.08))


def test_integrals_are_of_the_time_of_the_load(tmp_path):
    homa, tcp = measure(tmp_path)
    for moment, value in (("before", 5), ("sent", 5 + 6 * 80_000_000), ("after", 10 ** 12)):
        for host in range(1, HOSTS + 1):
            (homa.job / f"h{host}.homa_metrics.{moment}").write_text(
                f"time_cycles 1 now\ngranted_kb_integral {value} kB\n")
    row = summary.summarize([homa, tcp], SETUP)["protocols"]
    assert row["homa"]["granted_kb"] == pytest.approx(6)
    assert row["tcp"]["granted_kb"] is None


def test_what_arrives_counts_from_the_end_of_the_warm_up(tmp_path):
    homa, tcp = measure(tmp_path)
    for moment, time, arrived in (("warm", 1000, 100), ("sent", 3000, 2100)):
        for host in range(1, HOSTS + 1):
            (homa.job / f"h{host}.homa_metrics.{moment}").write_text(
                f"time_cycles {time} now\nserver_request_bytes_done {arrived} in\n"
                f"client_response_bytes_done {2 * arrived} in\n")
    row = summary.summarize([homa, tcp], SETUP)["protocols"]
    assert row["homa"]["received_gbps"] == pytest.approx(8 * 3)
    assert row["homa"]["received_of_fit"] == pytest.approx(24 * 0.8 / 18.4)
    assert row["tcp"]["received_gbps"] != row["tcp"]["received_gbps"]


def test_messages_that_are_cut_off_are_no_failure_if_that_was_wanted(tmp_path):
    cut = summary.summarize(measure(tmp_path, lost=3), SETUP | {"drain_s": 0})
    assert summary.failures(cut) == ["the protocols did not get the same arrivals"]


def test_drops_are_found_in_leaves_and_devices(tmp_path):
    s = summary.summarize(measure(tmp_path, drops=4), SETUP)
    assert s["protocols"]["homa"]["port_drops"] == HOSTS * (4 + 2)
    assert s["protocols"]["tcp"]["port_drops"] == 0


PORTS = """\
p1 settings rate 25000000000 delay 2000 buffer 9 mark 7 shared 0 host 0
p1 total ps 1000 peak 3000 held 0 marked 5
p1 class 0 packets 1 bytes 300 drops 2
p1 class 7 packets 2 bytes 100 drops 1
p1 occupancy upto 0 ps 985
p1 occupancy upto 1024 ps 10
p1 occupancy upto 3008 ps 5
p2 total ps 1000 peak 0 held 0 marked 0
p2 occupancy upto 0 ps 1000
"""


def test_ports_tell_what_they_held(tmp_path):
    measured = measure(tmp_path)
    (measured[0].job / "sw.ports.sent").write_text(PORTS)
    table = counters.port_table(measured[0].job)
    assert table.p99_bytes.tolist() == [1024, 0] and table.drops.tolist() == [3, 0]
    measured[0].ports = table
    ports = summary.summarize(measured, SETUP)["protocols"]["homa"]["ports"]
    assert ports["peak_bytes"] == 3000 and ports["marked"] == 5
    assert ports["share_by_priority"] == [0.75, 0, 0, 0, 0, 0, 0, 0.25]
    assert measured[1].summary["ports"] is None


def test_unfinished_rpcs_count_with_their_age(tmp_path):
    job = make_job(tmp_path / "homa", "homa", slow=0.1)
    rows = (job / "h1.rpcs.csv").read_text().splitlines()
    late = rows[1].split(",")
    late[6:] = [str(int(late[4]) + 10**9), "unfinished"]
    (job / "h1.rpcs.csv").write_text("\n".join([rows[0], ",".join(late), *rows[2:]]) + "\n")
    s = summary.summarize([results.collect("homa", job, HOSTS, 1.0)], SETUP)
    assert s["done"]["homa"].us.max() == 1e6
    assert s["protocols"]["homa"]["done"] == HOSTS * 2000 - 1


def test_a_host_that_differs_is_named(tmp_path):
    measured = measure(tmp_path)
    assert summary.summarize(measured, SETUP)["outliers"] == []
    rpcs = measured[0].rpcs
    rpcs.loc[rpcs.host == 2, "done_ns"] += rpcs.done_ns - rpcs.intended_ns
    again = measured[1].metrics
    again.loc[(again.metric == "Tcp.RetransSegs") & (again.host == "h3"), "delta"] = 20000
    found = summary.summarize(measured, SETUP)
    one, other = found["outliers"]
    assert one.startswith("homa: host 2: RPCs that it began took 2 times as long")
    assert other == "tcp: host 3 sent 20,000 packets again, the median host 3,060"
    assert one in report.summary_text(found)


def test_hosts_that_all_differ_are_no_news(tmp_path):
    measured = measure(tmp_path)
    rpcs = measured[0].rpcs
    for host, times in ((2, 1.5), (3, 0.6)):
        mine = rpcs.host == host
        rpcs.loc[mine, "done_ns"] = (rpcs.intended_ns + times * (
            rpcs.done_ns - rpcs.intended_ns)).astype(int)[mine]
    assert summary.summarize(measured, SETUP)["outliers"] == []


def test_lost_rpcs_are_failures(tmp_path):
    s = summary.summarize(measure(tmp_path, lost=2), SETUP)
    assert any("6 RPCs were lost" in text for text in summary.failures(s))


def test_report_is_self_contained_and_csv_repeats(tmp_path):
    made = []
    for name in ("a", "b"):
        measured = measure(tmp_path / name)
        s = summary.summarize(measured, SETUP)
        folder = tmp_path / name / "out"
        folder.mkdir()
        for result in measured:
            results.save(result, folder)
        html = report.write(folder, s, measured, MANIFEST, None).read_text()
        assert html.count("data:image/png;base64,") == 3 and "<script" not in html
        assert "src=\"http" not in html and "href=\"http" not in html
        assert report.NO_TRACE in html
        made.append({p.name: p.read_bytes() for p in sorted(folder.glob("*.csv*"))})
    assert len(made[0]) == 14 and made[0] == made[1]
    ids = pd.read_csv(tmp_path / "a/out/rpcs-homa.csv.gz", dtype=str).rpc_id
    assert len(ids) == len(set(ids)) == HOSTS * 2000 and ids.iloc[-1] == str((3 << 62) + 3998)


def test_results_are_never_overwritten(tmp_path):
    results.new_folder("x", 1, str(tmp_path / "new"))
    with pytest.raises(ClusterError, match="never overwritten"):
        results.new_folder("x", 1, str(tmp_path / "new"))
    with pytest.raises(ClusterError, match="blanks"):
        results.new_folder("x", 1, str(tmp_path / "a b"))


def test_an_interrupted_run_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with results.open_run("x", 1, str(tmp_path / "run"), False) as (folder, raw):
            (raw / "file").write_text("half")
            assert folder.is_dir()
            raise KeyboardInterrupt
    assert not (tmp_path / "run").exists()


def trace_file(path, records):
    path.write_text("cpu_khz: 1000000\n" + "".join(f"{t} [C00] {x}\n" for t, x in records))


@pytest.mark.skipif(not traces.TTPRINT.exists(), reason="tt/bin/ttprint is not there")
def test_slow_rpc_is_the_slowest_that_both_traces_cover(tmp_path):
    folder = tmp_path / "traces"
    folder.mkdir()
    ends = "recvmsg returning, status 0 id {} length 100"
    begins = "sendmsg request to peer 0x2 port 4000 id {} length 100"
    trace_file(folder / "homa-h1.tt", [
        (50, "timer ran, rpcs 1 resends 0 timeouts 0"), (90, begins.format(8)),
        (100, begins.format(4)), (200, ends.format(4)), (300, begins.format(6)),
        (900, ends.format(6)), (950, ends.format(8))])
    trace_file(folder / "homa-h2.tt", [(95, "DATA accepted, id 8 peer 0x1 offset 0 length 100"),
                                       (150, "DATA accepted, id 4 peer 0x1 offset 0 length 100"),
                                       (500, "DATA accepted, id 6 peer 0x1 offset 0 length 100")])
    done = pd.DataFrame([SimpleNamespace(host=1, rpc_id=(7 << 32) + i, size=100, us=s, slowdown=s)
                         .__dict__ for i, s in ((4, 2.0), (6, 5.0), (8, 9.0))])
    slow = traces.slow_rpc(tmp_path, done, 500)
    assert (slow.rpc_id & 0xffffffff, slow.client, slow.server) == (6, 1, 2)
    assert sum("id 6" in line for line in slow.lines) == 3
    assert "h2 DATA accepted" in "\n".join(slow.lines)
    assert (folder / "slow-rpc.txt").is_file()


@pytest.mark.skipif(not traces.TTPRINT.exists(), reason="tt/bin/ttprint is not there")
@pytest.mark.parametrize("server_saw_it", [True, False])
def test_an_rpc_that_was_given_up_is_told(tmp_path, server_saw_it):
    folder = tmp_path / "traces"
    folder.mkdir()
    trace_file(folder / "homa-h1.tt", [
        (1000, "sendmsg request to peer 0x2 port 4000 id 12 length 700"),
        (801000, "freeze wanted, type 2 id 12 peer 0x2")])
    trace_file(folder / "homa-h2.tt", [(2000, f"DATA accepted, id {12 if server_saw_it else 14} "
                                              "peer 0x1 offset 0 length 100")])
    done = pd.DataFrame([{"host": 1, "rpc_id": (7 << 32) + 4, "size": 9, "us": 1., "slowdown": 1.}])
    slow = traces.slow_rpc(tmp_path, done, 500)
    assert (slow.rpc_id, slow.client, slow.size, slow.us) == (12, 1, 700, 800.0)
    assert slow.slowdown is None and slow.why == "was given up"
    assert slow.server == (2 if server_saw_it else None)
    assert ("h2 DATA accepted" in "\n".join(slow.lines)) == server_saw_it


def test_figures_that_do_not_exist_are_null(tmp_path):
    results.write_json(tmp_path / "x", {"a": {"b": float("nan")}, "c": 1.5})
    assert json.loads((tmp_path / "x").read_text()) == {"a": {"b": None}, "c": 1.5}


def test_manifest_says_what_ran(tmp_path):
    measured = measure(tmp_path)
    results.write_manifest(tmp_path, SETUP, measured, 0.0, 5.0)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["kernel"] == ["Linux made-up 6.1"] and manifest["settings"]["seed"] == 1
    assert len(manifest["source"]["commit"]) in (7, 40) and manifest["elapsed_s"] == 5.0
    assert TOP.is_dir()
