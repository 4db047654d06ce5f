# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""When packets were with the network device, from records that it makes, if any.

Traces without such records have NaN there; what follows from the times at which
packets were sent and received is computed without them.
"""
from __future__ import annotations

import pandas as pd

from ttlib.recording import Recording

# Column of the table of packets -> event with (host, id, offset), and whose host it is.
TIMES = {"nic": ("NIC_DATA", "tx"), "nic_done": ("DATA_FREED", "tx"), "gro": ("GRO_DATA", "rx")}


def add_times(packets: pd.DataFrame, recording: Recording) -> pd.DataFrame:
    """Fill the columns nic, nic_done and gro."""
    for column, (event, side) in TIMES.items():
        found = recording.event(event) if event in recording.catalog.events else None
        if found is None or found.empty:
            continue
        times = found.groupby(["host", "id", "offset"]).ns.min()
        # A frame may be with a device as a whole, or as its packets.
        for offset in ("offset", "frame"):
            index = pd.MultiIndex.from_frame(packets[[side, "id", offset]])
            packets[column] = packets[column].fillna(
                pd.Series(times.reindex(index).to_numpy(), index=packets.index))
    return packets
