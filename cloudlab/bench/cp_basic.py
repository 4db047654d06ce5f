# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The basic figures: round trip and throughput of one message, one client, one server."""

from argparse import Namespace

from clusterlib.nodes import parse_cluster
from clusterlib.study import Case, study

ONE = (("clients", (1,)), ("servers", (2,)), ("client_max", 1),
       ("ports", (("client_ports", 1), ("port_receivers", 1))))
SHORT, LONG = "100", "500000"
AT_ONCE = 4             # long messages a client: they fill a link, and begin and end within the run


@study(workload=SHORT, load=0, protocols="homa,tcp,dctcp", ms=10, y="total_gbps")
def cp_basic(args: Namespace) -> list:
    """100 B round trip, and what one message, one client or one server moves, in a closed loop."""
    others = tuple(range(2, parse_cluster(args.cluster)[1] + 1))
    client = (("clients", (1,)), ("servers", others))
    server = (("clients", others), ("servers", (1,)))
    bulk = (("workload", LONG), ("one_way", True), ("client_max", args.client_max or AT_ONCE),
            ("ms", 2 * args.ms))
    return [Case("100 B latency", ONE),
            Case("500 KB message", (*bulk, *ONE)),
            Case("client RPCs", client), Case("server RPCs", server),
            Case("client Gbps", (*client, *bulk)), Case("server Gbps", (*server, *bulk))]
