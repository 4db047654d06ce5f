#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Compare round trips of two runs, by message length.

Samples of each file (cp_node's dump_times) are split into ten groups of equal size by length. Slowdown is
the time divided by that of an ideal network: --base us and the length at --gbps.

    perf/plot/diff_rtts.py before.rtts after.rtts
    perf/plot/diff_rtts.py --gbps 10 --base 8.5 --json a.rtts b.rtts

Exit codes: 0 done, 1 a file cannot be used, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import rtts

DECILES = 10
QUANTILES = (0.5, 0.9, 0.99, 0.999)


@dataclass
class Decile:
    """A tenth of the samples: lengths up to `upto`; times in microseconds."""

    upto: int
    n: int
    p50: float
    p90: float
    p99: float
    p999: float
    max: float


def deciles(samples: np.ndarray) -> list[Decile]:
    """Split samples by length, as equally as they can be."""
    groups = np.array_split(samples[np.argsort(samples[:, 0], kind="stable")], DECILES)
    return [Decile(int(group[-1, 0]), len(group),
                   *(float(value) for value in np.quantile(group[:, 1], QUANTILES,
                                                           method="inverted_cdf")),
                   float(group[:, 1].max())) for group in groups if len(group)]


def mean_slowdown(samples: np.ndarray, base: float, gbps: float) -> float:
    """Return the mean of time / ideal time."""
    return float(np.mean(samples[:, 1] / (base + samples[:, 0] * 8e-3 / gbps)))


def print_text(runs: dict[str, dict]) -> None:
    """Print the runs side by side, and how many times longer the second took."""
    names = list(runs)
    for name in names:
        print(f"{name}: {runs[name]['n']} samples, mean slowdown {runs[name]['slowdown']:.2f}")
    print(f"\n{'decile':>6} {'up to':>9} {'':8} {'P50':>10} {'P90':>10} {'P99':>10} "
          f"{'P99.9':>10} {'max':>10}  us")
    for at, pair in enumerate(zip(*(run["deciles"] for run in runs.values())), 1):
        for label, one in zip(("first", "second"), pair):
            times = (one.p50, one.p90, one.p99, one.p999, one.max)
            print(f"{at:6} {one.upto:9} {label:8} " + " ".join(f"{us:10.2f}" for us in times))
        ratios = [b / a if a else float("nan") for a, b in zip(
            list(asdict(pair[0]).values())[2:], list(asdict(pair[1]).values())[2:])]
        print(f"{'':16} {'ratio':8} " + " ".join(f"{ratio:10.3f}" for ratio in ratios))


def main() -> None:
    """Read, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs=2, type=Path, metavar="FILE")
    parser.add_argument("--base", type=float, default=13.0, metavar="US",
                        help="ideal time of an empty message (default 13)")
    parser.add_argument("--gbps", type=float, default=25.0, help="link speed (default 25)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.gbps <= 0 or args.base <= 0:
        parser.error("--base and --gbps are more than 0")
    runs = {}
    for label, path in zip(("first", "second"), args.files):
        samples = rtts.read(path)
        runs[f"{label}: {path}"] = {"n": len(samples), "deciles": deciles(samples),
                                    "slowdown": mean_slowdown(samples, args.base, args.gbps)}
    if args.json:
        plain = [{**run, "file": str(path), "deciles": [asdict(one) for one in run["deciles"]]}
                 for path, run in zip(args.files, runs.values())]
        print(json.dumps(plain, indent=2))
    else:
        print_text(runs)


if __name__ == "__main__":
    main()
