# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The records that analysers know, from the list that the kernel module uses.

events.h has lines TT_EVENT(NAME, "text") whose conversions each follow the name
of their value; a pattern with groups of those names is made of each line.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

EVENTS_H = Path(__file__).resolve().parent.parent / "events.h"
DEFINITION = re.compile(r'TT_EVENT\((\w+), "([^"]*)"\)$')
VALUE = re.compile(r"(\w+) (0x%x|%u|%d)")
NUMBERS = {"0x%x": "0x[0-9a-f]+", "%u": r"\d+", "%d": r"-?\d+"}


@dataclass(frozen=True)
class Event:
    """One line of events.h."""
    name: str
    text: str
    fields: tuple[str, ...]
    pattern: re.Pattern[str]

    @staticmethod
    def make(name: str, text: str) -> Event:
        """Derive the values' names and the pattern from the text."""
        fields = []
        pattern = ""
        end = 0
        for value in VALUE.finditer(text):
            pattern += re.escape(text[end:value.start()])
            pattern += f"{value[1]} (?P<{value[1]}>{NUMBERS[value[2]]})"
            fields.append(value[1])
            end = value.end()
        rest = text[end:]
        if "%" in VALUE.sub("", text):
            raise ValueError(f"{name}: a conversion lacks the name of its value")
        return Event(name, text, tuple(fields), re.compile(pattern + re.escape(rest)))

    def values(self, text: str) -> dict[str, int] | None:
        """The values in a record's text, or None if it is another event."""
        match = self.pattern.fullmatch(text)
        if not match:
            return None
        return {name: int(digits, 0) for name, digits in match.groupdict().items()}


class Catalog:
    """All events; finds the one that a text is."""

    def __init__(self, events: list[Event]) -> None:
        self.events = {event.name: event for event in events}
        self._by_word: dict[str, list[Event]] = {}
        for event in events:
            word = event.text.split(" ", 1)[0]
            self._by_word.setdefault(word, []).append(event)

    def match(self, text: str) -> tuple[str | None, dict[str, int]]:
        """Name and values of a record; (None, {}) if events.h lacks it."""
        for event in self._by_word.get(text.split(" ", 1)[0], []):
            values = event.values(text)
            if values is not None:
                return event.name, values
        return None, {}

    def field_names(self) -> list[str]:
        """Names of all values, each once, in the order of events.h."""
        names = (name for event in self.events.values() for name in event.fields)
        return list(dict.fromkeys(names))


def load(path: Path = EVENTS_H) -> Catalog:
    """Read events.h."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = (DEFINITION.match(line) for line in lines)
    return Catalog([Event.make(match[1], match[2]) for match in found if match])
