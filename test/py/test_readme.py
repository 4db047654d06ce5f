# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# size: quick
"""README.md: its program compiles, what it names exists, its commands are there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
README = (TOP / "README.md").read_text(encoding="utf-8")


def test_programs_compile(tmp_path: Path) -> None:
    """The first RPCs compile without a warning; with libhoma they are short."""
    programs = re.findall(r"^```c\n(.*?)^```$", README, re.M | re.S)
    assert len(programs) == 2
    assert "libhoma" in programs[0] and programs[0].count("\n") <= 25
    for program in programs:
        source = tmp_path / "first.c"
        source.write_text(program)
        subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", f"-I{TOP / 'homa' / 'uapi'}",
                        f"-I{TOP / 'util' / 'libhoma'}", "-c", str(source),
                        "-o", str(tmp_path / "first.o")], check=True)


def test_map_is_true() -> None:
    """Each folder in the map exists, and each top folder is in the map."""
    rows = re.findall(r"^\| ([\w./]+/?) \|", README.split("## What is where")[1], re.M)
    rows = [row for row in rows if row != "folder"]
    assert not [row for row in rows if not (TOP / row).exists()]
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, text=True,
                           stdout=subprocess.PIPE, check=True).stdout.split()
    folders = {name.split("/")[0] for name in names if "/" in name}
    # Where they are is plain from their names.
    assert folders - {row.split("/")[0] for row in rows} <= {"LICENSES", ".ci", "docs"}


def test_make_targets_exist() -> None:
    """Every `make WORD` of README.md is a target."""
    makefile = (TOP / "Makefile").read_text()
    for target in set(re.findall(r"(?:^|[`& ])make ([a-z-]+)\b", README, re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target
