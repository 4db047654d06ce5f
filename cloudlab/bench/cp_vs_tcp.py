# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Homa and TCP, one after the other, under the same load on the same cluster."""

import math
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

from clusterlib import report, results, runner, traces
from clusterlib.errors import ClusterError
from clusterlib.nodes import TOP, Network, parse_cluster
from clusterlib.registry import bench
from clusterlib.summary import failures, summarize
from clusterlib.units import parse_rate
from clusterlib.wire import FRAMINGS, offer_for_load
from clusterlib.workload import load_workload

WORKLOADS = TOP / "util" / "workloads"
RPCS = 10000
SPARE = 1.06        # arrivals are random: aim higher than the number that is wanted at least


def add_options(parser: ArgumentParser) -> None:
    """Options of `cperf run cp_vs_tcp`."""
    add = parser.add_argument
    add("--cluster", default="sim:8", help="sim:HOSTS: simulated in virtual time (%(default)s)")
    add("-w", "--workload", default="w4", help="w1..w5, starve or a size (%(default)s)")
    add("--load", type=float, default=0.8, help="wire load, fraction of the link (%(default)s)")
    add("--ms", type=float, metavar="T", help="offer load for so long (default: what --rpcs needs)")
    add("--rpcs", type=int, metavar="N", help=f"run at least this many RPCs ({RPCS} without --ms)")
    add("--seed", type=int, default=1, help="picks the arrivals (%(default)s)")
    add("--link", default="25g", help="rate of every link (%(default)s)")
    add("--mtu", type=int, default=1500, help="of every link (%(default)s)")
    add("--host-delay", metavar="T", help="of a host's uplink, such as 1us")
    add("--switch-delay", metavar="T", help="of a switch port")
    add("--buffer", metavar="BYTES", help="of a switch port")
    add("--ipv6", action="store_true", help="run over IPv6")
    add("--protocols", default="homa,tcp", help="which, separated by commas (%(default)s)")
    add("--unloaded", type=int, default=2, metavar="N", help="unloaded RPCs a size (%(default)s)")
    add("--flavor", default="fast", help="kernel flavor (%(default)s)")
    add("--kernel", metavar="V", help="kernel version, such as 6.1")
    add("--jobs", type=int, default=0, help="protocols run at a time (default: one a core)")
    add("--out", metavar="DIR", help="folder for the results; it must not exist")
    add("--keep", action="store_true", help="keep the raw files of the run in DIR/raw")


def _check(args: Namespace) -> list:
    protocols = args.protocols.split(",")
    for protocol in protocols:
        if protocol not in FRAMINGS:
            raise ClusterError(f"unknown protocol '{protocol}': use {','.join(FRAMINGS)}", 2)
    limits = (("--load", args.load, 0.001, 1), ("--mtu", args.mtu, 1280, 65535),
              ("--rpcs", args.rpcs, 1, 10 ** 8), ("--unloaded", args.unloaded, 1, 1000),
              ("--ms", args.ms, 0.1, 1e6))
    for name, value, low, high in limits:
        if value is not None and not low <= value <= high:
            raise ClusterError(f"{name} must be {low:g}..{high:g}, not {value:g}", 2)
    return list(dict.fromkeys(protocols))


def _plan(args: Namespace, protocols: list, hosts: int) -> tuple:
    """(load, setup): how much of what to send for how long."""
    link_bps = parse_rate(args.link)
    workload = load_workload(args.workload, WORKLOADS)
    offer = offer_for_load(args.load, link_bps, workload, protocols, args.mtu,
                           6 if args.ipv6 else 4)
    rpcs = args.rpcs or (0 if args.ms else RPCS)
    needed = rpcs * SPARE / (offer.rpcs_per_second * hosts) * 1e3
    ms = math.ceil(max(args.ms or 0, needed) * 1e3) / 1e3
    expected = offer.rpcs_per_second * ms / 1e3
    load = runner.Load(args.workload, offer.gbps, ms, args.seed, 1000 + 4 * math.ceil(expected),
                       unloaded=args.unloaded)
    setup = {"bench": "cp_vs_tcp", "cluster": args.cluster, "hosts": hosts,
             "workload": args.workload, "load": args.load, "seconds": ms / 1e3,
             "gbps": offer.gbps, "wire_load": offer.wire_load, "link": args.link,
             "link_bps": link_bps, "mtu": args.mtu, "seed": args.seed, "ipv6": args.ipv6,
             "host_delay": args.host_delay, "switch_delay": args.switch_delay,
             "buffer": args.buffer, "flavor": args.flavor, "unloaded": args.unloaded}
    return load, setup


def _conclude(folder: Path, measured: list, setup: dict, started: float, begin: float) -> int:
    """Write everything that follows from the measurements; returns the exit code."""
    summary = summarize(measured, setup)
    for result in measured:
        results.save(result, folder)
    manifest = results.write_manifest(folder, setup, measured, started,
                                      time.monotonic() - begin)
    kept = {k: summary[k] for k in ("version", "setup", "protocols", "same_arrivals",
                                    "homa_times_better")}
    results.write_json(folder / "summary.json", kept)
    slow = None
    if "homa" in summary["done"]:
        slow = traces.slow_rpc(folder, summary["done"]["homa"], summary["cuts"]["shortest_half"])
    text = report.summary_text(summary)
    (folder / "summary.txt").write_text(text)
    path = report.write(folder, summary, measured, manifest, slow)
    print(text)
    print(f"report: {path}")
    return 1 if failures(summary) else 0


@bench("cp_vs_tcp", add_options)
def cp_vs_tcp(args: Namespace) -> int:
    """Homa and TCP under the same load: slowdown by message size, tails, metrics, a trace."""
    protocols = _check(args)
    kind, hosts = parse_cluster(args.cluster)
    load, setup = _plan(args, protocols, hosts)
    network = Network(args.link, args.mtu, args.host_delay, args.switch_delay, args.buffer,
                      args.ipv6)
    cluster = kind(hosts, network, args.seed, args.flavor, args.kernel)
    started, begin = time.time(), time.monotonic()
    offers = " ".join(f"{p} {v:.3f}" for p, v in setup["wire_load"].items())
    with results.open_run("cp_vs_tcp", args.seed, args.out, args.keep) as (folder, raw):
        print(f"cperf: {args.workload} on {args.cluster}, {args.link} links, MTU {args.mtu}: "
              f"{load.gbps:.4g} Gb/s of requests a host for {load.ms:g} ms; wire load {offers}",
              flush=True)
        runner.prepare(cluster, protocols, raw)
        ran = runner.run_protocols(cluster, protocols, load, raw, args.jobs)
        measured = [results.collect(p, job, hosts, spent) for p, (job, spent) in ran.items()]
        return _conclude(folder, measured, setup, started, begin)
