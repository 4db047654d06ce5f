# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Made-up jobs for the tests of cperf: what a cluster leaves behind, without a cluster."""

import json
import sys
from pathlib import Path

import numpy as np

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "cloudlab"))

HEADER = "rpc_id,server,size,resp_size,intended_ns,sent_ns,done_ns,status\n"
SIZES = np.array([60, 100, 300, 660, 1500, 9000, 60000, 200000, 1000000])


def unloaded_ns(size: int) -> int:
    """Round trip of a message alone: 6 us and 25 Gb/s each way."""
    return 6000 + int(size * 8 / 25 * 2)


def queue(dev: str, handle: str, parent: str, packets: int, drops: int) -> dict:
    """One queueing discipline as `tc -s -j` prints it."""
    where = {"root": True} if parent == "root" else {"parent": parent}
    return {"kind": "tbf" if parent == "root" else "netem", "handle": handle, "dev": dev,
            "bytes": packets * 1000, "packets": packets, "drops": drops, "overlimits": 0,
            "requeues": 0, **where}


def write_counters(job: Path, hosts: int, moment: str, step: int, drops: int) -> None:
    """Counters of all hosts and ports; `step` packets have passed each."""
    ports = [q for h in range(1, hosts + 1) for q in (
        queue(f"p{h}", "1:", "root", step, 0), queue(f"p{h}", "21:", "1:1", step, drops))]
    (job / f"sw.qdisc.{moment}").write_text(json.dumps(ports))
    links = [{"ifname": f"p{h}", "stats64": {"rx": {"dropped": 0, "errors": 0},
                                             "tx": {"dropped": drops // 2, "errors": 0}}}
             for h in range(1, hosts + 1)]
    (job / f"sw.link.{moment}").write_text(json.dumps(links))
    for h in range(1, hosts + 1):
        (job / f"h{h}.qdisc.{moment}").write_text(json.dumps([queue("e0", "1:", "root", step, 0)]))
        (job / f"h{h}.dev.{moment}").write_text(
            "Inter-|   Receive | Transmit\n    lo: " + "9 " * 16 + "\n"
            f"    e0: {'7 ' * 8}{step * 1000} {step}{' 0' * 6}\n")
        (job / f"h{h}.homa_metrics.{moment}").write_text(
            f"time_cycles {step * 7}\ncore 0\nresent_packets {step} sent again\n"
            f"core 1\nresent_packets {step * 2} sent again\nrpc_timeouts 0 ended\n")
        (job / f"h{h}.snmp.{moment}").write_text(
            f"Tcp: InSegs RetransSegs\nTcp: {step} {step * 3}\n"
            f"TcpExt: TCPTimeouts\nTcpExt: {step}\n"
            + ("IcmpMsg: OutType3\nIcmpMsg: 1\n" if h == 1 else ""))


def make_job(job: Path, protocol: str, hosts: int = 3, count: int = 2000, slow: float = 2.0,
             lost: int = 0, drops: int = 0) -> Path:
    """A finished job whose latencies are `slow` times the unloaded ones, give or take."""
    job.mkdir(parents=True)
    for h in range(1, hosts + 1):
        arrivals = np.random.default_rng(h)         # the same for every protocol
        sizes = arrivals.choice(SIZES, count)
        intended = np.cumsum(arrivals.exponential(40000, count)).astype(int)
        noise = np.random.default_rng([h, len(protocol)]).exponential(slow, count)
        rows = [f"{(h << 62) + 2 * i},10.0.0.1,{s},{s},{t},{t + 10},"
                f"{t + 10 + int(unloaded_ns(s) * (1 + n))},ok"
                for i, (s, t, n) in enumerate(zip(sizes, intended, noise))][:count - lost]
        (job / f"h{h}.rpcs.csv").write_text(HEADER + "\n".join(rows) + "\n")
        (job / f"h{h}.json").write_text(json.dumps({
            "version": 1, "protocol": protocol, "started": count, "done": count - lost,
            "failed": 0, "lost": lost, "executed_more_than_once": 0, "bad_content": 0}))
    (job / "h1.unloaded.csv").write_text(HEADER + "".join(
        f"{2 * i},10.0.0.2,{s},{s},{i},{i},{i + unloaded_ns(s)},ok\n" for i, s in enumerate(SIZES)))
    write_counters(job, hosts, "before", 10, 0)
    write_counters(job, hosts, "sent", 1010, drops)
    write_counters(job, hosts, "after", 1030, drops)
    (job / "kernel.txt").write_text("Linux made-up 6.1\n")
    (job / "topology.txt").write_text("qdisc tbf 1: dev p1 root\n")
    (job / "lab.log").write_text("made up\n")
    return job
