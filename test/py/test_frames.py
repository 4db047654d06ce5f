# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Frames of several packets: each packet that arrived is joined with the right sending.

test/golden/tt/frames has 400 us of 8 hosts under W4 at 80% load, with network cards that
complete packets late, so that frames of up to 45 packets are made.
"""
from __future__ import annotations

import re
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tt"))

from ttlib import analysis, files, losses, model, queues, story, textform  # noqa: E402
from ttlib.recording import Recording  # noqa: E402

# A request of 5000 bytes, 1000 in a packet: a frame of four, of which the third is lost,
# the last packet, and again a frame with what is missing, and more.
CLIENT = """\
1000 sendmsg request to peer 0xa000002 port 4000 id 8 length 5000
1100 copy-in starting, id 8 length 5000 unscheduled 5000
1500 DATA to IP, wire_bytes 4056 peer 0xa000002 id 8 offset 0
1600 copy-in finished, id 8 length 5000
2500 DATA to IP, wire_bytes 1056 peer 0xa000002 id 8 offset 4000
20000 RESEND accepted, id 8 offset 2000 length 2000 prio 7
20100 DATA again, offset 2000 length 2000 id 8 prio 7
20200 DATA to IP, wire_bytes 2056 peer 0xa000002 id 8 offset 2000
31300 DATA accepted, id 8 peer 0xa000002 offset 0 length 100
31300 message complete, id 8 length 100
32000 wait found RPC, id 8 pid 5 port 32768 blocked 1
33000 recvmsg returning, status 0 id 8 length 100
34000 RPC ends, id 8 port 32768
"""
SERVER = """\
4000 message begins, id 8 peer 0xa000001 unscheduled 5000 length 5000
4000 DATA accepted, id 8 peer 0xa000001 offset 0 length 1000
4500 DATA accepted, id 8 peer 0xa000001 offset 1000 length 1000
5500 gap appears, id 8 start 2000 end 3000
5500 DATA accepted, id 8 peer 0xa000001 offset 3000 length 1000
6000 DATA accepted, id 8 peer 0xa000001 offset 4000 length 1000
18000 RESEND to IP, id 8 peer 0xa000001 offset 2000 length 2000
23000 DATA accepted, id 8 peer 0xa000001 offset 2000 length 1000
23000 message complete, id 8 length 5000
25000 wait found RPC, id 8 pid 9 port 4000 blocked 1
26000 recvmsg returning, status 0 id 8 length 5000
28000 sendmsg response for id 8 port 4000 pid 9 length 100
28100 copy-in starting, id 8 length 100 unscheduled 100
29000 DATA to IP, wire_bytes 156 peer 0xa000001 id 8 offset 0
"""


def trace(records: str, addr: int) -> object:
    lines = ["cpu_khz: 1000000", f"0 [C00] trace is of host {addr:#x}"]
    for line in records.splitlines():
        stamp, text = line.split(" ", 1)
        lines.append(f"{stamp} [C00] {text}")
    return textform.parse(lines)


@pytest.fixture(scope="module")
def tables() -> model.Tables:
    return model.build(Recording.make({"h1": trace(CLIENT, 0xa000001),
                                       "h2": trace(SERVER, 0xa000002)}))


def test_each_packet_of_a_frame_has_a_row(tables: model.Tables) -> None:
    rows = tables.packets[tables.packets.tx == "h1"]
    found = [tuple(row) for row in rows[["xmit", "frame", "offset", "length", "resent"]].values]
    assert found == [(1500, 0, 0, 1000, False), (1500, 0, 1000, 1000, False),
                     (1500, 0, 2000, 1000, False), (1500, 0, 3000, 1000, False),
                     (2500, 4000, 4000, 1000, False), (20200, 2000, 2000, 1000, True),
                     (20200, 2000, 3000, 1000, True)]
    assert rows.rcvd.fillna(-1).tolist() == [4000, 4500, -1, 5500, 6000, 23000, -1]
    assert (rows.wire == 1000 + 114).all()


def test_the_lost_packet_of_a_frame_is_found(tables: model.Tables) -> None:
    lost = losses.lost_packets(tables)
    assert lost[["tx", "offset", "length", "cost"]].values.tolist()[0] == ["h1", 2000, 1000, 21500]


def test_waiting_for_its_own_frame_is_not_queueing(tables: model.Tables) -> None:
    fast = replace(tables, gbps=1114 * 8 / 500)     # a packet takes 500 ns
    seen = queues.queueing(fast).set_index(["tx", "xmit", "offset"]).excess
    assert seen["h1", 1500].tolist() == pytest.approx([0, 0, 0])
    assert seen["h1", 2500, 4000] == pytest.approx(1000)    # for the frame before it


def test_why__phases_add_up(tables: model.Tables) -> None:
    rpc = story.find(tables, 8)
    told = story.timeline(tables, rpc)
    phases = told[told.what.isin([text for _, _, text in story.STEPS])]
    assert rpc.rtt == 32000 and told.us.is_monotonic_increasing
    assert told.step_us.sum() == pytest.approx(rpc.rtt / 1000)
    assert phases.us.diff().sum() == pytest.approx(rpc.rtt / 1000)
    said = "\n".join(story.tell(tables, 8))
    for line in ("19.1        0.1  h1    data sent again", "3.0        2.4  h2    first packet",
                 "22.0        2.8  h2    request complete"):
        assert line in said, said


PAYLOAD = 1424          # bytes of a packet of an MTU of 1500
HEADER = 56
NOTHING = {"coregaps", "lost", "smis", "tput", "tcp_rpcs", "tcpdelay", "tcppackets"}
"""Analyzers of what so short a recording of Homa does not have."""
Sent = tuple[float, int, int]


@pytest.fixture(scope="module")
def cluster() -> model.Tables:
    folder = str(ROOT / "test" / "golden" / "tt" / "frames")
    return model.build(Recording.make(files.read_hosts(files.traces_in([folder]))))


def records(t: model.Tables, pattern: str) -> list[tuple]:
    """(host, ns, numbers...) of the records whose text matches."""
    found = []
    for host, one in t.recording.traces.items():
        for ns, text in zip(one.ns + one.start_ns() - t.recording.base, one.texts()):
            if match := re.match(pattern, text):
                found.append((host, ns, *(int(number) for number in match.groups())))
    return found


@pytest.fixture(scope="module")
def sent(cluster: model.Tables) -> dict[int, list[Sent]]:
    """Id -> (ns, first byte, bytes) of each frame, from the text of the records."""
    found = defaultdict(list)
    for _, ns, wire, ident, offset in records(
            cluster, r"DATA to IP, wire_bytes (\d+) peer 0x\w+ id (\d+) offset (\d+)"):
        found[ident].append((ns, offset, wire - HEADER))
    return found


def test_cluster__all_that_was_sent_is_there(cluster: model.Tables,
                                             sent: dict[int, list[Sent]]) -> None:
    sizes = [size for frames in sent.values() for _, _, size in frames]
    assert sum(size > PAYLOAD for size in sizes) > 100 and max(sizes) > 40 * PAYLOAD
    assert cluster.packets.length.sum() == sum(sizes)
    # What had not arrived of a frame is one row, but has the headers of all its packets.
    assert cluster.packets.wire.sum() == sum(
        size + -(-size // PAYLOAD) * (HEADER + 58) for size in sizes)


def test_cluster__packets_that_arrived_are_joined(cluster: model.Tables,
                                                  sent: dict[int, list[Sent]]) -> None:
    arrived = [
        (ns, ident, offset) for _, ns, ident, offset in records(
            cluster, r"DATA accepted, id (\d+) peer 0x\w+ offset (\d+)")
        if any(at < ns and begin <= offset < begin + size for at, begin, size in sent[ident])]
    known = cluster.packets.dropna(subset=["rcvd"])
    assert len(known) == len(arrived) > 0.9 * len(cluster.packets)
    assert sorted(zip(known.rcvd, known.id, known.offset)) == pytest.approx(sorted(arrived))
    assert (known.rcvd > known.xmit).all()


def test_cluster__all_analyzers_find_something(cluster: model.Tables) -> None:
    empty = {name for name, analyzer in analysis.find_all().items()
             if analyzer.run(cluster).table.empty}
    assert empty == NOTHING
