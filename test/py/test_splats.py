# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: debug
# timeout: 400
"""The debug kernel and `lab run` catch what a module does wrong."""

import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
LAB = TOP / "cloudlab" / "bin" / "lab"
SPLAT_CODE = 90

SOURCE = """
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static DEFINE_SPINLOCK(one);
static DEFINE_SPINLOCK(two);

static int __init bad_init(void)
{
	volatile char *mem = kmalloc(100, GFP_KERNEL);

	%s
	return 0;
}
module_init(bad_init);
static void __exit bad_exit(void)
{
	spin_lock(&two);
	spin_lock(&one);
	spin_unlock(&one);
	spin_unlock(&two);
}
module_exit(bad_exit);
MODULE_LICENSE("GPL");
"""
FAULTS = {
    "nothing": ("kfree((void *)mem);", ""),
    "leak": ("mem[0] = 1;", "unreferenced object"),
    "use after free": ("kfree((void *)mem); mem[3] = 1;", "KASAN"),
    "beyond the end": ("mem[120] = 1; kfree((void *)mem);", "KASAN"),
    "lock order": ("kfree((void *)mem); spin_lock(&one); spin_lock(&two);"
                   " spin_unlock(&two); spin_unlock(&one);", "circular locking"),
    "warning": ("kfree((void *)mem); WARN_ON(1);", "WARNING"),
}


def built(folder: Path, body: str) -> Path:
    """Return a module whose init runs BODY, built for the debug kernel."""
    kdir = subprocess.run([str(LAB), "kernel", "--flavor", "debug"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.splitlines()[-1].split(" ", 1)[1]
    (folder / "bad.c").write_text(SOURCE % body)
    (folder / "Kbuild").write_text("obj-m := bad.o\n")
    subprocess.run(["make", "-s", "-C", kdir, f"M={folder}", "ARCH=um", "modules"], check=True,
                   stdout=subprocess.DEVNULL)
    return folder / "bad.ko"


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_reported(name: str, tmp_path: Path) -> None:
    body, word = FAULTS[name]
    done = subprocess.run([str(LAB), "run", "--flavor", "debug", "--no-topology", "--timeout",
                           "300", "--module", str(built(tmp_path, body)), "--", "true"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == (SPLAT_CODE if word else 0), done.stderr
    assert word in done.stderr
