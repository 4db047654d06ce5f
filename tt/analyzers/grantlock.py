# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What giving out grants costs."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.model import Tables


@analyzer("grantlock")
def grantlock(t: Tables, _: SimpleNamespace) -> Result:
    """Time that cores spend in grant checks, where they wait for and hold the grant lock.

    Read: longest above some microseconds, or many cores with high shares, mean that the
    lock is contended. Checks take no time in virtual time.
    """
    both = t.event("GRANT_CHECK_START", "GRANT_CHECK_DONE")
    keys = [both.host, both.cpu]
    after = both.groupby(["host", "cpu"]).ns.shift(-1)
    closed = both.event.groupby(keys).shift(-1) == "GRANT_CHECK_DONE"
    checks = both[(both.event == "GRANT_CHECK_START") & closed]
    checks = checks.assign(ns=after[checks.index] - checks.ns)
    given = t.event("GRANT_CHECK_DONE").groupby(["host", "cpu"]).grants.sum()
    grouped = checks.groupby(["host", "cpu"]).ns
    spans = pd.Series({h: e - b for h, (b, e) in t.recording.spans.items()})
    table = pd.DataFrame({"checks": grouped.size(), "grants": given,
                          "p50_us": grouped.median() / 1000, "longest_us": grouped.max() / 1000})
    hosts = table.index.get_level_values("host")
    table["core_pct"] = 100 * grouped.sum() / spans.reindex(hosts).to_numpy()
    table = table.reset_index()
    many = len(checks)
    return Result(f"{many} grant checks gave {table.grants.sum():.0f} grants; they took "
                  f"{checks.ns.sum() / 1000:.0f} us of CPU time in all.", table,
                  plots.bars(table.groupby("host").checks.sum(), "grant checks", "host"))
