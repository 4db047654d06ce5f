# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""RPCs and their messages: what the records of the two hosts say together.

Records carry the low 32 bits of an RPC's id, the same on both hosts. Which host is
the client is told by who sent the request, else by ports: those of clients begin
at 0x8000.
"""
from __future__ import annotations

import numpy as np
import pandas as pd

from ttlib.recording import Recording, host_names

CLIENT_PORT = 0x8000
# Stage of a side's life -> (event, whether its last record counts, not the first).
STAGES = {
    "copy_in": ("COPY_IN_START", False), "copied": ("COPY_IN_DONE", False),
    "xmit": ("DATA_SEND", False), "last_xmit": ("DATA_SEND", True),
    "rcvd": ("MSG_NEW", False), "complete": ("MSG_COMPLETE", False),
    "queued": ("QUEUED", False), "handoff": ("HANDOFF", False), "found": ("WAIT_FOUND", False),
    "copy_out": ("COPY_OUT_START", False), "copied_out": ("COPY_OUT_DONE", False),
    "done": ("RECVMSG_DONE", False), "end": ("RPC_END", False)}
COUNTS = {"resends": "RESEND_SENT", "retransmits": "DATA_RESENT", "busys": "BUSY_SENT",
          "drops": "PACKET_DROPPED", "aborts": "RPC_ABORT", "timeouts": "RPC_TIMEOUT"}
MESSAGES = ["id", "kind", "tx", "rx", "length", "unscheduled", "send", "copied", "xmit",
            "last_xmit", "rcvd", "complete", "queued", "found", "done", "grants", "resends",
            "retransmits"]


def sides(recording: Recording) -> pd.DataFrame:
    """What each host knows of each RPC: a row for each (host, id), stages as columns."""
    columns = {}
    for name, (event, last) in STAGES.items():
        grouped = recording.event(event).groupby(["host", "id"]).ns
        columns[name] = grouped.max() if last else grouped.min()
    request = recording.event("SENDMSG_REQUEST").groupby(["host", "id"]).first()
    response = recording.event("SENDMSG_RESPONSE").groupby(["host", "id"]).first()
    begins = recording.event("MSG_NEW").groupby(["host", "id"]).first()
    columns["send"] = request.ns.combine_first(response.ns)
    columns["out_length"] = request.length.combine_first(response.length)
    columns["unscheduled"] = recording.event("COPY_IN_START").groupby(
        ["host", "id"]).unscheduled.first()
    complete = recording.event("MSG_COMPLETE").groupby(["host", "id"]).length.first()
    columns["in_length"] = begins.length.combine_first(complete)
    columns["pid"] = recording.event("WAIT_FOUND").groupby(["host", "id"]).pid.first()
    columns["pid"] = columns["pid"].combine_first(response.pid)
    ports = recording.event("QUEUED", "WAIT_FOUND", "RPC_END", "SENDMSG_RESPONSE")
    columns["port"] = ports.groupby(["host", "id"]).port.first()
    for name, event in COUNTS.items():
        columns[name] = recording.event(event).groupby(["host", "id"]).size()
    columns["grants"] = recording.event("GRANT_RCVD").groupby(["host", "id"]).size()
    # What was sent first is known only of messages that began within the recording.
    columns["xmit"] = columns["xmit"].where(
        columns["copy_in"].reindex(columns["xmit"].index).notna())
    table = pd.concat(columns, axis=1)
    table = table.astype({c: float for c in table.columns})
    counts = [*COUNTS, "grants"]
    table[counts] = table[counts].fillna(0).astype(int)
    table["client"] = _is_client(table, request.index, response.index)
    return table.reset_index().assign(id=lambda t: t.id.astype(np.int64))


def _is_client(table: pd.DataFrame, request: pd.Index, response: pd.Index) -> pd.Series:
    """1.0: client; 0.0: server; NaN: no record tells."""
    known = pd.Series(np.where(table.port.isna(), np.nan, table.port >= CLIENT_PORT),
                      index=table.index)
    known[table.index.intersection(response)] = 0.0
    known[table.index.intersection(request)] = 1.0
    # What the other host is not: an RPC has two sides.
    ids = known.index.get_level_values("id")
    other = known.groupby(ids).transform("sum", min_count=1)
    known_sides = known.groupby(ids).transform("count")
    both = known.groupby(ids).transform("size") == 2
    return known.where(known.notna() | ~both | (known_sides == 0), 1.0 - other)


def rpcs(recording: Recording, table: pd.DataFrame) -> pd.DataFrame:
    """The table of RPCs from that of sides; model.py says what its columns are."""
    mine, theirs = table[table.client == 1.0], table[table.client == 0.0]
    drop = ["client"]
    both = mine.drop(columns=drop).rename(columns={"host": "client"}).merge(
        theirs.drop(columns=drop).rename(columns={"host": "server"}), on="id", how="outer",
        suffixes=("_c", "_s"))
    both = both[~(both.client == both.server)]
    peers = _peers(recording, both)
    both["server"] = both.server.fillna(peers)
    result = pd.DataFrame({"id": both.id, "client": both.client, "server": both.server,
                           "port": both.port_s,
                           "request": both.out_length_c.fillna(both.in_length_s),
                           "response": both.in_length_c.fillna(both.out_length_s)})
    for side in "cs":
        for stage in ("send", *STAGES):
            result[f"{side}_{stage}"] = both[f"{stage}_{side}"]
        result[f"{side}_pid"] = both[f"pid_{side}"]
        for name in (*COUNTS, "grants"):
            result[f"{side}_{name}"] = both[f"{name}_{side}"].fillna(0).astype(int)
    result["unsched_request"] = both.unscheduled_c
    result["unsched_response"] = both.unscheduled_s
    result["rtt"] = result.c_done - result.c_send
    return result.sort_values("c_send", kind="stable", ignore_index=True)


def _peers(recording: Recording, both: pd.DataFrame) -> pd.Series:
    """Servers of RPCs of which the server recorded nothing, from the request's address."""
    requests = recording.event("SENDMSG_REQUEST")
    servers = requests.assign(server=host_names(recording, requests.peer)).groupby(["host", "id"]) \
        .server.first()
    index = pd.MultiIndex.from_frame(both[["client", "id"]])
    return pd.Series(servers.reindex(index).to_numpy(), index=both.index)


def messages(rpc: pd.DataFrame) -> pd.DataFrame:
    """The table of messages from that of RPCs: two for each RPC."""
    parts = []
    for kind, (tx, rx), (a, b) in (("request", ("client", "server"), "cs"),
                                   ("response", ("server", "client"), "sc")):
        part = {"id": rpc.id, "kind": kind, "tx": rpc[tx], "rx": rpc[rx], "length": rpc[kind],
                "unscheduled": rpc[f"unsched_{kind}"]}
        part.update({name: rpc[f"{a}_{name}"] for name in ("send", "copied", "xmit", "last_xmit",
                                                           "grants", "retransmits")})
        part.update({name: rpc[f"{b}_{name}"] for name in ("rcvd", "complete", "queued", "found",
                                                           "done", "resends")})
        parts.append(pd.DataFrame(part)[MESSAGES])
    table = pd.concat(parts, ignore_index=True)
    return table[table.length.notna()].reset_index(drop=True)
