# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Latency over the size of the cluster, and throughput over what is outstanding."""

from argparse import ArgumentParser, Namespace

from clusterlib.study import Case, study

HOSTS = (2, 4, 8, 16, 32)
OUTSTANDING = (1, 10, 100, 1000)


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--by", default="hosts", choices=("hosts", "outstanding"),
                        help="what grows: hosts (and peers), or RPCs outstanding (%(default)s)")


@study(load=0.8, options=_options, x="Hosts, or RPCs outstanding a host", log=True)
def cp_scale(args: Namespace) -> list:
    """Clusters of 2 to 32 hosts under the same load; or 1 to 1000 RPCs outstanding a host."""
    if args.by == "outstanding":
        return [Case(str(n), (("load", 0), ("client_max", n)), n) for n in OUTSTANDING]
    kind = args.cluster.split(":")[0]
    return [Case(str(n), (("cluster", f"{kind}:{n}"),), n) for n in HOSTS]
