# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# size: quick
"""test/run: what it finds, how it counts, and that failures cannot hide."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "test"))

from runner import count, execute, jobs, kernels, report  # noqa: E402

KUNIT = """\
[    0.100000]     # Subtest: rcvbuf
[    0.100000]     1..3
[    0.110000]     ok 1 - rcvbuf_alloc__one
[    0.120000]     # rcvbuf_alloc__full: EXPECTATION FAILED
[    0.130000]     not ok 2 - rcvbuf_alloc__full
[    0.140000]     ok 3 - rcvbuf_alloc__other # SKIP one CPU
[    0.150000] not ok 1 - rcvbuf
[    0.160000]     # Subtest: gaps
[    0.160000]     1..1
[    0.160000]     ok 1 - gaps__none
[    0.170000] ok 2 - gaps
"""


@pytest.mark.parametrize("kind,text,status,want", [
    ("kunit", KUNIT, 0, (2, 1, 1)),
    ("netns", "ok 1 - a\nok 2 - b\n1..2\n", 0, (2, 0, 0)),
    ("netns", "1..3\nok 1 - a\nok 2 - b\n", 0, (2, 1, 0)),      # one never came
    ("netns", "ok 1 - a\n1..2\n", 0, (1, 1, 0)),
    ("netns", "1..2\nok 1 - a\n1..1\nok 1 - b\n", 0, (2, 1, 0)),
    ("netns", "ok a\nok b\n", 1, (2, 1, 0)),                    # then it crashed
    ("netns", "    1..2\n    ok 1 x\nok 1 suite\n", 0, (1, 1, 0)),
    ("netns", "    ok 1 x\nnot ok 1 suite\n", 1, (1, 1, 0)),    # the suite itself
    ("netns", "nothing of note\n", 0, (1, 0, 0)),
    ("netns", "nothing of note\n", 3, (0, 1, 0)),
    ("netns", "a line that is not ok at all\n", 0, (1, 0, 0)),
    ("kunit", "nothing ran\n", 0, (0, 1, 0)),
    ("py", "F.\n1 failed, 28 passed, 1 skipped in 0.5s\n", 1, (28, 1, 1)),
    ("py", "1 error in 0.5s\n", 2, (0, 1, 0)),
    ("py", "no tests ran in 0.01s\n", 5, (0, 1, 0)),
    ("unit", "dist ok\n12 passed, 0 failed\n", 0, (12, 0, 0)),
    ("unit", "cc: error\n", 2, (0, 1, 0)),
    ("mutants", "25 passed, 1 failed\n", 1, (25, 1, 0)),
])
def test_count(kind: str, text: str, status: int, want: tuple[int, int, int]) -> None:
    """Each kind of output gives the right totals."""
    assert count.count(kind, text, status) == count.Count(*want)


def scenario(folder: Path, *lines: str) -> Path:
    """Write an executable scenario with these comment lines."""
    path = folder / "loss.sh"
    path.write_text("#!/bin/sh\n" + "".join(f"# {line}\n" for line in lines))
    path.chmod(0o755)
    return path


def test_header_makes_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario becomes one job for each of its kernels and seeds."""
    monkeypatch.setattr(jobs, "TOP", tmp_path)
    path = scenario(tmp_path, "desc: x", "lab: --hosts 4 --loss 2", "flavor: fast debug@full",
                    "size: quick", "timeout: 10", "seeds: 1 7", "args: a b")
    found = list(jobs.in_kernels("netns", path, kernels.load()))
    others = [job for job in found if job.needs & {"fast612", "fast73"}]
    found = [job for job in found if job not in others]
    assert [job.label for job in found] == ["netns.loss.fast.s1", "netns.loss.fast.s7",
                                            "netns.loss.debug.s1", "netns.loss.debug.s7"]
    assert [job.label for job in others[::2]] == ["netns.loss.fast612.s1",
                                                  "netns.loss.fast73.s1"]
    assert {job.size for job in others} == {"full"}
    assert others[2].command[6:10] == ["--flavor", "fast", "--version", "7.3"]
    assert found[0].command[1:] == ["run", "--hosts", "4", "--loss", "2", "--flavor", "fast",
                                    "--seed", "1", "--timeout", "50", "--", "loss.sh", "a", "b"]
    assert [job.size for job in found] == ["quick", "quick", "full", "full"]
    assert found[2].seconds == 10 * jobs.SLOWER["debug"] + 60
    assert found[2].needs == {"debug"}


@pytest.mark.parametrize("line", ["flavor: nosuch", "size: tiny", "flavor: 6.12"])
def test_bad_header(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that means nothing is an error, not a test that never runs."""
    monkeypatch.setattr(jobs, "TOP", tmp_path)
    with pytest.raises(jobs.BadHeader):
        list(jobs.in_kernels("netns", scenario(tmp_path, line), kernels.load()))


def test_select() -> None:
    """Sizes nest, kinds filter, and a name finds a test of any size."""
    every = [jobs.Job("netns", "a", [], "quick"), jobs.Job("py", "b", [], "check"),
             jobs.Job("netns", "c", [], "full")]

    def names(*args: str) -> str:
        return "".join(job.name for job in jobs.select(every, *args))
    assert names("quick", "", "check") == "a"
    assert names("all", "", "check") == "ab"
    assert names("full", "", "check") == "abc"
    assert names("netns", "", "check") == "a"
    assert names("netns", "c", "check") == "c"
    assert names("netns", "", "full") == "ac"


@pytest.fixture(name="run")
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that runs shell commands as jobs, results by name."""
    monkeypatch.setattr(execute, "OUT", tmp_path)
    monkeypatch.setattr(execute, "TOP", tmp_path)
    monkeypatch.setattr(execute, "stretch", lambda: 1.0)

    def run(limit: float = 20, **commands: str) -> dict[str, execute.Result]:
        todo = [jobs.Job("netns", name, ["sh", "-c", text], seconds=limit)
                for name, text in commands.items()]
        return {one.job.name: one for one in execute.Runner(todo, 2).run()}
    return run


def test_runner_counts_and_remembers(run, tmp_path: Path, capsys) -> None:
    """Jobs run, a failure is told with its reason, and times are kept."""
    results = run(good="echo ok one; echo ok two", bad="echo 'not ok 1 - lost a byte'; exit 1")
    assert results["good"].count == count.Count(passed=2)
    assert results["bad"].count == count.Count(failed=1)
    assert "not ok 1 - lost a byte; log: netns.bad.log" in capsys.readouterr().out
    assert "netns.good" in (tmp_path / "seconds.json").read_text()


def ended(pid: Path) -> bool:
    """Tell whether the process named in a file is gone, or waits for its parent to look."""
    state = Path(f"/proc/{pid.read_text().strip()}/stat")
    try:
        return state.read_text().split()[2] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_runner_ends_what_hangs(run, tmp_path: Path) -> None:
    """A job over its limit fails, and so ends what it started."""
    result = run(limit=1, hangs="sleep 61 & echo $! >pid; wait")["hangs"]
    assert result.count.failed == 1 and "took longer than 1 s" in result.why
    assert ended(tmp_path / "pid")


def test_ending_the_run_ends_the_tests(tmp_path: Path) -> None:
    """SIGTERM ends a run and the processes of its tests, even where SIGINT is ignored."""
    code = ("import sys; sys.path.insert(0, sys.argv[1])\n"
            "import importlib.util, pathlib\n"
            "from importlib.machinery import SourceFileLoader\n"
            "loader = SourceFileLoader('run', sys.argv[2])\n"
            "run = importlib.util.module_from_spec("
            "importlib.util.spec_from_loader('run', loader))\n"
            "loader.exec_module(run)\n"
            "here = pathlib.Path(sys.argv[3])\n"
            "run.execute.OUT = run.execute.TOP = run.OUT = here\n"
            "run.build_programs = lambda live: None\n"
            "run.jobs.discover = lambda: [run.jobs.Job('netns', 'a', "
            "['sh', '-c', 'echo $$ >pid; sleep 62'])]\n"
            "sys.argv[1:] = ['netns']\n"
            "sys.exit(run.main())\n")
    process = subprocess.Popen([sys.executable, "-c", code, str(TOP / "test"),
                                str(TOP / "test" / "run"), str(tmp_path)],
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        assert time.monotonic() < deadline, "the test never started"
        time.sleep(0.05)
    process.terminate()
    assert process.wait(30) == 130
    assert ended(tmp_path / "pid")


def test_missing_kernel_fails_its_tests(tmp_path: Path, monkeypatch) -> None:
    """A test whose kernel could not be built has failed, and the rest run."""
    monkeypatch.setattr(execute, "OUT", tmp_path)
    monkeypatch.setattr(execute, "TOP", tmp_path)       # no runner there: the build fails
    todo = [jobs.Job("netns", "a", ["true"], needs=frozenset({"fast"})),
            jobs.Job("netns", "b", ["true"])]
    results = {one.job.name: one for one in execute.Runner(todo, 2).run()}
    assert results["a"].count.failed == 1 and results["b"].count.passed == 1


def test_says_what_runs(run, monkeypatch, capsys) -> None:
    """A test that takes long is named now and then, also where no kernel is ever built."""
    monkeypatch.setattr(execute, "HEARTBEAT_S", 0.1)
    run(slow="sleep 0.5")
    assert "running: netns.slow" in capsys.readouterr().out


def test_parts_cover_everything_once() -> None:
    """The parts of a full run are of bounded size and leave nothing out."""
    todo = [jobs.Job("netns", f"t{n}", [], seconds=400 * (n % 7 + 1)) for n in range(90)]
    cut = report.parts(todo, 2)
    assert sorted(job.name for part in cut for job in part) == sorted(job.name for job in todo)
    assert len(cut) > 1
    room = report.PART_S * 2 / report.PART_SHARE
    assert all(sum(job.seconds for job in part) <= room for part in cut)


def test_record(tmp_path: Path) -> None:
    """The record of a full run has its date, counts and failures."""
    result = execute.Result(jobs.Job("netns", "loss", []), count.Count(3, 1, 0), 2.0, "why")
    path = tmp_path / "results.md"
    report.record([result], "full part 1 of 2", 61, path)
    text = path.read_text()
    assert "full part 1 of 2, 1:01 min" in text and "| netns | 3 passed, 1 failed" in text
    assert "Failed: netns.loss" in text


def test_every_check_is_found() -> None:
    """The tree's own tests are found, and each says what it needs in words that exist."""
    found = jobs.discover()
    labels = [job.label for job in found]
    assert len(labels) == len(set(labels))
    assert {"check.layout", "check.sparse", "py.test_runner"} <= set(labels)
    assert not {need for job in found for need in job.needs} - set(kernels.load())
