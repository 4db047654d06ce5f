# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What an analyzer is, and where all of them are.

An analyzer is a function in tt/analyzers from the tables of a recording and its
options to a Result. Its docstring says what it computes; the paragraph that
begins with "Read:" says how to read the result.
"""
from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable

import pandas as pd

from ttlib.model import Tables

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Plot = Callable[["Axes"], None]
MAX_ROWS = 40
NAMES = {"arrived": "packets that arrived", "rpcs": "RPCs"}


@dataclass(frozen=True)
class Result:
    """What an analyzer found."""
    headline: str
    """The answer in a sentence or two."""
    table: pd.DataFrame
    plot: Plot | None = None
    """Draws the figure; None if a figure would say nothing."""

    def text(self, rows: int = MAX_ROWS) -> str:
        """The result for a terminal."""
        lines = [self.headline]
        if len(self.table):
            shown = self.table.head(rows)
            lines += ["", shown.to_string(float_format=lambda x: f"{x:.2f}", na_rep="-",
                                          index=not isinstance(shown.index, pd.RangeIndex))]
        if len(self.table) > rows:
            lines.append(f"({len(self.table) - rows} more rows: --data DIR has all)")
        return "\n".join(lines)


@dataclass(frozen=True)
class Opt:
    """An option of an analyzer; on the command line --name."""
    name: str
    kind: type
    default: Any
    help: str


@dataclass(frozen=True)
class Analyzer:
    """An analyzer, and what is known of it."""
    name: str
    function: Callable[[Tables, SimpleNamespace], Result]
    opts: tuple[Opt, ...]
    needs: str = ""
    """A table that must not be empty; "arrived": the packets that arrived."""

    @property
    def about(self) -> str:
        """What it computes: the docstring's first sentence."""
        return self._doc().split("\n\n")[0].replace("\n", " ")

    @property
    def reading(self) -> str:
        """How to read it."""
        return " ".join(self._doc().split("Read:", 1)[1].split())

    def _doc(self) -> str:
        lines = (self.function.__doc__ or "").splitlines()
        return "\n".join(line.strip() for line in lines).strip()

    def run(self, tables: Tables, **options: Any) -> Result:
        """Run it; options that are not given have their defaults."""
        values = {opt.name: opt.default for opt in self.opts}
        unknown = set(options) - set(values)
        if unknown:
            raise TypeError(f"{self.name} has no option {', '.join(sorted(unknown))}")
        if self.needs and not self._has(tables):
            return Result("The recording has no "
                          f"{NAMES.get(self.needs, self.needs)} to look at.", pd.DataFrame())
        return self.function(tables, SimpleNamespace(**{**values, **options}))

    def _has(self, tables: Tables) -> bool:
        if self.needs == "arrived":
            return bool(tables.packets.rcvd.notna().any())
        return len(getattr(tables, self.needs)) > 0


def analyzer(name: str, *opts: Opt, needs: str = "") -> Callable[[Callable], Callable]:
    """Say that a function is an analyzer, of recordings that have what it needs."""
    def mark(function: Callable) -> Callable:
        function.analyzer = Analyzer(name, function, opts, needs)
        return function
    return mark


def find_all() -> dict[str, Analyzer]:
    """All analyzers by name."""
    folder = Path(__file__).resolve().parent.parent / "analyzers"
    found = {}
    for module in sorted(m.name for m in pkgutil.iter_modules([str(folder)])):
        for value in vars(importlib.import_module(f"analyzers.{module}")).values():
            entry = getattr(value, "analyzer", None)
            if isinstance(entry, Analyzer):
                found[entry.name] = entry
    return found
