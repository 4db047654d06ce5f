# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""One experiment: a cluster, a load, the protocols that get it; from settings to a summary."""

import math
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from . import estimate, job, published, report, results, runner, traces
from .errors import ClusterError
from .nodes import TOP, Network, parse_cluster
from .summary import failures, summarize
from .units import parse_rate
from .wire import FRAMINGS, offer_for_load
from .workload import MAX_MESSAGE, MAX_STREAM, Workload, load_workload

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
    clients: tuple = ()             # numbers of the hosts that send; (): all that may
    servers: tuple = ()             # and of those that serve
    ports: tuple = ()               # (name, number) of job.Ports that differ, of all protocols
    client_max: int = 0             # most RPCs outstanding a host; 0: no arrival is held back
    one_way: bool = False           # responses of 100 bytes
    no_trunc: bool = False          # messages longer than Homa's longest, over TCP
    together: bool = False          # all protocols at the same time, not one after the other
    homa_share: float = 0.5         # of the load that is Homa's then
    link: str | None = None
    mtu: int | None = None
    host_delay: str | None = None
    switch_delay: str | None = None
    buffer: str | None = None
    nic: str | None = None
    ports_exact: bool | None = None     # sch_port instead of tbf, prio, netem
    shared: bool | None = None          # a buffer of the whole switch
    mark: int | None = None             # bytes in a port from which ECN marks
    loss: float | None = None           # percent of the frames
    reorder: float | None = None
    duplicate: float | None = None
    fabric: str | None = None           # two tiers of switches (`lab run --fabric`)
    rates: str | None = None            # links that are different (`lab run --rates`)
    events: tuple = ()                  # (ms, command) that happen to the switch
    ipv6: bool = False
    unloaded: int = 2
    knobs: tuple = ()               # (name, value) in net.homa, if that is the question
    warm: float = 0                 # of the time, until queues are what they will be
    drain_s: float = 10             # what has not ended then is unfinished
    bpages: int = 0                 # of a socket's receive region, if many messages wait
    traces: int = 0                 # records in each host's ring, kept in binary form, too
    freeze: tuple = ()              # job.parse_freeze()
    memory: str = "2G"
    flavor: str = "fast"
    kernel: str | None = None
    jobs: int = 0
    published: str | None = None    # figures of others in the pictures (published.py)

    @property
    def network(self) -> Network:
        """The cluster's network, with what the user wants different."""
        wanted = {name: getattr(self, name) for name in (
            "link", "mtu", "host_delay", "switch_delay", "buffer", "nic", "shared", "mark",
            "loss", "reorder", "duplicate", "fabric", "rates")} | {
                "ports": True if self.fabric or self.rates else self.ports_exact}
        network = parse_cluster(self.cluster)[2]
        return replace(network, ipv6=self.ipv6,
                       **{name: value for name, value in wanted.items() if value is not None})

    @property
    def names(self) -> list:
        """The protocols, each once."""
        return list(dict.fromkeys(self.protocols.split(",")))

    @property
    def sizes(self) -> Workload:
        """The sizes of the messages."""
        return load_workload(self.workload, WORKLOADS,
                             MAX_STREAM if self.no_trunc else MAX_MESSAGE)

    def check(self) -> None:
        """Refuse what cannot be run, with the reason."""
        for protocol in self.names:
            if protocol not in FRAMINGS:
                raise ClusterError(f"unknown protocol '{protocol}': use {','.join(FRAMINGS)}", 2)
        if self.no_trunc and set(self.names) - {"tcp", "dctcp"}:
            raise ClusterError("--no-trunc: only TCP has longer messages", 2)
        published.find(self.published)
        closed = self.load == 0
        if closed and not (self.client_max and self.ms):
            raise ClusterError("a closed loop (--load 0) needs --client-max and --ms", 2)
        limits = (("--load", None if closed else self.load, 0.001, 1.5), ("--mtu", self.network.mtu, 1280, 65535),
                  ("--rpcs", self.rpcs, 1, 10 ** 8), ("--unloaded", self.unloaded, 1, 1000),
                  ("--ms", self.ms, 0.1, 1e6))
        for name, value, low, high in limits:
            if value is not None and not low <= value <= high:
                raise ClusterError(f"{name} must be {low:g}..{high:g}, not {value:g}", 2)

    def roles(self) -> tuple:
        """(clients, servers): numbers of hosts; the inventory may say who is what."""
        kind, hosts, _ = parse_cluster(self.cluster)
        inventory = getattr(kind, "inventory", None)
        clients = self.clients or (inventory.having("client") if inventory else ())
        servers = self.servers or (inventory.having("server") if inventory else ())
        for what, numbers in (("clients", clients), ("servers", servers)):
            if any(not 1 <= n <= hosts for n in numbers):
                raise ClusterError(f"{what}: the hosts are 1..{hosts}", 2)
        everyone = tuple(range(1, hosts + 1))
        if set(clients or everyone) == set(servers or everyone) and len(servers or everyone) < 2:
            raise ClusterError("the only client is the only server", 2)
        return clients, servers

    def factor(self, hosts: int) -> float:
        """What the busiest direction of a link carries, over what one client asks for."""
        clients, servers = (r or range(1, hosts + 1) for r in self.roles())
        share = len(clients) / len(servers)
        back = 0 if self.one_way else 1
        return max(max((h in clients) + back * share * (h in servers),
                       share * (h in servers) + back * (h in clients))
                   for h in range(1, hosts + 1))

    def offer(self, workload) -> tuple:
        """(offer, hosts that send) of the load as it is wanted."""
        hosts, network = parse_cluster(self.cluster)[1], self.network
        clients = self.roles()[0]
        offer = offer_for_load(self.load, parse_rate(network.link), workload, self.names,
                               network.mtu, 6 if self.ipv6 else 4, self.factor(hosts))
        return offer, len(clients) or hosts

    def plan(self) -> tuple:
        """(load, setup): how much of what to send for how long."""
        hosts, network = parse_cluster(self.cluster)[1], self.network
        workload = self.sizes
        offer, senders = self.offer(workload)
        clients, servers = self.roles()
        rpcs = self.rpcs or (0 if self.ms else RPCS)
        needed = rpcs * SPARE / (offer.rpcs_per_second * senders) * 1e3 if self.load else 0
        ms = math.ceil(max(self.ms or 0, needed) * 1e3) / 1e3
        expected = offer.rpcs_per_second * ms / 1e3
        table = str(Path(self.workload).absolute()) if self.workload.endswith(".cdf") else ""
        load = job.Load(self.workload, offer.gbps, ms, self.seed,
                        self.client_max or 1000 + 4 * math.ceil(expected), self.drain_s,
                        self.unloaded, warm_ms=self.warm * ms, knobs=self.knobs,
                        bpages=self.bpages, trace_events=self.traces, clients=clients,
                        servers=servers, ports=self.ports, one_way=self.one_way,
                        no_trunc=self.no_trunc,
                        events=self.events, table=table, freeze=self.freeze)
        setup = {"bench": self.bench, "cluster": self.cluster, "hosts": hosts,
                 "workload": self.workload, "load": self.load, "seconds": ms / 1e3,
                 "gbps": offer.gbps, "wire_load": offer.wire_load, "link": network.link,
                 "link_bps": parse_rate(network.link), "mtu": network.mtu, "seed": self.seed,
                 "ipv6": self.ipv6, "host_delay": network.host_delay,
                 "switch_delay": network.switch_delay, "buffer": network.buffer,
                 "nic": network.nic, "exact_ports": network.ports,
                 "mark": network.mark, "flavor": self.flavor, "unloaded": self.unloaded,
                 "knobs": dict(self.knobs), "warm": self.warm, "drain_s": self.drain_s,
                 **self.unusual(network)}
        return load, setup

    def unusual(self, network: Network) -> dict:
        """What most experiments do not have, for their manifest."""
        clients, servers = self.roles()
        found = {"clients": list(clients), "servers": list(servers), "ports": dict(self.ports),
                 "client_max": self.client_max, "one_way": self.one_way,
                 "no_trunc": self.no_trunc,
                 "together": self.together and self.homa_share, "shared": network.shared,
                 "loss": network.loss, "reorder": network.reorder,
                 "duplicate": network.duplicate, "fabric": network.fabric, "rates": network.rates,
                 "events": [list(event) for event in self.events],
                 "published": self.published, "freeze": list(self.freeze),
                 "inventory": getattr(parse_cluster(self.cluster)[0], "text", None)}
        return {name: value for name, value in found.items() if value}

    def estimate(self) -> estimate.Estimate:
        """What it will take."""
        load, setup = self.plan()
        return estimate.of(self, load, setup, self.sizes)

    def streams(self, load: job.Load) -> list:
        """What runs at the same time: [{protocol: load}, ...]."""
        if not self.together:
            return [{p: load} for p in self.names]
        others = max(len(self.names) - 1, 1)
        share = {p: self.homa_share if p == "homa" else (1 - self.homa_share) / others
                 for p in self.names}
        return [{p: replace(load, gbps=load.gbps * share[p]) for p in self.names}]

    def make_cluster(self):
        """The cluster that it runs on."""
        kind, hosts, _ = parse_cluster(self.cluster)
        return kind(hosts, self.network, self.seed, self.flavor, self.kernel, self.memory)

    def headline(self, load: job.Load, setup: dict) -> str:
        """What is going to be run, in one line."""
        what = f"a closed loop of {self.client_max} RPCs a client for {load.ms:g} ms"
        if self.load:
            offers = " ".join(f"{p} {v:.3f}" for p, v in setup["wire_load"].items())
            what = (f"{load.gbps:.4g} Gb/s of requests a host for {load.ms:g} ms; "
                    f"wire load {offers}")
        return (f"{self.workload} on {self.cluster}, {setup['link']} links, MTU {setup['mtu']}, "
                f"seed {self.seed}: {what}")


def say_estimate(experiments: list, jobs: int) -> None:
    """Print what some experiments will take together."""
    total = sum((one.estimate() for one in experiments), estimate.Estimate())
    streams = sum(1 if one.together else len(one.names) for one in experiments)
    total = total.text(min(jobs or os.cpu_count() or 1, streams))
    print(f"cperf: {total}", flush=True)


def tasks_of(experiment: Experiment, prefix: str) -> dict:
    """{name: task} of one experiment; names begin with a prefix."""
    load, _ = experiment.plan()
    return {prefix + "+".join(streams): runner.Task(experiment.make_cluster(), streams)
            for streams in experiment.streams(load)}


def collect_all(tasks: dict, ran: dict, hosts: int) -> list:
    """The measurements of some tasks, a result a protocol."""
    found = []
    for name, task in tasks.items():
        folder, spent = ran[name]
        for protocol, load in task.streams.items():
            first = protocol == next(iter(task.streams))
            found.append(results.collect(protocol, folder, hosts, spent, load.senders(hosts),
                                         first))
    return found


KEPT = ("version", "setup", "protocols", "same_arrivals", "outliers", "homa_times_better")


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
    started, begin = time.time(), time.monotonic()
    with results.open_run(experiment.bench, experiment.seed, out, keep) as (folder, raw):
        print(f"cperf: {experiment.headline(load, setup)}", flush=True)
        say_estimate([experiment], experiment.jobs)
        runner.prepare(cluster, experiment.names, raw)
        tasks = tasks_of(experiment, "")
        measured = collect_all(tasks, runner.run_tasks(tasks, raw, experiment.jobs), hosts)
        return _conclude(folder, measured, setup, started, begin)
