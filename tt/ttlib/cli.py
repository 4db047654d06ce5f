# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What the tools in tt/bin share: the way they start, fail and are stopped."""
from __future__ import annotations

import argparse
import os
import sys
from typing import Callable, Iterable

from ttlib.trace import TraceError


def parser(doc: str, examples: str) -> argparse.ArgumentParser:
    """A parser whose --help shows doc, the options, and examples."""
    return argparse.ArgumentParser(
        description=doc, epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter)


def add_file(options: argparse.ArgumentParser) -> None:
    """The argument that names the trace to read."""
    options.add_argument("file", nargs="?", default="-",
                         help="trace, raw or rendered (default: standard input)")


def put(lines: Iterable[str]) -> None:
    """Print lines quickly."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def run(main: Callable[[], None]) -> int:
    """Run a tool; errors become one line on stderr and an exit code."""
    name = os.path.basename(sys.argv[0])
    try:
        main()
        sys.stdout.flush()
        return 0
    except BrokenPipeError:
        # The reader, such as head, has seen enough. Python must not flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except TraceError as error:
        print(f"{name}: {error}", file=sys.stderr)
    except OSError as error:
        print(f"{name}: {error.filename or 'output'}: {error.strerror}",
              file=sys.stderr)
    return 1
