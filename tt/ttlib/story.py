# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What happened to one RPC: when, for how long, and what it waited for."""
from __future__ import annotations

import re
from typing import Iterator

import numpy as np
import pandas as pd

from ttlib import queues
from ttlib.model import Tables
from ttlib.trace import THREADS, TraceError

STEPS = [("c_send", "client", "sendmsg begins"), ("c_copied", "client", "request copied in"),
         ("c_xmit", "client", "first packet of the request sent"),
         ("c_last_xmit", "client", "last packet of the request sent"),
         ("s_rcvd", "server", "first packet of the request received"),
         ("s_complete", "server", "request complete"),
         ("s_queued", "server", "request on the socket's list"),
         ("s_found", "server", "a thread has the request"),
         ("s_done", "server", "recvmsg returns the request"),
         ("s_send", "server", "sendmsg of the response begins"),
         ("s_xmit", "server", "first packet of the response sent"),
         ("s_last_xmit", "server", "last packet of the response sent"),
         ("c_rcvd", "client", "first packet of the response received"),
         ("c_complete", "client", "response complete"),
         ("c_found", "client", "a thread has the response"),
         ("c_done", "client", "recvmsg returns the response")]
NOTABLE = {"RESEND_SENT": "RESEND sent", "RESEND_RCVD": "RESEND received",
           "DATA_RESENT": "data sent again", "BUSY_SENT": "BUSY sent", "RPC_ABORT": "aborted",
           "RPC_TIMEOUT": "timed out", "RPC_RESTART": "starts over",
           "UNKNOWN_SENT": "unknown here, says so", "BUFFER_FAILED": "no receive buffer",
           "PACKET_DROPPED": "packet dropped", "GAP_NEW": "gap in the data"}
WAIT_NS = 1_000     # shorter waits are not worth a line
TOP = 4


def ideal_ns(t: Tables) -> pd.Series:
    """What each RPC would take alone, as the fastest ones show it."""
    size = t.rpcs.request + t.rpcs.response
    wire = queues.serialization(size, t.gbps)
    base = (t.rpcs.rtt - wire).dropna()
    # A large one needs a round trip more for its grants; that is small against its size.
    return max(float(base.quantile(.02)) if len(base) else 0.0, 1.0) + wire


def most_suspicious(t: Tables) -> int | None:
    """The RPC that took most times what it should have, of those that are known whole."""
    ends = t.rpcs.client.map({host: end for host, (_, end) in t.recording.spans.items()})
    took = t.rpcs.rtt.fillna(ends - t.rpcs.c_send).where(t.rpcs.server.notna())
    times = (took / ideal_ns(t)).dropna()
    return int(t.rpcs.id[times.idxmax()]) if len(times) else None


def find(t: Tables, number: int) -> pd.Series:
    """The RPC with an id, of which any 32 bits or more may be given."""
    chosen = t.rpcs[t.rpcs.id == (number & 0xFFFFFFFF & ~1)]
    if chosen.empty:
        raise TraceError(f"the recording has no RPC {number}")
    return chosen.iloc[0]


def describe(names: pd.Series) -> str:
    """'5 kB of 17, 3 kB of 19 and 4 more' from kB by name, greatest first."""
    names = names.sort_values(ascending=False, kind="stable")
    said = ", ".join(f"{kb:.0f} kB of {name}" for name, kb in names.head(TOP).items())
    return said + (f" and {len(names) - TOP} more" if len(names) > TOP else "")


def device_waits(t: Tables, host: str, number: int) -> Iterator[tuple[float, float, str]]:
    """Times for which a message waited for its host's device: (begin, end, for what)."""
    deferred = t.event("PACER_DEFER")
    deferred = deferred[(deferred.host == host) & (deferred.id == number)]
    sent = t.packets[t.packets.tx == host]
    own = sent[sent.id == number].xmit.to_numpy()
    for begin in deferred.ns:
        after = own[own >= begin]
        if not len(after) or after[0] - begin < WAIT_NS:
            continue
        others = sent[sent.xmit.between(begin, after[0]) & (sent.id != number)]
        yield begin, after[0], f"{host}'s device, which sent " + (
            describe(others.groupby("id").wire.sum() / 1e3) or "nothing of Homa's meanwhile")


def grant_waits(t: Tables, host: str, peer: str, number: int
                ) -> Iterator[tuple[float, float, str]]:
    """Times for which a message could not be sent for lack of a grant."""
    blocked = t.event("XMIT_BLOCKED")
    blocked = blocked[(blocked.host == host) & (blocked.id == number)]
    got = t.event("GRANT_RCVD")
    got = got[(got.host == host) & (got.id == number)].ns.to_numpy()
    given = t.grants[t.grants.by == peer]
    for begin in blocked.ns:
        after = got[got >= begin]
        end = after[0] if len(after) else t.recording.spans[host][1]
        if end - begin < WAIT_NS:
            continue
        others = given[given.sent.between(begin, end) & (given.id != number)]
        yield begin, end, f"a grant; {peer} meanwhile granted " + (
            describe(others.groupby("id").increment.sum() / 1e3) or "nothing to others")


def network_wait(t: Tables, seen: pd.DataFrame, number: int, tx: str
                 ) -> Iterator[tuple[float, float, str]]:
    """The packet of a message that waited longest in queues, and what came before it."""
    mine = seen[(seen.id == number) & (seen.tx == tx)]
    if mine.empty or mine.excess.max() < WAIT_NS:
        return
    worst = mine.loc[mine.excess.idxmax()]
    queue = queues.sender_queue(t)
    window = worst.xmit // queues.WINDOW_NS
    own = queue[(queue.tx == tx) & (queue.window == window)].excess.max()
    where = f"the device of {tx}" if own > worst.excess / 2 else f"the switch port to {worst.rx}"
    before = seen[(seen.rx == worst.rx) & seen.rcvd.between(worst.rcvd - worst.excess, worst.rcvd)
                  & (seen.id != number)]
    said = describe(before.groupby("id").wire.sum() / 1e3) or "nothing of Homa's"
    yield worst.rcvd - worst.excess, worst.rcvd, (
        f"{where} (packet at offset {worst.offset}); before it came {said}")


def thread_waits(t: Tables, rpc: pd.Series) -> Iterator[tuple[float, float, str]]:
    """Times for which a message was complete and no thread took it, or one kept it."""
    for side, host in (("s", rpc.server), ("c", rpc.client)):
        begin, end = rpc[f"{side}_complete"], rpc[f"{side}_found"]
        if end - begin >= WAIT_NS:
            taken = t.event("WAIT_FOUND")
            others = taken[(taken.host == host) & taken.ns.between(begin, end)]
            yield begin, end, (f"a thread of {host}; its threads took {len(others) - 1} other "
                               "messages meanwhile")
    if rpc.s_send - rpc.s_found >= WAIT_NS:
        yield rpc.s_found, rpc.s_send, f"the application on {rpc.server} to answer"


def waits(t: Tables, rpc: pd.Series) -> list[tuple[float, float, str]]:
    """Everything that an RPC waited for, in order of time."""
    found = list(thread_waits(t, rpc))
    seen = queues.queueing(t)
    for tx, rx in ((rpc.client, rpc.server), (rpc.server, rpc.client)):
        if isinstance(tx, str) and isinstance(rx, str):
            found += [*device_waits(t, tx, rpc.id), *grant_waits(t, tx, rx, rpc.id),
                      *network_wait(t, seen, rpc.id, tx)]
    return sorted(found)


def program_records(t: Tables, rpc: pd.Series) -> Iterator[tuple[float, str, str]]:
    """What programs recorded of an RPC, with the thread: (ns, host, text)."""
    for host in (rpc.client, rpc.server):
        trace = t.recording.traces.get(host)
        if trace is None or not trace.threads:
            continue
        own = trace.chosen(trace.cpu >= THREADS)
        ids = re.compile(rf"\bid {rpc.id}\b").search
        for ns, label, text in zip(own.ns, own.labels(), own.texts()):
            if ids(text):
                yield ns + own.start_ns() - t.recording.base, host, f"{label}: {text}"


def timeline(t: Tables, rpc: pd.Series) -> pd.DataFrame:
    """The stages of an RPC and what is notable between: us, step_us, host, what."""
    rows = [(rpc[stage], rpc[side], text) for stage, side, text in STEPS]
    for event, text in NOTABLE.items():
        records = t.event(event)
        if "id" in records:
            mine = records[records.id == rpc.id]
            rows += [(row.ns, row.host, text) for row in mine.head(10).itertuples()]
    rows += list(program_records(t, rpc))
    table = pd.DataFrame(rows, columns=["ns", "host", "what"]).dropna(subset=["ns"])
    table = table.sort_values("ns", kind="stable", ignore_index=True)
    start = rpc.c_send if not np.isnan(rpc.c_send) else table.ns.min()
    table["us"] = (table.ns - start) / 1000
    table["step_us"] = table.us.diff().fillna(0.0)
    return table[["us", "step_us", "host", "what"]]


def tell(t: Tables, number: int) -> list[str]:
    """The story of an RPC as lines."""
    rpc = find(t, number)
    ideal = ideal_ns(t)[rpc.name]
    took = f"took {rpc.rtt / 1000:.1f} us" if rpc.rtt == rpc.rtt else "did not end here"
    def size(value: float) -> str:
        return f"{value:.0f} B" if value == value else "unknown"
    lines = [f"RPC {rpc.id} from {rpc.client} to {rpc.server}: request {size(rpc.request)}, "
             f"response {size(rpc.response)}; {took}, alone it would take about "
             f"{ideal / 1000:.1f} us", "", f"{'us':>10} {'step':>10}  host  what"]
    lines += [f"{row.us:10.1f} {row.step_us:10.1f}  {row.host!s:<5} {row.what}"
              for row in timeline(t, rpc).itertuples()]
    start = rpc.c_send if rpc.c_send == rpc.c_send else rpc.s_rcvd
    found = waits(t, rpc)
    lines += ["", "It waited:" if found else "It waited for nothing that the records show."]
    lines += [f"{(begin - start) / 1000:10.1f} {(end - begin) / 1000:10.1f}  for {what}"
              for begin, end, what in found[:20]]
    if len(found) > 20:
        lines.append(f"{'':21}  ... and {len(found) - 20} times more")
    return lines
