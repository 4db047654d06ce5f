# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How small the switch's buffer may be."""

from argparse import ArgumentParser, Namespace

from clusterlib.study import Case, study

EXACT = (("ports_exact", True), ("shared", True), ("mark", 70_000), ("client_max", 400))
UNLIMITED = 100_000_000
SHARES = (1.0, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1)


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--worse", type=float, default=5, metavar="F",
                        help="stop when P99 slowdown is so many times that without a limit "
                        "(%(default)s)")


def case(size: int, share: float) -> Case:
    """The switch with so much buffer."""
    return Case(f"{share:.0%}", (*EXACT, ("buffer", str(size))), size / 1e3)


@study(protocols="homa,tcp,dctcp", options=_options, x="Buffer of the switch, kB", stops=False)
def cp_buffers(args: Namespace):
    """Shrinks the buffer in steps of what is used without a limit, until slowdown is 5 times as
    large."""
    rows = yield [Case("unlimited", (*EXACT, ("buffer", str(UNLIMITED))))]
    peak = max(row["peak_kb"] for row in rows) * 1e3
    first = max(row["short_p99_slowdown"] for row in rows)
    for share in SHARES[-1:] if args.smoke else SHARES:
        rows = yield [case(max(int(peak * share), 2 * 9038), share)]
        if min(row["short_p99_slowdown"] for row in rows) > args.worse * first:
            return
