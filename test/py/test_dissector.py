# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""dissector/homa.lua in tshark: what it says of captures, compared with test/wire/wirefmt.py."""
from __future__ import annotations

import functools
import re
import shutil
import struct
from pathlib import Path

import pytest
from dissect import CAPTURES, MACS, ROOT, frames, nano_packets, offset_of, packets, table, tshark

import wirefmt

GOLDEN = sorted((ROOT / "test" / "golden" / "wire").glob("*.pcap"))

# What wirefmt.py calls a field, and what the dissector does.
COMMON = ("sport", "dport", "sequence", "type", "doff", "flags", "checksum", "urgent", "id")
NAMES = {
    wirefmt.DATA: {"message_length": "data.message_length", "incoming": "data.incoming",
                   "cutoff_version": "data.cutoff_version", "retransmit": "data.retransmit",
                   "offset": "data.offset"},
    wirefmt.GRANT: {"offset": "grant.offset", "grant_priority": "grant.priority"},
    wirefmt.RESEND: {"offset": "resend.offset", "length": "resend.length",
                     "resend_priority": "resend.priority"},
    wirefmt.CUTOFFS: {"version": "cutoffs.version"},
    wirefmt.ACK: {"num_acks": "ack.count"},
}

pytestmark = pytest.mark.skipif(not shutil.which("tshark"), reason="no tshark (make deps)")


def as_tcp(pcap: Path, folder: Path) -> Path:
    """Return a copy whose packets travel as TCP, with a packet of real TCP behind them."""
    out = []
    for raw in frames.read_pcap(pcap):
        frame = frames.unpack(raw)
        assert frame
        data = frame.data
        if data[11] == wirefmt.DATA:
            data = data[:52] + b"\xff\xff\xff\xff" + data[56:]
        out.append(frames.pack(frames.Frame(frame.source, frame.target, frame.tclass, 6, data),
                               *MACS))
    syn = bytes.fromhex("9c404e2000000001000000005002faf000000000")
    out.append(frames.pack(frames.Frame("10.0.0.1", "10.0.0.2", 0, 6, syn), *MACS))
    path = folder / f"tcp-{pcap.name}"
    frames.write_pcap(path, out)
    return path


def in_udp(pcap: Path, folder: Path) -> Path:
    """Return a copy whose packets travel in UDP's, with a datagram of somebody else's behind."""
    out = []
    for raw in frames.read_pcap(pcap):
        frame = frames.unpack(raw)
        assert frame
        data = frame.data[:16] + bytes(2) + frame.data[18:]
        head = struct.pack("!HHHH", 61440, 4146, 8 + len(data), 0)
        out.append(frames.pack(frames.Frame(frame.source, frame.target, frame.tclass, 17,
                                            head + data), *MACS))
    other = struct.pack("!HHHH", 61440, 4146, 48, 0) + bytes(40)
    out.append(frames.pack(frames.Frame("10.0.0.1", "10.0.0.2", 0, 17, other), *MACS))
    path = folder / f"udp-{pcap.name}"
    frames.write_pcap(path, out)
    return path


def number(text: str) -> int:
    """Return the number that tshark prints, in either base."""
    return int(text.split(",")[0], 0)


@functools.cache
def everything(pcap: Path) -> list[dict[str, str]]:
    """Return all that tests of whole conversations compare, of each frame."""
    names = [f"homa.{name}" for name in COMMON]
    names += [f"homa.{name}" for fields in NAMES.values() for name in fields.values()]
    return table(pcap, *names, "homa.ack.id", "homa.ack.port", "homa.cutoffs.cutoff",
                 "homa.priority", "homa.request_in", "homa.response_in", "homa.response_begin",
                 "homa.message_time", "data.data", "_ws.malformed", "_ws.expert.group")


def compare_fields(pcap: Path, found: dict[int, frames.Frame]) -> set[int]:
    """Compare every field of every packet; return the types that were there."""
    rows = {int(row["frame.number"]): row for row in everything(pcap)}
    types = set()
    for at, frame in found.items():
        kind, row = frame.data[11], rows[at]
        types.add(kind)
        want = {**{name: name for name in COMMON}, **NAMES.get(kind, {})}
        for ours, theirs in want.items():
            assert number(row[f"homa.{theirs}"]) == wirefmt.decode(frame.data, ours), (at, ours)
        assert number(row["homa.priority"]) == frame.tclass >> 5
        compare_lists(frame.data, row)
    return types


def compare_lists(data: bytes, row: dict[str, str]) -> None:
    """Compare what there are several of: acknowledgments and cutoffs."""
    acks, kind = [], data[11]
    if kind == wirefmt.DATA and wirefmt.decode(data, "ack_id"):
        acks = [(wirefmt.decode(data, "ack_id"), wirefmt.decode(data, "ack_port"))]
    elif kind == wirefmt.ACK:
        acks = [(wirefmt.decode(data, f"ack{i}_id"), wirefmt.decode(data, f"ack{i}_port"))
                for i in range(min(5, wirefmt.decode(data, "num_acks")))]
    shown = zip(row["homa.ack.id"].split(","), row["homa.ack.port"].split(","))
    assert [(int(ident), int(port)) for ident, port in shown if ident] == acks
    if kind == wirefmt.CUTOFFS:
        assert [int(word) for word in row["homa.cutoffs.cutoff"].split(",")] == [
            wirefmt.decode(data, f"cutoff{i}") for i in range(8)]


def test_every_field_of_every_type() -> None:
    types = set()
    for pcap in GOLDEN:
        types |= compare_fields(pcap, packets(pcap))
    assert types == set(wirefmt.NAMES)


def test_conversations_are_well_formed() -> None:
    groups = {row["_ws.malformed"] + row["_ws.expert.group"]
              for pcap in GOLDEN for row in everything(pcap)}
    malformed = str(0x07000000)         # PI_MALFORMED of Wireshark
    assert not any(malformed in group for group in groups), groups


def rpc_of(frame: frames.Frame) -> tuple[object, ...]:
    """Return what names an RPC: client, server, their ports, id."""
    data = frame.data
    ends = ((frame.source, wirefmt.decode(data, "sport")),
            (frame.target, wirefmt.decode(data, "dport")))
    ident = wirefmt.decode(data, "id")
    return (*(ends if ident % 2 == 0 else ends[::-1]), ident & ~1)


def messages(found: dict[int, frames.Frame]) -> dict[tuple[object, ...], dict[str, object]]:
    """Return for each message (RPC, is it the request): first frame, completing frame, bytes."""
    out: dict[tuple[object, ...], dict[str, object]] = {}
    for at, frame in found.items():
        data = frame.data
        if data[11] != wirefmt.DATA:
            continue
        key = (rpc_of(frame), wirefmt.decode(data, "id") % 2 == 0)
        message = out.setdefault(key, {"first": at, "parts": {}, "done": None})
        parts: dict[int, int] = message["parts"]  # type: ignore[assignment]
        start = offset_of(data)
        parts.update({start + i: byte for i, byte in enumerate(data[56:])
                      if start + i not in parts})
        if len(parts) == wirefmt.decode(data, "message_length") and not message["done"]:
            message["done"] = at
            message["bytes"] = bytes(parts[i] for i in range(len(parts)))
    return out


def compare_links(pcap: Path, found: dict[int, frames.Frame]) -> int:
    """Compare the links between requests and responses; return how many RPCs have both."""
    known, linked = messages(found), set()
    for row in everything(pcap):
        at = int(row["frame.number"])
        if at not in found or found[at].data[11] == wirefmt.FREEZE:
            continue
        frame = found[at]
        request = known.get((rpc_of(frame), True))
        response = known.get((rpc_of(frame), False))
        is_data = frame.data[11] == wirefmt.DATA
        from_client = wirefmt.decode(frame.data, "id") % 2 == 0
        if request and not (is_data and from_client) and request["first"] <= at:
            assert row["homa.request_in"] == str(request["first"]), at
        if response and response["done"] and not (is_data and not from_client):
            assert row["homa.response_in"] == str(response["done"]), at
            assert row["homa.response_begin"] == str(response["first"]), at
            linked.add(rpc_of(frame))
    return len(linked)


def test_requests_and_responses_know_each_other() -> None:
    assert sum(compare_links(pcap, packets(pcap)) for pcap in GOLDEN) > 2 * len(GOLDEN)


def test_messages_are_put_together() -> None:
    whole = 0
    for pcap in GOLDEN:
        done = {message["done"]: message["bytes"]
                for message in messages(packets(pcap)).values() if message["done"]}
        rows = [row for row in everything(pcap) if row["homa.message_time"]]
        assert {int(row["frame.number"]) for row in rows} == set(done)
        for row in rows:
            want = done[int(row["frame.number"])]
            assert bytes.fromhex(row["data.data"].split(",")[-1]) == want
            whole += len(want) > 1424       # type: ignore[arg-type]
    assert whole >= 10


def test_packets_that_travel_as_tcp(tmp_path: Path) -> None:
    types = set()
    for pcap in {*GOLDEN[::4], *(path for path in GOLDEN if "freeze" in path.stem)}:
        copy = as_tcp(pcap, tmp_path)
        raw = [frames.unpack(raw) for raw in frames.read_pcap(copy)[:-1]]
        found = {at: frame for at, frame in enumerate(raw, 1) if frame}
        types |= compare_fields(copy, found)
        compare_links(copy, found)
        inside = table(copy, "homa.encapsulated", condition="homa.encapsulated == 1")
        assert {int(row["frame.number"]) for row in inside} == set(found)
        last = tshark(copy).splitlines()[-1]
        assert "TCP" in last and "[SYN]" in last and "Homa" not in last
    assert types == set(wirefmt.NAMES)


def test_packets_that_travel_in_udp(tmp_path: Path) -> None:
    for pcap in GOLDEN[::6]:
        copy = in_udp(pcap, tmp_path)
        raw = [frames.unpack(raw) for raw in frames.read_pcap(copy)[:-1]]
        found = {at: frames.Frame(one.source, one.target, one.tclass, 146, one.data[8:])
                 for at, one in enumerate(raw, 1) if one}
        assert compare_fields(copy, found)
        compare_links(copy, found)
        inside = table(copy, "homa.encapsulated", condition="homa.encapsulated == 1")
        assert {int(row["frame.number"]) for row in inside} == set(found)
        assert "Homa" not in tshark(copy).splitlines()[-1]
        assert "Homa" not in tshark(copy, "-o", "homa.udp:FALSE")


def test_real_capture_as_tcp_is_left_to_tcp_if_wanted(tmp_path: Path) -> None:
    copy = as_tcp(GOLDEN[0], tmp_path)
    assert "Homa" not in tshark(copy, "-o", "homa.tcp:FALSE")


def test_captured_every_type() -> None:
    types = compare_fields(CAPTURES / "types.pcap", nano_packets(CAPTURES / "types.pcap"))
    assert types == set(wirefmt.NAMES)
    assert not re.search("malformed", tshark(CAPTURES / "types.pcap", "-V"), re.I)


def test_hint_of_many_responses() -> None:
    rows = table(CAPTURES / "types.pcap", "homa.data.hints.incast", condition="homa.type==0x10")
    found = nano_packets(CAPTURES / "types.pcap")
    wanted = {str(at) for at, frame in found.items()
              if frame.data[11] == wirefmt.DATA and frame.data[49] & 1}
    shown = {row["frame.number"] for row in rows if row["homa.data.hints.incast"] in ("1", "True")}
    assert shown == wanted and wanted
