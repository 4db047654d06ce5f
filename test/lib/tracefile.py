#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Compare the two forms of this host's timetrace: tracefile.py; it says how many
records there are, and is silent and fails if the forms differ."""
from __future__ import annotations

import re
import struct
import sys

HEADER = struct.Struct("<8sIIIIQQQIIIIQQQ64s128s")
EVENT = struct.Struct("<QIHHIIII")
HEADING = 3     # lines of the text form before the addresses of the host


def render(blob: bytes) -> list[str]:
    """The lines that the text form must have after its heading."""
    (magic, version, header_bytes, event_bytes, _, offset, num_events, _, num_formats,
     *_) = HEADER.unpack_from(blob)
    if (magic, version, event_bytes) != (b"HOMATT\r\n", 1, 32):
        sys.exit("not a binary timetrace")
    texts = [text.decode() for text in blob[header_bytes:offset].split(b"\0")[:num_formats]]
    events = [EVENT.unpack_from(blob, offset + 32 * i) for i in range(num_events)]
    if len(blob) != offset + 32 * num_events:
        sys.exit("num_events is not the number of events")
    lines = []
    for time, which, ring, _, *args in sorted(events, key=lambda event: event[0]):
        kinds = re.findall("%[udx]", texts[which])
        values = [value - (value >> 31 << 32) if kind == "%d" else value
                  for kind, value in zip(kinds, args)]
        lines.append(f"{time} [C{ring:02d}] {texts[which] % tuple(values)}\n")
    return lines


def main() -> None:
    """Open both at a time, so that they have the same records."""
    with open("/proc/net/timetrace", encoding="ascii") as text, \
            open("/proc/net/timetrace_bin", "rb") as binary:
        lines = text.readlines()
        blob = binary.read()
    addrs = HEADER.unpack_from(blob)[11]
    if lines[HEADING + addrs:] != render(blob):
        sys.exit("the forms differ")
    print(len(lines) - HEADING - addrs)


if __name__ == "__main__":
    main()
