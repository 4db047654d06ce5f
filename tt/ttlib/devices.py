# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""When packets were with queueing disciplines and devices, from the kernel's records, if
there are any (net.homa.trace_kernel).

Traces without such records have NaN there; what follows from the times at which
packets were sent and received is computed without them.
"""
from __future__ import annotations

import numpy as np
import pandas as pd

from ttlib.recording import Recording

COLUMNS = ("qdisc", "queue", "nic", "nic_done", "gro")
# Column of the table of packets -> event with (host, id, offset), whose host it is, and
# the time that it comes next after, or before.
TIMES = {"qdisc": ("QDISC_DATA", "tx", "xmit", "forward"),
         "nic": ("NIC_DATA", "tx", "xmit", "forward"),
         "nic_done": ("DATA_FREED", "tx", "xmit", "forward"),
         "gro": ("GRO_DATA", "rx", "rcvd", "backward")}


def _nearest(packets: pd.DataFrame, found: pd.DataFrame, by: list[str], near: str,
             direction: str) -> pd.DataFrame:
    """For each packet the record of it that is the next one in time: its ns, and queue."""
    left = packets[[*by, near]].set_axis(["host", "id", "offset", "at"], axis=1).reset_index()
    left = left.dropna(subset=["at"]).sort_values("at", kind="stable")
    right = found[["host", "id", "offset", "ns", *found.columns.intersection(["queue"])]]
    for table in (left, right := right.assign(at=right.ns.astype(float))):
        table["id"], table["offset"] = table.id.astype(np.int64), table.offset.astype(np.int64)
    return pd.merge_asof(left, right.sort_values("at", kind="stable"), on="at",
                         by=["host", "id", "offset"], direction=direction).set_index("index")


def add_times(packets: pd.DataFrame, recording: Recording) -> pd.DataFrame:
    """Fill the columns qdisc, queue, nic, nic_done and gro."""
    for column, (event, side, near, direction) in TIMES.items():
        found = recording.event(event)
        if found.empty:
            continue
        # A frame may be there as a whole, or as its packets, or, where a device is over
        # another one, both: what is nearest to Homa counts.
        whole, part = (_nearest(packets, found, [side, "id", offset], near, direction)
                       for offset in ("frame", "offset"))
        nearer = (part.ns < whole.ns) if direction == "forward" else (part.ns > whole.ns)
        times = part.where(nearer | whole.ns.isna(), whole)
        packets[column] = times.ns.astype(float)
        if column == "nic":
            packets["queue"] = times.queue.astype(float)
    # The device tells of the last packet of a frame that was cut only.
    if packets.nic_done.notna().any():
        last = packets.groupby(["tx", "id", "frame", "xmit"]).nic_done.transform("max")
        packets["nic_done"] = packets.nic_done.fillna(last)
    return packets
