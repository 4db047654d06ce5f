# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Runs tshark with dissector/homa.lua, for test_dissector.py and test_dissector_odd.py."""
from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "wire"))
sys.dont_write_bytecode = True

import frames  # noqa: E402
import wirefmt  # noqa: E402

LUA = ROOT / "dissector" / "homa.lua"
CAPTURES = ROOT / "dissector" / "captures"
MACS = bytes.fromhex("020900000001"), bytes.fromhex("020900000002")


def tshark(pcap: Path, *words: str) -> str:
    """Run tshark with the dissector; no error of Lua is forgiven."""
    done = subprocess.run(["tshark", "-n", "-X", f"lua_script:{LUA}", "-r", str(pcap), *words],
                          capture_output=True, text=True, check=False, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if not line.startswith("Running as")]
    assert done.returncode == 0 and not complaints, complaints
    assert "Lua Error" not in done.stdout
    return done.stdout


def table(pcap: Path, *names: str, condition: str = "") -> list[dict[str, str]]:
    """Return fields of each frame, several values of one separated by commas."""
    words = ["-2", "-R", "frame", "-T", "fields", "-E", "header=y", "-E", "quote=d", "-e", "frame.number"]
    for name in names:
        words += ["-e", name]
    text = tshark(pcap, *words, *(["-Y", condition] if condition else []))
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


def packets(pcap: Path) -> dict[int, frames.Frame]:
    """Return the Homa packets of a capture by the numbers of their frames."""
    unpacked = ((number, frames.unpack(raw))
                for number, raw in enumerate(frames.read_pcap(pcap), 1))
    return {number: frame for number, frame in unpacked
            if frame and frame.protocol == frames.HOMA}


def nano_packets(pcap: Path) -> dict[int, frames.Frame]:
    """Return the Homa packets of a capture that tcpdump or test/lib/pcap.c has written."""
    data, found, at, number_ = pcap.read_bytes(), {}, 24, 0
    assert data[:4] in (b"\x4d\x3c\xb2\xa1", b"\xd4\xc3\xb2\xa1")
    while at < len(data):
        number_ += 1
        size = int.from_bytes(data[at + 8:at + 12], "little")
        frame = frames.unpack(data[at + 16:at + 16 + size])
        if frame and frame.protocol == frames.HOMA:
            found[number_] = frame
        at += 16 + size
    return found


def offset_of(data: bytes) -> int:
    """Return the first byte of a DATA packet in its message."""
    offset = wirefmt.decode(data, "offset")
    return wirefmt.decode(data, "sequence") if offset == wirefmt.IN_SEQUENCE else offset
