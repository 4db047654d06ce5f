# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Packets that never arrived."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.losses import lost_grants, lost_packets
from ttlib.model import Tables


@analyzer("lost")
def lost(t: Tables, _: SimpleNamespace) -> Result:
    """Data packets and grants that were sent and never received, and what was sent again.

    Read: a loss that cost nothing was repaired by a later grant or RESEND soon; look at
    `tthoma why ID` for the RPCs in the list. Retransmissions without losses came too early.
    """
    data, grants = lost_packets(t), lost_grants(t)
    parts = [pd.DataFrame({"what": "data", "tx": data.tx, "rx": data.rx, "id": data.id,
                           "offset": data.offset, "at_us": data.xmit / 1000,
                           "cost_us": data.cost / 1000}),
             pd.DataFrame({"what": "grant", "tx": grants.by, "rx": grants.to, "id": grants.id,
                           "offset": grants.offset, "at_us": grants.sent / 1000,
                           "cost_us": grants.cost / 1000})]
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    again = t.event("DATA_RESENT").groupby("host").size()
    resends = t.event("RESEND_SENT").groupby("host").size()
    per_host = pd.DataFrame({"lost": table.groupby("tx").size(), "sent again": again,
                             "RESENDs": resends}).reindex(t.hosts).fillna(0)
    return Result(f"{len(data)} data packets and {len(grants)} grants were lost; "
                  f"{again.sum()} times data was sent again, {resends.sum()} RESENDs.",
                  table.sort_values("at_us", ignore_index=True),
                  plots.bars(per_host, "packets", "host"))
