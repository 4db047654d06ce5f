# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What cores did beside Homa's own work, from the kernel's records, if there are any.

Softirqs are those of the core, whichever host it worked for; the threads are the
host's own, and what ran between them is of others, or nothing.
"""
from __future__ import annotations

import pandas as pd

from ttlib.recording import Recording
from ttlib.trace import event_columns

VECTORS = {2: "NET_TX", 3: "NET_RX"}


def _as_recorded(recording: Recording, *names: str) -> pd.DataFrame:
    """The records of some kinds by host in the order in which they were made, which the time
    does not tell where a clock stands still: host, ns, cpu, event, and the values.
    """
    parts = []
    for host, trace in recording.traces.items():
        ns = trace.ns + (trace.start_ns() - recording.base)
        for name in names:
            event = recording.catalog.events[name]
            where = trace.find(event.text)
            parts.append(pd.DataFrame({"host": host, "row": where, "ns": ns[where],
                                       "cpu": trace.cpu[where], "event": name,
                                       **event_columns(trace, event, where)}))
    return pd.concat(parts).sort_values(["host", "row"], ignore_index=True)


def softirqs(recording: Recording) -> pd.DataFrame:
    """Runs of network softirqs: host, cpu, vector, begin, end."""
    both = _as_recorded(recording, "SOFTIRQ_ENTRY", "SOFTIRQ_EXIT")
    groups = both.groupby(["host", "cpu", "vector"])
    both["end"], both["next"] = groups.ns.shift(-1), groups.event.shift(-1)
    runs = both[(both.event == "SOFTIRQ_ENTRY") & (both.next == "SOFTIRQ_EXIT")]
    return runs.rename(columns={"ns": "begin"})[
        ["host", "cpu", "vector", "begin", "end"]].reset_index(drop=True)


def threads(recording: Recording) -> pd.DataFrame:
    """Turns of threads on cores: host, cpu, pid, begin, end.

    All turns of the host's own threads; those of others that come before or after one.
    Thread 0, the idle one, has no turns.
    """
    switches = _as_recorded(recording, "TASK_SWITCH")
    later = switches.groupby(["host", "cpu"])[["ns", "old"]].shift(-1)
    turns = switches.assign(begin=switches.ns, end=later.ns, pid=switches.new)
    turns = turns[(later.old == switches.new) & (switches.new != 0)]
    return turns[["host", "cpu", "pid", "begin", "end"]].reset_index(drop=True)
