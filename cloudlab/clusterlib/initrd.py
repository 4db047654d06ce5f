# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""An initial file system for a stock kernel: busybox, a script, some modules."""

from __future__ import annotations

import lzma
import re
import shutil
import subprocess
from pathlib import Path

from .errors import ClusterError

FOLDERS = ("bin", "dev", "proc", "sys", "lower", "upper", "root", "modules")
REGULAR, EXECUTABLE, FOLDER = 0o100644, 0o100755, 0o040755


def entry(name: str, mode: int, data: bytes, inode: int) -> bytes:
    """Return one member of a cpio archive in "newc" form."""
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields)
    head += name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def archive(files: dict[str, tuple[int, bytes]]) -> bytes:
    """Return a cpio archive of FILES: name to (mode, contents)."""
    members = [entry(name, mode, data, inode)
               for inode, (name, (mode, data)) in enumerate(files.items(), 1)]
    return b"".join(members) + entry("TRAILER!!!", 0, b"", 0)


def module_files(names: list[str], root: Path, release: str) -> list[Path]:
    """Return the files of kernel modules and all they depend on, in loading order."""
    found: dict[Path, None] = {}
    for name in names:
        done = subprocess.run(["modprobe", "-d", str(root), "-S", release, "--show-depends", name],
                              check=False, capture_output=True, text=True)
        if done.returncode:
            raise ClusterError(f"kernel {release} has no module {name}")
        for path in re.findall(r"^insmod (\S+)", done.stdout, re.M):
            found[Path(path)] = None
    return list(found)


def module_data(path: Path) -> bytes:
    """Return the contents of a module, which may be compressed."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def build(init: str, modules: list[Path]) -> bytes:
    """Return an initrd that runs the script INIT and holds MODULES, to be loaded in order."""
    busybox = shutil.which("busybox")
    if not busybox:
        raise ClusterError("busybox is not installed: run `make deps`")
    files = {name: (FOLDER, b"") for name in FOLDERS}
    files["bin/busybox"] = (EXECUTABLE, Path(busybox).resolve().read_bytes())
    files["init"] = (EXECUTABLE, init.encode())
    names = []
    for path in modules:
        name = path.name.removesuffix(".xz")
        names.append(name)
        files[f"modules/{name}"] = (REGULAR, module_data(path))
    files["modules/order"] = (REGULAR, ("\n".join(names) + "\n").encode())
    return archive(files)
