# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""One experiment: a cluster, a load, the protocols that get it; from settings to a summary."""

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

from . import report, results, runner, traces
from .errors import ClusterError
from .nodes import TOP, Network, parse_cluster
from .summary import failures, summarize
from .units import parse_rate
from .wire import FRAMINGS, offer_for_load
from .workload import load_workload

WORKLOADS = TOP / "util" / "workloads"
RPCS = 10000
SPARE = 1.06        # arrivals are random: aim higher than the number that is wanted at least


@dataclass(frozen=True)
class Experiment:
    """What is measured; None: as the cluster has it, or as much as is needed."""

    bench: str
    cluster: str = "sim:8"
    workload: str = "w4"
    load: float = 0.8               # wire load, fraction of the link
    protocols: str = "homa,tcp"
    ms: float | None = None
    rpcs: int | None = None
    seed: int = 1
    link: str | None = None
    mtu: int | None = None
    host_delay: str | None = None
    switch_delay: str | None = None
    buffer: str | None = None
    nic: str | None = None
    ipv6: bool = False
    unloaded: int = 2
    knobs: tuple = ()               # (name, value) in net.homa, if that is the question
    warm: float = 0                 # of the time, until queues are what they will be
    drain_s: float = 10             # what has not ended then is unfinished
    bpages: int = 0                 # of a socket's receive region, if many messages wait
    traces: int = 0                 # records in each host's ring, kept in binary form, too
    memory: str = "2G"
    flavor: str = "fast"
    kernel: str | None = None
    jobs: int = 0

    @property
    def network(self) -> Network:
        """The cluster's network, with what the user wants different."""
        wanted = {name: getattr(self, name) for name in (
            "link", "mtu", "host_delay", "switch_delay", "buffer", "nic")}
        network = parse_cluster(self.cluster)[2]
        return replace(network, ipv6=self.ipv6,
                       **{name: value for name, value in wanted.items() if value is not None})

    @property
    def names(self) -> list:
        """The protocols, each once."""
        return list(dict.fromkeys(self.protocols.split(",")))

    def check(self) -> None:
        """Refuse what cannot be run, with the reason."""
        for protocol in self.names:
            if protocol not in FRAMINGS:
                raise ClusterError(f"unknown protocol '{protocol}': use {','.join(FRAMINGS)}", 2)
        limits = (("--load", self.load, 0.001, 1.5), ("--mtu", self.network.mtu, 1280, 65535),
                  ("--rpcs", self.rpcs, 1, 10 ** 8), ("--unloaded", self.unloaded, 1, 1000),
                  ("--ms", self.ms, 0.1, 1e6))
        for name, value, low, high in limits:
            if value is not None and not low <= value <= high:
                raise ClusterError(f"{name} must be {low:g}..{high:g}, not {value:g}", 2)

    def plan(self) -> tuple:
        """(load, setup): how much of what to send for how long."""
        hosts, network = parse_cluster(self.cluster)[1], self.network
        link_bps = parse_rate(network.link)
        workload = load_workload(self.workload, WORKLOADS)
        offer = offer_for_load(self.load, link_bps, workload, self.names, network.mtu,
                               6 if self.ipv6 else 4)
        rpcs = self.rpcs or (0 if self.ms else RPCS)
        needed = rpcs * SPARE / (offer.rpcs_per_second * hosts) * 1e3
        ms = math.ceil(max(self.ms or 0, needed) * 1e3) / 1e3
        expected = offer.rpcs_per_second * ms / 1e3
        load = runner.Load(self.workload, offer.gbps, ms, self.seed,
                           1000 + 4 * math.ceil(expected), self.drain_s, self.unloaded,
                           warm_ms=self.warm * ms, knobs=self.knobs, bpages=self.bpages,
                           trace_events=self.traces)
        setup = {"bench": self.bench, "cluster": self.cluster, "hosts": hosts,
                 "workload": self.workload, "load": self.load, "seconds": ms / 1e3,
                 "gbps": offer.gbps, "wire_load": offer.wire_load, "link": network.link,
                 "link_bps": link_bps, "mtu": network.mtu, "seed": self.seed, "ipv6": self.ipv6,
                 "host_delay": network.host_delay, "switch_delay": network.switch_delay,
                 "buffer": network.buffer, "nic": network.nic, "exact_ports": network.ports,
                 "mark": network.mark, "flavor": self.flavor, "unloaded": self.unloaded,
                 "knobs": dict(self.knobs), "warm": self.warm, "drain_s": self.drain_s}
        return load, setup

    def make_cluster(self):
        """The cluster that it runs on."""
        kind, hosts, _ = parse_cluster(self.cluster)
        return kind(hosts, self.network, self.seed, self.flavor, self.kernel, self.memory)

    def headline(self, load: runner.Load, setup: dict) -> str:
        """What is going to be run, in one line."""
        offers = " ".join(f"{p} {v:.3f}" for p, v in setup["wire_load"].items())
        return (f"{self.workload} on {self.cluster}, {setup['link']} links, MTU {setup['mtu']}, "
                f"seed {self.seed}: {load.gbps:.4g} Gb/s of requests a host for {load.ms:g} ms; "
                f"wire load {offers}")


KEPT = ("version", "setup", "protocols", "same_arrivals", "homa_times_better")


def write_tables(folder: Path, measured: list, setup: dict) -> dict:
    """Write the tables and figures that follow from the measurements; returns the summary."""
    summary = summarize(measured, setup)
    for result in measured:
        results.save(result, folder)
    results.write_json(folder / "summary.json", {k: summary[k] for k in KEPT})
    (folder / "summary.txt").write_text(report.summary_text(summary))
    return summary


def _conclude(folder: Path, measured: list, setup: dict, started: float, begin: float) -> dict:
    """Write everything that follows from the measurements; returns the summary."""
    summary = write_tables(folder, measured, setup)
    manifest = results.write_manifest(folder, setup, measured, started,
                                      time.monotonic() - begin)
    slow = None
    if "homa" in summary["done"]:
        slow = traces.slow_rpc(folder, summary["done"]["homa"], summary["cuts"]["shortest_half"])
    path = report.write(folder, summary, measured, manifest, slow)
    print(report.summary_text(summary))
    print(f"report: {path}", flush=True)
    return summary | {"failures": failures(summary)}


def run(experiment: Experiment, out: str | None = None, keep: bool = False) -> dict:
    """Carry an experiment out; returns its summary, and failures."""
    experiment.check()
    load, setup = experiment.plan()
    cluster, hosts = experiment.make_cluster(), setup["hosts"]
    protocols = experiment.names
    started, begin = time.time(), time.monotonic()
    with results.open_run(experiment.bench, experiment.seed, out, keep) as (folder, raw):
        print(f"cperf: {experiment.headline(load, setup)}", flush=True)
        runner.prepare(cluster, protocols, raw)
        ran = runner.run_protocols(cluster, protocols, load, raw, experiment.jobs)
        measured = [results.collect(p, job, hosts, spent) for p, (job, spent) in ran.items()]
        return _conclude(folder, measured, setup, started, begin)
