# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What a device holds at one time."""
from __future__ import annotations

from types import SimpleNamespace

from ttlib import plots, queues
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables


@analyzer("nicsnapshot", Opt("host", str, "", "host (default: with the fullest device)"),
          Opt("at_us", float, -1.0, "time (default: when it was fullest)"), needs="packets")
def nicsnapshot(t: Tables, o: SimpleNamespace) -> Result:
    """The packets in a host's device at one time, and what was before and after.

    Read: state is "in" for what the device held, "left" for what left it in the 10 us before
    and "next" for what came in the 10 us after; wait_us is the time in the device.
    """
    packets = queues.device_times(t)
    packets["wait"] = packets.left - packets.xmit
    worst = packets[packets.tx == o.host] if o.host else packets
    worst = worst.loc[worst.wait.idxmax()]
    host, at = worst.tx, o.at_us * 1000 if o.at_us >= 0 else worst.xmit
    mine = packets[packets.tx == host].copy()
    mine["state"] = ""
    mine.loc[(mine.xmit <= at) & (mine.left > at), "state"] = "in"
    mine.loc[(mine.left <= at) & (mine.left > at - 10_000), "state"] = "left"
    mine.loc[(mine.xmit > at) & (mine.xmit <= at + 10_000), "state"] = "next"
    mine = mine.sort_values("state", kind="stable")
    table = mine[mine.state != ""].assign(xmit_us=mine.xmit / 1000, wait_us=mine.wait / 1000)
    table = table[["state", "rx", "id", "offset", "length", "prio", "tx_cpu", "xmit_us",
                   "wait_us"]].reset_index(drop=True)
    inside = table[table.state == "in"]
    return Result(f"At {at / 1000:.1f} us the device of {host} held {len(inside)} packets, "
                  f"{inside.length.sum() / 1000:.1f} kB.", table, plots.bars(
                      table.groupby(["rx", "state"]).length.sum().unstack(fill_value=0) / 1000,
                      "data in packets, kB", "receiver"))
