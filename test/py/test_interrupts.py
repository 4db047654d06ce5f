# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# size: full
# timeout: 1200
# slots: 2
"""An interrupt at any second of a run leaves processes, networks and settings as they were."""

import ctypes
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from bench_smoke import CPERF

SIM = ["--cluster", "sim:3", "--load", "0.4", "--ms", "0.5"]
# Without Homa: the kernel of this machine need not have it. vm/netns_stop.sh is with it.
NETNS = ["--cluster", "netns:3", "--link", "100m", "--load", "0.01", "--ms", "1500",
         "--protocols", "tcp"]
# The terminal's Ctrl-C, once and by someone impatient; its end; a service's end; a crash.
WAYS = {"ctrl-c": [signal.SIGINT], "twice": [signal.SIGINT] * 2, "hangup": [signal.SIGHUP],
        "term": [signal.SIGTERM], "kill": [signal.SIGKILL]}
POINTS = 6                      # in each way, spread over the run
PATIENCE_S = 20
SUBREAPER = 36                  # of prctl(2)


def descendants() -> dict:
    """{process: its command} of all that we, or what we started, have left running."""
    parents, names = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        number, name = text[:text.rindex(")")].split(" (", 1)
        state, parent = text[text.rindex(")") + 2:].split()[:2]
        if state != "Z":
            parents[int(number)], names[int(number)] = int(parent), name
    found, more = set(), {os.getpid()}
    while more:
        found |= more
        more = {n for n, parent in parents.items() if parent in more}
    return {n: names[n] for n in found if n != os.getpid() and n in names}


def folders() -> set:
    """Scratch folders of remotes whose process is gone."""
    return {str(p) for p in Path("/tmp").glob("cperf-host.*")
            if not Path(f"/proc/{p.name.split('.')[1]}").exists()}


def settings() -> dict:
    """Sysctls of the network, with what the kernel itself changes now and then."""
    found = {}
    for path in Path("/proc/sys/net").rglob("*"):
        try:
            found[str(path)] = path.read_text() if path.is_file() else ""
        except OSError:
            continue
    return found


def machine() -> dict:
    """What an experiment could change here."""
    said = {" ".join(words): subprocess.run(words, capture_output=True, text=True, check=False).stdout
            for words in (["tc", "qdisc", "show"], ["ip", "-o", "link"], ["ip", "netns", "list"])}
    return {**said, "mounts": Path("/proc/self/mounts").read_text(), "folders": folders()}


def changes(before: dict, now: dict) -> dict:
    """What differs: {what: (before, now)}."""
    return {what: (before.get(what), now.get(what)) for what in before.keys() | now.keys()
            if before.get(what) != now.get(what)}


def calm(before: dict) -> bool:
    """Whether all is as before, soon: the kernel takes namespaces apart in its own time."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if not descendants() and machine() == before:
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(name="collects_orphans", autouse=True)
def fixture_collects_orphans() -> None:
    """What loses its parent becomes our child, so that it is found."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


def run(words: list, out: Path, scratch: Path) -> subprocess.Popen:
    """Start cperf as a terminal does: in a group of processes of its own."""
    scratch.mkdir(exist_ok=True)
    return subprocess.Popen([CPERF, "run", "cp_vs_tcp", "-w", "1000", *words, "--out", out],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                            start_new_session=True, env={**os.environ, "TMPDIR": str(scratch)})


@pytest.fixture(scope="module", name="seconds", params=[SIM, NETNS], ids=["sim", "netns"])
def fixture_seconds(request, tmp_path_factory) -> tuple:
    """(command, seconds that it takes when nobody interrupts it)."""
    if request.param is NETNS and os.geteuid():
        pytest.skip("namespaces of this kernel need root")
    base = tmp_path_factory.mktemp("whole")
    for name in ("builds", "warm"):
        begin = time.monotonic()
        with run(request.param, base / name, base / "scratch") as whole:
            said = whole.communicate()[1]
        assert whole.returncode == 0, said
    return request.param, time.monotonic() - begin


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_left(seconds: tuple, way: str, tmp_path: Path) -> None:
    words, lasts = seconds
    rng, before, sysctls = random.Random(way), machine(), settings()
    finished = 0
    for point in range(POINTS):
        out, scratch = tmp_path / f"{point}", tmp_path / f"scratch{point}"
        when = lasts * (point + rng.random()) / POINTS
        with run(words, out, scratch) as process:
            time.sleep(when)
            for number in WAYS[way]:
                if process.poll() is None:
                    os.killpg(process.pid, number)
                time.sleep(rng.random() * 0.2)
            said = process.communicate(timeout=60)[1]
        where = f"{way} after {when:.2f} of {lasts:.2f} s, {process.returncode}: {said[-2000:]}"
        assert calm(before), f"{where} {descendants()} {changes(before, machine())}"
        finished += process.returncode == 0
        if way != "kill":
            assert process.returncode in (0, 130) and "Traceback" not in said, where
            assert out.exists() == (process.returncode == 0), where
            assert not any(scratch.iterdir()), where
    assert finished < POINTS        # some end before, if the machine was busy at first
    now = settings()
    assert not {name: both for name, both in changes(sysctls, now).items()
                if "/neigh/" not in name}
