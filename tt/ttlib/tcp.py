# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""TCP packets and exchanges, from records that the kernel's own tracepoints make.

An end of a connection is 32 bits: the low halves of address and port. Packets are told
apart by the sequence number of their first byte; what a host sent as one packet may
arrive as several, and the other way round.
"""
from __future__ import annotations

import pandas as pd

from ttlib.model import Tables

PACKETS = ["tx", "rx", "source", "dest", "seq", "bytes", "queued", "nic", "gro", "softirq",
           "read"]
KEYS = ["source", "dest", "seq"]
NOTHING = "The recording has no packets of TCP: the kernel's records need net.homa.trace_kernel."


def _first(t: Tables, event: str, name: str, host: str) -> pd.DataFrame:
    """First record of each packet with data: KEYS, bytes, time, host."""
    table = t.event(event).rename(columns={"from": "source", "to": "dest", "ns": name,
                                           "host": host})
    table = table[table.bytes > 0].astype({key: "int64" for key in KEYS})
    return table.drop_duplicates(KEYS)[[*KEYS, "bytes", name, host]]


def packets(t: Tables) -> pd.DataFrame:
    """One row for each packet with data that a device got; times are ns, NaN if unknown.

    queued: given to the qdisc; nic: to the device; gro, softirq: taken in; read: an
    application has read its last byte.
    """
    sent = _first(t, "TCP_NIC", "nic", "tx").sort_values("seq")
    # A frame is queued once, and given to the device as one or in its packets; what was
    # taken in may be longer as well. Both are of the last one at or below the first byte.
    for event, name, host in (("TCP_QUEUE", "queued", "by"), ("TCP_GRO", "gro", "rx_gro"),
                              ("TCP_SOFTIRQ", "softirq", "rx_softirq")):
        got = _first(t, event, name, host).sort_values("seq").drop(columns=["bytes"])
        sent = pd.merge_asof(sent, got, on="seq", by=["source", "dest"])
    sent["rx"] = sent.rx_softirq.fillna(sent.rx_gro)
    read = t.event("TCP_READ").rename(columns={"from": "source", "to": "dest", "ns": "read"})
    read = read.astype({key: "int64" for key in KEYS}).sort_values("seq")
    sent["end"] = (sent.seq + sent.bytes).astype("int64")
    read = read.rename(columns={"seq": "end"})[["source", "dest", "end", "read"]]
    sent = pd.merge_asof(sent.sort_values("end"), read, on="end", by=["source", "dest"],
                         direction="forward")
    return sent[PACKETS].sort_values("queued", kind="stable", ignore_index=True)


def exchanges(t: Tables) -> pd.DataFrame:
    """What one end of a connection sent without being answered, and the answer: client,
    server, source, dest, request, response (bytes), begin, served (last byte of the
    request taken in), answered (first byte of the answer queued), end (it was read).

    The client is who sent first. With several requests outstanding on a connection, they
    count as one exchange.
    """
    table = packets(t)
    low, high = table[["source", "dest"]].min(axis=1), table[["source", "dest"]].max(axis=1)
    rows = []
    for _, part in table.groupby([low, high]):
        client = part.source.iloc[0]
        asks = (part.source == client).to_numpy()
        run = ((part.source == client) & (part.source.shift() != client)).cumsum()
        for _, both in part.groupby(run):
            ask, answer = both[both.source == client], both[both.source != client]
            if len(answer) == 0 or not asks.any():
                continue
            rows.append({"client": ask.tx.iloc[0], "server": answer.tx.iloc[0],
                         "source": client, "dest": ask.dest.iloc[0],
                         "request": ask.bytes.sum(), "response": answer.bytes.sum(),
                         "begin": ask.queued.min(), "served": ask.softirq.max(),
                         "answered": answer.queued.min(), "end": answer["read"].max()})
    return pd.DataFrame(rows, columns=["client", "server", "source", "dest", "request", "response",
                                       "begin", "served", "answered", "end"])
