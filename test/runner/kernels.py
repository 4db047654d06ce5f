# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The kernels in test/kernels.conf, and how each is made ready."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from . import TOP

LAB = str(TOP / "cloudlab" / "bin" / "lab")

sys.path.insert(0, str(TOP / "cloudlab"))

from clusterlib import vm  # noqa: E402
from clusterlib.errors import ClusterError  # noqa: E402


@dataclass(frozen=True)
class Kernel:
    """One line of kernels.conf."""

    name: str
    version: str
    flavor: str
    use: tuple[str, ...]

    @property
    def arch(self) -> str:
        """What make takes as ARCH; empty for the machine's own."""
        return "" if self.flavor in ("-", "headers") else "um"

    def lab(self) -> list[str]:
        """Return the command that builds the kernel or finds it in the cache."""
        version = [] if self.version == "-" else ["--version", self.version]
        return [LAB, "kernel", *version, "--flavor", self.flavor]

    def kdir(self) -> str:
        """Return the folder to build modules in; builds the kernel if need be."""
        if self.flavor == "-":
            return debian_headers(self.version)
        lines = subprocess.run(self.lab(), stdout=subprocess.PIPE, text=True,
                               check=True).stdout
        return re.search(r"^kdir (.+)$", lines, re.M)[1]

    def make(self, *words: str, top: Path = TOP) -> list[str]:
        """Return the command that builds the module for this kernel."""
        arch = [f"ARCH={self.arch}"] if self.arch else []
        return ["make", "-C", str(top), "--no-print-directory",
                f"KDIR={self.kdir()}", *arch, *words]


def debian_headers(version: str) -> str:
    """Return the newest installed headers of Debian's kernel VERSION."""
    found = sorted(Path("/usr/src").glob(f"linux-headers-{version}.*-amd64"),
                   key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)])
    if not found:
        raise LookupError(f"no linux-headers for {version} in /usr/src: run `make deps`")
    return str(found[-1])


def live_tools(version: str) -> list[str]:
    """Return make's words that build perf/ for Debian's kernel VERSION.

    Its headers do not have the types; its image has, which machines without a boot
    loader lack: then the one is meant that virtual machines start.
    """
    try:
        image = vm.find(version).image
    except ClusterError as error:
        raise LookupError(str(error)) from None
    return [f"KDIR={debian_headers(version)}", f"BTF={image}"]


def load(path: Path = TOP / "test" / "kernels.conf") -> dict[str, Kernel]:
    """Return the kernels by name."""
    rows = [line.split() for line in path.read_text().splitlines()
            if line.strip() and not line.startswith("#")]
    return {row[0]: Kernel(row[0], row[1], row[2], tuple(row[3].split(",")))
            for row in rows}


def main(name: str) -> int:
    """Make kernel NAME ready: the kernel itself, then the module for it."""
    kernel = load()[name]
    if {"run", "suite"} & set(kernel.use):
        return subprocess.call(kernel.make())
    kernel.kdir()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except (LookupError, subprocess.CalledProcessError) as error:
        sys.exit(f"kernels: {error}")
