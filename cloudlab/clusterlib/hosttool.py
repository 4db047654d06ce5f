#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""`config` and `cperf doctor` on one host; also runs where only `cperf install` has been."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

if __package__:
    from . import doctor, hostconfig, hoststate
else:
    import doctor
    import hostconfig
    import hoststate

SYSTEM = hoststate.System()


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of everything that runs on a host."""
    parser.add_argument("--device", default="", metavar="DEV",
                        help="network device that is measured")
    parser.add_argument("--json", action="store_true", help="for programs")


def declared(args: argparse.Namespace) -> Iterator:
    """The settings that the command line asks for."""
    return hostconfig.settings(SYSTEM, hostconfig.wishes(args))


def show(args: argparse.Namespace, only_different: bool) -> int:
    """Print settings; 1 if some are not as declared and that was the question."""
    found = [(s, now) for s, now in hoststate.rows(SYSTEM, declared(args))
             if not only_different or now != s.want]
    if args.json:
        print(json.dumps([{"group": s.group, "name": s.name, "is": now, "should_be": s.want}
                          for s, now in found], indent=1))
    else:
        for setting, now in found:
            print(f"{setting.group:<8}{setting.name:<36}{now:>12}"
                  + (f"  should be {setting.want}" if now != setting.want else ""))
    return int(only_different and bool(found))


def change(args: argparse.Namespace) -> int:
    """Apply or restore; says what changed."""
    if args.action == "apply":
        changed, failed = hoststate.apply(SYSTEM, declared(args), args.state)
    else:
        changed, failed = hoststate.restore(SYSTEM, args.state)
    for line in changed:
        print(line)
    for line in failed:
        print(f"config: {line}", file=sys.stderr)
    if not (changed or failed):
        print("nothing to do")
    return int(bool(failed))


def examine(args: argparse.Namespace) -> int:
    """Print the doctor's page; 1 if something is bad."""
    found = doctor.examine(SYSTEM, args.device)
    if args.json:
        print(json.dumps([asdict(one) for one in found], indent=1))
    else:
        print(doctor.page(args.device or "this host", found))
    return int(any(one.state == doctor.BAD for one in found))


def act(args: argparse.Namespace) -> int:
    """Do what the action says."""
    if args.action == "doctor":
        return examine(args)
    if args.action in ("apply", "restore"):
        return change(args)
    return show(args, args.action == "diff")


def main(argv: list) -> int:
    """What `cperf` and `config` start on hosts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("show", "diff", "apply", "restore", "doctor"))
    parser.add_argument("groups", nargs="*")
    add_options(parser)
    hostconfig.add_wishes(parser)
    try:
        return act(parser.parse_args(argv))
    except hoststate.ConfigError as error:
        print(f"config: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
