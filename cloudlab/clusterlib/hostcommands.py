# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""cperf's commands about hosts: `install` and `doctor`."""

import argparse
import sys
from pathlib import Path

from . import hoststate, hosttool, onhosts
from .inventory import read


def report(outcomes: list, show: bool) -> int:
    """Print how commands ended; the worst exit code."""
    for outcome in outcomes:
        if show and outcome.out:
            print(f"{outcome.host.name}:\n{outcome.out}", end="")
        if outcome.code and (not show or not outcome.out):
            print(f"cperf: {outcome.line}", file=sys.stderr)
    return int(any(outcome.code for outcome in outcomes))


def install(args: argparse.Namespace) -> int:
    """copy programs and the module to all hosts at once, and load it"""
    hosts = onhosts.choose(read(args.inventory), args.hosts)
    module = Path(args.module) if args.module else None
    outcomes = onhosts.install(hosts, module, not args.no_load)
    good = sum(outcome.code == 0 for outcome in outcomes)
    code = report(outcomes, False)
    print(f"installed on {good} of {len(outcomes)} hosts")
    return code


def doctor(args: argparse.Namespace) -> int:
    """what keeps hosts from good numbers, and what to do about it"""
    if not args.cluster:
        args.action = "doctor"
        try:
            return hosttool.act(args)
        except hoststate.ConfigError as error:
            print(f"cperf: {error}", file=sys.stderr)
            return 2
    hosts = onhosts.choose(read(args.cluster), args.hosts)
    return report(onhosts.host_tool(hosts, ["doctor", *(["--json"] if args.json else [])]), True)


def add_commands(commands, examples: str) -> None:
    """Add both."""
    raw = argparse.RawDescriptionHelpFormatter
    sub = commands.add_parser("install", help=install.__doc__, epilog=examples,
                              formatter_class=raw)
    sub.add_argument("inventory", metavar="FILE.toml")
    sub.add_argument("--module", metavar="FILE", help="homa.ko, built for the hosts' kernel")
    sub.add_argument("--no-load", action="store_true", help="only copy it")
    sub.set_defaults(function=install)
    sub.add_argument("--hosts", metavar="A,B", help="only these")
    sub = commands.add_parser("doctor", help=doctor.__doc__, epilog=examples,
                              formatter_class=raw)
    hosttool.add_options(sub)
    sub.add_argument("--cluster", metavar="FILE.toml", help="the hosts of an inventory")
    sub.add_argument("--hosts", metavar="A,B", help="only these of them")
    sub.set_defaults(function=doctor)
