# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Homa and TCP, one after the other, under the same load on the same cluster."""

from argparse import ArgumentParser, Namespace
from dataclasses import fields

from clusterlib.experiment import RPCS, Experiment, run
from clusterlib.job import parse_freeze, parse_knob
from clusterlib.published import HELP
from clusterlib.registry import bench
from clusterlib.study import SMOKE_RPCS


def add_options(parser: ArgumentParser) -> None:
    """Options of `cperf run cp_vs_tcp`."""
    add = parser.add_argument
    add("--cluster", default="sim:8",
        help="sim:HOSTS: simulated in virtual time (%(default)s); paper18, paper21: 16 hosts as in "
        "the SIGCOMM'18 and ATC'21 papers, with exact switch ports")
    add("-w", "--workload", default="w4", help="w1..w5, starve or a size (%(default)s)")
    add("--load", type=float, default=0.8, help="wire load, fraction of the link (%(default)s)")
    add("--ms", type=float, metavar="T", help="offer load for so long (default: what --rpcs needs)")
    add("--rpcs", type=int, metavar="N", help=f"run at least this many RPCs ({RPCS} without --ms)")
    add("--seed", type=int, default=1, help="picks the arrivals (%(default)s)")
    add("--link", help="rate of every link (the cluster's; sim: 25g)")
    add("--mtu", type=int, help="of every link (the cluster's; sim: 1500)")
    add("--host-delay", metavar="T", help="of a host's uplink, such as 1us")
    add("--switch-delay", metavar="T", help="of a switch port")
    add("--buffer", metavar="BYTES", help="of a switch port")
    add("--nic", metavar="SETTINGS",
        help="put a network card under each host, such as 'ring=64 tx_coalesce=20000' (lab run)")
    add("--ipv6", action="store_true", help="run over IPv6")
    add("--protocols", default="homa,tcp", help="of homa, tcp, dctcp, separated by commas (%(default)s)")
    add("--smoke", action="store_true", help="a small run that shows that it works: few RPCs")
    add("--unloaded", type=int, default=2, metavar="N", help="unloaded RPCs a size (%(default)s)")
    add("--flavor", default="fast", help="kernel flavor (%(default)s)")
    add("--kernel", metavar="V", help="kernel version, such as 6.1")
    add("--set", dest="knobs", type=parse_knob, action="append", default=[], metavar="NAME=VALUE",
        help="a sysctl of net.homa on all hosts, or with dots in its name any sysctl")
    add("--jobs", type=int, default=0, help="protocols run at a time (default: one a core)")
    add("--traces", type=int, default=0, metavar="N", help="have all hosts record as many events as "
        "a ring of N (a power of two) holds, and keep them in binary form for tthoma")
    add("--freeze", type=parse_freeze, default=(), metavar="WHAT", help="freeze the traces of all "
        "hosts together the first time that an RPC is slow=MICROSECONDS[,LONGEST RESPONSE], bytes "
        "are lost, or a request runs into a timeout or is sent again (without: at 70%% of the time)")
    add("--published", metavar="TABLE", help=HELP.replace("%", "%%"))
    add("--out", metavar="DIR", help="folder for the results; it must not exist")
    add("--keep", action="store_true", help="keep the raw files of the run in DIR/raw")


@bench("cp_vs_tcp", add_options)
def cp_vs_tcp(args: Namespace) -> int:
    """Homa and TCP under the same load: slowdown by message size, tails, metrics, a trace."""
    args.knobs = tuple(args.knobs)
    if args.smoke:
        args.unloaded, args.rpcs = 1, args.rpcs or (None if args.ms else SMOKE_RPCS)
    wanted = {f.name: getattr(args, f.name) for f in fields(Experiment) if hasattr(args, f.name)}
    summary = run(Experiment("cp_vs_tcp", **wanted), args.out, args.keep)
    return 1 if summary["failures"] else 0
