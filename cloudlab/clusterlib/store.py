# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The store of results: what there is, how two differ, how one is made again or goes away."""

import datetime
import gzip
import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .errors import ClusterError
from .repeats import FIGURES, KEYS, row_of
from .results import plain_arguments, source_state

DIFFERENT = 0.05        # a figure that changed by more than that is marked


@dataclass(frozen=True)
class Entry:
    """One result."""

    folder: Path
    bench: str
    state: str                      # "done" or "stopped"
    what: str
    size: int

    @property
    def made(self) -> datetime.datetime:
        """When it was begun."""
        return datetime.datetime.fromtimestamp(self.folder.stat().st_mtime)


def size_of(folder: Path) -> int:
    """Bytes that a folder takes."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def size_text(size: float) -> str:
    """3.2 MB."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def _json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def entry(folder: Path) -> Entry | None:
    """The result in a folder; None if there is none."""
    summary, plan = _json(folder / "summary.json"), _json(folder / "plan.json")
    verdicts = _json(folder / "verdicts.json")
    if not (summary or plan or verdicts):
        return None
    setup = summary.get("setup", {})
    known = ("workload", "load", "cluster", "link", "mtu", "seed")
    what = " ".join(f"{k} {setup[k]}" for k in known if k in setup)
    what = what or f"cluster {verdicts.get('cluster', '')} seeds {verdicts.get('seeds', '')}"
    bench = plan.get("bench") or setup.get("bench") or verdicts.get("bench", "")
    return Entry(folder, bench, "done" if summary or verdicts else "stopped", what,
                 size_of(folder))


def entries(root: Path) -> list:
    """All results, the oldest first."""
    found = [entry(p) for p in root.iterdir() if p.is_dir()] if root.is_dir() else []
    return sorted((e for e in found if e), key=lambda e: e.made)


def need(folder: str) -> Path:
    """The folder of a result; an error if it is none."""
    path = Path(folder).absolute()
    if not entry(path):
        raise ClusterError(f"{folder}: no result of cperf", 2)
    return path


def rows(folder: Path) -> pd.DataFrame:
    """The figures of a result, a row a case, workload and protocol."""
    summary = _json(folder / "summary.json")
    if "figures" in summary:
        return pd.DataFrame(summary["figures"])
    if "protocols" not in summary:
        raise ClusterError(f"{folder}: no figures in it")
    workload = summary["setup"]["workload"]
    return pd.DataFrame([{"case": "run", "workload": workload, "protocol": name, **row_of(row)}
                         for name, row in summary["protocols"].items()])


def diff(first: Path, second: Path) -> str:
    """The figures of two results beside each other; * marks what changed by over 5%."""
    both = rows(first).merge(rows(second), on=KEYS, suffixes=("_a", "_b"))
    if both.empty:
        raise ClusterError("the two results have no case, workload and protocol in common")
    lines = [("case", "workload", "protocol", "figure", "first", "second", "second/first", "")]
    for row in both.to_dict("records"):
        for name, (label, _, _) in FIGURES.items():
            a, b = (float("nan") if row[f"{name}_{s}"] is None else row[f"{name}_{s}"]
                    for s in "ab")
            if math.isnan(a) and math.isnan(b):
                continue
            ratio = b / a if a else float("nan")
            mark = "*" if abs(ratio - 1) > DIFFERENT or (math.isnan(ratio) and a != b) else ""
            lines.append((*(str(row[k]) for k in KEYS), label, f"{a:.5g}", f"{b:.5g}",
                          f"{ratio:.3f}", mark))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(f"{c:<{w}}" if i < 4 else f"{c:>{w}}"
                               for i, (c, w) in enumerate(zip(line, widths))).rstrip()
                     for line in lines)


def command_of(folder: Path) -> list:
    """The arguments of cperf that made a result, without where it went."""
    plan, manifest = _json(folder / "plan.json"), _json(folder / "manifest.json")
    if plan:
        return plan["arguments"]
    if manifest:
        return plain_arguments(manifest["command_line"][1:])
    raise ClusterError(f"{folder}: it does not say what made it")


def changed_source(folder: Path) -> str:
    """How the source differs from that of a result; empty if it does not, as far as git knows."""
    then = (_json(folder / "plan.json") or _json(folder / "manifest.json")).get("source", {})
    now = source_state()
    if then.get("commit") != now["commit"]:
        return f"made from commit {then.get('commit', 'unknown')[:12]}, this is " \
               f"{now['commit'][:12]}"
    if then.get("modified_files") or now["modified_files"]:
        return "there are files that differ from the commit"
    return ""


def _bytes(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def compare_tables(first: Path, second: Path) -> tuple:
    """(number of tables, names of those that differ) of two results."""
    names = {p.relative_to(first) for p in first.rglob("*.csv*")} - {Path("raw")}
    others = {p.relative_to(second) for p in second.rglob("*.csv*")}
    wrong = sorted(str(n) for n in names ^ others)
    wrong += sorted(str(n) for n in names & others if _bytes(first / n) != _bytes(second / n))
    return len(names), wrong


def choose(root: Path, folders: list, keep: int | None, older: float | None) -> list:
    """The results that `cperf clean` is to remove."""
    if folders:
        return [entry(need(f)) for f in folders]
    found = entries(root)
    if older is not None:
        limit = datetime.datetime.now() - datetime.timedelta(days=older)
        return [e for e in found if e.made < limit]
    if keep is not None:
        return found[:max(len(found) - keep, 0)]
    return [e for e in found if e.state == "stopped"]


def remove(chosen: list) -> None:
    """Remove results."""
    for one in chosen:
        shutil.rmtree(one.folder)
