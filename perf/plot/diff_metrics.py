#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Counters that differ between two readings of /proc/net/homa_metrics, each summed over its cores.

For two hosts, or two runs: what one did more often than the other. For what a host did between two
readings see homa_metrics, which also makes rates. The ratio is the second over the first.

    perf/plot/diff_metrics.py h1.homa_metrics.after h2.homa_metrics.after
    perf/plot/diff_metrics.py --least 1.2 good.metrics bad.metrics

Exit codes: 0 done, 1 a file cannot be used, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import rtts

# Lines that count nothing.
FRAME = ("time_cycles", "cpu_khz", "core")


@dataclass
class Change:
    """A counter in both readings."""

    name: str
    first: int
    second: int
    description: str

    @property
    def ratio(self) -> float:
        """How many times as much; infinite if there was none before."""
        return self.second / self.first if self.first else float("inf")


def read(path: Path) -> dict[str, tuple[int, str]]:
    """Return name: (sum over cores, description)."""
    found: dict[str, tuple[int, str]] = {}
    try:
        for line in path.read_text(encoding="ascii").splitlines():
            name, value, description = line.split(None, 2)
            if name not in FRAME:
                found[name] = (found.get(name, (0, ""))[0] + int(value), description)
    except OSError as error:
        rtts.fail(f"{path}: {error.strerror}")
    except ValueError:
        rtts.fail(f"{path}: want lines of name, value and description")
    if not found:
        rtts.fail(f"{path}: there are no counters in it")
    return found


def compare(first: dict[str, tuple[int, str]], second: dict[str, tuple[int, str]],
            least: float) -> list[Change]:
    """Return what differs by a factor of LEAST or more, in the order of the files."""
    names = list(first) + [name for name in second if name not in first]
    none = (0, "")
    changes = (Change(name, first.get(name, none)[0], second.get(name, none)[0],
                      (first.get(name) or second[name])[1]) for name in names)
    return [change for change in changes if change.first != change.second
            and max(change.ratio, 1 / change.ratio if change.ratio else float("inf")) >= least]


def main() -> None:
    """Read, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs=2, type=Path, metavar="FILE")
    parser.add_argument("--least", type=float, default=1.0, metavar="F",
                        help="only counters that differ by this factor (default 1: all)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.least < 1:
        parser.error("--least is 1 or more")
    changes = compare(read(args.files[0]), read(args.files[1]), args.least)
    if args.json:
        print(json.dumps([{**asdict(change), "difference": change.second - change.first}
                          for change in changes], indent=2))
        return
    for change in changes:
        ratio = "new" if not change.first else f"{change.ratio:.3f}"
        print(f"{change.name:32} {change.second - change.first:+16d} {ratio:>9}  "
              f"{change.description}")


if __name__ == "__main__":
    main()
