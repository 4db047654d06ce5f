# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""dissector/homa.lua: packets that are wrong, quoted, cut short, or not yet cut."""
from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from dissect import CAPTURES, MACS, frames, nano_packets, offset_of, table, tshark

import wirefmt

pytestmark = pytest.mark.skipif(not shutil.which("tshark"), reason="no tshark (make deps)")


def is_wrong(frame: frames.Frame) -> bool:
    """Whether protocol.md forbids what a packet says, of itself alone."""
    data = frame.data
    if len(data) < 28 or len(data) < wirefmt.LENGTHS.get(data[11], 1 << 20):
        return True
    kind, length = data[11], len(data) - 56
    from_client = wirefmt.decode(data, "id") % 2 == 0
    if wirefmt.decode(data, "sport") == 0:
        return True
    if kind == wirefmt.DATA and data[12] == wirefmt.DOFF_DATA:
        total = wirefmt.decode(data, "message_length")
        odd_ack = wirefmt.decode(data, "ack_id") % 2 == 1
        if total > (67108864 if data[49] & 2 else 1000000):
            return True
        return total == 0 or length == 0 or offset_of(data) + length > total or odd_ack
    acks = min(5, wirefmt.decode(data, "num_acks")) if kind == wirefmt.ACK else 0
    return ((kind == wirefmt.RESEND and wirefmt.decode(data, "length") == 0)
            or (kind == wirefmt.ACK and (not from_client or wirefmt.decode(data, "num_acks") > 5))
            or (kind == wirefmt.NEED_ACK and from_client)
            or any(wirefmt.decode(data, f"ack{i}_id") % 2 for i in range(acks)))


def test_what_is_wrong_is_called_malformed() -> None:
    pcap = CAPTURES / "hostile.pcap"
    found = nano_packets(pcap)
    shown = {int(row["frame.number"]) for row in table(
        pcap, condition='_ws.expert.group == "Malformed" && ip.proto==146 || '
                        '_ws.expert.group == "Malformed" && ipv6.nxt==146')}
    # Where there is nothing behind an IPv4 header Wireshark asks no dissector.
    asked = {at for at, frame in found.items() if frame.data}
    wrong = {at for at in asked if is_wrong(found[at])}
    assert wrong and wrong == shown & asked
    kinds = set(re.findall(r"Error/Malformed\): (.*)\]", tshark(pcap, "-V")))
    assert len(kinds) >= 9, kinds


def test_errors_that_quote_packets_are_no_packets() -> None:
    pcap = CAPTURES / "hostile.pcap"
    rows = table(pcap, "homa.id", "homa.request_in", condition="icmp && homa || icmpv6 && homa")
    assert rows
    assert not any(row["homa.request_in"] for row in rows)


def uncut(total: int, ident: int, size: int, at_once: int) -> list[bytes]:
    """Return a message of zeros (which look like offsets) in packets that a device will cut."""
    out, at = [], 0
    while at < total:
        end = min(total, at + size * at_once)
        fields: dict[str, wirefmt.Value] = {
            "sport": 0x9001, "dport": 77, "id": ident, "sequence": at, "offset": at,
            "message_length": total, "incoming": total, "doff": wirefmt.DOFF_SEGMENTS}
        header = wirefmt.encode(wirefmt.Packet(wirefmt.DATA, fields, 6), wirefmt.Golden())[:52]
        pieces = b"".join(start.to_bytes(4, "big") + bytes(min(size, end - start))
                          for start in range(at, end, size))
        out.append(frames.pack(frames.Frame("fd09::1", "fd09::2", 0xc0, frames.HOMA,
                                            header + pieces), *MACS))
        at = end
    return out


@pytest.mark.parametrize(("total", "size", "at_once", "segments"), [
    (8000, 1404, 10, [6]), (60000, 1404, 20, [20, 20, 3]), (1404, 1404, 10, [1]),
    (30000, 8924, 7, [4]), (5, 4, 2, [2])])
def test_segments_that_no_device_has_cut(tmp_path: Path, total: int, size: int, at_once: int,
                                         segments: list[int]) -> None:
    pcap = tmp_path / "segments.pcap"
    frames.write_pcap(pcap, uncut(total, 0x1000, size, at_once))
    rows = table(pcap, "homa.data.segments", "homa.data.start", "homa.data.end", "data.len")
    starts = [int(word) for row in rows for word in row["homa.data.start"].split(",")]
    ends = [int(word) for row in rows for word in row["homa.data.end"].split(",")]
    assert starts == list(range(0, total, size)) and ends == [*starts[1:], total]
    assert [int(row["homa.data.segments"] or 1) for row in rows] == segments
    assert rows[-1]["data.len"] == str(total)
    assert not re.search("malformed", tshark(pcap, "-V"), re.I)


@pytest.mark.parametrize(("total", "hints", "long"), [
    (1000000, 0, False), (1000001, 0, True), (1000001, 0xfd, True), (1000001, 2, False),
    (67108864, 2, False), (67108865, 0xff, True)])
def test_large_messages_have_the_hint(tmp_path: Path, total: int, hints: int, long: bool) -> None:
    fields: dict[str, wirefmt.Value] = {"sport": 0x9001, "dport": 77, "id": 0x1000,
                                        "message_length": total, "incoming": total}
    data = bytearray(wirefmt.encode(wirefmt.Packet(wirefmt.DATA, fields, 6), wirefmt.Golden()))
    data[49] = hints
    pcap = tmp_path / "large.pcap"
    frames.write_pcap(pcap, [frames.pack(frames.Frame("fd09::1", "fd09::2", 0xc0, frames.HOMA,
                                                      bytes(data) + b"x"), *MACS)])
    text = tshark(pcap, "-V")
    assert bool(re.search("Longer than 1,000,000", text)) == long
    assert f"Large: may be more than 1,000,000 bytes: {bool(hints & 2)}" in text


def test_capture_that_is_cut_short(tmp_path: Path) -> None:
    short = tmp_path / "short.pcap"
    subprocess.run(["editcap", "-s", "60", CAPTURES / "types.pcap", short], check=True,
                   capture_output=True)
    text = tshark(short, "-V")
    assert "The capture does not have the whole packet" in text
    assert not re.search("malformed", text, re.I)


def test_wrong_checksums_are_seen_if_wanted() -> None:
    pcap = CAPTURES / "types.pcap"
    wanted = [row["frame.number"] for row in table(pcap, condition="homa.wrong.checksum")]
    assert not wanted
    rows = tshark(pcap, "-o", "homa.checksum:TRUE", "-Y", "homa.wrong.checksum", "-T", "fields",
                  "-e", "frame.number").split()
    right = {str(at) for at, frame in nano_packets(pcap).items() if frames.checksum_ok(frame)}
    assert rows and right and not right & set(rows)


@pytest.mark.parametrize(("total", "hints", "window", "wrong"), [
    (1000000, 0, 0, False), (1000001, 0, 1024, True), (1000001, 2, 0, False),
    (67108864, 3, 1024, False), (67108865, 2, 2000, True)])
def test_large_messages(tmp_path: Path, total: int, hints: int, window: int, wrong: bool) -> None:
    fields: dict[str, wirefmt.Value] = {"sport": 0x9001, "dport": 77, "id": 0x1000,
                                        "message_length": total, "incoming": 40000}
    data = bytearray(wirefmt.encode(wirefmt.Packet(wirefmt.DATA, fields, 6, b"x"),
                                    wirefmt.Golden()))
    data[49], data[14:16] = hints, window.to_bytes(2, "big")
    pcap = tmp_path / "large.pcap"
    frames.write_pcap(pcap, [frames.pack(frames.Frame("10.0.0.1", "10.0.0.2", 0xc0, frames.HOMA,
                                                      bytes(data)), *MACS)])
    row, = table(pcap, "homa.takes", "homa.data.hints.large", "_ws.expert.message")
    assert bool(row["_ws.expert.message"]) == wrong
    assert row["homa.takes"] == ("67108864" if window else "")
    assert row["homa.data.hints.large"] in (("1", "True") if hints & 2 else ("0", "False"))
