# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Files of round trips as cp_node's dump_times writes them: length, time in microseconds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import numpy as np


def fail(message: str) -> NoReturn:
    """End the program with one line."""
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    sys.exit(1)


def read(path: Path) -> np.ndarray:
    """Return an array of rows (length, microseconds); lines that begin with # are comments."""
    try:
        with open(path, encoding="ascii") as file:
            rows = [line.split() for line in file if line.strip() and line[0] != "#"]
        samples = np.array(rows, dtype=float)
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    except ValueError:
        fail(f"{path}: want lines of length and microseconds")
    if samples.ndim != 2 or samples.shape[1] != 2:
        fail(f"{path}: want lines of length and microseconds")
    return samples
