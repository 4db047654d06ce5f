# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Which calls test/faults finds in the module's code, and failures in the kernel's log."""
from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("", "faults")]

import sites  # noqa: E402

LOAD = "movabs $0x0,{}"


def found(*instructions: str) -> list[tuple[str, int]]:
    """Return callee and number of the calls in code; "=name" is a relocation."""
    lines = ["0000000000001000 <function>:"]
    at = 0x1000
    for text in instructions:
        if text.startswith("="):
            lines.append(f"\t\t\t{at:x}: R_X86_64_64\t{text[1:]}")
        else:
            lines.append(f"    {at:x}:\t{text}")
            at += 4
    lines.append(f"    {at:x}:\tret")
    return [(site.callee, site.place.offset) for site in sites.calls("\n".join(lines))]


def test_a_call_is_where_it_returns_to() -> None:
    """What is loaded is what is called."""
    assert found(LOAD.format("%rax"), "=kmalloc", "xor    %esi,%esi",
                 "call   *%rax") == [("kmalloc", 12)]


def test_one_address_for_several_calls() -> None:
    """A register that calls keep is loaded once; one that they change is not called again."""
    assert found(LOAD.format("%r12"), "=first", "call   *%r12", "pop    %r12",
                 "call   *%r12") == [("first", 8), ("first", 16)]
    assert found(LOAD.format("%rax"), "=first", "call   *%rax",
                 "call   *%rax") == [("first", 8)]


def test_what_is_overwritten_is_forgotten() -> None:
    """By copies of something else, by calculations, by another address."""
    assert not found(LOAD.format("%rbx"), "=first", "mov    -0x68(%rbp),%rbx", "call   *%rbx")
    assert not found(LOAD.format("%rbx"), "=first", "xor    %ebx,%ebx", "call   *%rbx")
    assert not found(LOAD.format("%r12"), "=first", "add    $0x8,%r12d", "call   *%r12")
    assert found(LOAD.format("%rbx"), "=first", LOAD.format("%rbx"), "=second",
                 "call   *%rbx") == [("second", 12)]


def test_addresses_go_to_the_stack_and_back() -> None:
    """Until something else is there."""
    stored = (LOAD.format("%rax"), "=first", "mov    %rax,-0x68(%rbp)", "call   *%rax")
    again = ("mov    -0x68(%rbp),%rax", "call   *%rax")
    assert found(*stored, *again) == [("first", 12), ("first", 20)]
    assert found(*stored, "mov    %rdx,-0x68(%rbp)", *again) == [("first", 12)]
    assert found(*stored, "lea    0x8(%rbp,%rdx,4),%rdi", *again)[1:] == [("first", 24)]


def test_failures_are_counted_where_the_module_asked() -> None:
    """The module's innermost frame, between the marks."""
    dump = "[1.0] FAULT_INJECTION: forcing a failure.\n[1.0] [<60>] should_fail+0x1/0x2\n"
    frames = "[1.0] [<61>] inner+0x10/0x20 [homa]\n[1.0] [<62>] outer+0x30/0x40 [homa]\n"
    log = f"{dump}{frames}faults: begin\n{dump}{frames}{dump}{dump}{frames}faults: end\n{dump}"
    assert sites.hits(log) == {sites.Place("inner", 0x10): 2}
