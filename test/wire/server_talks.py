# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Conversations in which the host under test is the server.

Each function is one, and its first line says what it shows.
"""

from __future__ import annotations

from talk import OKAY, TESTER_CLIENT_PORT, Talk, command, either, pattern
from wirefmt import (ACK, BUSY, CUTOFFS, DATA, FREEZE, GRANT, IN_SEQUENCE, NEED_ACK, UNKNOWN,
                     UNSCHEDULED, Choice)


def short_request(talk: Talk) -> None:
    """DATA brings DATA; then NEED_ACK is answered by ACK, and all is over."""
    rpc = talk.request()
    talk.message(False, rpc, command("ANSW", 200, length=100))
    talk.message(True, rpc, pattern(0, 200))
    talk.expect(NEED_ACK, rpc)
    talk.ack(rpc)
    talk.quiet(20, DATA, NEED_ACK)


def offset_in_sequence(talk: Talk) -> None:
    """The offset of DATA may be in the sequence field, in any order of packets."""
    rpc, request = talk.request(), command("ANSW", 1, length=3000)
    for start, end in ((1400, 2800), (2800, 3000), (0, 1400)):
        talk.data(False, rpc, request, start, end, offset=IN_SEQUENCE)
    talk.message(True, rpc, pattern(0, 1))
    talk.ack(rpc)


def granted_request(talk: Talk) -> None:
    """A request that says how much of it comes unasked is granted the rest."""
    rpc, request = talk.request(), command("ANSW", 10, length=3000)
    talk.data(False, rpc, request, 0, 1000, incoming=1000)
    talk.grant(True, rpc, Choice(3000, lambda got: 1000 < got <= 3000),
               Choice(0, lambda got: got < 8))
    talk.message(False, rpc, request, 1000, incoming=1000, priority=0)
    talk.message(True, rpc, pattern(0, 10))
    talk.ack(rpc)


def lost_request_packet(talk: Talk) -> None:
    """A gap in a request is asked for by its exact limits."""
    rpc, request = talk.request(), command("ANSW", 10, length=3000)
    talk.data(False, rpc, request, 0, 1000)
    talk.data(False, rpc, request, 2000, 3000)
    talk.resend(True, rpc, 1000, 1000)
    talk.data(False, rpc, request, 1000, 2000, retransmit=1, incoming=2000, priority=7)
    talk.message(True, rpc, pattern(0, 10))
    talk.ack(rpc)


def duplicated_request(talk: Talk) -> None:
    """The same request again is not answered again."""
    rpc, request = talk.request(), command("ANSW", 10, length=100)
    talk.message(False, rpc, request)
    talk.message(True, rpc, pattern(0, 10))
    talk.message(False, rpc, request)
    talk.message(False, rpc, request, retransmit=1)
    talk.quiet(10, DATA)
    talk.ack(rpc)
    talk.message(False, rpc, request)
    talk.quiet(10, DATA, NEED_ACK)


def lost_response(talk: Talk) -> None:
    """RESEND brings all of a response, or part of it, at the priority that it names."""
    rpc, answer = talk.request(), pattern(0, 3000)
    one, two = talk.max_data, 2 * talk.max_data
    talk.message(False, rpc, command("ANSW", 3000))
    talk.message(True, rpc, answer)
    talk.resend(False, rpc, priority=5)
    talk.message(True, rpc, answer, retransmit=1, incoming=3000, priority=5)
    talk.resend(False, rpc, one, two - one, 3)
    talk.data(True, rpc, answer, one, two, retransmit=1, incoming=two, priority=3)
    talk.ack(rpc)


def slow_server(talk: Talk) -> None:
    """RESEND while the application works brings BUSY."""
    rpc = talk.request()
    talk.message(False, rpc, command("ANSW", 10, 30))
    talk.resend(False, rpc)
    talk.expect(BUSY, rpc)
    talk.message(True, rpc, pattern(0, 10))
    talk.ack(rpc)


def resend_for_nothing(talk: Talk) -> None:
    """RESEND for a request that never came brings RPC_UNKNOWN."""
    rpc = talk.request()
    talk.resend(False, rpc)
    talk.expect(UNKNOWN, rpc)


def client_has_gone(talk: Talk) -> None:
    """RPC_UNKNOWN ends a response: it is asked for no acknowledgment any more."""
    rpc = talk.request()
    talk.message(False, rpc, command("ANSW", 10))
    talk.message(True, rpc, pattern(0, 10))
    talk.send(UNKNOWN, rpc)
    talk.quiet(20, DATA, NEED_ACK)


def long_response(talk: Talk) -> None:
    """A response stops at the unscheduled limit and goes on with a GRANT's priority."""
    rpc, answer = talk.request(), pattern(0, UNSCHEDULED + 2000)
    talk.message(False, rpc, command("ANSW", len(answer)))
    talk.message(True, rpc, answer, 0, UNSCHEDULED)
    talk.quiet(2, DATA)
    talk.grant(False, rpc, len(answer), 3)
    talk.message(True, rpc, answer, UNSCHEDULED, priority=3)
    talk.grant(False, rpc, UNSCHEDULED, 7)
    talk.quiet(2, DATA)
    talk.ack(rpc)


def acks_in_a_packet(talk: Talk) -> None:
    """An ACK ends the RPC that it names and five others."""
    rpcs = [talk.request() for _ in range(6)]
    for rpc in rpcs:
        talk.message(False, rpc, command("ANSW", 10))
        talk.message(True, rpc, pattern(0, 10))
    fields = {}
    for number, rpc in enumerate(rpcs[1:]):
        fields |= {f"ack{number}_id": rpc.id, f"ack{number}_port": rpc.server_port}
    talk.send(ACK, rpcs[0], num_acks=5, **fields)
    talk.quiet(20, DATA, NEED_ACK)


def ack_in_data(talk: Talk) -> None:
    """DATA of one RPC acknowledges another one."""
    first, second = talk.request(), talk.request()
    talk.message(False, first, command("ANSW", 10))
    talk.message(True, first, pattern(0, 10))
    talk.message(False, second, command("ANSW", 20), ack_id=first.id,
                 ack_port=first.server_port)
    talk.message(True, second, pattern(0, 20))
    talk.ack(second)
    talk.quiet(20, DATA, NEED_ACK)


def old_cutoffs(talk: Talk) -> None:
    """DATA with another version of the cutoffs brings CUTOFFS."""
    rpc = talk.request()
    limit = 0x7fffffff
    cutoffs = {f"cutoff{i}": Choice(value, lambda got: got <= limit) for i, value in
               enumerate((limit, 0, 0, 0, 1000000, 15000, 2800, 200))}
    cutoffs["cutoff0"] = either(limit, 0)
    talk.message(False, rpc, command("ANSW", 10), cutoff_version=0xfff0)
    talk.expect(CUTOFFS, rpc, version=Choice(1, lambda got: got not in (0, 0xfff0)), **cutoffs)
    talk.message(True, rpc, pattern(0, 10))
    talk.ack(rpc)


def freeze(talk: Talk) -> None:
    """FREEZE is not answered and changes nothing."""
    talk.send(FREEZE, talk.request())
    talk.quiet(5, DATA, NEED_ACK, UNKNOWN, BUSY, GRANT)
    talk.tell("ANSW", 4, answer=pattern(0, 4))


def wrong_command(talk: Talk) -> None:
    """Data is looked at: what has a wrong byte is answered so."""
    rpc, request = talk.request(), bytearray(command("ANSW", 10, length=100))
    request[50] ^= 1
    talk.message(False, rpc, bytes(request))
    talk.message(True, rpc, b"BAD!")
    talk.ack(rpc)


def clients_are_told_apart(talk: Talk) -> None:
    """The same id from another port is another RPC."""
    rpc = talk.request()
    other = type(rpc)(False, rpc.id, TESTER_CLIENT_PORT + 1, rpc.server_port)
    talk.message(False, rpc, command("ANSW", 10))
    talk.message(True, rpc, pattern(0, 10))
    talk.message(False, other, command("ANSW", 20))
    talk.message(True, other, pattern(0, 20))
    talk.ack(rpc)
    talk.ack(other)
    talk.tell("ANSW", len(OKAY), answer=pattern(0, len(OKAY)))


ALL_TALKS = (short_request, offset_in_sequence, granted_request, lost_request_packet,
             duplicated_request, lost_response, slow_server, resend_for_nothing, client_has_gone,
             long_response, acks_in_a_packet, ack_in_data, old_cutoffs, freeze, wrong_command,
             clients_are_told_apart)
