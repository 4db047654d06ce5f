# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The folder that tells a cluster what to run: commands of cp_node for every host, settings.

    job.env                 settings, as the shell reads them
    hI.server hI.client     commands for host I; @START@ stands for the common start time
    hI.unloaded             of the first client: each size alone, to the first server

A job is one protocol under one load, or several at the same time: then the files of each but
the first have its protocol in their names (hI.tcp.rpcs.csv).
"""

import re
from argparse import ArgumentTypeError
from dataclasses import dataclass, replace
from pathlib import Path

from .errors import ClusterError
from .nodes import TOP

STEPS = 40
CP_NODE = TOP / "out" / "bin" / "cp_node"
TABLE = "workload.cdf"


@dataclass(frozen=True)
class Ports:
    """Threads of cp_node on each host, as the reference's benchmark sets them at 25 Gb/s."""

    client_ports: int
    port_receivers: int
    server_ports: int
    port_threads: int


PORTS = {"homa": Ports(3, 3, 3, 3), "tcp": Ports(4, 1, 8, 1),
         "dctcp": Ports(4, 1, 8, 1), "udp": Ports(3, 3, 3, 3)}


@dataclass(frozen=True)
class Load:
    """What every host does in the measured interval."""

    workload: str
    gbps: float             # request payload of one host; 0: as fast as client_max lets it
    ms: float
    seed: int
    client_max: int         # most RPCs outstanding: so many that no arrival is held back
    drain_s: float = 10.0
    unloaded: int = 2               # samples for each size of the workload, without load
    trace_at: float = 0.7           # when to read the traces, as a fraction of the interval
    trace_events: int = 0           # records in each ring; 0: as the module has it, text only
    warm_ms: float = 0              # what arrives is measured from then on; 0: it is not
    knobs: tuple = ()               # (name, value) in net.homa of every host, or a.b.c: any sysctl
    bpages: int = 0                 # of 64 kB in a socket's receive region; 0: cp_node's default
    clients: tuple = ()             # hosts that send; none named: all
    servers: tuple = ()             # hosts that serve; none named: all
    ports: tuple = ()               # (name, number) of Ports that differ
    one_way: bool = False           # responses of 100 bytes
    no_trunc: bool = False          # messages longer than Homa's longest
    table: str = ""                 # path of the workload's file, if it is the user's own
    events: tuple = ()              # (ms after the start, command in the switch's namespace)
    freeze: tuple = ()              # what freezes all traces: net.homa.freeze_type, net.homa.temp

    def ports_of(self, protocol: str) -> Ports:
        """Threads of one protocol."""
        return replace(PORTS[protocol], **dict(self.ports))

    def senders(self, hosts: int) -> tuple:
        """The hosts that send, of so many."""
        return self.clients or tuple(range(1, hosts + 1))

    def targets(self, hosts: int) -> tuple:
        """The hosts that serve, of so many."""
        return self.servers or tuple(range(1, hosts + 1))


def parse_knob(text: str) -> tuple:
    """(name, value) from NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals or not name.replace("_", "").replace(".", "").isalnum() or not value.isalnum():
        raise ArgumentTypeError(f"'{text}': write a setting as NAME=NUMBER")
    return name, value


# What a host's timetrace waits for, to freeze itself and those of all hosts (homa.7, freeze_type).
FREEZES = {"again": 1, "timeout": 2, "slow": 3, "lost": 4}


def parse_freeze(text: str) -> tuple:
    """(freeze_type, limits or "") from again, timeout, lost or slow=US[,BYTES]."""
    what, _, limits = text.partition("=")
    found = re.fullmatch(r"(\d{1,7})(?:,(\d{1,7}))?", limits)
    if what not in FREEZES or (what == "slow") != bool(found) or (limits and what != "slow"):
        raise ArgumentTypeError(f"'{text}': write slow=MICROSECONDS[,LONGEST RESPONSE], lost, "
                                "timeout or again")
    if not found:
        return FREEZES[what], ""
    # Least and most time in units of 1024 ns; least length, and one more than the most.
    longest = int(found[2]) if found[2] else 2 ** 31 - 2
    return FREEZES[what], f"{int(found[1]) * 1000 // 1024} {2 ** 31 - 1} 0 {longest + 1}"


def _quote(words: list) -> str:
    """One command of cp_node, which splits at blanks and knows no quotes."""
    if any(set(str(w)) & set(" \t\n") for w in words):
        raise ClusterError("cp_node's commands cannot hold blanks: use a path without them")
    return " ".join(str(w) for w in words) + "\n"


def _workload(cluster, load: Load, job: Path) -> str:
    """What the hosts call the workload: a table of the user's own is a file of the job."""
    if not load.table:
        return load.workload
    (job / TABLE).write_bytes(Path(load.table).read_bytes())
    return cluster.path(job, TABLE)


def _region(load: Load) -> list:
    return ["--buf-bpages", load.bpages] if load.bpages else []


def _kind(load: Load) -> list:
    """Options of clients for messages of an unusual kind."""
    return ["--one-way"] * load.one_way + ["--no-trunc"] * load.no_trunc


def server_command(protocol: str, family: list, load: Load) -> str:
    """The command that makes a host serve."""
    ports = load.ports_of(protocol)
    return _quote(["server", "--protocol", protocol, "--ports", ports.server_ports,
                   "--port-threads", ports.port_threads, *_region(load), *family])


def client_command(protocol: str, family: list, addresses: list, load: Load, stem: str,
                   host: int) -> str:
    """The command that makes a host send, at a start time that is filled in later, and wait."""
    ports = load.ports_of(protocol)
    return _quote(["client", "--protocol", protocol, "--workload", load.workload,
                   "--gbps", f"{load.gbps:.6g}", "--client-max", load.client_max,
                   "--ports", ports.client_ports, "--port-receivers", ports.port_receivers,
                   "--server-ports", ports.server_ports, "--servers", ",".join(addresses),
                   "--seed", load.seed, "--host-id", host, "--seconds", f"{load.ms / 1e3:.6f}",
                   "--drain", f"{load.drain_s:g}", "--start-at", "@START@",
                   "--rpcs", f"{stem}.rpcs.csv", "--json", f"{stem}.json", *_region(load),
                   *_kind(load), *family])


def unloaded_command(protocol: str, family: list, address: str, load: Load, stem: str,
                     host: int = 1) -> str:
    """The command that measures each size alone, from one host to one other."""
    ports = load.ports_of(protocol)
    return _quote(["client", "--protocol", protocol, "--workload", load.workload,
                   "--unloaded", load.unloaded, "--server-ports", ports.server_ports,
                   "--servers", address, "--seed", load.seed, "--host-id", host,
                   "--start-at", "@START@", "--rpcs", f"{stem}.csv",
                   "--json", f"{stem}.json", *_kind(load), *family])


def stem(host: int, protocol: str, first: bool) -> str:
    """How the files of a host are called, for the first protocol of a job or another one."""
    return f"h{host}" if first else f"h{host}.{protocol}"


def _write_commands(cluster, protocol: str, load: Load, job: Path, first: bool) -> None:
    family = ["--ipv6"] if cluster.network.ipv6 else []
    load = replace(load, workload=_workload(cluster, load, job))
    senders, targets = load.senders(cluster.hosts), load.targets(cluster.hosts)
    for host in targets:
        with open(job / f"h{host}.server", "a", encoding="utf-8") as file:
            file.write(server_command(protocol, family, load))
    for host in senders:
        others = [cluster.address(h) for h in targets if h != host]
        with open(job / f"h{host}.client", "a", encoding="utf-8") as file:
            file.write(client_command(protocol, family, others, load, cluster.path(
                job, stem(host, protocol, first)), host))
    probe = senders[0]
    # Over two tiers the longest way is the idle round trip: the last host is below another leaf.
    far = reversed(targets) if cluster.network.fabric else targets
    server = next(h for h in far if h != probe)
    path = cluster.path(job, stem(probe, protocol, first) + ".unloaded")
    with open(job / f"h{probe}.unloaded", "a", encoding="utf-8") as file:
        file.write(unloaded_command(protocol, family, cluster.address(server), load, path, probe)
                   + "wait\n")


def write_job(cluster, streams: dict, job: Path) -> None:
    """Make the folder that tells the cluster what to run: {protocol: load}."""
    job.mkdir(parents=True)
    names = list(streams)
    load = streams[names[0]]
    for protocol, part in streams.items():
        _write_commands(cluster, protocol, part, job, protocol == names[0])
    senders = load.senders(cluster.hosts)
    for host in senders:
        with open(job / f"h{host}.client", "a", encoding="utf-8") as file:
            file.write("wait\n")
    files = [stem(h, p, p == names[0]) for p in names for h in senders]
    (job / "job.env").write_text("".join(f"{key}={value}\n" for key, value in {
        "HOSTS": cluster.hosts, "PROTOCOL": names[0], "CP_NODE": CP_NODE, "STEPS": STEPS,
        "SEND_US": round(load.ms * 1e3), "DRAIN_US": round(load.drain_s * 1e6),
        "TRACE_US": round(load.ms * 1e3 * load.trace_at), "TRACE_EVENTS": load.trace_events,
        "FREEZE": "'" + " ".join(map(str, load.freeze if "homa" in streams else ())) + "'",
        "WARM_US": round(load.warm_ms * 1e3), "PROBE": senders[0],
        "UNLOADED": "'" + " ".join(stem(senders[0], p, p == names[0]) for p in names) + "'",
        "STEMS": "'" + " ".join(files) + "'",
        "KNOBS": "'" + " ".join(f"{name}={value}" for name, value in load.knobs
                                 if "." in name or "homa" in streams) + "'",
    }.items()))
    (job / "events").write_text("".join(f"{round(ms * 1e3)} {command}\n"
                                        for ms, command in load.events))
