# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Numbers with units: what users type (25g, 10us) and what reports print."""

import re

from .errors import ClusterError

_RATE = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


def parse_rate(text: str) -> float:
    """Bits per second from `25g`, `25gbit`, `100m`, ..."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmg]?)(?:bit|bps)?", text.strip().lower())
    if not match or float(match[1]) <= 0:
        raise ClusterError(f"'{text}' is not a link rate: write 25g, 10gbit or 100m", 2)
    return float(match[1]) * _RATE[match[2]]


def size_label(size: int) -> str:
    """A message size in at most five characters: 662, 12.3K, 1M."""
    if size < 1000:
        return str(size)
    for limit, suffix in ((1e6, "K"), (1e9, "M")):
        if size < limit:
            value = size / (limit / 1e3)
            return (f"{value:.1f}" if value < 99.95 else f"{value:.0f}").removesuffix(".0") + suffix
    return f"{size / 1e9:.1f}G"


def rate_label(bps: float) -> str:
    """25 Gb/s for 25e9."""
    for unit, name in ((1e9, "Gb/s"), (1e6, "Mb/s"), (1e3, "kb/s")):
        if bps >= unit:
            return f"{bps / unit:g} {name}"
    return f"{bps:g} b/s"


def duration_label(seconds: float) -> str:
    """1:05 for 65 seconds."""
    whole = int(seconds + 0.5)
    return f"{whole // 60}:{whole % 60:02d}"


def parse_ns(text: str) -> int:
    """Nanoseconds from `500ns`, `2us`, `1.5ms`, `1s`; a bare number means ns."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ns|us|ms|s)?", text.strip().lower())
    if not match:
        raise ClusterError(f"'{text}' is not a time: write 500ns, 2us or 1ms", 2)
    return round(float(match[1]) * {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[match[2] or "ns"])
