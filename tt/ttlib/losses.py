# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Packets that were sent and did not arrive, and what that cost."""
from __future__ import annotations

import numpy as np
import pandas as pd

from ttlib.model import Tables

SLACK_NS = 20_000
"""How much longer than the slowest one to the same host a grant may take."""


def _ends(t: Tables, hosts: pd.Series) -> pd.Series:
    return hosts.map({host: end for host, (_, end) in t.recording.spans.items()})


def _begins(t: Tables, hosts: pd.Series) -> pd.Series:
    return hosts.map({host: begin for host, (begin, _) in t.recording.spans.items()})


def lost_packets(t: Tables) -> pd.DataFrame:
    """Data packets that did not arrive although later ones of their message did, or that
    had to be sent again; cost: ns until the data was there after all (NaN: never).
    """
    missing = t.packets[t.packets.rcvd.isna()]
    missing = missing[missing.xmit > _begins(t, missing.rx)]
    got = t.packets.dropna(subset=["rcvd"])
    keys = ["tx", "rx", "id"]
    # Packets of one message may pass each other if its priority has changed.
    passed = got.assign(lane=got.prio).groupby([*keys, "lane"]).xmit.max()
    lane = pd.MultiIndex.from_arrays([*(missing[k] for k in keys), missing.prio])
    later = passed.reindex(lane).to_numpy() > missing.xmit.to_numpy()
    again = got[got.resent].groupby([*keys, "offset"]).rcvd.min()
    there = again.reindex(pd.MultiIndex.from_arrays(
        [*(missing[k] for k in keys), missing.offset])).to_numpy()
    rejected = t.event("DATA_REJECTED")
    known = pd.MultiIndex.from_frame(missing[["rx", "id", "offset"]]).isin(
        pd.MultiIndex.from_frame(rejected[["host", "id", "offset"]]))
    chosen = (later | ~np.isnan(there)) & ~known
    return missing.assign(cost=there - missing.xmit)[chosen].reset_index(drop=True)


def lost_grants(t: Tables) -> pd.DataFrame:
    """Grants that did not arrive; cost: ns until a later one did (NaN: none).

    A grant that repeats what was granted before is not recorded where it arrives.
    """
    first = t.grants.dropna(subset=["to"]).drop_duplicates(["by", "id", "offset"])
    missing = first[first.rcvd.isna()]
    slowest = (t.grants.rcvd - t.grants.sent).groupby(t.grants.to).max()
    until = missing.sent + missing.to.map(slowest).fillna(0.0) + SLACK_NS
    missing = missing[(missing.sent > _begins(t, missing.to)) & (until < _ends(t, missing.to))]
    got = t.event("GRANT_RCVD")
    complete = t.event("MSG_COMPLETE")
    rows = []
    for row in missing.itertuples():
        same = got[(got.host == row.to) & (got.id == row.id) & (got.offset >= row.offset)]
        before = same[same.ns <= row.sent]
        over = complete[(complete.host == row.by) & (complete.id == row.id)
                        & (complete.ns <= row.sent)]
        if before.empty and over.empty:
            rows.append({**row._asdict(), "cost": same.ns.min() - row.sent})
    return pd.DataFrame(rows, columns=[*missing.columns, "cost"])
