# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Traces in files: of any form, compressed or not."""
from __future__ import annotations

import gzip
import io
import lzma
import sys
import zlib
from pathlib import Path

from ttlib import binform, textform
from ttlib.trace import Trace, TraceError

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
