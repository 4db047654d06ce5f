# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How fast long messages arrive."""
from __future__ import annotations

from types import SimpleNamespace

from ttlib import plots
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables


@analyzer("tput", Opt("min_len", int, 300_000, "least length"), needs="messages")
def tput(t: Tables, o: SimpleNamespace) -> Result:
    """Throughput of each message of 300 kB or more, as a whole and after its first grant.

    Read: gbps well below granted_gbps: the first grant came late; both low while the link
    was free: grants came too slowly, or the sender was busy with others.
    """
    chosen = t.messages[t.messages.length >= o.min_len].dropna(subset=["rcvd", "complete"])
    first = t.grants.groupby(["by", "id"]).sent.min()
    keys = list(zip(chosen.rx, chosen.id))
    granted = first.reindex(keys).to_numpy()
    after = t.packets.merge(chosen[["tx", "id", "rx"]].assign(granted=granted),
                            on=["tx", "id", "rx"])
    after = after[after.rcvd > after.granted].groupby(["tx", "id"]).length.sum()
    bits = after.reindex(list(zip(chosen.tx, chosen.id))).to_numpy() * 8
    table = chosen.assign(us=(chosen.complete - chosen.rcvd) / 1000,
                          gbps=chosen.length * 8 / (chosen.complete - chosen.rcvd),
                          granted_gbps=bits / (chosen.complete - granted))
    table = table[["id", "kind", "tx", "rx", "length", "us", "gbps", "granted_gbps"]].sort_values(
        "gbps", kind="stable", ignore_index=True)
    said = ", ".join(f"{n} {v:.1f}" for n, v in zip(
        ("min", "P50", "P90", "P99", "max"), table.gbps.quantile([0, .5, .9, .99, 1]))) \
        if len(table) else "none was received whole"
    return Result(f"{len(table)} messages of {o.min_len} B or more; Gb/s: {said}.", table,
                  plots.ccdf({"whole": table.gbps, "after the first grant": table.granted_gbps},
                             "throughput of a message, Gb/s"))
