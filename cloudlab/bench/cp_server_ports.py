# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What one server moves with more and more ports."""

from argparse import Namespace

from clusterlib.nodes import parse_cluster
from clusterlib.study import Case, study

# RPCs a client: what they carry passes the busiest link several times within the run.
AT_ONCE = 15

PORTS = (1, 2, 4, 6, 8, 12, 16, 20)


@study(load=0, protocols="homa,tcp", ms=20, y="total_gbps", x="Ports of the server")
def cp_server_ports(args: Namespace) -> list:
    """Throughput of one server with 1 to 20 ports, all other hosts its clients."""
    others = tuple(range(2, parse_cluster(args.cluster)[1] + 1))
    return [Case(str(n), (("clients", others), ("servers", (1,)),
                          ("client_max", args.client_max or AT_ONCE),
                          ("ports", (("server_ports", n),))), n) for n in PORTS]
