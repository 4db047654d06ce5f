# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Kernels for the lab: which there are, and how each is built and cached.

A flavor is a list of configuration fragments (cloudlab/lab/*.config) over
`allnoconfig`. What a fragment asks for and Kconfig refuses is reported. The
folder's name carries a hash of all that went into the kernel, so that changing
a fragment or an edit makes a new one and an unchanged one is never rebuilt.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from . import cache, fetch
from .errors import ClusterError


@dataclass(frozen=True)
class Flavor:
    """One way to configure a kernel."""

    name: str
    arch: str                       # for make: um or x86_64
    fragments: tuple[str, ...]
    targets: tuple[str, ...]
    steps: int                      # lines that make prints, for the progress line
    version: str = ""               # default; empty: this Debian release's
    base: str = "allnoconfig"
    boot: tuple[str, ...] = ()      # words of the kernel's command line
    virtual: bool = False           # runs in virtual time

    @property
    def checkers(self) -> bool:
        """Whether it has KASAN, lockdep and their like."""
        return "uml-debug.config" in self.fragments


VIRTUAL = ("time-travel=inf-cpu", "norandmaps")
# Finding leaks nearly doubles the smp kernel's time: the debug kernel does it.
NO_LEAKS = "kmemleak=off"
# KASAN keeps the stacks of who allocated what; half an hour of random calls has more of them
# than the 8192 pools that are the default, and the kernel warns.
STACKS = "stack_depot_max_pools=65536"
UML = ("linux", "modules")
# A kernel mixes what it says of its own build into its random numbers.
BUILD = {"KBUILD_BUILD_TIMESTAMP": "2023-11-14", "KBUILD_BUILD_VERSION": "1",
         "KBUILD_BUILD_USER": "lab", "KBUILD_BUILD_HOST": "lab"}
# In real time a busy machine may leave a CPU of the guest alone for half a minute, which
# is no fault of the guest; one that really hangs meets the time limit of its run.
PATIENT = ("rcupdate.rcu_cpu_stall_suppress=1", "workqueue.watchdog_thresh=0")
FLAVORS = {flavor.name: flavor for flavor in (
    Flavor("fast", "um", ("uml.config",), UML, 1150, boot=VIRTUAL, virtual=True),
    Flavor("debug", "um", ("uml.config", "uml-debug.config"), UML, 1300,
           boot=VIRTUAL, virtual=True),
    Flavor("smp", "um", ("uml.config", "uml-debug.config", "uml-smp.config"), UML, 1500,
           version="7.3", boot=("seccomp=on", "ncpus=2", STACKS, NO_LEAKS, *PATIENT)),
    Flavor("headers", "x86_64", ("headers.config",), ("modules_prepare",), 350,
           base="defconfig"),
)}


@dataclass(frozen=True)
class Kernel:
    """A kernel in the cache."""

    version: str
    flavor: Flavor
    kdir: Path

    @property
    def linux(self) -> Path:
        """The program that is this kernel (User-Mode Linux only)."""
        return self.kdir / "linux"


def with_leaks(kernel: Kernel) -> Kernel:
    """Return KERNEL booted so that it looks for leaks."""
    words = tuple(word for word in kernel.flavor.boot if word != NO_LEAKS)
    return replace(kernel, flavor=replace(kernel.flavor, boot=words))


def uml_edits() -> ModuleType:
    """Return cloudlab/lab/uml_edits.py, which lies outside this package."""
    sys.path.insert(0, str(cache.LAB))
    try:
        return importlib.import_module("uml_edits")
    finally:
        sys.path.remove(str(cache.LAB))


def wanted(flavor: Flavor) -> list[str]:
    """Return the configuration lines of a flavor; a later fragment overrides."""
    lines: dict[str, str] = {}
    for name in flavor.fragments:
        for line in (cache.LAB / name).read_text().splitlines():
            match = re.match(r"(?:# )?(CONFIG_\w+)(?:=| is not set$)", line)
            if match:
                lines.pop(match[1], None)
                lines[match[1]] = line
    return list(lines.values())


def refused(lines: list[str], config: str) -> list[str]:
    """Return the wanted LINES that the resulting CONFIG does not fulfil."""
    have = set(config.splitlines())
    return [line for line in lines if line not in have and not
            (line.endswith("is not set") and line.split()[1] + "=" not in config)]


def locate(version: str, flavor: Flavor) -> Kernel:
    """Return where VERSION in FLAVOR is, or will be, in the cache."""
    digest = hashlib.sha256()
    kind = "uml" if flavor.arch == "um" else "x86"
    edits = repr(uml_edits().edits(version, flavor.checkers)) if kind == "uml" else ""
    for part in (flavor.base, *wanted(flavor), edits):
        digest.update(part.encode() + b"\n")
    name = f"{version}-{flavor.name}-{digest.hexdigest()[:10]}"
    return Kernel(version, flavor, cache.root() / kind / name)


def make(kernel: Kernel, tree: Path, *words: str) -> None:
    """Run make on a kernel, with a line of progress; keep its output in make.log."""
    flavor = kernel.flavor
    command = ["make", "-C", str(tree), f"O={kernel.kdir}", f"ARCH={flavor.arch}", *words]
    progress = cache.Progress(f"building linux {kernel.version} {flavor.name}", flavor.steps)
    log = kernel.kdir / "make.log"
    with open(log, "w", encoding="utf-8") as out, \
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, errors="replace",
                             env={**os.environ, **BUILD}) as process:
        try:
            for count, line in enumerate(process.stdout):
                out.write(line)
                progress.at(count)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        errors = [line for line in log.read_text(errors="replace").splitlines()
                  if "rror" in line or "***" in line]
        raise ClusterError(f"building linux {kernel.version} failed: {(errors or ['?'])[0]}"
                           f" (all output: {log})")
    if "-j" in "".join(words):
        progress.end()


def configure(kernel: Kernel, tree: Path) -> None:
    """Write the kernel's .config and warn of what Kconfig refused."""
    lines = wanted(kernel.flavor)
    fragment = kernel.kdir / "wanted.config"
    if fragment.exists() and (kernel.kdir / "include/config/auto.conf").exists():
        return                  # an interrupted build goes on where it was
    fragment.write_text("\n".join(lines) + "\n")
    config = kernel.kdir / ".config"
    if kernel.flavor.base == "allnoconfig":
        make(kernel, tree, f"KCONFIG_ALLCONFIG={fragment}", "allnoconfig")
    else:
        make(kernel, tree, kernel.flavor.base)
        config.write_text(config.read_text() + fragment.read_text())
        make(kernel, tree, "olddefconfig")
    for line in refused(lines, config.read_text()):
        cache.say(f"warning: linux {kernel.version} refused {line}")


def edited_source(version: str) -> Path:
    """Return the source tree of VERSION with the edits of uml_edits.py."""
    tree = fetch.source(version)
    with cache.lock(f"edit-{version}"):
        try:
            uml_edits().apply(tree, version)
        except ValueError as error:
            raise ClusterError(f"{error}; if it is stale, delete {tree}") from None
    return tree


def default_version(flavor: Flavor) -> str:
    """Return the version that FLAVOR means when none is named."""
    return flavor.version or fetch.default_source()


def obtain(flavor_name: str, version: str | None = None) -> Kernel:
    """Return a kernel, fetched and built when the cache lacks it."""
    flavor = FLAVORS[flavor_name]
    kernel = locate(version or default_version(flavor), flavor)
    with cache.making(kernel.kdir, resume=True) as needed:
        if needed:
            tree = edited_source(kernel.version)
            configure(kernel, tree)
            make(kernel, tree, f"-j{os.cpu_count()}", *flavor.targets)
    return kernel
