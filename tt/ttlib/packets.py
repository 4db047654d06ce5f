# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Data packets and grants: what one host sent, joined with what another received.

One record of sending may be of a frame: several packets that were given to IP at a
time. What arrived tells how long they were. Joining uses no times, because clocks may
differ: what was sent more than once was received the last time, unless times tell
otherwise.
"""
from __future__ import annotations

import numpy as np
import pandas as pd

from ttlib import devices
from ttlib.recording import Recording, host_names

DATA_HEADER = 56
"""Bytes that DATA_SEND's wire_bytes counts beside data: Homa's own header."""
FRAME_BYTES = 58
"""Bytes of a packet on an Ethernet wire that wire_bytes lacks: IPv4 20, Ethernet 38."""
PACKETS = ["tx", "rx", "id", "offset", "length", "wire", "frame", "sched", "prio", "resent",
           "xmit", *devices.COLUMNS, "rcvd", "tx_cpu", "rx_cpu"]
GRANTS = ["id", "offset", "prio", "increment", "by", "to", "sent", "rcvd", "rx_cpu"]


def _directed(recording: Recording) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sends and receptions of data with both hosts, and a key for each message."""
    sent = recording.event("DATA_SEND").rename(columns={"host": "tx", "ns": "xmit",
                                                        "cpu": "tx_cpu"})
    sent["rx"] = host_names(recording, sent.peer)
    rcvd = recording.event("DATA_RCVD").rename(columns={"host": "rx", "ns": "rcvd",
                                                        "cpu": "rx_cpu"})
    rcvd["tx"] = host_names(recording, rcvd.peer)
    hosts = dict.fromkeys([*recording.hosts, *sent.rx.unique(), *rcvd.tx.unique()])
    number = {host: i for i, host in enumerate(hosts)}
    for table in (sent, rcvd):
        ids = table.id.astype(np.int64)
        table["key"] = (ids * 16384 + table.tx.map(number).astype(np.int64)) * 16384 \
            + table.rx.map(number).astype(np.int64)
        table["offset"] = table.offset.astype(np.int64)
    sent["length"] = sent.wire_bytes.astype(np.int64) - DATA_HEADER
    return sent, rcvd


def _candidates(sent: pd.DataFrame, rcvd: pd.DataFrame) -> pd.DataFrame:
    """Each reception with each sending that it may be of: number (of the row in sent),
    arrival (in rcvd). Both tables are in order of (key, offset)."""
    # Positions of (key, offset) in one order of both tables, as numbers.
    keys = pd.Index(sent.key.unique()).union(rcvd.key.unique())
    wide = 1 << 32
    places = keys.get_indexer(rcvd.key) * wide + rcvd.offset.to_numpy()
    begins = keys.get_indexer(sent.key) * wide + sent.offset.to_numpy()
    first = np.searchsorted(places, begins)
    counts = np.searchsorted(places, begins + sent.length.to_numpy()) - first
    total = np.cumsum(counts)
    nth = np.arange(total[-1] if len(total) else 0) - np.repeat(total - counts, counts)
    return pd.DataFrame({"number": np.repeat(np.arange(len(sent)), counts),
                         "arrival": np.repeat(first, counts) + nth})


def _matches(sent: pd.DataFrame, rcvd: pd.DataFrame) -> pd.DataFrame:
    """Each reception with the sending that it is of: number, offset, length, rcvd, rx_cpu."""
    both = _candidates(sent, rcvd)
    both["xmit"] = sent.xmit.to_numpy()[both.number]
    both["late"] = both.xmit > rcvd.rcvd.to_numpy()[both.arrival]
    # The last one that was before the reception; if none was, the last one.
    earlier = ~both.late.groupby(both.arrival).transform("all")
    both = both[~(both.late & earlier)].sort_values("xmit", kind="stable")
    both = both.drop_duplicates("arrival", keep="last").sort_values("arrival")
    return rcvd[["offset", "length", "rcvd", "rx_cpu"]].iloc[both.arrival] \
        .assign(number=both.number.to_numpy())


def _with_holes(sent: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """What arrived of each sending, and what of it did not: a row for each."""
    found = found.sort_values(["number", "offset"], kind="stable", ignore_index=True)
    begins = sent.offset.to_numpy()
    ends = begins + sent.length.to_numpy()
    after = (found.offset + found.length).to_numpy()
    first = ~found.number.duplicated().to_numpy()
    last = ~found.number.duplicated(keep="last").to_numpy()
    before = np.where(first, begins[found.number], np.roll(after, 1))
    never = np.setdiff1d(np.arange(len(sent)), found.number)
    holes = pd.concat([
        pd.DataFrame({"number": found.number, "offset": before, "length": found.offset - before}),
        pd.DataFrame({"number": found.number, "offset": after,
                      "length": ends[found.number] - after})[last],
        pd.DataFrame({"number": never, "offset": begins[never],
                      "length": (ends - begins)[never]})], ignore_index=True)
    return pd.concat([found, holes[holes.length > 0]], ignore_index=True)


def data_packets(recording: Recording) -> pd.DataFrame:
    """The table of data packets; model.py says what its columns are.

    A frame has a row for each packet that arrived, and one for each gap between
    them. What was received but not sent within the recording is left out.
    """
    sent, rcvd = _directed(recording)
    # Of a message, everything is sent in order unless it is sent again.
    sent = sent.sort_values(["key", "xmit"], kind="stable")
    reached = (sent.offset + sent.length).groupby(sent.key).cummax()
    sent["resent"] = sent.offset < reached.groupby(sent.key).shift(fill_value=0)
    sent = sent.sort_values(["key", "offset", "xmit"], kind="stable", ignore_index=True)
    rcvd = rcvd.sort_values(["key", "offset"], kind="stable", ignore_index=True)
    parts = _with_holes(sent, _matches(sent, rcvd))
    largest = rcvd.length.max() if len(rcvd) else np.inf
    table = sent.drop(columns=["length"]).rename(columns={"offset": "frame"}) \
        .iloc[parts.number].reset_index(drop=True)
    for column in ("offset", "length", "rcvd", "rx_cpu"):
        table[column] = parts[column].to_numpy()
    table["wire"] = table.length + np.ceil(table.length / largest).clip(lower=1) \
        * (DATA_HEADER + FRAME_BYTES)
    table = add_priorities(table, recording)
    for column in devices.COLUMNS:
        table[column] = np.nan
    return table[PACKETS].sort_values(["xmit", "offset"], kind="stable", ignore_index=True)


def add_priorities(table: pd.DataFrame, recording: Recording) -> pd.DataFrame:
    """Which packets were granted, and with which priority (-1: unscheduled or unknown)."""
    grants = recording.event("GRANT_RCVD")
    copies = recording.event("COPY_IN_START")
    limit = copies.groupby(["host", "id"]).unscheduled.last()
    index = pd.MultiIndex.from_frame(table[["tx", "id"]])
    unscheduled = limit.reindex(index).to_numpy(float)
    granted = grants.groupby(["host", "id"]).size().reindex(index).to_numpy(float) > 0
    table["sched"] = np.where(np.isnan(unscheduled), granted, table.offset >= unscheduled)
    if not len(grants):
        return table.assign(prio=-1)
    right = grants[["host", "id", "ns", "prio"]].rename(columns={"host": "tx", "ns": "xmit"})
    right["id"], right["xmit"] = right.id.astype(np.int64), right.xmit.astype(float)
    table["id"] = table.id.astype(np.int64)
    table = pd.merge_asof(table.sort_values("xmit", kind="stable"), right, on="xmit",
                          by=["tx", "id"])
    table["prio"] = table.prio.where(table.sched, -1).fillna(-1).astype(int)
    return table


def other_hosts(recording: Recording) -> pd.DataFrame:
    """For each RPC and host the other one of the two: id, by, to."""
    seen = recording.event("DATA_SEND", "DATA_RCVD", "GRANT_SENT", "GRANT_RCVD", "QUEUED")
    seen = seen[["id", "host"]].drop_duplicates()
    both = seen.rename(columns={"host": "by"}).merge(seen.rename(columns={"host": "to"}), on="id")
    return both[both.by != both.to].drop_duplicates(["id", "by"])


def grants(recording: Recording) -> pd.DataFrame:
    """The table of grants; model.py says what its columns are."""
    sent = recording.event("GRANT_SENT").rename(columns={"host": "by", "ns": "sent"})
    rcvd = recording.event("GRANT_RCVD").rename(columns={"host": "to", "ns": "rcvd",
                                                         "cpu": "rx_cpu"})
    sent = sent.merge(other_hosts(recording), on=["id", "by"], how="left")
    keys = ["id", "offset", "to"]
    sent["nth"], rcvd["nth"] = sent.groupby(keys).cumcount(), rcvd.groupby(keys).cumcount()
    table = sent.drop(columns=["cpu", "event"]).merge(rcvd[[*keys, "nth", "rcvd", "rx_cpu"]],
                                                      on=[*keys, "nth"], how="left")
    return table[GRANTS].sort_values("sent", kind="stable", ignore_index=True)


def control_delays(recording: Recording) -> pd.DataFrame:
    """One-way delays (tx, rx, ns) of packets that are neither data nor grants."""
    parts = []
    for kind, keys in (("RESEND", ["id", "offset"]), ("BUSY", ["id"]), ("NEED_ACK", ["id"])):
        sent, rcvd = recording.event(f"{kind}_SENT"), recording.event(f"{kind}_RCVD")
        unique = [table[~table.duplicated(["host", *keys], keep=False)] for table in (sent, rcvd)]
        both = unique[0].merge(unique[1], on=keys, suffixes=("_tx", "_rx"))
        both = both[both.host_tx != both.host_rx]
        parts.append(pd.DataFrame({"tx": both.host_tx, "rx": both.host_rx,
                                   "ns": both.ns_rx - both.ns_tx}))
    return pd.concat(parts, ignore_index=True)
