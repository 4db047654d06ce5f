# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What the static checks share: the files of the tree, and how findings come out.

A check is a program that prints one line for each finding ("file:line: what is
wrong") and exits 1 if there is any, 2 if it cannot do its work. It takes the
folder to look at, so that test/py/test_checks.py can show each check something bad.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
KERNEL_CODE = ("homa", "tt/kmod", "test/kunit", "cloudlab/lab/kmod")
sys.path.insert(0, str(TOP / "test"))
sys.dont_write_bytecode = True


class CannotCheck(Exception):
    """A program or file that the check needs is missing."""


def files(top: Path) -> list[Path]:
    """Return the files of the project in TOP, without what was built."""
    if (top / ".git").exists():
        names = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=top,
                               stdout=subprocess.PIPE, text=True, check=True).stdout
        found = [top / name for name in names.split("\0") if name]
    else:
        found = list(top.rglob("*"))
    return sorted(path for path in found if path.is_file() and
                  path.relative_to(top).parts[0] != "out")


def kernel_files(top: Path, suffixes: str = ".c.h") -> list[Path]:
    """Return the files that go into a module."""
    wanted = set(suffixes.split("."))
    folders = [top / folder for folder in KERNEL_CODE]
    return [path for path in files(top) if path.suffix[1:] in wanted - {""}
            and any(folder in path.parents for folder in folders)]


def lines(path: Path) -> list[str]:
    """Return the lines of a text file."""
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def shebang(path: Path) -> str:
    """Return the first line of a script, empty for anything else."""
    with open(path, "rb") as file:
        start = file.readline(200)
    return start.decode(errors="replace") if start.startswith(b"#!") else ""


def is_python(path: Path) -> bool:
    """Whether a file holds Python."""
    return path.suffix == ".py" or "python" in shebang(path)


def kernel_source(version: str = "6.1") -> Path:
    """Return the sources of a kernel; the checks use the scripts of 6.1."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    tree = cache / "homa-lab" / "src" / f"linux-{version}"
    if not (tree / "scripts" / "checkpatch.pl").exists():
        raise CannotCheck(f"no {tree}: run `cloudlab/bin/lab kernel`")
    return tree


def main(doc: str, find: Callable[[Path], Iterable[str]]) -> int:
    """Run a check over the folder on the command line; return its exit code."""
    parser = argparse.ArgumentParser(description=doc, epilog="example: layout /path/to/tree")
    parser.add_argument("top", nargs="?", type=Path, default=TOP,
                        help="folder to look at (default: the tree that the check is in)")
    top = parser.parse_args().top.resolve()
    try:
        found = sorted(set(find(top)))
    except (CannotCheck, LookupError, subprocess.CalledProcessError) as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        return 2
    for finding in found:
        print(finding.replace(f"{top}/", ""))
    return 1 if found else 0
