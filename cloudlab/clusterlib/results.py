# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The folder of a run: what is in it, how it is made, and that it is never overwritten.

    manifest.json             what ran: command, seed, settings, kernel, git commit, times
    rpcs-PROTOCOL.csv.gz      a row an RPC, of all hosts
    unloaded-PROTOCOL.csv.gz  a row an RPC of the phase without load
    hist-PROTOCOL.json        what each host's cp_node said, with its histograms
    metrics-PROTOCOL.csv      host, source, metric, difference over the run
    queues-PROTOCOL.csv       a row a queueing discipline;  drops-PROTOCOL.csv: a row a port
    ports-PROTOCOL.csv        a row a port of the switch: most and P99 of what it held, bytes sent
    buckets-PROTOCOL.csv      slowdown and latency by message size
    traces/PROTOCOL-hI.tt     timetrace of each host; with --traces also .ttb, in binary form
    summary.json summary.txt  the figures;  report.html and *.png: the pictures

CSV files hold nothing that depends on when or where a run took place: two runs with the same
inputs give the same bytes.
"""

import datetime
import json
import math
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from . import interrupts
from .counters import host_deltas, port_drops, port_table, queue_deltas
from .errors import ClusterError
from .job import stem
from .nodes import TOP

PACKED = ("rpcs", "unloaded")       # the tables that grow with the number of RPCs
GZIP = {"method": "gzip", "mtime": 0}

RPC_COLUMNS = ["rpc_id", "server", "size", "resp_size", "intended_ns", "sent_ns", "done_ns",
               "status"]


@dataclass
class ProtocolResult:
    """Everything that one protocol's job measured."""

    name: str
    rpcs: pd.DataFrame
    unloaded: pd.DataFrame
    nodes: list                     # JSON of each host's cp_node, in order of hosts
    metrics: pd.DataFrame
    queues: pd.DataFrame
    drops: pd.DataFrame
    ports: pd.DataFrame
    job: Path
    seconds: float = 0.0            # real time that the job took
    summary: dict = field(default_factory=dict)
    buckets: pd.DataFrame | None = None

    def node_total(self, key: str) -> int:
        """Sum of one of cp_node's counts over the hosts."""
        return sum(int(node.get(key, 0)) for node in self.nodes)


def new_folder(bench: str, seed: int, wanted: str | None) -> Path:
    """Make the folder of a run; an error if it exists."""
    if wanted:
        folder = Path(wanted).absolute()
    else:
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        folder = TOP / "out" / "results" / f"{stamp}-{bench}-{seed}"
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise ClusterError(f"{folder} exists: results are never overwritten") from None
    except OSError as error:
        raise ClusterError(f"cannot make {folder}: {error.strerror}") from None
    if any(c.isspace() for c in str(folder)):
        folder.rmdir()
        raise ClusterError(f"'{folder}' holds blanks, which cp_node's commands cannot")
    return folder


def plain_arguments(words: list) -> list:
    """A command line without where its results go."""
    kept, skip = [], False
    for word in words:
        if skip or word in ("--out", "--resume"):
            skip = not skip
        elif not word.startswith(("--out=", "--resume=")):
            kept.append(word)
    return kept


@contextmanager
def open_run(bench: str, seed: int, wanted: str | None, keep_raw: bool,
             resumable: bool = False, resume: bool = False) -> Iterator[tuple]:
    """(folder, folder of raw files) of a run.

    Raw files are made where the length of the path is always the same: in a simulated cluster,
    whose kernel sees them, it would change what happens when.  They become FOLDER/raw if they
    are to be kept or if the run failed; a run that the user stops leaves nothing, but for what
    it has finished if it can be resumed.
    """
    raw = None
    try:
        with interrupts.held():
            folder = Path(wanted).absolute() if resume else new_folder(bench, seed, wanted)
            raw = Path(tempfile.mkdtemp(prefix="cperf-"))
        yield folder, raw
    except KeyboardInterrupt:
        if not raw:                                 # a signal came before there was anything
            raise
        shutil.rmtree(raw)
        if resumable and any(folder.glob("*/manifest.json")):
            print(f"\ncperf: what is finished is kept: cperf resume {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder)
        raise
    except Exception as error:
        if not raw:
            raise
        if getattr(error, "code", 0) == 2 and not resume:       # wrong usage: nothing has run
            shutil.rmtree(folder)
            shutil.rmtree(raw)
            raise
        shutil.rmtree(folder / "raw", ignore_errors=True)
        shutil.move(raw, folder / "raw")
        raise
    with interrupts.held():
        if resume:
            shutil.rmtree(folder / "raw", ignore_errors=True)       # of the time that it failed
        if keep_raw:
            shutil.move(raw, folder / "raw")
        else:
            shutil.rmtree(raw)


def _read_rpcs(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, comment="#", dtype={"rpc_id": "uint64"})
    except (OSError, ValueError) as error:      # pandas' own errors are ValueErrors
        raise ClusterError(f"cannot read {path}: {error}") from None
    missing = [c for c in RPC_COLUMNS if c not in table.columns]
    if missing:
        raise ClusterError(f"{path}: columns missing: {', '.join(missing)}")
    return table


def collect(name: str, job: Path, hosts: int, seconds: float, senders: tuple = (),
            first: bool = True) -> ProtocolResult:
    """Read what a finished job left of one of its protocols; only some hosts may have sent."""
    tables, nodes = [], []
    senders = senders or tuple(range(1, hosts + 1))
    for host in senders:
        path = job / stem(host, name, first)
        table = _read_rpcs(path.with_name(path.name + ".rpcs.csv"))
        table.insert(0, "host", host)
        tables.append(table)
        nodes.append(json.loads(path.with_name(path.name + ".json").read_text()))
    rpcs = pd.concat(tables, ignore_index=True)
    rpcs = rpcs.sort_values(["host", "intended_ns", "rpc_id"], ignore_index=True)
    unloaded = _read_rpcs(job / f"{stem(senders[0], name, first)}.unloaded.csv")
    unloaded["rtt_ns"] = unloaded.done_ns - unloaded.sent_ns
    queues = queue_deltas(job, hosts)
    return ProtocolResult(name, rpcs, unloaded, nodes, host_deltas(job, hosts), queues,
                          port_drops(job, hosts, queues), port_table(job), job, seconds)


def save(result: ProtocolResult, folder: Path) -> None:
    """Write one protocol's tables and traces."""
    name = result.name
    for stem, table in (("rpcs", result.rpcs), ("unloaded", result.unloaded),
                        ("metrics", result.metrics), ("queues", result.queues),
                        ("drops", result.drops), ("ports", result.ports), ("buckets", result.buckets)):
        packed = stem in PACKED
        table.to_csv(folder / f"{stem}-{name}.csv{'.gz' if packed else ''}", index=False,
                     float_format="%.3f", compression=GZIP if packed else None)
    (folder / f"hist-{name}.json").write_text(json.dumps(result.nodes, indent=1) + "\n")
    (folder / "traces").mkdir(exist_ok=True)
    for trace in sorted(result.job.glob("h*.tt*")):
        shutil.copyfile(trace, folder / "traces" / f"{name}-{trace.name}")
    logs = folder / "logs" / name
    logs.mkdir(parents=True)
    for log in [*result.job.glob("*.log"), *result.job.glob("*.txt")]:
        shutil.copyfile(log, logs / log.name)


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(TOP), *words], capture_output=True, text=True,
                          check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def source_state() -> dict:
    """The commit that ran, and whether files differed from it."""
    return {"commit": _git("rev-parse", "HEAD") or "unknown",
            "modified_files": len(_git("status", "--porcelain").splitlines())}


def write_json(path: Path, value: object) -> None:
    """Write JSON, in which a figure that does not exist (NaN) is null."""
    def plain(item):
        if isinstance(item, dict):
            return {key: plain(part) for key, part in item.items()}
        if isinstance(item, (list, tuple)):
            return [plain(part) for part in item]
        return None if isinstance(item, float) and not math.isfinite(item) else item
    path.write_text(json.dumps(plain(value), indent=1, allow_nan=False) + "\n")


def write_manifest(folder: Path, settings: dict, results: list, started: float,
                   elapsed: float) -> dict:
    """Say what ran, completely enough to run it again."""
    first = results[0].job
    sysctls = [r.job / "sysctl.txt" for r in results if (r.job / "sysctl.txt").is_file()]
    manifest = {
        "version": 1,
        "command_line": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "started": datetime.datetime.fromtimestamp(started).isoformat(timespec="seconds"),
        "elapsed_s": round(elapsed, 1),
        "protocol_s": {r.name: round(r.seconds, 1) for r in results},
        "settings": settings,
        "source": source_state(),
        "kernel": (first / "kernel.txt").read_text().splitlines(),
        "topology": (first / "topology.txt").read_text().splitlines(),
        "sysctls": sysctls[0].read_text().splitlines() if sysctls else [],
        "versions": {"python": platform.python_version(), "pandas": pd.__version__,
                     "machine": platform.platform()},
    }
    write_json(folder / "manifest.json", manifest)
    return manifest
