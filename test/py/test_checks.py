# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# timeout: 300
"""Each static check finds what it is for, and nothing in a clean tree."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "test"), str(TOP / "test" / "check")]

SPDX = "/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */\n"
SPDX_C = "// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+\n"
SPDX_SH = "#!/bin/sh\n# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+\n"
# A module that every check accepts.
MAIN_C = SPDX_C + """\
/* Loads and unloads. */
#include <linux/module.h>

static int __init main_load(void)
{
	return 0;
}

static void __exit main_unload(void)
{
}

module_init(main_load);
module_exit(main_unload);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("clean");
"""
FITS = """\
# red: netns rpc a_case
--- a/homa/main.c
+++ b/homa/main.c
@@ -4,7 +4,7 @@
 
 static int __init main_load(void)
 {
-	return 0;
+	return 1;
 }
 
 static void __exit main_unload(void)
"""
CLEAN = {
    "homa/main.c": MAIN_C,
    "homa/homa_compat.h": SPDX + "#include <linux/version.h>\n",
    "homa/globals.allow": "# none\n",
    "homa/uapi/homa.h": SPDX,
    "cloudlab/lab/kmod/hardware.c": MAIN_C,
    "cloudlab/lab/kmod/Kbuild": "# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+\n"
                                "obj-m := hardware.o\n",
    "tt/events.h": SPDX,
    "tt/kmod/timetrace.h": SPDX,
    "test/mutants/0.patch": FITS,
    "cloudlab/bin/run": SPDX_SH + 'echo "$1"\n',
}
LONG_C = "static int long_one(void)\n{\n" + "\tbarrier();\n" * 99 + "\treturn 0;\n}\n"
LONG_PY = "def long_one():\n" + "    print()\n" * 100
STALE = "homa/sysctl." + "c is where it lives\n"

# check, file, what the file holds (None: added to the clean one), what is found
BAD = [
    ("compat", "homa/main.c", "int x = LINUX_VERSION" "_CODE;\n", "kernel version outside"),
    ("layout", "homa/Main2.c", SPDX_C + "/* x */\n", "does not hold files named so"),
    ("layout", "stuff/x.c", SPDX_C, "folder stuff is not in the map"),
    ("layout", "homa/x.c", "/* x */\n", "no SPDX line"),
    ("layout", "homa/x.c", SPDX_C + "int x;\n", "no opening comment"),
    ("layout", "homa/x.c", SPDX_C + "/* x */\n" + "\n" * 1000, "the limit is 1000"),
    ("layout", "tt/ttlib/x.py", "# " + SPDX + "\n" * 300, "the limit is 300"),
    ("layout", "test/kunit/gone_test.c", SPDX_C, "tests gone, and there is no such file"),
    ("layout", "test/unit/test_gone.c", SPDX_C, "tests gone, and there is no such file"),
    ("funclen", "homa/x.c", LONG_C, "homa/x.c:1: long_one has 103 lines"),
    ("funclen", "tt/ttlib/x.py", LONG_PY, "long_one has 101 lines"),
    ("notes", "homa/x.c", "/* TO" "DO: more */\n", "open end"),
    ("notes", "homa/x.c", "#if" " 0\n#endif\n", "dead code"),
    ("notes", "notes.txt", STALE, "there is no homa/sysctl.c"),
    ("notes", "notes.txt", "main_gone() decides\n", "there is no function main_gone()"),
    ("paths", "README.md", "see /hom" "e/someone/x\n", "names a machine"),
    ("shellcheck", "cloudlab/bin/x", SPDX_SH + "rm $1\n", "Double quote"),
    ("checkpatch", "homa/x.c", SPDX_C + "/* x */\nint  *  x ;\n", "ERROR:POINTER_LOCATION"),
    ("kerneldoc", "homa/x.h", SPDX + "/**\n * x() - it\n */\nint x(int a);\n",
     "'a' not described"),
    ("coccinelle", "homa/x.c", "int f(struct a *p)\n{\n\tif (!p)\n\t\treturn p->b;\n"
     "\treturn 0;\n}\n", "p is NULL but dereferenced"),
    ("sparse", "homa/x.c", "#include <linux/types.h>\nint x(__be16 v);\nint x(__be16 v)\n"
     "{\n\treturn v;\n}\n", "homa/x.c:5: warning: incorrect type"),
    ("mutants", "test/mutants/1.patch", FITS.replace("return 0", "return 2"), "does not fit"),
    ("mutants", "test/mutants/1.patch", FITS.replace("# red", "# blue"), "names no test"),
    ("protocol", "homa/protocol.md", "| 0x19 | GRANT | 33 | x |\n", "no type GRANT 0x19"),
    ("protocol", "homa/protocol.md", "| no_such | 5 | 1 to 2 | x |\n", "no setting no_such"),
    ("protocol", "homa/protocol.md", "| NO_SUCH | 5 | homa/main.c | x |\n", "no NO_SUCH in"),
    ("features", "test/features.tsv", "F1\tnetns/gone:case\n", "there is no test/netns/gone"),
    ("features", "test/features.tsv", "F1 netns/rpc\n", "not one of features, a tab and a test"),
    ("manpages", "docs/man/x.1", ".TH X 1\n.NOSUCH\n", "NOSUCH"),
    ("manpages", "docs/man/homa.7", ".TH X 7\n.SH SETTINGS\n.TP\n.BR gone \" (1; 0 to 2)\"\nx\n",
     "SETTINGS: the code has no gone"),
    ("manpages", "docs/man/homa.7", ".TH X 7\n.SH TRACEPOINTS\n.TP\n.B homa_gone\nx\n",
     "TRACEPOINTS: the code has no homa_gone"),
    ("manpages", "docs/man/homa.7", ".TH X 7\n.SS Kept for scripts\n.TP\n.B gone\nx\n",
     "Kept for scripts: the code has no gone"),
    ("manpages", "docs/man/x.1", ".TH X 1\n.BR homa_gone (7)\n", "there is no homa_gone(7)"),
    ("manpages", "docs/man/homa.7", ".TH X 7\n.SH IOCTLS\n.TP\n.B HOMAIOCGONE\nx\n",
     "the code has no HOMAIOCGONE"),
    ("manpages", "docs/man/homa.7", ".TH X 7\n.SH ERRORS\n.TP\n.B EGONE\nx\n",
     "the code has no EGONE"),
    ("manpages", "docs/man/homa_metrics.5", ".TH X 5\n.SH COUNTERS\n.TP\n.B gone\nx\n",
     "COUNTERS: the code has no gone"),
    ("manpages", "docs/man/libhoma.3", ".TH X 3\n.BI \"int homa_gone(int \" x );\n",
     "libhoma.3: the code has no homa_gone"),
    ("manpages", "docs/man/lab.1", ".TH X 1\n\\-\\-gone\n", "lab.1: the code has no gone"),
    ("abi", "homa/uapi/homa.h", SPDX + "#define HOMA_NEW 1\n", "add: constant HOMA_NEW 1"),
    ("abi", "homa/uapi/homa.h", SPDX + "struct homa_a {\n\tint b;\n\tunion {\n\t\tint c;\n"
     "\t\tstruct {\n\t\t\tint e;\n\t\t\tint f;\n\t\t} d;\n\t};\n};\n",
     "add: field homa_a.d.f at 8, 4 bytes"),
    ("abi", "util/libhoma/abi.txt", "struct homa_old 8 bytes\n", "gone, but programs"),
    ("globals", "homa/x.c", "int shared_state = 1;\n", "writable symbol shared_state"),
    ("globals", "homa/globals.allow", "homa_old  gone since\n", "homa_old is no writable"),
]
FAST = sorted({row[0] for row in BAD} - {"sparse", "globals"})


def load(name: str) -> ModuleType:
    """Return a check as a module."""
    loader = SourceFileLoader(f"check_{name}", str(TOP / "test" / "check" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(
        loader.name, loader))
    loader.exec_module(module)
    return module


@pytest.fixture(name="clean")
def clean_tree(tmp_path: Path) -> Path:
    """Return a small tree in which no check finds anything."""
    for name in ("Makefile", "Kbuild"):
        shutil.copy(TOP / name, tmp_path / name)
    for name, text in CLEAN.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize("check", [*FAST, "sparse", "globals"])
def test_clean_tree_passes(check: str, clean: Path) -> None:
    """A check without findings on a clean tree."""
    assert list(load(check).find(clean)) == []


@pytest.mark.parametrize("check,name,text,want", BAD,
                         ids=[f"{row[0]}-{number}" for number, row in enumerate(BAD)])
def test_bad_file_is_found(check: str, name: str, text: str, want: str, clean: Path) -> None:
    """A check with exactly the finding that a bad file deserves."""
    path = clean / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    found = list(load(check).find(clean))
    assert any(want in line for line in found), found


@pytest.mark.parametrize("source,want", [("static int unused;\n", "unused"),
                                         ("int x = ;\n", "error"), ("", "")])
def test_builds_reports_warnings(source: str, want: str, clean: Path) -> None:
    """The build check passes a clean module and reports a warning and an error."""
    builds = load("builds")
    if source:
        (clean / "homa" / "x.c").write_text(source)
    kernel = builds.kernels.load()["debian"]
    found = "\n".join(builds.complaints(kernel, clean))
    assert want in found if want else not found


def test_command_line(clean: Path, capsys: pytest.CaptureFixture,
                      monkeypatch: pytest.MonkeyPatch) -> None:
    """Findings are printed below the folder's name and set the exit code."""
    tree = load("compat").tree
    monkeypatch.setattr(sys, "argv", ["compat", str(clean)])
    assert tree.main("", load("compat").find) == 0
    (clean / "homa" / "x.c").write_text("KERNEL" "_VERSION\n")
    assert tree.main("", load("compat").find) == 1
    assert capsys.readouterr().out.startswith("homa/x.c:1: ")
