# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""One setting of Homa or of the cluster, swept."""

from argparse import ArgumentParser, Namespace

from clusterlib.errors import ClusterError
from clusterlib.study import Case, study


def _knob(name: str, values: tuple) -> list:
    return [Case(str(value), (("knobs", ((name, value),)),), value) for value in values]


def _ports(pairs: tuple) -> list:
    return [Case(f"{ports}x{receivers}", (("ports", (("client_ports", ports),
                                                     ("port_receivers", receivers))),))
            for ports, receivers in pairs]


def _field(name: str, values: tuple, scale: float = 1) -> list:
    return [Case(str(value), ((name, value),), float(value) * scale) for value in values]


def _buffers(megabytes: tuple) -> list:
    return [Case(f"{size:g} MB", (("buffer", f"{size * 1e6:.0f}"), ("ports_exact", True),
                                  ("shared", True)), size) for size in megabytes]


def _of(protocol: str, cases: list) -> list:
    mark = (("mark", 70_000),) if protocol == "dctcp" else ()
    return [Case(c.name, (*c.changes, *mark, ("protocols", protocol)), c.x) for c in cases]


# What the reference's script sweeps and does something here. The values are its own.
SWEEPS = {
    "buffers": lambda: _buffers((10, 2.5, 2, 1)),
    "client_threads": lambda: _ports(((3, 2), (2, 3), (1, 5), (3, 3), (5, 3))),
    "dctcp_buffers": lambda: _of("dctcp", _buffers((10, 2.5, 2, 1))),
    "defer_min_bytes": lambda: _knob("defer_min_bytes", (1000, 3000, 10_000)),
    "fifo": lambda: _knob("grant_fifo_fraction", (0, 50, 100, 200)),
    "gbps": lambda: _knob("link_mbps", (23000, 24000, 24500, 25000, 26000)),
    "grant_policy": lambda: [Case("default"), Case("window 0", (
        ("knobs", (("window", 0), ("max_incoming", 500_000))),))],
    "homa_vs_tcp": lambda: [Case("load", (("protocols", "homa,tcp"),))],
    "load": lambda: _field("load", (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)),
    "max_gro": lambda: _knob("max_gro_skbs", (5, 10, 20, 50, 100)),
    "max_gso": lambda: _knob("max_gso_size", (5000, 10000, 20000, 50000, 100000)),
    "max_incoming": lambda: _knob("max_incoming", (200_000, 400_000, 800_000, 1_600_000)),
    "mtu": lambda: _field("mtu", (1500, 3000, 6000, 9000)),
    "nic_backlog": lambda: _knob("max_nic_est_backlog_usecs", (1, 5, 10, 100, 10_000)),
    "nic_queue": lambda: _knob("max_nic_queue_usecs", (1, 5, 10, 50, 200)),
    "overcommit": lambda: _knob("max_overcommit", (1, 2, 4, 8)),
    "poll": lambda: _knob("poll_usecs", (0, 10, 20, 50)),
    "ports": lambda: _ports(((1, 3), (2, 3), (3, 3), (4, 3))),
    "prios": lambda: _knob("num_priorities", (1, 2, 3, 4, 8)),
    "receivers": lambda: _ports(((3, 2), (3, 3), (3, 4), (3, 5))),
    "repeat": lambda: [Case(f"seed+{n}", (("host_delay", f"{500 + n}ns"),)) for n in range(5)],
    "tcp_buffers": lambda: _of("tcp", _buffers((10, 2.5, 2, 1))),
    "time": lambda: _field("ms", (10, 20, 50, 100)),
    "unsched_bytes": lambda: _knob("unsched_bytes", (40_000, 60_000, 80_000, 120_000)),
    "window": lambda: _knob("window", (0, 200_000)),
}


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("-c", "--config", default="prios", metavar="SETTING",
                        help="what to sweep: " + ", ".join(SWEEPS) + "; NAME=V,V,... sweeps any "
                        "sysctl of net.homa, A.B.C=V,V,... any other (%(default)s)")


@study(options=_options, x="Value of {config}")
def cp_config(args: Namespace) -> list:
    """One setting, a case a value: -c says which."""
    name, given, values = args.config.partition("=")
    if given:
        return [Case(value, (("knobs", ((name, value),)),),
                     float(value) if value.isdigit() else None) for value in values.split(",")]
    if name not in SWEEPS:
        raise ClusterError(f"--config {name}: known are {' '.join(SWEEPS)}, or NAME=V,V", 2)
    return SWEEPS[name]()
