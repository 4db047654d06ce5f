# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# timeout: 300
"""What `lab run` promises: repeatable results, verdicts, and nothing left behind."""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
LAB = TOP / "cloudlab" / "bin" / "lab"
TIMEOUT_CODE, SPLAT_CODE, SILENT_CODE = 124, 90, 91


def lab(*words: str) -> subprocess.CompletedProcess:
    """Run `lab run` without the module and return what came of it."""
    return subprocess.run([str(LAB), "run", "--no-module", "--timeout", "120", *words],
                          cwd=TOP, capture_output=True, text=True, check=False)


def leftovers(folder: Path) -> list:
    """Return what runs or lies under FOLDER, which is TMPDIR of a lab."""
    found: list = list(folder.iterdir())
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in os.readlink(process / "cwd"):
                found.append(process)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("options", [[], ["--loss", "3", "--reorder", "5", "--duplicate", "1"]])
def test_same_seed_same_bytes(options: list[str]) -> None:
    words = ["--hosts", "4", *options, "--", "test/netns/lab_tcp"]
    first, second = lab("--seed", "5", *words), lab("--seed", "5", *words)
    assert first.stdout == second.stdout
    assert first.stdout != lab("--seed", "6", *words).stdout
    if not options:
        assert first.returncode == 0, first.stdout


def test_exit_code_and_streams_come_through() -> None:
    done = lab("--no-topology", "--", "sh", "-c", "echo 'a  b'; echo wrong >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "a  b\n", "wrong\n")


def test_words_and_folder_are_the_callers() -> None:
    done = lab("--no-topology", "--", "printf", "%s|", "two words", "$x", "it's")
    assert done.stdout == "two words|$x|it's|"
    assert lab("--no-topology", "--", "pwd").stdout.strip() == str(TOP)


def test_kernel_reports_fail_the_run() -> None:
    done = lab("--no-topology", "--", "sh", "-c",
               "echo 'WARNING: CPU: 0 PID: 1 at x.c:1' > /dev/kmsg")
    assert done.returncode == SPLAT_CODE
    assert "x.c:1" in done.stderr


def test_a_guest_that_dies_fails() -> None:
    done = lab("--no-topology", "--mem", "12M", "--", "true")
    assert done.returncode == SILENT_CODE


def test_a_failing_command_is_not_found() -> None:
    assert lab("--no-topology", "--", "/nonexistent").returncode == 127


@pytest.mark.parametrize("ports", [[], ["--ports"]])
def test_hosts_with_cards_reach_each_other(ports: list[str]) -> None:
    """Both families; and packets complete together, since interrupts are rare."""
    script = ("for to in 10.0.0.2 fd00::2; do ip netns exec h1 ping -q -f -l 8 -c 40 $to; done;"
              " ip netns exec h1 cat /proc/net/simnic")
    done = lab(*ports, "--nic", "tx_coalesce=200000", "--", "sh", "-c", script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" 40 received, 0% packet loss") == 2
    words = done.stdout.splitlines()[-1].split()
    counts = dict(zip(words[1::2], map(int, words[2::2])))
    assert words[0] == "e0" and counts["packets"] >= 80 and counts["most"] > 2
    assert 0 < counts["interrupts"] < counts["packets"]


def test_losses_are_counted_apart_from_drops() -> None:
    script = "ip netns exec h1 ping -q -f -c 400 10.0.0.2 >/dev/null; $LAB_DROPS --total"
    total = lab("--hosts", "2", "--loss", "5", "--", "sh", "-c", script).stdout.split()
    assert total[:2] == ["total", "0"] and int(total[2]) > 10


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 130),
                                          (signal.SIGKILL, -9)])
def test_nothing_outlives_an_interrupted_lab(number: int, code: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        process = subprocess.Popen(
            [str(LAB), "run", "--no-module", "--", "sh", "-c", "echo up; while :; do :; done"],
            cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": name})
        assert process.stdout.readline() == b"up\n"
        assert leftovers(folder)
        process.send_signal(number)
        assert process.wait(20) == code
        deadline = time.monotonic() + 10
        while [x for x in leftovers(folder) if x.parent == Path("/proc")]:
            assert time.monotonic() < deadline, "a guest lives on"
            time.sleep(0.1)
        assert number == signal.SIGKILL or not leftovers(folder)


def test_time_limit_ends_the_guest() -> None:
    done = lab("--no-topology", "--timeout", "3", "--", "sh", "-c", "while :; do :; done")
    assert done.returncode == TIMEOUT_CODE
