# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""One setting of TCP, swept."""

from argparse import ArgumentParser, Namespace

from clusterlib.errors import ClusterError
from clusterlib.study import Case, study


def _ports(name: str, values: tuple) -> list:
    return [Case(str(n), (("ports", ((name, n),)),), n) for n in values]


def _sysctl(name: str, values: tuple) -> list:
    return [Case(str(v), (("knobs", ((name, v),)),), v) for v in values]


SWEEPS = {
    "cports": lambda: _ports("client_ports", (1, 2, 4, 8, 10)),
    "sports": lambda: _ports("server_ports", (1, 2, 4, 8, 20)),
    "threads": lambda: _ports("port_threads", (1, 2, 3)),
    "nic_backlog": lambda: _sysctl("net.ipv4.tcp_limit_output_bytes",
                                   (32_768, 131_072, 1_048_576, 4_194_304)),
    "max_nic_queue": lambda: _sysctl("net.ipv4.tcp_notsent_lowat",
                                     (16_384, 131_072, 4_294_967_295)),
}


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("-c", "--config", default="sports", choices=SWEEPS,
                        help="what to sweep (%(default)s)")


@study(protocols="tcp", options=_options, x="Value of {config}")
def cp_tcp_config(args: Namespace) -> list:
    """One setting of TCP, a case a value; --protocols dctcp for DCTCP."""
    if "homa" in args.protocols.split(","):
        raise ClusterError("cp_tcp_config is for tcp and dctcp", 2)
    return SWEEPS[args.config]()
