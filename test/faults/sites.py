# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The calls of homa.ko that can fail for want of memory, and those that have failed.

A place is where a call returns to: the module's code tells which there are, and the
stack that the kernel prints for each failure tells which one it was.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from runner import kernels

# Functions of the kernel that allocate, or copy from or to user space, and tell if they could.
FAILING = re.compile(r"""^(?:
      __?k[mz]alloc\w* | kmalloc_(?!caches)\w+ | kmem_cache_alloc\w* | kvmalloc_node\w* | krealloc\w*
    | kmemdup\w* | kstrdup | kasprintf | __alloc_percpu\w* | __alloc_pages\w*
    | __alloc_skb | __?napi_alloc_skb | sock_alloc_send_\w+ | sock_wmalloc | alloc_skb\w*
    | skb_clone | skb_copy | __?pskb_copy\w* | pskb_expand_head | __pskb_pull_tail
    | skb_page_frag_refill | sk_page_frag_refill | page_frag_alloc\w*
    | __netdev_alloc_frag\w*
    | skb_segment | skb_segment_list | __ip_queue_xmit | ip6_xmit
    | rhashtable_init | rhltable_init | rhashtable_insert_slow | rht_bucket_nested_insert
    | xa_store | tracepoint_probe_register | inet_recv_error
    | skb_ensure_writable | nf_register_net_hooks | inet_ioctl | sock_create_kern
    | proto_register | register_pernet_subsys | register_shrinker | shrinker_alloc
    | proc_create_\w+ | proc_net_mkdir | _?proc_mkdir\w* | proc_symlink | register_net_sysctl\w*
    | kmem_cache_create\w* | seq_open\w* | single_open\w* | __seq_open_private
    | ip_route_output_flow | ip6_dst_lookup_flow | sock_queue_err_skb
    | should_fail_usercopy | _copy_from_user | _copy_to_user | copy_page_from_iter
    | _copy_from_iter | _copy_to_iter | skb_copy_datagram_iter | memdup_user\w*
    | import_iovec | ip_setsockopt | ip_getsockopt | ipv6_setsockopt | ipv6_getsockopt
)$""", re.X)
BEGIN, END = "faults: begin", "faults: end"
FRAME = re.compile(r"\] ([\w.]+)\+0x([0-9a-f]+)/0x[0-9a-f]+ \[homa\]")
ROWS = Path(__file__).with_name("sites.txt")


@dataclass(frozen=True)
class Place:
    """Where a call returns to."""

    function: str
    offset: int

    def __str__(self) -> str:
        return f"{self.function}+{self.offset:#x}"


@dataclass(frozen=True)
class Site:
    """A call that can fail."""

    place: Place
    callee: str
    number: int = 1         # of this callee's calls in the function

    @property
    def key(self) -> str:
        """How sites.txt names it, and all calls of that callee in the function."""
        return f"{self.place.function} {self.callee}"

    def row(self, rows: dict[str, str]) -> str:
        """Return what sites.txt says of it, in rows of one kind; empty: nothing."""
        return rows.get(f"{self.key}#{self.number}", rows.get(self.key, ""))


def hits(log: str) -> Counter[Place]:
    """Return how often the kernel's log says that a call at a place failed."""
    found: Counter[Place] = Counter()
    inside = log.partition(BEGIN)[2].partition(END)[0]
    for text in inside.split("FAULT_INJECTION: forcing a failure")[1:]:
        match = FRAME.search(text)
        if match:
            found[Place(match[1], int(match[2], 16))] += 1
    return found


class Values:
    """Which function's address registers and places on the stack have, as code goes by."""

    LOST = [f"%r{name}" for name in "ax cx dx si di 8 9 10 11".split()]     # in a call
    # Registers are popped where a function is left: what follows is another way through it.
    READ = re.compile(r"(cmp|test|push|pop|bt|call|j|nop|ret)")

    def __init__(self) -> None:
        """Know nothing."""
        self.known: dict[str, str] = {}
        self.pending = ""

    @staticmethod
    def whole(name: str) -> str:
        """Return the 64 bits that a register is part of; others as they are."""
        if match := re.fullmatch(r"%[er]?([abcd])[xlh]", name):
            return f"%r{match[1]}x"
        if match := re.fullmatch(r"%[er]?(si|di|bp|sp)l?", name):
            return f"%r{match[1]}"
        return re.sub(r"^(%r\d+)[dwb]$", r"\1", name)

    def address(self, name: str) -> None:
        """Take a relocation: the instruction before has put this address somewhere."""
        if self.pending:
            self.known[self.pending] = name

    def step(self, instruction: str) -> str:
        """Take an instruction; return which function it calls, if that is known."""
        call = re.match(r"call\s+\*(.+)$", instruction)
        callee = self.known.get(call[1], "") if call else ""
        self.pending = ""
        if instruction.startswith("call"):
            for name in self.LOST:
                self.known.pop(name, None)
        elif match := re.match(r"movabs \$0x0,(%\w+)$", instruction):
            self.pending = match[1]
            self.known.pop(match[1], None)
        elif not self.READ.match(instruction):
            self.write(instruction)
        return callee

    def write(self, instruction: str) -> None:
        """Take an instruction that changes its last operand."""
        copy = re.match(r"mov\s+(%\w+|-?0x\w+\(%r[bs]p\)),(%\w+|-?0x\w+\(%r[bs]p\))$",
                        instruction)
        value = self.known.get(copy[1], "") if copy else ""
        target = self.whole(re.split(r",(?![^(]*\))|\s", instruction)[-1])
        self.known.pop(target, None)
        if value:
            self.known[target] = value


def calls(listing: str) -> Iterator[Site]:
    """Yield the calls in what `objdump -dr` prints."""
    function, start, callee, values = "", 0, "", Values()
    for line in listing.splitlines():
        if match := re.match(r"([0-9a-f]+) <(.+)>:$", line):
            function, start, callee, values = match[2], int(match[1], 16), "", Values()
        elif match := re.match(r"\s+[0-9a-f]+: R_X86_64_64\s+([\w.]+)$", line):
            values.address(match[1])
        elif match := re.match(r"\s+([0-9a-f]+):\s+(.*)", line):
            if callee:
                yield Site(Place(function, int(match[1], 16) - start), callee)
            callee = values.step(match[2].strip())


def of_module(top: Path) -> list[Site]:
    """Return the calls of the debug kernel's homa.ko that can fail."""
    kernel = kernels.load()["debug"]
    path = subprocess.run([*kernel.make("module-path"), "-s"], cwd=top, check=True,
                          stdout=subprocess.PIPE, text=True).stdout.split()[-1]
    listing = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", str(top / path)],
                             check=True, stdout=subprocess.PIPE, text=True).stdout
    found = sorted({site for site in calls(listing) if FAILING.match(site.callee)},
                   key=lambda site: (site.place.function, site.place.offset))
    numbers = {site.key: count(1) for site in found}
    return [replace(site, number=next(numbers[site.key])) for site in found]


def rows(verb: str) -> dict[str, str]:
    """Return the rows of sites.txt that begin with VERB: what follows "FUNCTION CALLEE"."""
    found = [line.split(maxsplit=3) for line in ROWS.read_text().splitlines()
             if line.startswith(f"{verb} ")]
    return {f"{row[1]} {row[2]}": row[3] for row in found}
