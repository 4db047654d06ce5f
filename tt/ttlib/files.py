# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Traces in files: of any form, compressed or not."""
from __future__ import annotations

import gzip
import io
import lzma
import re
import sys
import zlib
from pathlib import Path

from ttlib import binform, textform
from ttlib.trace import Trace, TraceError

SUFFIX = re.compile(r"\.ttb?(\.gz|\.xz)?$")
UNPACK = {b"\x1f\x8b": gzip.decompress, b"\xfd7zXZ\0": lzma.decompress}


def load(path: str) -> bytes:
    """What a file holds, unpacked; "-" is the standard input."""
    data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    for magic, unpack in UNPACK.items():
        if data.startswith(magic):
            try:
                return unpack(data)
            except (EOFError, OSError, lzma.LZMAError, zlib.error) as error:
                raise TraceError(f"{path}: cannot be unpacked: {error}") from error
    return data


def parse(data: bytes, name: str) -> Trace:
    """The trace that the contents of a file are, in either form."""
    if data.startswith(binform.MAGIC):
        return binform.parse(data, name)
    return textform.parse(io.StringIO(data.decode(errors="replace")), name)


def read(path: str) -> Trace:
    """Read the trace in a file; "-" is the standard input."""
    return parse(load(path), "standard input" if path == "-" else path)


def host_name(path: str) -> str:
    """The name of the host that a trace is from, by its file: homa-h3.tt.xz is h3."""
    name = Path(path).name.split(".")[0]
    return name.rsplit("-", 1)[-1] or name


def traces_in(words: list[str]) -> list[str]:
    """The traces that words on a command line mean: files, and those in folders."""
    found = []
    for word in words or ["."]:
        if word != "-" and Path(word).is_dir():
            there = [path for path in sorted(Path(word).iterdir())
                     if SUFFIX.search(path.name) and path.name != "slow-rpc.tt"]
            if not there:
                raise TraceError(f"{word}: no traces here (*.tt, *.ttb, also .gz or .xz)")
            # cperf keeps both forms: the binary one is the same, and faster.
            binary = {host_name(path.name) for path in there if ".ttb" in path.name}
            found += [str(path) for path in there
                      if ".ttb" in path.name or host_name(path.name) not in binary]
        else:
            found.append(word)
    return found


def load_hosts(paths: list[str]) -> dict[str, bytes]:
    """Host -> what its file holds; a host has one."""
    names = [host_name(path) for path in paths]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TraceError(f"two files are of the same host: {' '.join(twice)}")
    return {name: load(path) for name, path in zip(names, paths)}


def read_hosts(paths: list[str]) -> dict[str, Trace]:
    """Host -> its trace."""
    return {host: parse(data, path) for (host, data), path
            in zip(load_hosts(paths).items(), paths)}
