# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""SIGINT, SIGTERM and SIGHUP: the first ends what runs, in order, and no other disturbs that.

A terminal that closes and a user who presses Ctrl-C twice must leave as little behind as one who
waits. What was ignored when we began, as for a command behind `nohup`, stays ignored; but what
cperf starts obeys its SIGINT even if the shell has it ignored.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OURS = (signal.SIGINT, signal.SIGTERM)      # with which cperf ends what it has started
INTERRUPTED = 130


class _State:
    """What has come so far."""

    held = 0
    pending = False
    seen = False


def _set(handler: object, always: tuple = ()) -> None:
    for number in SIGNALS:
        if number in always or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: object) -> None:
    _State.pending = not _State.seen
    if _State.pending and not _State.held:
        _raise()


def _raise() -> None:
    _State.pending, _State.seen = False, True
    raise KeyboardInterrupt


def quit_at_once() -> None:
    """Until there is something to clean up: end, without a word."""
    _set(lambda *_: os._exit(INTERRUPTED))


def catch(always: tuple = ()) -> None:
    """Raise KeyboardInterrupt at the first signal, and at no other; `always` even if ignored."""
    _State.pending = _State.seen = False
    _set(_interrupt, always)


def ignore() -> None:
    """All is done, but for Python's own end."""
    _set(signal.SIG_IGN)


@contextmanager
def held() -> Iterator[None]:
    """What is begun within is finished: a signal waits for its end."""
    _State.held += 1
    try:
        yield
    finally:
        _State.held -= 1
        if _State.pending and not _State.held:
            _raise()
