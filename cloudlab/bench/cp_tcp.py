# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""TCP without Homa."""

from argparse import Namespace

from clusterlib.study import Case, study


@study(protocols="tcp,dctcp")
def cp_tcp(_args: Namespace) -> list:
    """TCP and DCTCP alone; DCTCP with the switch marking at 70 kB."""
    return [Case("load", (("ports_exact", True), ("mark", 70_000)))]
