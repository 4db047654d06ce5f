# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Build modules for a kernel, by the project's own Makefile: homa.ko, the lab's hardware."""

from __future__ import annotations

import subprocess
from pathlib import Path

from . import cache
from .errors import ClusterError


def make(target: str, kdir: Path, arch: str) -> Path:
    """Make TARGET for the kernel in KDIR; return the path that make prints last."""
    words = ["make", "-s", "-C", str(cache.REPO), target, f"KDIR={kdir}"]
    if arch == "um":
        words.append("ARCH=um")
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        errors = [line for line in (done.stderr + done.stdout).splitlines()
                  if "error" in line.lower() or "***" in line
                  or line.endswith(": not found")]
        raise ClusterError(f"make {target}: it does not build: " + (errors or ["no output"])[0])
    return cache.REPO / lines[-1]


def build(kdir: Path, arch: str = "") -> dict[str, Path]:
    """Return homa.ko, and what the kernel takes of the rest: file name to path."""
    module = make("module", kdir, arch)
    all_of_them = [module, *map(module.with_name, ("homa_diag.ko", "homa_kunit.ko"))]
    return {path.name: path for path in all_of_them if path.exists()}


def build_hardware(kdir: Path, arch: str = "") -> dict[str, Path]:
    """Return the modules of cloudlab/lab/kmod: file name to path."""
    return {path.name: path for path in sorted(make("lab-modules", kdir, arch).glob("*.ko"))}
