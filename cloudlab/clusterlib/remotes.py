# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Talks to the remotes (guest/host_side.sh) of all hosts of a real cluster, over pipes or ssh."""

import base64
import contextlib
import io
import queue
import shlex
import subprocess
import tarfile
import threading
import time
from pathlib import Path

from .errors import ClusterError
from .inventory import Host, Inventory, ssh_words

SCRIPT = Path(__file__).resolve().parent / "guest" / "host_side.sh"
PATIENCE_S = 60                 # for an answer to an order that takes no time
START_S = 120                   # for the first word: ssh itself gives up sooner
SAMPLES = 9                     # of a host's clock


def remote_words(inventory: Inventory, host: Host, stem: str, cp_node: str, device: str) -> list:
    """The local command that runs a host's remote."""
    words = ["bash", "-c", SCRIPT.read_text(encoding="utf-8"), "host_side", cp_node, device, stem]
    if inventory.backend == "netns":
        return ["ip", "netns", "exec", host.name, *words]
    return [*ssh_words(host), shlex.join((["sudo", "-n"] if host.sudo else []) + words)]


class Remote:
    """One host's remote: orders go to it, answers come back in the same order."""

    def __init__(self, number: int, host: Host, words: list, log: Path) -> None:
        self.number, self.name = number, host.name
        self.where = f"{host.name} ({host.ssh or host.address or host.name})"
        self.log, self.offset_us = log, 0
        self.answers: queue.Queue = queue.Queue()
        with open(log, "wb") as file:
            # Of a session of its own: what the terminal sends to us must not end it unasked.
            self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=file, start_new_session=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.answers.put(line.decode(errors="replace").rstrip("\n"))
        self.answers.put(None)

    def send(self, order: str) -> None:
        """Give an order; that the host is gone shows in the answer."""
        with contextlib.suppress(OSError):
            self.process.stdin.write(order.encode() + b"\n")
            self.process.stdin.flush()

    def _gone(self) -> ClusterError:
        self.process.wait()
        said = self.log.read_text(errors="replace").strip().splitlines()
        return ClusterError(f"host {self.where} is gone: "
                            + (said[-1] if said else "its connection ended"))

    def answer(self, word: str, deadline: float) -> str:
        """What the host answers to an order; an error that names the host if it does not."""
        try:
            line = self.answers.get(timeout=max(deadline - time.monotonic(), 0.01))
        except queue.Empty:
            raise ClusterError(f"host {self.where} does not answer ('{word}')") from None
        if line is None:
            raise self._gone()
        if line.startswith("error "):
            raise ClusterError(f"host {self.where}: {line[6:]}")
        if line.split()[:2] != ["ok", word]:
            raise ClusterError(f"host {self.where} says '{line[:200]}'")
        return line[len(f"ok {word}"):].strip()


class Remotes:
    """The remotes of all hosts; leaving the context ends them, whatever happened."""

    def __init__(self, inventory: Inventory, commands: dict, logs: Path) -> None:
        self.remotes = [Remote(i, host, commands[i], logs / f"remote-{host.name}.log")
                       for i, host in enumerate(inventory.hosts, 1)]

    def __enter__(self) -> "Remotes":
        return self

    def __exit__(self, *_error) -> None:
        for remote in self.remotes:
            with contextlib.suppress(OSError):
                remote.process.stdin.close()
        deadline = time.monotonic() + 8
        for remote in self.remotes:
            try:
                remote.process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                remote.process.kill()
                remote.process.wait()

    def everyone(self, word: str, order: str = "", patience: float = PATIENCE_S) -> dict:
        """Give all the same order; {number: answer}."""
        return self.each({a.number: order or word for a in self.remotes}, word, patience)

    def each(self, orders: dict, word: str, patience: float = PATIENCE_S) -> dict:
        """Give some hosts orders of the same kind, at once; all failures in one message."""
        chosen = [a for a in self.remotes if a.number in orders]
        for remote in chosen:
            remote.send(orders[remote.number])
        return self.gather(chosen, word, patience)

    def gather(self, chosen: list, word: str, patience: float) -> dict:
        """The answers of some hosts; all failures in one message."""
        deadline, found, wrong = time.monotonic() + patience, {}, []
        for remote in chosen:
            try:
                found[remote.number] = remote.answer(word, deadline)
            except ClusterError as error:
                wrong.append(str(error))
        if wrong:
            raise ClusterError("; ".join(wrong))
        return found

    def ready(self) -> None:
        """Wait for the first word of all."""
        self.gather(self.remotes, "ready", START_S)

    def read_clocks(self) -> None:
        """Learn how far each host's clock is from ours, from the quickest of some answers."""
        for remote in self.remotes:
            best = None
            for _ in range(SAMPLES):
                begin = time.time()
                remote.send("time")
                theirs = float(remote.answer("time", time.monotonic() + PATIENCE_S).replace(",", "."))
                end = time.time()
                if best is None or end - begin < best[0]:
                    best = (end - begin, theirs - (begin + end) / 2)
            remote.offset_us = round(best[1] * 1e6)

    def fetch(self, folder: Path) -> None:
        """Copy what all hosts have written into a folder."""
        for number, text in self.everyone("files", patience=600).items():
            with tarfile.open(fileobj=io.BytesIO(base64.b64decode(text)), mode="r:gz") as archive:
                for member in archive.getmembers():
                    shared = member.name in ("./kernel.txt", "./sysctl.txt", "./topology.txt")
                    if member.isfile() and (number == 1 or not shared):
                        (folder / Path(member.name).name).write_bytes(
                            archive.extractfile(member).read())
