# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Source edits of User-Mode Linux for kernels with KASAN, lockdep and their like. They
change no other, and are numbered on from those of uml_edits.py:

10. A stack is traced by following its frame pointers. Upstream each word of it
    is looked up, to tell those that may be return addresses.
11. Fault injection can be confined to callers, as upstream on UML since 6.12.
    (6.1) It tells of each failure, also of those whose caller wants no warning:
    they are counted by what it tells.
12. Edit 9 before 7.x.
13. (7.x) With several CPUs, those have interrupt stacks of 64 kB instead of 16:
    softirqs run there, in frames that KASAN makes larger, and each signal that
    arrives meanwhile puts the processor's registers there, too.
"""

from __future__ import annotations

TRACE = "arch/um/kernel/stacktrace.c"
MODULE = "kernel/module/main.c"

FRAMES_OLD = "\tdump_trace(tsk, &dump_ops, trace);\n"
FRAMES_NEW = """\
	/* lab: follow the frames; of the words between them none would be kept */
	struct stack_frame *frame = (void *)get_frame_pointer(tsk, NULL), *next;
	unsigned long address;

	while (frame && trace->nr_entries < trace->max_entries) {
		address = READ_ONCE_NOCHECK(frame->return_address);
		if (!__kernel_text_address(address))
			break;
		save_addr(trace, address, 1);
		next = READ_ONCE_NOCHECK(frame->next_frame);
		if (next <= frame ||
		    ((unsigned long)next ^ (unsigned long)frame) & ~(THREAD_SIZE - 1))
			break;
		frame = next;
	}
"""
UNUSED_OLD = "static const struct stacktrace_ops dump_ops = {\n"
UNUSED_NEW = "static const struct stacktrace_ops __maybe_unused dump_ops = {\n"

FILTER_OLD = "\tdepends on !X86_64\n\tselect STACKTRACE\n\tdepends on FRAME_POINTER"
FILTER_NEW = "\tdepends on !X86_64 || UML\n\tselect STACKTRACE\n\tdepends on FRAME_POINTER"

TOLD_OLD = "\tif (!(flags & FAULT_NOWARN))\n\t\tfail_dump(attr);\n"
TOLD_NEW = "\t/* lab: failures are counted by what is told of them */\n\tfail_dump(attr);\n"

FREE_OLD = "\tmodule_memfree(mod->core_layout.base);\n#ifdef CONFIG_ARCH_WANTS_MODULES"
FREE_NEW = """\
	/* lab: UML's shadow memory stays when the memory goes */
	kasan_unpoison_range(mod->core_layout.base, mod->core_layout.size);
""" + FREE_OLD

IRQ_STACK_OLD = """\
extern char cpu_irqstacks[NR_CPUS][THREAD_SIZE] __aligned(THREAD_SIZE);
"""
IRQ_STACK_NEW = """\
/* lab: room for softirqs under KASAN, and for signals that arrive meanwhile */
#define CPU_IRQSTACK_SIZE ((IS_ENABLED(CONFIG_SMP) ? 4 : 1) * THREAD_SIZE)
extern char cpu_irqstacks[NR_CPUS][CPU_IRQSTACK_SIZE] __aligned(THREAD_SIZE);
"""
PROCESS = "arch/um/kernel/skas/process.c"

EDITS_CHECKERS = (
    (TRACE, UNUSED_OLD, UNUSED_NEW),
    (TRACE, FRAMES_OLD, FRAMES_NEW),
)
EDITS_CHECKERS_SMP = (
    ("arch/um/include/linux/smp-internal.h", IRQ_STACK_OLD, IRQ_STACK_NEW),
    (PROCESS, "char cpu_irqstacks[NR_CPUS][THREAD_SIZE] __aligned",
     "char cpu_irqstacks[NR_CPUS][CPU_IRQSTACK_SIZE] __aligned"),
    (PROCESS, "set_sigstack(cpu_irqstacks[0], THREAD_SIZE);",
     "set_sigstack(cpu_irqstacks[0], CPU_IRQSTACK_SIZE);"),
    ("arch/um/kernel/smp.c", "set_sigstack(&cpu_irqstacks[cpu], THREAD_SIZE);",
     "set_sigstack(&cpu_irqstacks[cpu], CPU_IRQSTACK_SIZE);"),
)
EDITS_CHECKERS_BEFORE_6_12 = (
    ("lib/Kconfig.debug", FILTER_OLD, FILTER_NEW),
    ("lib/fault-inject.c", TOLD_OLD, TOLD_NEW),
    (MODULE, '#include <uapi/linux/module.h>\n',
     '#include <uapi/linux/module.h>\n#include <linux/kasan.h>\n'),
    (MODULE, FREE_OLD, FREE_NEW),
)


def edits(number: tuple[int, ...]) -> tuple[tuple[str, str, str], ...]:
    """Return the edits for a version such as (6, 1)."""
    return (EDITS_CHECKERS + (EDITS_CHECKERS_BEFORE_6_12 if number < (6, 12) else ())
            + (EDITS_CHECKERS_SMP if number >= (7,) else ()))
