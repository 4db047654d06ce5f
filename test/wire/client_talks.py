# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Conversations in which the host under test is the client.

Each begins with a command to the program at the host, which makes it send a request.
"""

from __future__ import annotations

from talk import Rpc, Talk, command, pattern
from wirefmt import (ACK, BUSY, CUTOFFS, DATA, NEED_ACK, RESEND, UNKNOWN, UNSCHEDULED, Choice, Value)


def acknowledged(talk: Talk, rpc: Rpc, length: int) -> None:
    """The host's program has the response; the host says so in DATA, and if it is asked."""
    talk.check_call(length, acked=rpc)
    talk.send(NEED_ACK, rpc)
    talk.expect(ACK, rpc)


def finish(talk: Talk, rpc: Rpc, length: int = 10) -> None:
    """The tester answers, and the RPC ends."""
    talk.message(False, rpc, pattern(0, length))
    acknowledged(talk, rpc, length)


def short_call(talk: Talk) -> None:
    """DATA out, DATA in; NEED_ACK is answered by ACK."""
    rpc = talk.start_call(100)
    talk.message(True, rpc, pattern(0, 100))
    finish(talk, rpc)


def several_packets(talk: Talk) -> None:
    """A request of several packets, and a response of several."""
    rpc = talk.start_call(5000)
    talk.message(True, rpc, pattern(0, 5000))
    finish(talk, rpc, 5000)


def silent_server(talk: Talk) -> None:
    """Silence brings RESEND for everything; BUSY does not end that."""
    rpc = talk.start_call(100)
    talk.message(True, rpc, pattern(0, 100))
    talk.resend(True, rpc)
    talk.send(BUSY, rpc)
    talk.resend(True, rpc)
    finish(talk, rpc)


def forgetful_server(talk: Talk) -> None:
    """RPC_UNKNOWN brings the whole request again."""
    rpc = talk.start_call(2000)
    talk.message(True, rpc, pattern(0, 2000))
    talk.resend(True, rpc)
    talk.send(UNKNOWN, rpc)
    talk.message(True, rpc, pattern(0, 2000), retransmit=1, incoming=2000)
    finish(talk, rpc)


def granted_call(talk: Talk) -> None:
    """A long request stops at the unscheduled limit and follows GRANTs."""
    length = UNSCHEDULED + 2000
    rpc = talk.start_call(length)
    talk.message(True, rpc, pattern(0, length), 0, UNSCHEDULED)
    talk.grant(False, rpc, length, 2)
    talk.message(True, rpc, pattern(0, length), UNSCHEDULED, priority=2)
    finish(talk, rpc)


def asked_too_early(talk: Talk) -> None:
    """RESEND for bytes that were never sent brings BUSY, and counts as a GRANT."""
    length = UNSCHEDULED + 4000
    rpc = talk.start_call(length)
    talk.message(True, rpc, pattern(0, length), 0, UNSCHEDULED)
    talk.resend(False, rpc, UNSCHEDULED + 1000, 3000, 4)
    talk.message(True, rpc, pattern(0, length), UNSCHEDULED, priority=4)
    talk.expect(BUSY, rpc)
    finish(talk, rpc)


def lost_call(talk: Talk) -> None:
    """RESEND brings part of a request again, at the priority that it names."""
    rpc, end = talk.start_call(3000), talk.max_data
    talk.message(True, rpc, pattern(0, 3000))
    talk.resend(False, rpc, 0, end, 4)
    talk.data(True, rpc, pattern(0, 3000), 0, end, retransmit=1, incoming=end, priority=4)
    finish(talk, rpc)


def lost_response_packet(talk: Talk) -> None:
    """A gap in a response is asked for, also by a client that is asked to acknowledge."""
    rpc, answer = talk.start_call(100), pattern(0, 3000)
    talk.message(True, rpc, pattern(0, 100))
    talk.data(False, rpc, answer, 0, 1000)
    talk.data(False, rpc, answer, 2000, 3000)
    talk.send(NEED_ACK, rpc)
    talk.resend(True, rpc, 1000, 1000)
    talk.data(False, rpc, answer, 1000, 2000, retransmit=1, incoming=2000)
    acknowledged(talk, rpc, 3000)


def granted_response(talk: Talk) -> None:
    """A response that says how much of it comes unasked is granted the rest."""
    rpc, answer = talk.start_call(100), pattern(0, 3000)
    talk.message(True, rpc, pattern(0, 100))
    talk.data(False, rpc, answer, 0, 1000, incoming=1000)
    talk.grant(True, rpc, Choice(3000, lambda got: 1000 < got <= 3000),
               Choice(0, lambda got: got < 8))
    talk.message(False, rpc, answer, 1000, incoming=1000)
    acknowledged(talk, rpc, 3000)


def old_cutoffs_in_a_response(talk: Talk) -> None:
    """A server with another version of the cutoffs is told, too."""
    rpc, limit = talk.start_call(100), 0x7fffffff
    cutoffs = {f"cutoff{i}": Choice(value, lambda got: got <= limit) for i, value in
               enumerate((limit, 0, 0, 0, 1000000, 15000, 2800, 200))}
    talk.message(True, rpc, pattern(0, 100))
    talk.data(False, rpc, pattern(0, 20), 0, 10, cutoff_version=0xfff0)
    talk.expect(CUTOFFS, rpc, version=Choice(1, lambda got: got not in (0, 0xfff0)), **cutoffs)
    talk.data(False, rpc, pattern(0, 20), 10, 20)
    acknowledged(talk, rpc, 20)


def new_cutoffs(talk: Talk) -> None:
    """CUTOFFS choose the priority of what follows, and their version comes back."""
    first = talk.start_call(100)
    levels = (0x7fffffff, 0, 0, 0, 1000000, 5000, 500, 50)
    talk.message(True, first, pattern(0, 100))
    talk.send(CUTOFFS, first, version=1234, **{f"cutoff{i}": levels[i] for i in range(8)})
    talk.data(False, first, pattern(0, 10), 0, 10)
    for length, priority in ((50, 7), (51, 6), (501, 5), (5001, 4)):
        rpc = talk.request()
        talk.message(False, rpc, command("ANSW", length))
        acked = {"ack_id": first.id, "ack_port": first.server_port} if length == 50 else {}
        talk.message(True, rpc, pattern(0, length), priority=priority, cutoff_version=1234,
                     **acked)
        talk.ack(rpc)
    usual = {f"cutoff{i}": 0x7fffffff if i in (0, 6) else 0 for i in range(8)}
    talk.send(CUTOFFS, first, version=0, **usual)
    talk.check_call(10)


def ack_rides_on_data(talk: Talk) -> None:
    """What is finished is acknowledged by the next DATA to that host."""
    first = talk.start_call(100)
    talk.message(True, first, pattern(0, 100))
    talk.message(False, first, pattern(0, 10))
    rpc = talk.request()
    talk.message(False, rpc, command("ANSW", 20))
    talk.message(True, rpc, pattern(0, 20), ack_id=first.id, ack_port=first.server_port)
    talk.ack(rpc)
    talk.check_call(10)


def many_acks(talk: Talk) -> None:
    """The sixth acknowledgment that finds no DATA to ride on brings an ACK."""
    rpcs = []
    for number in range(6):
        rpcs.append(talk.start_call(100 + number))
        talk.message(True, rpcs[number], pattern(0, 100 + number))
    for rpc in rpcs:
        talk.message(False, rpc, pattern(0, 10))
    fields: dict[str, Value] = {"num_acks": 5}
    for number, rpc in enumerate(rpcs[:5]):
        fields |= {f"ack{number}_id": rpc.id, f"ack{number}_port": rpc.server_port}
    talk.expect(ACK, rpcs[5], **fields)
    talk.check_call(10)


def need_ack_for_nothing(talk: Talk) -> None:
    """NEED_ACK for an RPC that does not exist is answered by ACK."""
    rpc = Rpc(True, talk.request().id, talk.request().server_port, talk.call().server_port)
    talk.send(NEED_ACK, rpc)
    talk.expect(ACK, rpc)
    talk.quiet(5, DATA, RESEND)


ALL_TALKS = (short_call, several_packets, silent_server, forgetful_server, granted_call,
             asked_too_early, lost_call, lost_response_packet, granted_response,
             old_cutoffs_in_a_response, new_cutoffs, ack_rides_on_data, many_acks,
             need_ack_for_nothing)
