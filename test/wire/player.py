# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Plays a conversation with a live host, over a packet socket."""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from frames import HOMA, Frame, append_pcap, checksum_ok, pack, unpack, with_checksum
from talk import HOST_PORT, Step, Talk
from wirefmt import (CUTOFFS, NAMES, NEED_ACK, RESEND, Bindings, Packet, decode, differences,
                     encode, malformed)

# A host sends these when its timers or its settings say so, not only when a step does.
UNASKED = (RESEND, NEED_ACK, CUTOFFS)
ALL_PROTOCOLS = 0x0003


class Mismatch(Exception):
    """The host has sent something else than it should."""


@dataclass
class Host:
    """How to reach the host under test."""

    interface: str
    source: str                     # an address that is free for the tester to use
    target: str
    target_mac: str
    port: int = 77
    patience: float = 1.0           # seconds to wait for a packet
    checksums: bool = True
    capture: Path | None = None     # a file for all frames, both ways
    link: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
        self.link.bind((self.interface, ALL_PROTOCOLS))
        self.own_mac = self.link.getsockname()[4]
        self.peer_mac = bytes.fromhex(self.target_mac.replace(":", ""))

    def send(self, packet: Packet, bindings: Bindings) -> None:
        """Send a packet of a conversation."""
        data = with_checksum(self.source, self.target, encode(packet, bindings))
        frame = Frame(self.source, self.target, (bindings.number(packet.priority) or 0) << 5,
                      HOMA, data)
        raw = pack(frame, self.own_mac, self.peer_mac)
        self.link.send(raw)
        self.keep(raw)

    def keep(self, raw: bytes) -> None:
        """Put a frame into the capture, if there is one."""
        if self.capture:
            append_pcap(self.capture, raw, time.time_ns())

    def receive(self, seconds: float) -> Frame | None:
        """Return the next Homa packet from the host, None if there is none in time."""
        end = time.monotonic() + seconds
        while True:
            left = max(0, end - time.monotonic())
            if not select.select([self.link], [], [], left)[0]:
                return None
            raw, address = self.link.recvfrom(70000)
            frame = unpack(raw) if address[2] != socket.PACKET_OUTGOING else None
            if frame and (frame.source, frame.target, frame.protocol) == (
                    self.target, self.source, HOMA):
                self.keep(raw)
                return frame


@dataclass
class Player:
    """Plays conversations one after the other."""

    host: Host
    bindings: Bindings = field(default_factory=Bindings)

    def play(self, talk: Talk, first_id: int) -> None:
        """Play a conversation; its ids begin at FIRST_ID."""
        version = self.bindings.values.get("version", 1)
        self.bindings.values = {HOST_PORT.name: self.host.port, "tester_ids": first_id,
                                "version": version}
        try:
            for number, step in enumerate(talk.steps, 1):
                self.step(step, f"step {number} of {len(talk.steps)}: ")
        finally:
            self.settle()

    def step(self, step: Step, where: str) -> None:
        """Send, or wait for what must come or must not."""
        if step.quiet_ms:
            self.quiet(step, where)
        elif step.packet and step.from_host:
            self.expect(step.packet, where)
        elif step.packet:
            self.host.send(step.packet, self.bindings)

    def next(self, seconds: float, where: str) -> Frame | None:
        """Return the next packet, whose form is right."""
        frame = self.host.receive(seconds)
        if not frame:
            return None
        wrong = malformed(frame.data)
        if wrong:
            raise Mismatch(f"{where}{wrong}")
        if self.host.checksums and not checksum_ok(frame):
            raise Mismatch(f"{where}{NAMES[frame.data[11]]} with a wrong checksum")
        if frame.data[11] == CUTOFFS:
            self.bindings.values["version"] = decode(frame.data, "version")
        return frame

    def expect(self, packet: Packet, where: str) -> None:
        """Wait for a packet; what a timer may send in between is passed over."""
        end, last = time.monotonic() + self.host.patience, "nothing"
        while (left := end - time.monotonic()) > 0:
            frame = self.next(left, where)
            if not frame:
                break
            kind = frame.data[11]
            wrong = differences(packet, frame.data, self.bindings) if kind == packet.type else (
                f"{NAMES[kind]} instead of {packet}")
            if not wrong:
                tclass = (self.bindings.number(packet.priority) or 0) << 5
                if frame.tclass != tclass:
                    raise Mismatch(f"{where}{packet}: traffic class {frame.tclass:#x}, "
                                   f"want {tclass:#x}")
                return
            if kind not in UNASKED:
                raise Mismatch(where + wrong)
            last = wrong
        raise Mismatch(f"{where}no {packet} within {self.host.patience} s, but {last}")

    def quiet(self, step: Step, where: str) -> None:
        """Wait and see that no packet of some types comes."""
        end = time.monotonic() + step.quiet_ms / 1000
        while (left := end - time.monotonic()) > 0:
            frame = self.next(left, where)
            if frame and frame.data[11] in step.types:
                raise Mismatch(f"{where}{NAMES[frame.data[11]]} though nothing was to come")

    def settle(self) -> None:
        """Take what is still under way, so that the next conversation starts afresh."""
        while self.host.receive(0.01):
            pass
