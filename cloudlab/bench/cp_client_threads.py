# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What one client moves with more and more sending threads."""

from argparse import ArgumentParser, Namespace

from clusterlib.nodes import parse_cluster
from clusterlib.study import Case, study

# RPCs a client: what they carry passes the busiest link several times within the run.
AT_ONCE = 40


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--most", type=int, default=10, metavar="N", help="threads (%(default)s)")


@study(load=0, protocols="homa,tcp", ms=20, y="total_gbps", x="Sending threads of the client",
       options=_options)
def cp_client_threads(args: Namespace) -> list:
    """Throughput of one client with 1 to 10 sending threads, as fast as it can."""
    others = tuple(range(2, parse_cluster(args.cluster)[1] + 1))
    return [Case(str(n), (("clients", (1,)), ("servers", others),
                          ("client_max", args.client_max or AT_ONCE),
                          ("ports", (("client_ports", n),))), n)
            for n in range(1, args.most + 1)]
