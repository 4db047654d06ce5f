# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""perf/lib/kernel_btf: types come from the kernel that is built for, from no other."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PROGRAM = TOP / "perf/lib/kernel_btf"


def tree(folder: Path, release: str) -> Path:
    """Make FOLDER look like headers of a kernel."""
    header = folder / "include/generated/utsrelease.h"
    header.parent.mkdir(parents=True)
    header.write_text(f'#define UTS_RELEASE "{release}"\n')
    return folder


def run(kdir: Path, *words: str) -> tuple[int, str, Path]:
    """Run the program; return its exit code, what it complains of, and its output file."""
    out = kdir.parent / "vmlinux.h"
    done = subprocess.run([PROGRAM, "--kdir", kdir, *words, out], capture_output=True,
                          text=True, check=False)
    return done.returncode, done.stderr, out


def test_the_running_kernel_is_no_substitute(tmp_path: Path) -> None:
    """Headers of another release, whose kernel is nowhere: an error that names it."""
    code, said, out = run(tree(tmp_path / "kdir", "5.99.0-nowhere"))
    assert code == 1 and said.count("\n") == 1
    assert "no BTF of 5.99.0-nowhere" in said
    assert not out.exists()


def test_a_file_without_types(tmp_path: Path) -> None:
    """What is named and has no BTF is refused, too."""
    kdir = tree(tmp_path / "kdir", os.uname().release)
    (tmp_path / "empty").write_bytes(bytes(2000))
    code, said, out = run(kdir, "--btf", str(tmp_path / "empty"))
    assert code == 1 and "no BTF in it" in said and not out.exists()


def test_no_kernel_tree(tmp_path: Path) -> None:
    """A folder that is none."""
    code, said, _ = run(tmp_path / "nothing")
    assert code == 1 and "no prepared kernel tree" in said


def test_a_damaged_image(tmp_path: Path) -> None:
    """The image of that release comes before the running kernel's types; it must be whole."""
    image = bytearray(0x4000)
    image[0x1f1] = 3
    image[0x202:0x206] = b"HdrS"
    image[0x24c:0x250] = (100).to_bytes(4, "little")
    (tmp_path / "vmlinuz").write_bytes(bytes(image))
    code, said, out = run(tree(tmp_path / "kdir", "5.99.0-nowhere"), "--btf",
                          str(tmp_path / "vmlinuz"))
    assert code == 1 and "compressed in an unknown way" in said and not out.exists()
