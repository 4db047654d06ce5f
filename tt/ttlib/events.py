# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The records that analysers know, from the list that the kernel module uses.

events.h has lines TT_EVENT(NAME, "text") whose conversions each follow the name
of their value, so that the text of a record's format says which event it is and
what its values are called.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

EVENTS_H = Path(__file__).resolve().parent.parent / "events.h"
DEFINITION = re.compile(r'TT_EVENT\((\w+), "([^"]*)"\)$')
CONVERSION = re.compile(r"%(?:u|d|x|%)")
VALUE = re.compile(r"(\w+) (0x%x|%u|%d)")
VALUES_MAX = 4


@dataclass(frozen=True)
class Event:
    """One line of events.h."""
    name: str
    text: str
    fields: tuple[str, ...]

    @staticmethod
    def make(name: str, text: str) -> Event:
        """Derive the values' names from the text."""
        if "%" in VALUE.sub("", text):
            raise ValueError(f"{name}: a conversion lacks the name of its value")
        return Event(name, text, tuple(match[1] for match in VALUE.finditer(text)))


class Catalog:
    """All events; finds the one that a format is."""

    def __init__(self, events: list[Event]) -> None:
        self.events = {event.name: event for event in events}
        self.by_text = {event.text: event for event in events}

    def field_names(self) -> list[str]:
        """Names of all values, each once, in the order of events.h."""
        names = (name for event in self.events.values() for name in event.fields)
        return list(dict.fromkeys(names))


def load(path: Path = EVENTS_H) -> Catalog:
    """Read events.h."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = (DEFINITION.match(line) for line in lines)
    return Catalog([Event.make(match[1], match[2]) for match in found if match])


def conversions(text: str) -> list[str]:
    """The conversions of a format that take a value: "%u", "%d", "%x"."""
    return [found for found in CONVERSION.findall(text) if found != "%%"]
