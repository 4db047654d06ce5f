# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Errors that a user can act upon: printed as one line, never as a traceback."""


class ClusterError(Exception):
    """Something went wrong that the message explains; the command exits with `code`."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code
