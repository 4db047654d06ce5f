# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How much buffer the switch needs, by setting: without a limit, and at least."""

from argparse import ArgumentParser, Namespace

from clusterlib.errors import ClusterError
from clusterlib.nodes import parse_cluster
from clusterlib.study import Case, study

EXACT = (("ports_exact", True), ("shared", True), ("mark", 70_000), ("client_max", 400))
UNLIMITED = 100_000_000


def _knobs(name: str, values: tuple) -> dict:
    return {str(v): (("knobs", ((name, v),)),) for v in values}


def _loads(protocol: str) -> dict:
    return {str(load): (("load", load), ("protocols", protocol)) for load in (0.25, 0.5, 0.8)}


def _nodes(protocol: str, hosts: int) -> dict:
    counts = sorted({max(2, hosts // 4), max(2, hosts // 2), hosts})
    return {str(n): (("cluster", f"sim:{n}"), ("protocols", protocol)) for n in counts}


def configs(name: str, hosts: int) -> dict:
    """{value: what differs} of one setting."""
    known = {
        "unsched_bytes": lambda: _knobs("unsched_bytes", (40_000, 80_000, 120_000)),
        "overcommit": lambda: _knobs("max_overcommit", (1, 4, 8)),
        "dynamic_windows": lambda: _knobs("window", (0, 100_000)),
        "dctcp_threshold": lambda: {str(kb): (("mark", kb * 1000), ("protocols", "dctcp"))
                                    for kb in (35, 70, 140)},
        **{p + "link_util": lambda q=q: _loads(q)
           for p, q in (("", "homa"), ("tcp_", "tcp"), ("dctcp_", "dctcp"))},
        **{p + "nodes": lambda q=q: _nodes(q, hosts)
           for p, q in (("", "homa"), ("tcp_", "tcp"), ("dctcp_", "dctcp"))},
    }
    if name not in known:
        raise ClusterError(f"--config {name}: known are {' '.join(known)}", 2)
    return known[name]()


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("-c", "--config", default="unsched_bytes", metavar="SETTING",
                        help="what to change (%(default)s)")
    parser.add_argument("--rise", type=float, default=0.1, metavar="F",
                        help="of P99 slowdown that is still good (%(default)s)")
    parser.add_argument("--steps", type=int, default=4, metavar="N",
                        help="halvings of the search (%(default)s)")


@study(options=_options, y="peak_kb", stops=False)
def cp_config_buf(args: Namespace):
    """For each value of a setting, the buffer that is used without a limit, and by halving the
    least with which P99 slowdown rises by no more than 10%."""
    found = configs(args.config, parse_cluster(args.cluster)[1])
    rows = yield [Case(f"{value} unlimited", (*EXACT, ("buffer", str(UNLIMITED)), *changes))
                  for value, changes in found.items()]
    first = {row["case"].rsplit(" ", 1)[0]: row for row in rows}
    bounds = {value: [0, first[value]["peak_kb"]] for value in found if value in first}
    for step in range(1 if args.smoke else args.steps):
        sizes = {value: sum(bound) / 2 for value, bound in bounds.items()}
        rows = yield [Case(f"{value} step {step + 1}", (
            *EXACT, *found[value], ("buffer", f"{max(size, 20) * 1e3:.0f}")), size)
            for value, size in sizes.items()]
        for row in rows:
            value = row["case"].rsplit(" step ", 1)[0]
            good = row["short_p99_slowdown"] <= (1 + args.rise) * first[value]["short_p99_slowdown"]
            bounds[value][1 if good else 0] = sizes[value]
    for value, (_, least) in bounds.items():
        print(f"{args.config} {value}: {first[value]['peak_kb']:.0f} kB without a limit, "
              f"at least {least:.0f} kB")
