# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Data packets and grants: what one host sent, joined with what another received.

Joining uses no times, because clocks may differ: a packet that was sent more than
once was received the last time, unless times tell otherwise.
"""
from __future__ import annotations

import numpy as np
import pandas as pd

from ttlib.recording import Recording, host_names

DATA_HEADER = 56
"""Bytes that DATA_SEND's wire_bytes counts beside data: Homa's own header."""
FRAME_BYTES = 58
"""Bytes of a packet on an Ethernet wire that wire_bytes lacks: IPv4 20, Ethernet 38."""
PACKETS = ["tx", "rx", "id", "offset", "length", "wire", "sched", "prio", "resent",
           "xmit", "nic", "nic_done", "gro", "rcvd", "tx_cpu", "rx_cpu"]
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


def data_packets(recording: Recording) -> pd.DataFrame:
    """The table of data packets; model.py says what its columns are.

    A packet that left as one and arrived in segments has a row for each. What
    was received but not sent within the recording is left out.
    """
    sent, rcvd = _directed(recording)
    sent = sent.sort_values(["offset", "xmit"], kind="stable", ignore_index=True)
    sent["resent"] = sent.groupby(["key", "offset"]).cumcount() > 0
    sent["number"] = np.arange(len(sent))
    rcvd = rcvd.sort_values("offset", kind="stable")[
        ["key", "offset", "length", "rcvd", "rx_cpu"]]
    rcvd["at"] = rcvd.offset
    # The last sending at or below the offset, of the same message.
    found = pd.merge_asof(rcvd.rename(columns={"length": "got"}),
                          sent[["key", "offset", "length", "number"]],
                          on="offset", by="key")
    found = found.dropna(subset=["number"])
    begins = sent.offset.to_numpy()[found.number.astype(int)]
    found = found[found["at"].to_numpy() < begins + found.length.to_numpy()]
    found = _earlier_of_resent(found.assign(number=found.number.astype(int)), sent)
    table = sent.merge(found[["number", "at", "got", "rcvd", "rx_cpu"]], on="number", how="left")
    whole = table.got.isna()
    table["offset"] = table["at"].where(~whole, table.offset).astype(np.int64)
    table["wire"] = np.where(whole, table.length, table.got) + DATA_HEADER + FRAME_BYTES
    table["length"] = table.got.where(~whole, table.length).astype(np.int64)
    table = add_priorities(table, recording)
    for column in ("nic", "nic_done", "gro"):
        table[column] = np.nan
    return table[PACKETS].sort_values("xmit", kind="stable", ignore_index=True)


def _earlier_of_resent(found: pd.DataFrame, sent: pd.DataFrame) -> pd.DataFrame:
    """If the last sending was after the reception, take the one before it."""
    xmit = sent.xmit.to_numpy()
    number = found.number.to_numpy().copy()
    late = (xmit[number] > found.rcvd.to_numpy()) & sent.resent.to_numpy()[number]
    number[late] -= 1       # neighbours are of one offset, but of any message
    same = (sent.key.to_numpy()[number] == found.key.to_numpy()) \
        & (sent.offset.to_numpy()[number] <= found["at"].to_numpy())
    return found.assign(number=np.where(late & same, number, found.number))


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
