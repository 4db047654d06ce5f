# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Studies: the same experiment in several cases, for several workloads and seeds, compared.

A bench is a function that returns its cases, or a generator that yields lists of cases and is
sent what they measured, where the next ones depend on that. The rest is here:

    CASE-WORKLOAD-sSEED/     tables, manifest.json, summary.json, summary.txt (results.py)
    cases.csv                a row a case, workload, seed and protocol: the figures
    summary.json .txt        the same over all seeds, with confidence intervals
    *.png *.pdf report.html  the pictures
    plan.json                the command line, from which `cperf resume` and `rerun` go on
"""

import json
import re
import shutil
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pandas as pd

from . import results, runner, studyplot
from .errors import ClusterError
from .experiment import RPCS, Experiment, write_tables
from .job import parse_knob
from .registry import Bench
from .repeats import over_seeds, row_of, table_text
from .summary import failures
from .sweep import parse_seeds, run_all

SMOKE_RPCS, SMOKE_MS, SMOKE_CASES = 400, 0.5, 2


@dataclass(frozen=True)
class Case:
    """One setting: fields of Experiment that differ, and its place on the x axis, if it has one."""

    name: str
    changes: tuple = ()
    x: float | None = None

    def workload(self, wanted: str) -> str:
        """Its own workload, or the one that all cases are run with."""
        return dict(self.changes).get("workload", wanted)


@dataclass(frozen=True)
class Study:
    """A bench: what its options default to, and how its figures are shown."""

    name: str
    cases: object                   # function of the options
    help: str
    workload: str = "w4"
    load: float = 0.8
    protocols: str = "homa"
    cluster: str = "sim:8"
    ms: float | None = None
    x: str = ""                     # label of the x axis
    log: bool = False               # its scale
    y: str = "short_p99_us"         # of FIGURES: what the first picture shows
    options: object = None          # adds options of its own to a parser
    stops: bool = True              # failed RPCs fail the run


def add_options(parser: ArgumentParser, study: Study) -> None:
    """The options that all studies have, and the bench's own."""
    add = parser.add_argument
    add("--cluster", default=study.cluster, help="as for cp_vs_tcp (%(default)s)")
    add("-w", "--workloads", default=study.workload, metavar="LIST",
        help="w1..w5, starve, sizes or FILE.cdf (%(default)s)")
    add("--load", "-b", type=float, default=study.load,
        help="wire load, fraction of the link; 0: a closed loop (%(default)s)")
    add("--rpcs", type=int, metavar="N", help=f"at least so many a case ({RPCS} without --ms)")
    add("--ms", type=float, default=study.ms, metavar="T", help="offer load for at least so long")
    add("--protocols", "-p", default=study.protocols, help="(%(default)s)")
    add("--seeds", default="1", help="repeats, such as 1-5 (%(default)s)")
    add("--link", help="rate of every link")
    add("--mtu", type=int, help="of every link")
    add("--client-max", type=int, default=0, metavar="N",
        help="most RPCs outstanding a host (no limit, in a closed loop 200)")
    add("--ipv6", "-6", action="store_true", help="run over IPv6")
    add("--set", dest="knobs", type=parse_knob, action="append", default=[], metavar="NAME=VALUE",
        help="a sysctl of net.homa on all hosts, or with dots in its name any sysctl")
    add("--only", metavar="LIST", help="only the cases with these names")
    add("--smoke", action="store_true", help="a small run that shows that it works: the first "
        "and the last case, few RPCs")
    add("--unloaded", type=int, default=2, metavar="N", help="unloaded RPCs a size (%(default)s)")
    add("--flavor", default="fast", help="kernel flavor (%(default)s)")
    add("--kernel", metavar="V", help="kernel version, such as 6.1")
    add("--jobs", type=int, default=0, help="runs at a time (default: one a core)")
    add("--out", metavar="DIR", help="folder for the results; it must not exist")
    if study.options:
        study.options(parser)


def experiment(study: Study, args: Namespace, case: Case, workload: str, seed: int) -> Experiment:
    """The experiment of one case."""
    wanted = {f.name: getattr(args, f.name) for f in fields(Experiment)
              if hasattr(args, f.name) and f.name != "jobs"}
    made = Experiment(study.name, workload=workload, seed=seed, **wanted)
    changes = dict(case.changes)
    made = replace(made, **changes | {"knobs": (*args.knobs, *changes.get("knobs", ()))})
    if args.smoke:
        made = replace(made, rpcs=SMOKE_RPCS if made.load else None,
                       ms=None if made.load else SMOKE_MS, unloaded=1)
    elif made.load == 0 and not made.ms:
        made = replace(made, ms=10)
    if made.load == 0 and not made.client_max:
        made = replace(made, client_max=200)
    made.check()
    return made


def place_of(folder: Path, case: str, workload: str, seed: int) -> Path:
    """The folder of one run of a study."""
    return folder / f"{case}-{Path(workload).stem}-s{seed}".replace(" ", "_")


class Run:
    """One run of a study, whose finished parts stay when it is stopped."""

    def __init__(self, study: Study, args: Namespace, folder: Path, raw: Path) -> None:
        self.study, self.args, self.folder, self.raw = study, args, folder, raw
        self.rows, self.buckets, self.cases = [], {}, {}
        self.wrong, self.odd = [], []          # failures; hosts that differ from the others
        self.seeds, self.workloads = parse_seeds(args.seeds), args.workloads.split(",")
        self.prepared: set = set()

    def prepare(self, plans: dict) -> None:
        """Build kernel and module once for each kind of cluster."""
        for made in plans.values():
            key = (made.cluster, made.names)
            if str(key) not in self.prepared:
                runner.prepare(made.make_cluster(), made.names, self.raw)
                self.prepared.add(str(key))
                return

    def batch(self, cases: list) -> list:
        """Run some cases with all workloads and seeds; the new rows."""
        if self.args.only and not set(self.args.only.split(",")) & {c.name for c in cases}:
            raise ClusterError(f"--only: the cases are {' '.join(c.name for c in cases)}", 2)
        if self.args.only:
            cases = [c for c in cases if c.name in self.args.only.split(",")]
        if self.args.smoke and len(cases) > SMOKE_CASES:
            cases = [cases[0], *cases[1 - SMOKE_CASES:]]
        self.cases |= {case.name: case for case in cases}
        plans = {(case.name, case.workload(workload), seed): experiment(
            self.study, self.args, case, workload, seed)
                 for seed in self.seeds for case in cases for workload in self.workloads}
        todo = {key: made for key, made in plans.items() if not self._finished(key)}
        begin = len(self.rows)
        if todo:
            self.prepare(todo)
            self._run(todo)
        for key in plans:
            self._take(key)
        return self.rows[begin:]

    def place(self, key: tuple) -> Path:
        """The folder of one run."""
        return place_of(self.folder, *key)

    def _finished(self, key: tuple) -> bool:
        return (self.place(key) / "manifest.json").is_file()

    def _run(self, plans: dict) -> None:
        started, begin = time.time(), time.monotonic()
        seeds = sorted({key[2] for key in plans})
        for seed in seeds:
            some = {k: e for k, e in plans.items() if k[2] == seed}
            for key, setup, measured in run_all(some, self.raw, self.args.jobs):
                place = self.place(key)
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir()
                write_tables(place, measured, setup)
                # Last: a folder with a manifest is a finished one.
                results.write_manifest(place, setup, measured, started, time.monotonic() - begin)

    def _take(self, key: tuple) -> None:
        summary = json.loads((self.place(key) / "summary.json").read_text())
        name, workload, seed = key
        for protocol, row in summary["protocols"].items():
            self.rows.append({"case": name, "x": self.cases[name].x, "workload": workload,
                              "seed": seed, "protocol": protocol, **row_of(row)})
            if seed == self.seeds[0]:
                self.buckets[name, workload, protocol] = pd.read_csv(
                    self.place(key) / f"buckets-{protocol}.csv")
        place = self.place(key).name
        self.wrong += [f"{place}: {text}" for text in failures(summary)]
        self.odd += [f"{place}: {text}" for text in summary.get("outliers", [])]

    def conclude(self) -> int:
        """Write what follows from all cases; the exit code."""
        table = pd.DataFrame(self.rows)
        table.to_csv(self.folder / "cases.csv", index=False, float_format="%.6g")
        # As the table has it, so that it alone is enough to draw the same pictures again.
        table = read_cases(self.folder)
        means = over_seeds(table)
        setup = json.loads(next(self.folder.glob("*-s*/summary.json")).read_text())["setup"]
        text = table_text(means, self.study.y)
        note = "\n".join(self.wrong + self.odd)
        (self.folder / "summary.txt").write_text(f"{text}\n{note}\n" if note else text + "\n")
        results.write_json(self.folder / "summary.json", {
            "version": 1, "bench": self.study.name, "setup": setup | {"seed": self.args.seeds},
            "failures": self.wrong, "outliers": self.odd,
            "figures": means.to_dict("records")})
        path = studyplot.write(self.folder, self.study, means, self.buckets, self.wrong + self.odd,
                                text)
        print(f"{text}\n{note}".rstrip())
        print(f"report: {path}", flush=True)
        return 1 if self.wrong and self.study.stops else 0


def read_cases(folder: Path) -> pd.DataFrame:
    """The table of a study's figures."""
    return pd.read_csv(folder / "cases.csv", dtype={"case": str, "workload": str})


def batches(study: Study, args: Namespace, run: Run) -> None:
    """Run all cases, however many batches of them there are."""
    cases = study.cases(args)
    if not isinstance(cases, Iterator):
        run.batch(cases)
        return
    found = None
    try:
        while True:
            found = run.batch(cases.send(found))
    except StopIteration:
        pass


def named(study: Study, args: Namespace) -> Study:
    """The study, whose x axis names the setting that is swept."""
    setting = getattr(args, "config", "").partition("=")[0]
    return replace(study, x=study.x.replace("{config}", setting))


def options_of(study: Study, words: list) -> Namespace:
    """The options of a study in the words after `cperf run BENCH`."""
    parser = ArgumentParser()
    add_options(parser, study)
    return parser.parse_args(words)


def run(study: Study, args: Namespace) -> int:
    """Carry a study out; 0 if no RPC failed."""
    resume = bool(getattr(args, "resume", False))
    with results.open_run(study.name, parse_seeds(args.seeds)[0], args.out, False,
                          resumable=True, resume=resume) as (folder, raw):
        results.write_json(folder / "plan.json", {
            "version": 1, "bench": study.name, "arguments": results.plain_arguments(args.words),
            "source": results.source_state()})
        going = Run(named(study, args), args, folder, raw)
        batches(study, args, going)
        return going.conclude()


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, in one line."""
    return re.split(r"(?<=\.) (?=[A-Z])", " ".join(text.split()))[0]


def study(**words: object):
    """Mark the function that returns the cases of a bench; its docstring is the help."""
    def mark(function):
        made = Study(function.__name__, function, function.__doc__.strip(), **words)

        def carry_out(args: Namespace) -> int:
            return run(made, args)

        carry_out.study = made
        carry_out.bench = Bench(made.name, lambda parser: add_options(parser, made), carry_out,
                                first_sentence(made.help))
        return carry_out
    return mark
