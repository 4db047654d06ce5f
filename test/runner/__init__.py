# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What test/run is made of: find tests, run them, count."""

from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
OUT = TOP / "out" / "test"
