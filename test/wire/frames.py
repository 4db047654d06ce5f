# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Frames on a wire, and files of them that tcpdump and tshark read."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

HOMA = 146
PCAP_MAGIC, ETHERNET, SNAPLEN = 0xa1b2c3d4, 1, 65535


@dataclass(frozen=True)
class Frame:
    """An IP packet with the addresses around it; DATA begins behind the IP header."""

    source: str
    target: str
    tclass: int
    protocol: int
    data: bytes


def folded(data: bytes, total: int = 0) -> int:
    """Return the ones' complement sum of 16-bit words."""
    if len(data) % 2:
        data += b"\0"
    total += sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def pseudo_sum(source: str, target: str, length: int) -> int:
    """Return the sum of a pseudo header that says TCP, as network devices compute it."""
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
    return folded(ends, 6 + length)


def with_checksum(source: str, target: str, homa: bytes) -> bytes:
    """Return a Homa packet with its checksum filled in."""
    homa = homa[:16] + b"\0\0" + homa[18:]
    total = folded(homa, pseudo_sum(source, target, len(homa)))
    return homa[:16] + struct.pack(">H", ~total & 0xffff) + homa[18:]


def checksum_ok(frame: Frame) -> bool:
    """Whether the checksum of a Homa packet is right."""
    return folded(frame.data, pseudo_sum(frame.source, frame.target, len(frame.data))) == 0xffff


def pack(frame: Frame, source_mac: bytes, target_mac: bytes) -> bytes:
    """Return the Ethernet frame."""
    source = ipaddress.ip_address(frame.source)
    ends = source.packed + ipaddress.ip_address(frame.target).packed
    if source.version == 4:
        ip = struct.pack(">BBHHHBBH", 0x45, frame.tclass, 20 + len(frame.data), 0, 0x4000, 64,
                         frame.protocol, 0) + ends
        ip = ip[:10] + struct.pack(">H", ~folded(ip) & 0xffff) + ip[12:]
        kind = 0x0800
    else:
        ip = struct.pack(">IHBB", 6 << 28 | frame.tclass << 20, len(frame.data),
                         frame.protocol, 64) + ends
        kind = 0x86dd
    return target_mac + source_mac + struct.pack(">H", kind) + ip + frame.data


def unpack(raw: bytes) -> Frame | None:
    """Take an Ethernet frame apart; None if there is no whole IP packet in it."""
    ip = raw[14:]
    if raw[12:14] == b"\x08\x00" and len(ip) >= 20:
        start, length = 4 * (ip[0] & 15), int.from_bytes(ip[2:4], "big")
        tclass, protocol, ends = ip[1], ip[9], (ip[12:16], ip[16:20])
    elif raw[12:14] == b"\x86\xdd" and len(ip) >= 40:
        start, length = 40, 40 + int.from_bytes(ip[4:6], "big")
        tclass, protocol = (ip[0] << 4 | ip[1] >> 4) & 0xff, ip[6]
        ends = (ip[8:24], ip[24:40])
    else:
        return None
    if not start <= length <= len(ip):
        return None
    source, target = (str(ipaddress.ip_address(end)) for end in ends)
    return Frame(source, target, tclass, protocol, ip[start:length])


def pcap_header() -> bytes:
    """Return what a capture begins with."""
    return struct.pack(">IHHiIII", PCAP_MAGIC, 2, 4, 0, 0, SNAPLEN, ETHERNET)


def append_pcap(path: Path, frame: bytes, nanoseconds: int) -> None:
    """Add a frame, seen at that time, to a file that need not exist."""
    with open(path, "ab") as file:
        if not file.tell():
            file.write(pcap_header())
        file.write(struct.pack(">IIII", nanoseconds // 10**9, nanoseconds % 10**9 // 1000,
                               len(frame), len(frame)) + frame)


def write_pcap(path: Path, frames: Iterable[bytes]) -> None:
    """Write Ethernet frames, a millisecond apart."""
    with open(path, "wb") as file:
        file.write(pcap_header())
        for number, frame in enumerate(frames):
            file.write(struct.pack(">IIII", number // 1000, number % 1000 * 1000, len(frame),
                                   len(frame)) + frame)


def read_pcap(path: Path) -> list[bytes]:
    """Return the Ethernet frames of a file that write_pcap() has written."""
    data = path.read_bytes()
    magic, major, minor, _, _, _, link = struct.unpack(">IHHiIII", data[:24])
    if (magic, major, minor, link) != (PCAP_MAGIC, 2, 4, ETHERNET):
        raise ValueError(f"{path}: not a capture that this project has made")
    found, at = [], 24
    while at < len(data):
        _, _, captured, length = struct.unpack(">IIII", data[at:at + 16])
        if captured != length or at + 16 + captured > len(data):
            raise ValueError(f"{path}: a packet is cut short")
        found.append(data[at + 16:at + 16 + captured])
        at += 16 + captured
    return found
