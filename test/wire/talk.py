# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""A conversation between the tester and a host under test, packet by packet.

Steps are what the tester sends, what the host must send, and times of silence.
Every conversation exists as a list of steps, and as a file in test/golden/wire
that holds the same packets with the golden value of each name.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from wirefmt import (ACK, ALL, DATA, DEFAULT_PRIORITY, DOFF_DATA, DOFF_SEGMENTS, GRANT, HOMA_MTU,
                     IN_SEQUENCE, LENGTHS, RESEND, TOP_PRIORITY, UNSCHEDULED, Choice, Name,
                     Packet, Value)

TESTER_IDS = Name("tester_ids", 0x5eed00000000)
HOST_PORT = Name("host_port", 77)           # of the host's server
TESTER_PORT = 77                            # of the tester's server
TESTER_CLIENT_PORT = 0x9001
VERSION = Name("version", 1)                # of the host's cutoffs
NO_VERSION = 0                              # the tester has not told the host its cutoffs
OKAY = b"OKAY"


@dataclass(frozen=True)
class Rpc:
    """One RPC, with the client's even id."""

    by_host: bool
    id: Name
    client_port: Value
    server_port: Value


@dataclass(frozen=True)
class Step:
    """One packet, or a time in which no packet of some types may come."""

    from_host: bool = False
    packet: Packet | None = None
    quiet_ms: int = 0
    types: tuple[int, ...] = ()


def pattern(start: int, end: int) -> bytes:
    """Return bytes of the messages that both sides send."""
    return bytes((i ^ i >> 8) & 255 for i in range(start, end))


def command(word: str, *numbers: int, length: int = 16) -> bytes:
    """Return a request to the program at the host, see agent.c."""
    start = struct.pack(">4sIII", word.encode(), *numbers, *[0] * (3 - len(numbers)))
    return start + pattern(16, length)


def at_most(golden: int, limit: int) -> Choice:
    """Return a value that the host may choose up to a limit."""
    return Choice(golden, lambda got: got <= limit)


def either(*values: int) -> Choice:
    """Return a value of which there are several forms."""
    return Choice(values[0], lambda got: got in values)


@dataclass
class Talk:
    """Collects the steps of a conversation."""

    version: int                            # of IP
    steps: list[Step] = field(default_factory=list)
    rpcs: int = 0

    @property
    def max_data(self) -> int:
        """Bytes of a message in a full packet."""
        return HOMA_MTU - (20 if self.version == 4 else 40) - LENGTHS[DATA]

    def request(self) -> Rpc:
        """Return a new RPC of which the tester is the client."""
        self.rpcs += 1
        return Rpc(False, TESTER_IDS + 2 * self.rpcs, TESTER_CLIENT_PORT, HOST_PORT)

    def call(self) -> Rpc:
        """Return a new RPC of which the host is the client; its id is still to be seen."""
        self.rpcs += 1
        return Rpc(True, Name(f"host_id{self.rpcs}", 0x40570000 + 2 * self.rpcs),
                   Name("host_client_port", 0x8001), TESTER_PORT)

    def packet(self, from_host: bool, kind: int, rpc: Rpc, priority: Value = TOP_PRIORITY,
               payload: bytes = b"", **fields: Value) -> None:
        """Add a packet; direction and role give its ports and id."""
        client = from_host == rpc.by_host
        ports = (rpc.client_port, rpc.server_port)
        ends = {"sport": ports[not client], "dport": ports[client],
                "id": rpc.id if client else rpc.id + 1}
        self.steps.append(Step(from_host, Packet(kind, {**ends, **fields}, priority, payload)))

    def send(self, kind: int, rpc: Rpc, **fields: Value) -> None:
        """The tester sends a control packet."""
        self.packet(False, kind, rpc, **fields)

    def expect(self, kind: int, rpc: Rpc, **fields: Value) -> None:
        """The host must send a control packet."""
        self.packet(True, kind, rpc, **fields)

    def quiet(self, ms: int, *types: int) -> None:
        """No packet of these types may come for a while."""
        self.steps.append(Step(quiet_ms=ms, types=types))

    def data(self, from_host: bool, rpc: Rpc, message: bytes, start: int, end: int,
             **fields: Value) -> None:
        """Add one DATA packet with bytes [start, end) of a message.

        The host may use either form of the offset, and either header length. A field
        "priority" is that of the packet.
        """
        explicit = fields.get("retransmit") or not from_host
        usual: dict[str, Value] = {
            "sequence": start, "message_length": len(message),
            "incoming": min(len(message), UNSCHEDULED),
            "cutoff_version": NO_VERSION if from_host else VERSION,
            "priority": DEFAULT_PRIORITY,
            "offset": start if explicit else either(start, IN_SEQUENCE)}
        if from_host:
            usual["doff"] = either(DOFF_DATA, DOFF_SEGMENTS)
        self.packet(from_host, DATA, rpc, payload=message[start:end], **{**usual, **fields})

    def message(self, from_host: bool, rpc: Rpc, message: bytes, start: int = 0,
                end: int | None = None, **fields: Value) -> None:
        """Add the DATA packets with bytes [start, end), whole packets as far as possible."""
        end = len(message) if end is None else end
        while start < end:
            stop = min(end, start + self.max_data)
            self.data(from_host, rpc, message, start, stop, **fields)
            start = stop

    def ack(self, rpc: Rpc) -> None:
        """The tester acknowledges a response."""
        self.send(ACK, rpc)

    def tell(self, *words: str | int, answer: bytes = OKAY, acked: Rpc | None = None) -> None:
        """Give the program at the host a command, in an RPC of its own.

        The host's answer acknowledges the RPC that is named.
        """
        rpc = self.request()
        ack = {"ack_id": acked.id, "ack_port": acked.server_port} if acked else {}
        self.message(False, rpc, command(*words))
        self.message(True, rpc, answer, **ack)
        self.ack(rpc)

    def start_call(self, length: int) -> Rpc:
        """Let the host's program send a request of LENGTH bytes."""
        self.tell("CALL", length, TESTER_PORT)
        return self.call()

    def check_call(self, length: int, acked: Rpc | None = None) -> None:
        """The host's program must have got the right response of LENGTH bytes."""
        self.tell("LAST", answer=struct.pack(">iI", length, 1), acked=acked)

    def grant(self, from_host: bool, rpc: Rpc, offset: Value, priority: Value) -> None:
        """Add a GRANT."""
        self.packet(from_host, GRANT, rpc, offset=offset, **{"grant_priority": priority})

    def resend(self, from_host: bool, rpc: Rpc, start: int = 0, length: int = ALL,
               priority: int = TOP_PRIORITY) -> None:
        """Add a RESEND."""
        self.packet(from_host, RESEND, rpc, offset=start, length=length,
                    **{"resend_priority": priority})


Conversation = Callable[[Talk], None]
