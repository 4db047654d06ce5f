# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""tt/user/ttrec: programs' own records, and how tools join them with the kernel's."""
from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tt"))

from ttlib import binform, files, model, story, textform, trace as tt  # noqa: E402
from ttlib.recording import Recording  # noqa: E402

# Three threads: one whose ring of 16 overflows, one that records twice, and one that
# comes when it is frozen. Prints what clock_gettime() says before and after.
PROGRAM = r"""
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include "user/ttrec.h"

static void say_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	printf("%lld\n", ts.tv_sec * 1000000000LL + ts.tv_nsec);
}

static void *many(void *arg)
{
	ttrec_thread("c%d", 0 * !arg);
	for (int i = 0; i < 20; i++)
		ttrec("many of %u, id %u", 20, i);
	return NULL;
}

static void *few(void *arg)
{
	ttrec_thread("r%d.%d", 1, 2);
	ttrec("few, error %d mask 0x%x left %u id %u", -5, 0xab, 7, 1905581296);
	ttrec("nothing to say");
	return arg;
}

static void run(void *(*main)(void *))
{
	pthread_t thread;

	pthread_create(&thread, NULL, main, NULL);
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	ttrec("too early");
	say_clock();
	ttrec_start(16);
	run(many);
	run(few);
	run(few);
	say_clock();
	ttrec_freeze();
	run(few);
	return argc < 2 || ttrec_write(argv[1]) || !ttrec_write(argv[1]);
}
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[tt.Trace, int, int, Path]:
    folder = tmp_path_factory.mktemp("ttrec")
    (folder / "program.c").write_text(PROGRAM)
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-g", "-fsanitize=address,undefined",
                    "-fno-sanitize-recover=all", "-pthread", f"-I{ROOT / 'tt'}", "-o",
                    folder / "program", folder / "program.c", ROOT / "tt/user/ttrec.c"],
                   check=True)
    said = subprocess.run([folder / "program", folder / "app.ttb"], check=True,
                          capture_output=True, text=True)
    begin, end = map(int, said.stdout.split())
    return files.read(str(folder / "app.ttb")), begin, end, folder / "app.ttb"


def test_records_have_values_thread_and_the_kernels_clock(written: tuple) -> None:
    trace, begin, end, _ = written
    records = list(zip(trace.labels(), trace.texts()))
    few = [("r1.2", "few, error -5 mask 0xab left 7 id 1905581296"),
           ("r1.2", "nothing to say")]
    # 16 of 20 are in the ring; a thread of the same name goes on in the ring it finds.
    assert records == [*(("c0", f"many of 20, id {i}") for i in range(4, 20)), *few, *few]
    assert trace.lost == 4 and trace.addrs == ()
    stamps = trace.start_ns() + trace.ns
    assert begin <= stamps[0] and stamps[-1] <= end and (trace.ns[1:] >= trace.ns[:-1]).all()


def test_both_forms_keep_names_of_threads(written: tuple) -> None:
    trace = written[0]
    lines = list(textform.render(trace))
    assert "[r1.2] nothing to say" in lines[-1]
    for again in (textform.parse(lines), binform.parse(binform.write(trace), "again")):
        assert again.labels() == trace.labels() and again.texts() == trace.texts()


def test_tools_join_them_with_the_kernels(written: tuple, tmp_path: Path) -> None:
    golden = ROOT / "test/golden/tt"
    kernel = {f"h{i}": files.read(str(golden / f"h{i}.ttb.xz")) for i in range(1, 9)}
    # As if the program had run on h3, whose RPC 1905581296 is, 50 us after the trace began.
    ahead = kernel["h3"].start_ns() + 50_000 - written[0].start_ns()
    (tmp_path / "h3.ttb").write_bytes(binform.write(kernel["h3"]))
    (tmp_path / "app.ttb").write_bytes(binform.write(written[0].delayed(ahead)))
    done = subprocess.run([ROOT / "tt/bin/ttmerge", "-b", tmp_path / "h3.ttb",
                           tmp_path / "app.ttb"], check=True, capture_output=True)
    merged = binform.parse(done.stdout, "merged")
    assert len(merged) == len(kernel["h3"]) + 20 and merged.addrs == kernel["h3"].addrs
    cores = [label for label in merged.labels() if label not in ("c0", "r1.2")]
    assert cores == kernel["h3"].labels()
    tables = model.build(Recording.make({**kernel, "h3": replace(merged, host="h3")}))
    plain = model.build(Recording.make(kernel))
    assert len(tables.packets) == len(plain.packets) and len(tables.rpcs) == len(plain.rpcs)
    told = "\n".join(story.tell(tables, 1905581296))
    assert told.count("r1.2: few, error -5 mask 0xab left 7 id 1905581296") == 2
