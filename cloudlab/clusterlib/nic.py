# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Settings of simulated network cards (lab/kmod/simnic.c)."""

from .errors import ClusterError

SETTINGS = ("ring", "completion", "tx_coalesce", "rx_coalesce", "bql", "speed")


def check(text: str, shaped: bool) -> None:
    """Refuse a card that cannot be made; simnic.c knows the ranges."""
    if not shaped:
        raise ClusterError("--nic needs virtual time", 2)
    for word in text.split():
        key, equals, value = word.partition("=")
        if key not in SETTINGS or not equals or not value.isdigit():
            raise ClusterError(f"--nic: '{word}' is not NAME=NUMBER, NAME one of: "
                               + " ".join(SETTINGS), 2)
