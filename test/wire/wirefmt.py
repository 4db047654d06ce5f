# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The packets of Homa as homa/protocol.md describes them: a table of offsets.

Written by hand from the description and sharing nothing with the module, so that
a mistake in one of them shows. Offsets are from the start of the Homa header.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

DATA, GRANT, RESEND, UNKNOWN, BUSY, CUTOFFS, FREEZE, NEED_ACK, ACK = range(0x10, 0x19)
NAMES = {DATA: "DATA", GRANT: "GRANT", RESEND: "RESEND", UNKNOWN: "RPC_UNKNOWN", BUSY: "BUSY",
         CUTOFFS: "CUTOFFS", FREEZE: "FREEZE", NEED_ACK: "NEED_ACK", ACK: "ACK"}
LENGTHS = {DATA: 56, GRANT: 33, RESEND: 37, UNKNOWN: 28, BUSY: 28, CUTOFFS: 62, FREEZE: 28,
           NEED_ACK: 28, ACK: 80}

# Name: (offset, bytes). What no row covers is zero.
COMMON = {"sport": (0, 2), "dport": (2, 2), "sequence": (4, 4), "type": (11, 1), "doff": (12, 1),
          "flags": (13, 1), "window": (14, 2), "checksum": (16, 2), "urgent": (18, 2), "id": (20, 8)}
FIELDS: dict[int, dict[str, tuple[int, int]]] = {
    DATA: {"message_length": (28, 4), "incoming": (32, 4), "ack_id": (36, 8), "ack_port": (44, 2),
           "cutoff_version": (46, 2), "retransmit": (48, 1), "offset": (52, 4)},
    GRANT: {"offset": (28, 4), "grant_priority": (32, 1)},
    RESEND: {"offset": (28, 4), "length": (32, 4), "resend_priority": (36, 1)},
    CUTOFFS: {**{f"cutoff{i}": (28 + 4 * i, 4) for i in range(8)}, "version": (60, 2)},
    ACK: {"num_acks": (28, 2),
          **{f"ack{i}_id": (30 + 10 * i, 8) for i in range(5)},
          **{f"ack{i}_port": (38 + 10 * i, 2) for i in range(5)}},
}
FLAGS, URGENT = 0x06, 0xb97d
DOFF_DATA, DOFF_SEGMENTS, DOFF_CONTROL = 0xe0, 0xd0, 0x50
IN_SEQUENCE = ALL = 0xffffffff
HOMA_MTU = 1500
UNSCHEDULED = 40000
TOP_PRIORITY, DEFAULT_PRIORITY = 7, 6


@dataclass(frozen=True)
class Name:
    """A value that is another one in each run: the golden one, plus what it is bound to."""

    name: str
    golden: int
    add: int = 0

    def __add__(self, number: int) -> Name:
        return replace(self, add=self.add + number)


@dataclass(frozen=True)
class Choice:
    """A value that the implementation chooses: an example, and which are right."""

    golden: int
    accept: Callable[[int], bool]


Value = int | Name | Choice


@dataclass
class Packet:
    """A packet; fields that are not named are 0."""

    type: int
    fields: dict[str, Value]
    priority: Value
    payload: bytes = b""

    def __str__(self) -> str:
        return NAMES.get(self.type, f"type {self.type:#x}")


@dataclass
class Bindings:
    """What the names of one run stand for."""

    values: dict[str, int] = field(default_factory=dict)

    def number(self, value: Value) -> int | None:
        """Return the number for VALUE; None for a name that is not bound yet."""
        if isinstance(value, Name):
            base = self.values.get(value.name)
            return None if base is None else base + value.add
        return value.golden if isinstance(value, Choice) else value


class Golden(Bindings):
    """The values that the files in test/golden hold."""

    def number(self, value: Value) -> int:
        """Return the number that stands in the file for VALUE."""
        if isinstance(value, Name):
            return value.golden + value.add
        return value.golden if isinstance(value, Choice) else value


def layout(kind: int) -> dict[str, tuple[int, int]]:
    """Return all fields of a packet type."""
    return {**COMMON, **FIELDS.get(kind, {})}


def encode(packet: Packet, bindings: Bindings) -> bytes:
    """Return a packet's bytes, without checksum; names that are not bound count as 0."""
    data = bytearray(LENGTHS[packet.type])
    values: dict[str, Value] = {"type": packet.type, "flags": FLAGS, "urgent": URGENT,
                                "doff": DOFF_DATA if packet.type == DATA else DOFF_CONTROL,
                                **packet.fields}
    for name, value in values.items():
        at, size = layout(packet.type)[name]
        number = bindings.number(value) or 0
        data[at:at + size] = (number % (1 << 8 * size)).to_bytes(size, "big")
    return bytes(data) + packet.payload


def decode(data: bytes, name: str) -> int:
    """Return one field of a packet."""
    at, size = layout(data[11])[name]
    return int.from_bytes(data[at:at + size], "big")


def malformed(data: bytes) -> str:
    """Say what is wrong with a packet of any type; "" if nothing is."""
    if len(data) < 28 or data[11] not in LENGTHS:
        return f"{len(data)} bytes, type {data[11] if len(data) > 11 else 0:#x}"
    name, length = NAMES[data[11]], LENGTHS[data[11]]
    if len(data) < length or (len(data) > length and data[11] != DATA):
        return f"{name} of {len(data)} bytes"
    if data[13] != FLAGS or decode(data, "urgent") != URGENT:
        return f"{name} without the marks of Homa"
    return ""


def differences(packet: Packet, data: bytes, bindings: Bindings) -> str:
    """Compare what came with what should; bind names that are seen the first time.

    Returns "" or the first difference.
    """
    want = bytearray(encode(packet, bindings))
    table = layout(packet.type)
    if len(data) != len(want):
        return f"{packet}: {len(data)} bytes, want {len(want)}"
    want[16:18] = data[16:18]
    for name, value in packet.fields.items():
        at, size = table[name]
        got = int.from_bytes(data[at:at + size], "big")
        if isinstance(value, Name) and bindings.number(value) is None:
            bindings.values[value.name] = got - value.add
        elif isinstance(value, Choice):
            if not value.accept(got):
                return f"{packet}: {name} is {got:#x}, such as {value.golden:#x} would be right"
        else:
            continue
        want[at:at + size] = data[at:at + size]
    for at, (is_, should) in enumerate(zip(data, want)):
        if is_ != should:
            where = next((name for name, (start, size) in table.items()
                          if start <= at < start + size),
                         "data" if at >= LENGTHS[packet.type] else "unused")
            return f"{packet}: byte {at} ({where}) is {is_:02x}, want {should:02x}"
    return ""
