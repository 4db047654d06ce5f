# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Boot User-Mode Linux on the host's files and run a command on a cluster."""

from __future__ import annotations

import os

from . import boot
from .kernels import Kernel

# The wall clock at boot: it is mixed into the random numbers, so it is fixed.
START_NS = 1_700_000_000_000_000_000

FOLDER = "/proc/self/cwd"      # as the host sees it
CONSOLES = ("stdout", "stderr", "log")


def command(kernel: Kernel, memory: str, files: tuple[int, ...]) -> list[str]:
    """Return the words that boot KERNEL with the init script of its folder.

    The kernel mixes its command line into its random numbers, so that no word
    may differ from run to run: the run's folder is "the current folder".
    FILES are open for writing: one for each console. Plain files, never pipes:
    a pipe that fills up would let the host's speed change what the guest does.
    """
    words = [str(kernel.linux), f"mem={memory}", "root=/dev/root", "rootfstype=hostfs",
             "rootflags=/", "rw", f"init={FOLDER}/uml-init",
             f"uml_dir={FOLDER}/uml", "umid=guest", "console=tty2", "loglevel=7",
             "con=null", *(f"con{n}=null,fd:{file}" for n, file in enumerate(files)),
             "kunit.enable=1", *kernel.flavor.boot]
    if kernel.flavor.virtual:
        words.append(f"time-travel-start={START_NS}")
    return words


def run(kernel: Kernel, job: boot.Job, memory: str, seed: int) -> int:
    """Boot KERNEL, carry out JOB, return its exit code."""
    with boot.folder(job, "uml-init") as path:
        files = tuple(os.open(path / name, os.O_WRONLY | os.O_APPEND)
                      for name in CONSOLES)
        try:
            return boot.run(job, path, command(kernel, memory, files), files,
                            {"LAB_SEED": str(seed)})
        finally:
            for file in files:
                os.close(file)
