#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Look at the records of a cp_node that was client and server of some RPCs:
apptrace.py FILE RPCS; it fails unless each RPC has its four, in order, by three threads."""
from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from tracefile import EVENT, HEADER

STEPS = ["client sent request", "server has request", "server sent response",
         "client has response"]


def main() -> None:
    blob = Path(sys.argv[1]).read_bytes()
    head = HEADER.unpack_from(blob)
    begin, offset, events, formats, names = head[2], head[5], head[6], head[8], head[10]
    texts = [text.decode() for text in blob[begin:offset].split(b"\0")]
    threads = texts[formats:formats + names]
    rpcs: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
    for i in range(events):
        time, which, ring, _, rpc, *_ = EVENT.unpack_from(blob, offset + EVENT.size * i)
        rpcs[rpc].append((time, texts[which].split(",")[0], threads[ring]))
    if len(rpcs) != int(sys.argv[2]):
        sys.exit(f"{len(rpcs)} RPCs")
    for rpc, records in rpcs.items():
        by_text = {text: (time, thread) for time, text, thread in records}
        if sorted(by_text) != sorted(STEPS) or len(records) != len(STEPS):
            sys.exit(f"RPC {rpc}: {records}")
        if [by_text[step][1] for step in STEPS] != ["c0", "s0.0", "s0.0", "r0.0"]:
            sys.exit(f"RPC {rpc} by others: {records}")
        # When sendmsg() returns the other may be a step ahead already.
        if by_text[STEPS[1]][0] > min(by_text[STEPS[2]][0], by_text[STEPS[3]][0]):
            sys.exit(f"RPC {rpc} out of order: {records}")


main()
