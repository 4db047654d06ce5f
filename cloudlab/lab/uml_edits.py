# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Source edits that make User-Mode Linux's virtual time fine and repeatable.

1. Virtual time moves in steps of 4 ns instead of 256 ns. Every clock read
   costs one step, so with the coarse one a 10 Gb/s link runs a fifth too slow.
2. HZ is 1000, so that jiffies timers are as fine as on a test machine.
3. The guest's random numbers come from a generator seeded by the environment
   variable LAB_SEED: ports, sequence numbers and hash seeds repeat.
4. Processors with AMX have an 11 kB register set and a host kernel that takes
   back only whole ones, but UML before 6.16 keeps the first 2696 bytes (all
   that programs without AMX use): the rest is sent back as zeros.
5. When UML dies, so do the host processes that carry the guest's programs.
   Without this they would go on, untraced: with the guest's next system call
   carried out by the HOST (a guest's "kill -9 -1" ends every process there is).
6. A halting UML before 6.16 kills the host process of each guest process; one
   that was just being made has the number -1, which means every process.
"""

from __future__ import annotations

from pathlib import Path

RANDOM_OLD = "\treturn getrandom(buf, len, flags);\n"
RANDOM_NEW = """\
	/* lab: a splitmix64 stream, the same in every run of a seed */
	static unsigned long long state;
	unsigned char *out = buf;
	unsigned long long word;
	const char *seed;
	size_t i;

	if (!state) {
		seed = getenv("LAB_SEED");
		state = seed ? strtoull(seed, NULL, 0) + 1 : 1;
	}
	for (i = 0; i < len; i++) {
		state += 0x9e3779b97f4a7c15ULL;
		word = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9ULL;
		word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
		out[i] = word >> 56;
	}
	return len;
"""

XSTATE_OLD = """\
		iov.iov_base = fp_regs;
		iov.iov_len = FP_SIZE * sizeof(unsigned long);
		if (ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov) < 0)
"""
XSTATE_NEW = """\
		/* lab: the host wants its whole register set; no AMX tiles */
		static unsigned long whole[4096];
		static size_t whole_size;

		iov.iov_base = whole;
		iov.iov_len = sizeof(whole);
		if (!whole_size) {
			if (ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &iov) < 0)
				return -errno;
			whole_size = iov.iov_len;
			memset(whole, 0, sizeof(whole));
		}
		memcpy(whole, fp_regs, FP_SIZE * sizeof(unsigned long));
		whole[512 / sizeof(unsigned long)] &= ~(3UL << 17);
		iov.iov_len = whole_size;
		if (ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov) < 0)
"""

SKAS = "arch/um/os-Linux/skas/process.c"
EXITKILL_NEW = "(void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) < 0) {"

KILL_OLD = "void os_kill_ptraced_process(int pid, int reap_child)\n{\n"
KILL_NEW = KILL_OLD + "\tif (pid <= 0)\n\t\treturn;\n"

# (file, text to find, text to put there)
EDITS = (
    ("arch/um/include/linux/time-internal.h",
     "#define TIMER_MULTIPLIER 256\n", "#define TIMER_MULTIPLIER 4\n"),
    ("arch/um/include/linux/time-internal.h",
     "#define TIMER_MIN_DELTA  500\n", "#define TIMER_MIN_DELTA  8\n"),
    ("arch/um/Kconfig",
     "config HZ\n\tint\n\tdefault 100\n", "config HZ\n\tint\n\tdefault 1000\n"),
    ("arch/um/os-Linux/util.c", RANDOM_OLD, RANDOM_NEW),
    (SKAS, "(void *) PTRACE_O_TRACESYSGOOD) < 0) {", EXITKILL_NEW),
)
EDITS_BEFORE_6_16 = (
    ("arch/x86/um/os-Linux/registers.c", "#include <errno.h>\n",
     "#include <errno.h>\n#include <string.h>\n"),
    ("arch/x86/um/os-Linux/registers.c", XSTATE_OLD, XSTATE_NEW),
    ("arch/um/os-Linux/process.c", KILL_OLD, KILL_NEW),
)
EDITS_BEFORE_6_12 = (
    (SKAS, "\t\t   (void *)PTRACE_O_TRACESYSGOOD) < 0) {", "\t\t  " + EXITKILL_NEW),
)


def edits(version: str) -> tuple[tuple[str, str, str], ...]:
    """Return the edits for a version such as 6.1."""
    number = tuple(int(part) for part in version.split("."))
    return (EDITS + (EDITS_BEFORE_6_16 if number < (6, 16) else ())
            + (EDITS_BEFORE_6_12 if number < (6, 12) else ()))


def apply(tree: Path, version: str) -> list[str]:
    """Make each edit that is not yet in the tree; return the files changed.

    Raises ValueError where a tree has neither the old nor the new text.
    """
    changed = []
    for name, old, new in edits(version):
        path = tree / name
        text = path.read_text()
        if new in text:
            continue
        if old not in text:
            raise ValueError(f"{path}: does not look as expected, cannot edit")
        path.write_text(text.replace(old, new, 1))
        changed.append(name)
    return changed
