# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What each host sends, over time."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from analyzers.nicbacklog import held
from ttlib import plots
from ttlib.analysis import Opt, Result, analyzer
from ttlib.intervals import STEP_NS
from ttlib.model import Tables


@analyzer("txintervals", Opt("host", str, "", "only this host"), needs="packets")
def txintervals(t: Tables, o: SimpleNamespace) -> Result:
    """Transmission of each host by 20 us: rates, kinds of packets, pacer, device.

    Read: deferred counts messages that had to wait for the device; where it is high and
    out_gbps below the link's speed, the pacer held back too much.
    """
    parts = []
    table = held(t, STEP_NS)
    events = {"deferred": "PACER_DEFER", "by_pacer": "PACER_XMIT", "no_grant": "XMIT_BLOCKED",
              "grants_got": "GRANT_RCVD", "grants_sent": "GRANT_SENT"}
    for host, part in table.groupby("host"):
        edges = np.append(part.begin.to_numpy(), part.begin.iloc[-1] + STEP_NS)
        sent = t.packets[t.packets.tx == host]
        counts = {"unsched_pkts": sent[~sent.sched].xmit, "sched_pkts": sent[sent.sched].xmit,
                  "resent_pkts": sent[sent.resent].xmit}
        for name, event in events.items():
            records = t.event(event)
            counts[name] = records[records.host == host].ns
        parts.append(part.assign(**{name: np.histogram(times.to_numpy(float), edges)[0]
                                    for name, times in counts.items()}))
    table = pd.concat(parts, ignore_index=True)
    table = table[table.host == o.host].reset_index(drop=True) if o.host else table
    return Result(f"{table.deferred.sum()} times a message had to wait for the device, "
                  f"{table.no_grant.sum()} times for a grant; up to {table.out_gbps.max():.1f} "
                  "Gb/s were sent.", table, plots.over_time(table, "out_gbps", "sent, Gb/s"))
