# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What the tools in tt/bin share: the way they start, print, fail and are stopped."""
from __future__ import annotations

import argparse
import os
import sys
from typing import Callable, Iterable

from ttlib import binform, textform
from ttlib.trace import Trace, TraceError


def parser(doc: str, examples: str) -> argparse.ArgumentParser:
    """A parser whose --help shows doc, the options, and examples."""
    return argparse.ArgumentParser(
        description=doc, epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter)


def add_file(options: argparse.ArgumentParser) -> None:
    """The argument that names the trace to read."""
    options.add_argument("file", nargs="?", default="-",
                         help="trace in any form (default: standard input)")


def add_form(options: argparse.ArgumentParser) -> None:
    """The option that picks the form of what is written."""
    options.add_argument("-b", "--binary", action="store_true",
                         help="write the binary form, which tools read much faster")


def put(lines: Iterable[str]) -> None:
    """Print lines quickly."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def put_trace(trace: Trace, binary: bool = False) -> None:
    """Print a trace."""
    if binary:
        sys.stdout.buffer.write(binform.write(trace))
    else:
        sys.stdout.write("\n".join([*textform.render(trace), ""]))


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
