# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Run one guest: its folder, its process, its output, its verdict.

The host and the guest share a folder (/run/lab in the guest):

    env command        what to run, and its environment
    guest homa.ko      the guest's script, the module as it was when the run began
    links switch ...   batches that build the star (topo.py)
    stdout stderr log  the command's output and the kernel's log, copied out as they grow
    status             the guest's last word: "success CODE"

A guest that does not say that word has failed, whatever else it printed.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import cache, splats
from .errors import ClusterError

GUEST_FOLDER = "/run/lab"
SPLAT_CODE = 90                 # exit codes of `lab run` beside the command's own
SILENT_CODE = 91
TIMEOUT_CODE = 124
POLL_S = 0.02

# Guests run in a process namespace of their own, so that nothing that goes wrong in one
# can kill a process of the host, and all of it ends together. The shell is process 1
# there, since an aborting kernel could not kill itself. setpriv: should we be killed
# ourselves, the guest must not outlive us.
CAGE = ["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child=KILL",
        "sh", "-c", '"$@"; exit $?', "sh"]


@dataclass
class Job:
    """What to do inside the guest."""

    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    modules: dict[str, Path] = field(default_factory=dict)      # name in the guest: file
    batches: dict[str, list[str]] = field(default_factory=dict)
    timeout: float = 600.0
    keep_log: Path | None = None


@contextlib.contextmanager
def folder(job: Job, init: str) -> Iterator[Path]:
    """Yield a folder that holds JOB for the guest; it is gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix="homa-lab."))
    try:
        path.chmod(0o755)
        for name in (init, "guest"):
            shutil.copy(cache.LAB / name, path / name)
        for name, file in job.modules.items():
            shutil.copy(file, path / name)
        for name, lines in job.batches.items():
            (path / name).write_text("\n".join(lines) + "\n")
        env = {"PATH": guest_path(), "HOME": "/root", "LANG": "C.UTF-8",
               "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
               "LAB_TOPOLOGY": "1" if job.batches else "",
               "LAB_DROPS": str(cache.LAB / "drops"), "LAB_HARDWARE": "",
               "LAB_PORT_GROUPS": "", "LAB_HOST_PORT": "", "LAB_HOST_RATES": "", **job.env}
        (path / "env").write_text("".join(
            f"export {name}={shlex.quote(value)}\n" for name, value in env.items()))
        (path / "command").write_text(f"cd {shlex.quote(os.getcwd())} || exit 127\n"
                                      f"{shlex.join(job.command)}\nexit $?\n")
        for name in ("stdout", "stderr", "log"):
            (path / name).touch()
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def guest_path() -> str:
    """Return PATH for the guest: what is built here comes first."""
    return f"{cache.REPO / 'out' / 'bin'}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin" \
           ":/sbin:/bin"


class Copier:
    """Copies what is added to a file to one of our own streams."""

    def __init__(self, source: Path, target: int) -> None:
        self.file, self.target = open(source, "rb"), target

    def step(self) -> None:
        """Copy what is new."""
        while data := self.file.read(1 << 16):
            while data:
                data = data[os.write(self.target, data):]


def kill(process: subprocess.Popen) -> None:
    """End a guest and everything that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def watch(process: subprocess.Popen, path: Path, timeout: float) -> bool:
    """Copy the guest's output until it ends; return False when time is up."""
    copiers = [Copier(path / "stdout", sys.stdout.fileno()),
               Copier(path / "stderr", sys.stderr.fileno())]
    deadline = time.monotonic() + timeout
    try:
        while True:
            try:
                ended = process.wait(POLL_S) is not None
            except subprocess.TimeoutExpired:
                ended = False
            for copier in copiers:
                copier.step()
            if ended or time.monotonic() > deadline:
                return ended
    finally:
        kill(process)
        for copier in copiers:
            copier.file.close()


def verdict(path: Path, in_time: bool, job: Job) -> int:
    """Judge a guest that ended; say what is wrong; return the exit code."""
    log = (path / "log").read_text(errors="replace")
    if job.keep_log:
        job.keep_log.write_text(log)
    found = splats.scan(log, splats.known()) if splats.BEGIN in log else []
    for splat in found[:3]:
        print(splat.text, file=sys.stderr)
    if found:
        cache.say(f"{len(found)} kernel report(s), the first: {found[0].title}")
    if not in_time:
        cache.say(f"the guest was ended after {job.timeout:.0f} s")
        return TIMEOUT_CODE
    status = (path / "status").read_text() if (path / "status").exists() else ""
    word, _, code = status.strip().partition(" ")
    if found:
        return SPLAT_CODE
    if word != "success":
        print("\n".join(log.splitlines()[-25:]), file=sys.stderr)
        cache.say("the guest ended without a word of success")
        return SILENT_CODE
    return int(code)


def run(job: Job, path: Path, words: list[str], files: tuple[int, ...],
        env: dict[str, str]) -> int:
    """Run the guest's process, already prepared in PATH; return the exit code."""
    sys.stdout.flush()
    # setarch: addresses of the guest's memory are the same in each run.
    words = [*CAGE, "setarch", os.uname().machine, "-R", *words]
    with open(path / "log", "ab") as log:
        try:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       pass_fds=files, start_new_session=True, cwd=path,
                                       env={"PATH": os.environ.get("PATH", ""), **env})
        except OSError as error:
            raise ClusterError(f"cannot start the guest: {error}") from None
    return verdict(path, watch(process, path, job.timeout), job)
