# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Runs protocols on a cluster: prepares a job for each, watches them, and wants success back."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from .errors import ClusterError
from .nodes import TOP
from .units import duration_label

STEPS = 40
CP_NODE = TOP / "out" / "bin" / "cp_node"


@dataclass(frozen=True)
class Ports:
    """Threads of cp_node on each host, as the reference's benchmark sets them at 25 Gb/s."""

    client_ports: int
    port_receivers: int
    server_ports: int
    port_threads: int


PORTS = {"homa": Ports(3, 3, 3, 3), "tcp": Ports(4, 1, 8, 1),
         "dctcp": Ports(4, 1, 8, 1)}


@dataclass(frozen=True)
class Load:
    """What every host does in the measured interval."""

    workload: str
    gbps: float             # request payload of one host
    ms: float
    seed: int
    client_max: int         # most RPCs outstanding: so many that no arrival is held back
    drain_s: float = 10.0
    unloaded: int = 2               # samples for each size of the workload, without load
    trace_at: float = 0.7           # when to read the traces, as a fraction of the interval
    trace_events: int = 0           # records in each ring; 0: as the module has it, text only
    warm_ms: float = 0              # what arrives is measured from then on; 0: it is not
    knobs: tuple = ()               # (name, value) in net.homa of every host
    bpages: int = 0                 # of 64 kB in a socket's receive region; 0: cp_node's default


def _quote(words: list) -> str:
    """One command of cp_node, which splits at blanks and knows no quotes."""
    if any(set(str(w)) & set(" \t\n") for w in words):
        raise ClusterError("cp_node's commands cannot hold blanks: use a path without them")
    return " ".join(str(w) for w in words) + "\n"


def _region(load: Load) -> list:
    return ["--buf-bpages", load.bpages] if load.bpages else []


def server_command(protocol: str, family: list, load: Load) -> str:
    """The command that makes a host serve."""
    ports = PORTS[protocol]
    return _quote(["server", "--protocol", protocol, "--ports", ports.server_ports,
                   "--port-threads", ports.port_threads, *_region(load), *family])


def client_command(protocol: str, family: list, addresses: list, load: Load, stem: str,
                   host: int) -> str:
    """The command that makes a host send, at a start time that is filled in later, and wait."""
    ports = PORTS[protocol]
    return _quote(["client", "--protocol", protocol, "--workload", load.workload,
                   "--gbps", f"{load.gbps:.6g}", "--client-max", load.client_max,
                   "--ports", ports.client_ports, "--port-receivers", ports.port_receivers,
                   "--server-ports", ports.server_ports, "--servers", ",".join(addresses),
                   "--seed", load.seed, "--host-id", host, "--seconds", f"{load.ms / 1e3:.6f}",
                   "--drain", f"{load.drain_s:g}", "--start-at", "@START@",
                   "--rpcs", f"{stem}.rpcs.csv", "--json", f"{stem}.json", *_region(load),
                   *family])


def unloaded_command(protocol: str, family: list, address: str, load: Load, stem: str) -> str:
    """The command that measures each size alone, from host 1 to one other host."""
    ports = PORTS[protocol]
    return _quote(["client", "--protocol", protocol, "--workload", load.workload,
                   "--unloaded", load.unloaded, "--server-ports", ports.server_ports,
                   "--servers", address, "--seed", load.seed, "--host-id", 1,
                   "--start-at", "@START@", "--rpcs", f"{stem}.csv",
                   "--json", f"{stem}.json", *family])


def write_job(cluster, protocol: str, load: Load, job: Path) -> None:
    """Make the folder that tells the cluster what to run for one protocol."""
    job.mkdir(parents=True)
    family = ["--ipv6"] if cluster.network.ipv6 else []
    addresses = {h: cluster.address(h) for h in range(1, cluster.hosts + 1)}
    for host in addresses:
        others = [a for h, a in addresses.items() if h != host]
        (job / f"h{host}.server").write_text(server_command(protocol, family, load))
        (job / f"h{host}.client").write_text(
            client_command(protocol, family, others, load, cluster.path(job, f"h{host}"), host)
            + "wait\n")
    (job / "h1.unloaded").write_text(
        unloaded_command(protocol, family, addresses[2], load, cluster.path(job, "h1.unloaded"))
        + "wait\n")
    (job / "job.env").write_text("".join(f"{key}={value}\n" for key, value in {
        "HOSTS": cluster.hosts, "PROTOCOL": protocol, "CP_NODE": CP_NODE, "STEPS": STEPS,
        "SEND_US": round(load.ms * 1e3), "DRAIN_US": round(load.drain_s * 1e6),
        "TRACE_US": round(load.ms * 1e3 * load.trace_at), "TRACE_EVENTS": load.trace_events,
        "WARM_US": round(load.warm_ms * 1e3),
        "KNOBS": "'" + " ".join(f"{name}={value}" for name, value in load.knobs) + "'",
    }.items()))


class Progress:
    """A line on the terminal (or now and then one in a log) with the time that is left."""

    def __init__(self, stream=sys.stderr) -> None:
        self.stream, self.tty = stream, stream.isatty()
        self.begin, self.last, self.width = time.monotonic(), 0.0, 0

    def show(self, text: str, fraction: float) -> None:
        """Show how far we are; the rest is taken to go as fast as what is done."""
        spent = time.monotonic() - self.begin
        if time.monotonic() - self.last < (0.5 if self.tty else 10):
            return
        self.last = time.monotonic()
        left = f", {duration_label(spent / fraction - spent)} left" if fraction > 0.03 else ""
        line = f"cperf: {duration_label(spent)}{left}: {text}"
        self.stream.write(f"\r{line:<{self.width}}" if self.tty else line + "\n")
        self.stream.flush()
        self.width = len(line)

    def clear(self) -> None:
        """Leave the terminal's line empty."""
        if self.tty and self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.stream.flush()


def job_progress(job: Path) -> tuple:
    """(text, fraction done) of a job, from what it reports."""
    try:
        words = (job / "progress").read_text().split()
        phase = words[0]
        done = int(words[1]) / int(words[2]) if phase == "load" else 0.0
    except (OSError, IndexError, ValueError):
        return "boot", 0.0
    base = {"start": 0.02, "unloaded": 0.04, "load": 0.12, "drain": 0.93}[phase]
    return (f"{phase} {done:.0%}" if phase == "load" else phase), base + 0.81 * done


def _check(protocol: str, running, job: Path) -> None:
    """A job has succeeded if its process says so and it left its last file."""
    if running.poll() == 0 and (job / "finished").is_file():
        return
    reason = f"exit code {running.poll()}"
    if (job / "failed").is_file():
        reason = (job / "failed").read_text().strip()
    tail = running.log.read_text(errors="replace").splitlines()[-12:]
    raise ClusterError(f"the {protocol} run failed: {reason} (its files: raw/{job.name} of the "
                       "results)\n    " + "\n    ".join(tail))


def last_line(log: Path) -> str:
    """What a log said last, cut to fit a terminal; a progress line counts from its last \\r."""
    text = log.read_text(errors="replace")[-4000:].replace("\r", "\n").strip()
    return text.splitlines()[-1].strip()[:70] if text else ""


def prepare(cluster, protocols: list, folder: Path) -> None:
    """Build kernel and module if that is still to be done, and prove that they boot."""
    if not CP_NODE.is_file():
        raise ClusterError(f"{CP_NODE} is missing: run 'make tools' first")
    progress = Progress()
    running = cluster.prepare("homa" in protocols, folder / "prepare.log")
    try:
        while running.poll() is None:
            said = last_line(running.log).removeprefix("lab: ")
            progress.show("preparing kernel and module" + (f": {said}" if said else ""), 0)
            time.sleep(0.1)
    finally:
        running.stop()
        progress.clear()
    if running.poll():
        tail = running.log.read_text(errors="replace").splitlines()[-12:]
        raise ClusterError("the cluster does not start:\n    " + "\n    ".join(tail))


@dataclass(frozen=True)
class Task:
    """One protocol under one load."""

    cluster: object
    protocol: str
    load: Load


def _show(progress: Progress, paths: dict, spent: dict) -> None:
    states = {n: ("done", 1.0) if n in spent else job_progress(p) for n, p in paths.items()}
    shown = {n: t for n, (t, _) in states.items() if t != "boot"} if len(states) > 4 else \
        {n: t for n, (t, _) in states.items()}
    progress.show(", ".join(f"{n} {t}" for n, t in shown.items()),
                  sum(f for _, f in states.values()) / len(states))


def run_tasks(tasks: dict, folder: Path, jobs: int = 0, timeout: float = 36000) -> dict:
    """Run named tasks, `jobs` at a time; name -> (job folder, seconds)."""
    jobs = jobs or min(len(tasks), os.cpu_count() or 1)
    paths = {name: folder / name for name in tasks}
    for name, task in tasks.items():
        write_job(task.cluster, task.protocol, task.load, paths[name])
    waiting, active, spent, progress = list(tasks), {}, {}, Progress()
    try:
        while waiting or active:
            while waiting and len(active) < jobs:
                name, begin = waiting.pop(0), time.monotonic()
                task = tasks[name]
                active[name] = (task.cluster.start(paths[name], task.protocol == "homa", timeout),
                                begin)
            for name in [n for n, (run, _) in active.items() if run.poll() is not None]:
                run, begin = active.pop(name)
                _check(name, run, paths[name])
                spent[name] = time.monotonic() - begin
            _show(progress, paths, spent)
            time.sleep(0.1)
    finally:
        for run, _ in active.values():
            run.stop()
        progress.clear()
    return {name: (paths[name], spent[name]) for name in tasks}


def run_protocols(cluster, protocols: list, load: Load, folder: Path, jobs: int = 0) -> dict:
    """Run the same load with each protocol; protocol -> (job folder, seconds)."""
    return run_tasks({p: Task(cluster, p, load) for p in protocols}, folder, jobs)

