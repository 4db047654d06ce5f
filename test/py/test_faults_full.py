# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# size: full
# slots: 2
# timeout: 3600
"""tthoma finds 90% of faults at random hosts, times and sizes, and none where there is none."""
from __future__ import annotations

from pathlib import Path

import faults


def test_nine_of_ten_faults_are_found(tmp_path: Path) -> None:
    plan = faults.record(tmp_path / "runs", 20, 5, 2, 7000)
    found, planted, alarms = faults.judge(tmp_path / "runs", plan, 2)
    print({kind: f"{found[kind]} of {count}" for kind, count in planted.items()})
    assert len(planted) == 6 and min(planted.values()) == 20
    assert all(found[kind] >= 0.9 * count for kind, count in planted.items())
    assert alarms == []
