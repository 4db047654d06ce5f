# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Source edits that make User-Mode Linux's virtual time fine and repeatable.

1. Virtual time moves in steps of 4 ns instead of 256 ns, and one clock read in
   32 costs a step. Upstream every read does, so that programs that wait for the
   time to change see it change; but a 10 Gb/s link then runs a fifth too slow,
   and 16 hosts that share the CPU read it 700 million times a second in W2.
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

And for UML with several CPUs (7.x), which spent half of its time in the host:

7. An inter-processor interrupt that arrives while the guest has interrupts off
   is noted, and carried out when they are on again, as with all other signals.
   Upstream has the host mask it: a system call each time that the guest turns
   interrupts off or on, which lockdep alone does twice for every lock.
8. No stack trace is saved where it would be empty: without frame pointers UML
   trusts no word of a stack, but looks at each, taking a lock for it, whenever
   KASAN sees an allocation.
9. The memory of an unloaded module loses the red zones that KASAN put around
   its variables. Other architectures give each module shadow memory of its own;
   UML's is always there, so that whatever got the memory next, such as another
   module, was reported for touching it.

Those for kernels with checkers are in uml_checkers.py.
"""

from __future__ import annotations

from pathlib import Path

import uml_checkers

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

READ_OLD = """\
		    !time_travel_ext_waiting)
			time_travel_update_time_rel(TIMER_MULTIPLIER);
"""
READ_NEW = """\
		    !time_travel_ext_waiting) {
			/* lab: many hosts share this CPU; reads must not be what keeps it busy */
			static unsigned int reads;

			if (++reads % 32 == 0)
				time_travel_update_time_rel(TIMER_MULTIPLIER);
		}
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
    ("arch/um/kernel/time.c", READ_OLD, READ_NEW),
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

SIGNAL = "arch/um/os-Linux/signal.c"
SMP = "arch/um/os-Linux/smp.c"
TIME = "arch/um/os-Linux/time.c"

UNBLOCK_OLD = "\tos_local_ipi_enable();\n}\n"
UNBLOCK_NEW = """\
}

__thread unsigned int ipis_pending;

/* lab: carry out what came while interrupts were off; was there anything? */
static bool deliver_ipis(void)
{
#if IS_ENABLED(CONFIG_SMP)
	unsigned int vectors;
	int vector;

	if (!ipis_pending)
		return false;
	vectors = __atomic_exchange_n(&ipis_pending, 0, __ATOMIC_SEQ_CST);
	__block_signals();
	um_trace_signals_off();
	for (vector = 0; vectors; vector++, vectors >>= 1)
		if (vectors & 1)
			uml_ipi_handler(vector);
	um_trace_signals_on();
	__unblock_signals();
	return true;
#else
	return false;
#endif
}
"""

IPI_OLD = """\
	signals_enabled = 0;
	um_trace_signals_off();

	uml_ipi_handler(si->si_value.sival_int);

	um_trace_signals_on();
	signals_enabled = 1;
"""
IPI_NEW = """\
	/* lab: with interrupts off, leave it to unblock_signals() */
	if (!signals_enabled) {
		__atomic_fetch_or(&ipis_pending, 1U << si->si_value.sival_int,
				  __ATOMIC_SEQ_CST);
	} else {
		block_signals_trace();
		uml_ipi_handler(si->si_value.sival_int);
		unblock_signals_trace();
	}
"""

IDLE_OLD = """\
	 * Block SIGALRM while performing the need_resched check.
	 * Note that, because IRQs are disabled, the IPI signal is
	 * already blocked.
	 */
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
"""
IDLE_NEW = """\
	 * lab: block SIGALRM and IPIs while looking whether one has come.
	 */
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigaddset(&set, IPI_SIGNAL);
"""

TRACE = "arch/um/kernel/stacktrace.c"
TRACE_OLD = "\t__save_stack_trace(current, trace);\n"
TRACE_NEW = """\
	/* lab: it would look at all of the stack and keep nothing of it */
	if (IS_ENABLED(CONFIG_FRAME_POINTER))
		__save_stack_trace(current, trace);
"""

MODULE = "kernel/module/main.c"
MODULE_OLD = "\texecmem_free(mem->base);\n"
MODULE_NEW = """\
	/* lab: UML's shadow memory stays when the memory goes */
	kasan_unpoison_range(mem->base, mem->size);
	execmem_free(mem->base);
"""

EDITS_SMP = (
    (SIGNAL, "#include <skas.h>\n", "#include <skas.h>\n#include <smp.h>\n"),
    (SIGNAL, "\tos_local_ipi_disable();\n\tbarrier();\n\tsignals_enabled = 0;\n",
     "\t/* lab: an IPI that comes now is noted */\n\tbarrier();\n\tsignals_enabled = 0;\n"),
    (SIGNAL, UNBLOCK_OLD, UNBLOCK_NEW),
    (SIGNAL, "\t\tsave_pending = signals_pending;\n",
     "\t\tif (deliver_ipis())\n\t\t\tcontinue;\n\n\t\tsave_pending = signals_pending;\n"),
    (SIGNAL, "\treturn !!(signals_pending & SIGALRM_MASK);\n",
     "\treturn ipis_pending || (signals_pending & SIGALRM_MASK);\n"),
    ("arch/um/os-Linux/internal.h", "extern __thread int signals_enabled;\n",
     "extern __thread int signals_enabled;\nextern __thread unsigned int ipis_pending;\n"),
    (SMP, IPI_OLD, IPI_NEW),
    (SMP, "\t\t.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART,\n",
     "\t\t.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER,\n"),
    (SMP, "\tsigfillset(&action.sa_mask);\n", "\tsigemptyset(&action.sa_mask);\n"),
    (SMP, "\tsigaddset(&data->sigset, IPI_SIGNAL);\n", "\t/* lab: IPIs are never masked */\n"),
    (TIME, IDLE_OLD, IDLE_NEW),
    (TRACE, TRACE_OLD, TRACE_NEW),
    (MODULE, MODULE_OLD, MODULE_NEW),
)


def edits(version: str, checkers: bool = True) -> tuple[tuple[str, str, str], ...]:
    """Return the edits for a version such as 6.1, for kernels with or without CHECKERS."""
    number = tuple(int(part) for part in version.split("."))
    more = uml_checkers.edits(number)
    return (EDITS + (EDITS_BEFORE_6_16 if number < (6, 16) else ())
            + (EDITS_BEFORE_6_12 if number < (6, 12) else ())
            + (EDITS_SMP if number >= (7,) else ()) + (more if checkers else ()))


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
