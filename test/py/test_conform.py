# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The conversations of test/wire/conform and their captures."""
from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WIRE = ROOT / "test" / "wire"
GOLDEN = ROOT / "test" / "golden" / "wire"
sys.path.insert(0, str(WIRE))
sys.dont_write_bytecode = True

import client_talks  # noqa: E402
import frames  # noqa: E402
import server_talks  # noqa: E402
import wirefmt  # noqa: E402
from talk import Conversation, Talk  # noqa: E402

TALKS = server_talks.ALL_TALKS + client_talks.ALL_TALKS
CAPTURES = sorted(GOLDEN.glob("*.pcap"))

# Typed by hand from the tables of protocol.md: ports 9001 and 004d, id 5eed00000002.
VECTORS = {
    wirefmt.DATA: "9001004d00000100 00000010 e0060000 0000b97d 00005eed00000002"
                  "000003e8 00000200 0000000000000abc 0063 04d2 01 000000 00000100 414243",
    wirefmt.GRANT: "9001004d00000000 00000011 50060000 0000b97d 00005eed00000002 00000bb8 03",
    wirefmt.RESEND: "9001004d00000000 00000012 50060000 0000b97d 00005eed00000002"
                    "000003e8 ffffffff 07",
    wirefmt.UNKNOWN: "9001004d00000000 00000013 50060000 0000b97d 00005eed00000002",
    wirefmt.BUSY: "9001004d00000000 00000014 50060000 0000b97d 00005eed00000002",
    wirefmt.CUTOFFS: "9001004d00000000 00000015 50060000 0000b97d 00005eed00000002"
                     "7fffffff 00000001 00000002 00000003 000f4240 00003a98 00000af0 000000c8 0001",
    wirefmt.FREEZE: "9001004d00000000 00000016 50060000 0000b97d 00005eed00000002",
    wirefmt.NEED_ACK: "9001004d00000000 00000017 50060000 0000b97d 00005eed00000002",
    wirefmt.ACK: "9001004d00000000 00000018 50060000 0000b97d 00005eed00000002 0002"
                 "0000000000000abc 0063 0000000000000abe 0064" + "00" * 30,
}
VALUES: dict[int, dict[str, wirefmt.Value]] = {
    wirefmt.DATA: {"sequence": 256, "message_length": 1000, "incoming": 512, "ack_id": 0xabc,
                   "ack_port": 99, "cutoff_version": 1234, "retransmit": 1, "offset": 256},
    wirefmt.GRANT: {"offset": 3000, "grant_priority": 3},
    wirefmt.RESEND: {"offset": 1000, "length": wirefmt.ALL, "resend_priority": 7},
    wirefmt.CUTOFFS: {"version": 1, **{f"cutoff{i}": value for i, value in enumerate(
        (0x7fffffff, 1, 2, 3, 1000000, 15000, 2800, 200))}},
    wirefmt.ACK: {"num_acks": 2, "ack0_id": 0xabc, "ack0_port": 99, "ack1_id": 0xabe,
                  "ack1_port": 100},
}


def steps_of(talk_of: Conversation, version: int) -> Talk:
    """Return a conversation."""
    talk = Talk(version)
    talk_of(talk)
    return talk


@pytest.mark.parametrize("kind", VECTORS)
def test_encode__is_what_was_typed_by_hand(kind: int) -> None:
    want = bytes.fromhex(VECTORS[kind].replace(" ", ""))
    payload = b"ABC" if kind == wirefmt.DATA else b""
    ends: dict[str, wirefmt.Value] = {"sport": 0x9001, "dport": 77, "id": 0x5eed00000002}
    packet = wirefmt.Packet(kind, {**ends, **VALUES.get(kind, {})}, 7, payload)
    assert wirefmt.encode(packet, wirefmt.Golden()).hex() == want.hex()
    assert wirefmt.malformed(want) == ""
    assert len(want) == wirefmt.LENGTHS[kind] + len(payload)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("talk_of", TALKS, ids=lambda talk_of: talk_of.__name__)
def test_capture__says_what_the_conversation_says(talk_of: Conversation, version: int) -> None:
    packets = [step for step in steps_of(talk_of, version).steps if step.packet]
    raw = frames.read_pcap(GOLDEN / f"{talk_of.__name__}.v{version}.pcap")
    assert len(raw) == len(packets)
    for step, frame in zip(packets, map(frames.unpack, raw)):
        assert step.packet and frame and frame.protocol == frames.HOMA
        assert frames.checksum_ok(frame) and wirefmt.malformed(frame.data) == ""
        assert frame.source.endswith("1" if step.from_host else "2")
        data = wirefmt.encode(step.packet, wirefmt.Golden())
        assert (frame.data[:16], frame.data[18:]) == (data[:16], data[18:])
        assert frame.tclass == wirefmt.Golden().number(step.packet.priority) << 5


def test_captures__are_those_of_the_conversations() -> None:
    names = {f"{talk_of.__name__}.v{version}.pcap" for talk_of in TALKS for version in (4, 6)}
    assert {path.name for path in CAPTURES} == names


@pytest.mark.parametrize("version", [4, 6])
def test_conversations__have_each_type_in_each_direction(version: int) -> None:
    seen = {(step.packet.type, step.from_host) for talk_of in TALKS
            for step in steps_of(talk_of, version).steps if step.packet}
    missing = {(kind, side) for kind in wirefmt.NAMES for side in (False, True)} - seen
    assert missing == {(wirefmt.FREEZE, True)}      # a command of the administrator, no answer


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
def test_captures__are_read_by_tshark(tmp_path: Path) -> None:
    raw = [frame for path in CAPTURES for frame in frames.read_pcap(path)]
    frames.write_pcap(tmp_path / "all.pcap", raw)
    shown = subprocess.run(
        ["tshark", "-n", "-r", str(tmp_path / "all.pcap"), "-o", "ip.check_checksum:TRUE",
         "-T", "fields", "-E", "separator=,", "-e", "ip.proto", "-e", "ipv6.nxt",
         "-e", "ip.checksum.status", "-e", "_ws.malformed", "-e", "ip.dsfield"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.splitlines()
    assert len(shown) == len(raw) > 100
    kinds = {tuple(line.split(",")[:4]) for line in shown}
    assert kinds == {("146", "", "1", ""), ("", "146", "", "")}


def described(kind: int) -> set[tuple[int, int]]:
    """Return offset and size of each field that protocol.md gives a packet type."""
    text = (ROOT / "homa" / "protocol.md").read_text()
    section = re.search(rf"^#### {wirefmt.NAMES[kind]}:.*?(?=^#)", text, re.M | re.S)
    rows = re.findall(r"^\| (\d+) \| (?:(\d) x )?(\d+) \| (\w+) ", section[0] if section else "",
                      re.M)
    return {(int(at) + i * int(size), int(size)) for at, times, size, name in rows
            for i in range(int(times or 1)) if name != "pad"}


@pytest.mark.parametrize("kind", wirefmt.FIELDS)
def test_fields__are_those_of_the_description(kind: int) -> None:
    fields = set(wirefmt.FIELDS[kind].values())
    if kind == wirefmt.ACK:      # records are one field there, id and port here
        fields = {(28, 2)} | {(at, 10) for at, size in fields if size == 8}
    assert fields == described(kind)


def test_common_fields__are_those_of_the_description() -> None:
    text = (ROOT / "homa" / "protocol.md").read_text().split("### 2.2")[0]
    rows = re.findall(r"^\| (\d+) \| (\d) \| (\w+) \| ([^|]*)", text, re.M)
    fields = {(int(at), int(size)) for at, size, name, value in rows if value.strip() != "0"}
    assert fields | {(20, 8)} == set(wirefmt.COMMON.values())


def chosen(packet: wirefmt.Packet) -> set[int]:
    """Return the offsets of bytes that may differ from run to run, or are not compared."""
    free = {16, 17}
    for name, value in packet.fields.items():
        at, size = wirefmt.layout(packet.type)[name]
        if not isinstance(value, int):
            free |= set(range(at, at + size))
    return free


def test_differences__finds_every_wrong_byte() -> None:
    for talk_of in TALKS:
        for step in steps_of(talk_of, 4).steps:
            if not step.packet or not step.from_host or len(step.packet.payload) > 300:
                continue
            data = wirefmt.encode(step.packet, wirefmt.Golden())
            assert wirefmt.differences(step.packet, data, wirefmt.Bindings()) == ""
            for at in set(range(len(data))) - chosen(step.packet) - {wirefmt.COMMON["type"][0]}:
                wrong = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]
                found = wirefmt.differences(step.packet, wrong, wirefmt.Bindings())
                assert f"byte {at} " in found


def test_differences__remembers_names() -> None:
    name, bindings = wirefmt.Name("id", 2), wirefmt.Bindings()
    packet = wirefmt.Packet(wirefmt.BUSY, {"id": name}, 7)
    other = wirefmt.Packet(wirefmt.BUSY, {"id": name + 1}, 7)
    seen = wirefmt.encode(wirefmt.Packet(wirefmt.BUSY, {"id": 4711}, 7), bindings)
    assert wirefmt.differences(packet, seen, bindings) == ""
    assert bindings.values == {"id": 4711}
    assert "(id)" in wirefmt.differences(other, seen, bindings)


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_read_pcap__refuses_what_is_cut_short(cut: int, tmp_path: Path) -> None:
    (tmp_path / "cut.pcap").write_bytes(CAPTURES[0].read_bytes()[:-cut])
    with pytest.raises((ValueError, IndexError, frames.struct.error)):
        frames.read_pcap(tmp_path / "cut.pcap")


def test_conform__has_examples_and_refuses_half_an_address() -> None:
    def conform(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(WIRE / "conform"), *args], capture_output=True, text=True,
                              check=False, timeout=60)

    assert "examples:" in conform("--help").stdout
    assert len(conform("--list").stdout.splitlines()) == len(TALKS)
    wrong = conform("--target", "10.0.0.5")
    assert wrong.returncode == 2 and "belong together" in wrong.stderr
