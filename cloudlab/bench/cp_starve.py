# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What becomes of the largest messages when more is offered than fits."""

from argparse import Namespace

from clusterlib.study import Case, study

FRACTIONS = (0, 50, 100, 200)


@study(workload="starve", load=1.2, cluster="sim:4", ms=100, x="Share of the oldest, thousandths",
       y="largest_p99_us")
def cp_starve(_args: Namespace) -> list:
    """Overload of large messages with 0, 5, 10 and 20% of all grants for the oldest."""
    return [Case(str(n), (("knobs", (("grant_fifo_fraction", n),)), ("drain_s", 0),
                          ("mtu", 9000), ("bpages", 4000), ("memory", "4G")), n)
            for n in FRACTIONS]
