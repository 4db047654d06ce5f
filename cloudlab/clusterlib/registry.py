# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Benchmarks: a file of cloudlab/bench each, found by the @bench in it."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

BENCHES = Path(__file__).resolve().parents[1] / "bench"


@dataclass(frozen=True)
class Bench:
    """A benchmark: `add_options(parser)` declares its options, `run(args)` returns the exit code."""

    name: str
    add_options: object
    run: object
    help: str


def bench(name: str, add_options):
    """Mark the function that runs a benchmark; its docstring is the help."""
    def mark(function):
        function.bench = Bench(name, add_options, function, function.__doc__.strip())
        return function
    return mark


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"homa_bench_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def all_benches() -> list:
    """Every benchmark, by name."""
    found = []
    for path in sorted(BENCHES.glob("*.py")):
        members = vars(_load(path)).values()
        found += [m.bench for m in members if isinstance(getattr(m, "bench", None), Bench)]
    return sorted(found, key=lambda b: b.name)
