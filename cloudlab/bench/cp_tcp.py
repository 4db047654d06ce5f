# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""TCP without Homa."""

from argparse import ArgumentParser, Namespace

from clusterlib.study import Case, study


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--no-trunc", action="store_true",
                        help="messages longer than 1,000,000 bytes stay so, as in W4 and W5")


@study(protocols="tcp,dctcp", options=_options)
def cp_tcp(_args: Namespace) -> list:
    """TCP and DCTCP alone; DCTCP with the switch marking at 70 kB."""
    return [Case("load", (("ports_exact", True), ("mark", 70_000)))]
