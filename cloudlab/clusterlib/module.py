# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Build homa.ko for a kernel, by the project's own Makefile."""

from __future__ import annotations

import subprocess
from pathlib import Path

from . import cache
from .errors import ClusterError


def build(kdir: Path, arch: str = "") -> dict[str, Path]:
    """Return the modules built for the kernel in KDIR: file name to path."""
    words = ["make", "-s", "-C", str(cache.REPO), f"KDIR={kdir}"]
    if arch == "um":
        words.append("ARCH=um")
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        errors = [line for line in (done.stderr + done.stdout).splitlines()
                  if "error" in line.lower() or "***" in line]
        raise ClusterError("the module does not build: " + (errors or ["no output"])[0])
    module = cache.REPO / lines[-1]
    return {path.name: path for path in (module, module.with_name("homa_kunit.ko"))
            if path.exists()}
