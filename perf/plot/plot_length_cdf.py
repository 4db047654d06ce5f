#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Plot how message lengths are distributed: by messages, and by bytes.

Reads files of cp_node's dump_times. Each NAME has a pattern of files, which count together.

    perf/plot/plot_length_cdf.py --out lengths.pdf W4 'homa_w4-*.rtts' W5 'homa_w5-*.rtts'

An existing file is not overwritten. Exit codes: 0 done, 1 a file cannot be used, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import glob
from pathlib import Path

import matplotlib
import numpy as np
import rtts

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

STYLE = Path(__file__).with_name("style.mplstyle")
LEAST, MOST = 10, 1.5e6             # bytes that the axis shows


def lengths_of(pattern: str) -> np.ndarray:
    """Return the lengths in all files that a pattern names, in order."""
    paths = sorted(glob.glob(pattern))
    if not paths:
        rtts.fail(f"{pattern}: no such files")
    return np.sort(np.concatenate([rtts.read(Path(path))[:, 0] for path in paths]))


def cumulative(lengths: np.ndarray, by_bytes: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return lengths, and which fraction of the messages (or bytes) is in ones up to that."""
    upto = np.cumsum(lengths) if by_bytes else np.arange(1, len(lengths) + 1)
    last = np.append(lengths[1:] != lengths[:-1], True)
    return lengths[last], upto[last] / upto[-1]


def draw(runs: dict[str, np.ndarray]) -> matplotlib.figure.Figure:
    """Make the figure: messages on the left, bytes on the right."""
    with plt.style.context(STYLE):
        figure, both = plt.subplots(1, 2, figsize=(10, 4), sharex=True, sharey=True)
        for axes, what in zip(both, ("messages", "bytes")):
            for name, lengths in runs.items():
                x, y = cumulative(lengths, what == "bytes")
                axes.step(np.append(x, max(MOST, x[-1])), np.append(y, 1), where="post",
                          label=f"{name} (n={len(lengths):,})")
            axes.set_xscale("log")
            axes.set_xlim(LEAST, MOST)
            axes.set_ylim(0, 1)
            axes.set_xlabel("Message length (bytes)")
            axes.set_ylabel(f"Fraction of {what} in messages up to that")
            axes.legend(loc="best")
        figure.tight_layout()
    return figure


def main() -> None:
    """Read, draw, save."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="NAME PATTERN")
    parser.add_argument("--out", type=Path, default=Path("length.pdf"),
                        help="PDF or PNG (default length.pdf)")
    args = parser.parse_args()
    if len(args.runs) % 2:
        parser.error("want pairs of a name and a pattern")
    if args.out.exists():
        rtts.fail(f"{args.out}: exists already")
    names, patterns = args.runs[::2], args.runs[1::2]
    figure = draw({name: lengths_of(pattern) for name, pattern in zip(names, patterns)})
    try:
        figure.savefig(args.out)
    except (OSError, ValueError) as error:
        rtts.fail(f"{args.out}: {error}")
    print(args.out)


if __name__ == "__main__":
    main()
