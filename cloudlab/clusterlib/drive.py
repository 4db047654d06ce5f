#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Carry out a job on real hosts, in real time: what guest/run_nodes.sh does in a simulation.

    drive.py JOB

JOB is a folder made by job.py, with `cluster.json` in it: the inventory's text or the number of
namespaces, and the network. Nothing here needs numpy: this also runs inside emulated machines.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from clusterlib import interrupts, inventory as inventories, topo   # noqa: E402
from clusterlib.remotes import Remotes, remote_words                   # noqa: E402
from clusterlib.errors import ClusterError                          # noqa: E402
from clusterlib.nodes import Network                                # noqa: E402
from clusterlib.units import parse_rate                             # noqa: E402

FILES_S = 60                    # for files that should be there


class Drive:
    """One job on the hosts of an inventory."""

    def __init__(self, job: Path, inventory: inventories.Inventory) -> None:
        self.job, self.inventory = job, inventory
        text = (job / "job.env").read_text(encoding="utf-8")
        self.env = dict(word.partition("=")[::2] for word in shlex.split(text))
        self.steps = int(self.env["STEPS"])

    def number(self, name: str) -> int:
        """A setting that is a number."""
        return int(self.env[name])

    def progress(self, *words: object) -> None:
        """Say how far we are; cperf shows it."""
        (self.job / "progress").write_text(" ".join(map(str, words)) + "\n")

    def commands(self) -> dict:
        """{number: command that runs the remote}."""
        found, hosts = {}, self.inventory.hosts
        for i, host in enumerate(hosts, 1):
            remote = self.inventory.backend == "ssh"
            cp_node = f"{host.bin}/cp_node" if remote else self.env["CP_NODE"]
            found[i] = remote_words(self.inventory, host, f"h{i}", cp_node, host.device)
        return found

    def orders(self, remotes: Remotes, suffix: str, start_us: int, only: tuple = ()) -> None:
        """Give hosts their commands of one kind, with the start time on their own clocks."""
        orders: dict = {}
        for remote in remotes.remotes:
            path = self.job / f"h{remote.number}.{suffix}"
            if path.is_file() and (not only or remote.number in only):
                text = path.read_text().replace("@START@", f"{start_us + remote.offset_us}000")
                orders[remote.number] = text.splitlines()
        for i in range(max((len(lines) for lines in orders.values()), default=0)):
            remotes.each({n: f"cp {lines[i]}" for n, lines in orders.items() if i < len(lines)},
                        "cp")

    def wait_for(self, remotes: Remotes, suffix: str, stems: str, limit_s: float) -> None:
        """Wait until all hosts have written what a phase writes; one that died ends it at once."""
        files: dict = {}
        for stem in stems.split():
            files.setdefault(int(stem[1:].split(".")[0]), []).append(stem + suffix)
        deadline = time.monotonic() + limit_s
        while True:
            asked = {a.number: "have " + " ".join(files.get(a.number, [])) for a in remotes.remotes}
            missing = [n for n, said in remotes.each(asked, "have").items() if said != "0"]
            if not missing:
                return
            if time.monotonic() > deadline:
                names = ", ".join(self.inventory.hosts[n - 1].name for n in missing)
                raise ClusterError(f"no end in time: {names}")
            time.sleep(0.1)

    def unloaded(self, remotes: Remotes) -> None:
        """Measure each size alone."""
        probe = self.number("PROBE")
        if not (self.job / f"h{probe}.unloaded").is_file():
            return
        self.progress("unloaded", 0)
        self.orders(remotes, "unloaded", int(time.time() * 1e6) + 100000, (probe,))
        self.wait_for(remotes, ".unloaded.json", self.env["UNLOADED"], 300 + FILES_S)

    def sleep_until(self, remotes: Remotes, when_us: int) -> None:
        """Sleep, but not on when a host is gone."""
        while (left := when_us / 1e6 - time.time()) > 0:
            if left > 1:
                remotes.everyone("have")
            time.sleep(min(left, 0.5))

    def load(self, remotes: Remotes) -> None:
        """The load: all hosts start at the same time, none is ahead of the others."""
        send_us, trace = self.number("SEND_US"), self.number("TRACE_US")
        begin = time.monotonic()
        remotes.everyone("snapshot", "snapshot before")
        if self.env["FREEZE"]:
            remotes.everyone("freeze", f"freeze {self.env['FREEZE']}")
        # Time to tell all hosts: half a second, or as much more as they are slow to answer.
        spare_s = max(0.5, 10 * (time.monotonic() - begin))
        start = int((time.time() + spare_s) * 1e6)
        self.orders(remotes, "client", start)
        if time.time() * 1e6 > start:
            raise ClusterError("the hosts took so long to be told that the start has passed")
        warm, traced = self.number("WARM_US"), False
        for step in range(1, self.steps + 1):
            end = send_us * step // self.steps
            if warm and warm <= end:
                self.sleep_until(remotes, start + warm)
                remotes.everyone("counters", "counters warm")
                warm = 0
            if trace and not (traced or self.env["FREEZE"]) and trace <= end:
                self.sleep_until(remotes, start + trace)
                self.traces(remotes)
                traced = True
            self.sleep_until(remotes, start + end)
            self.progress("load", step, self.steps)
        remotes.everyone("counters", "counters sent")
        self.progress("drain", 0)
        self.wait_for(remotes, ".json", self.env["STEMS"], self.number("DRAIN_US") / 1e6 + FILES_S)
        remotes.everyone("snapshot", "snapshot after")
        if self.env["FREEZE"]:
            self.traces(remotes)

    def traces(self, remotes: Remotes) -> None:
        """Have all hosts keep what their rings hold."""
        remotes.everyone("traces", f"traces {self.number('TRACE_EVENTS')}", FILES_S)

    def run(self) -> None:
        """All of it."""
        self.progress("start", 0)
        with Remotes(self.inventory, self.commands(), self.job) as remotes:
            remotes.ready()
            if self.inventory.backend == "ssh":
                remotes.read_clocks()
            remotes.everyone("started", f"start {self.env['KNOBS']}")
            remotes.everyone("describe")
            self.orders(remotes, "server", 0)
            time.sleep(0.3)
            self.unloaded(remotes)
            self.load(remotes)
            remotes.fetch(self.job)
        (self.job / "finished").write_text(self.env["PROTOCOL"] + "\n")


def find_devices(inventory: inventories.Inventory) -> inventories.Inventory:
    """Ask hosts for their devices, where the inventory does not tell: of the route to another."""
    hosts = []
    for i, host in enumerate(inventory.hosts):
        if not host.device:
            other = inventory.hosts[i - 1]
            words = [*inventories.ssh_words(host),
                     f"ip -o route get {other.address or other.address6}"]
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  check=False, timeout=30)
            found = done.stdout.split()
            if done.returncode or "dev" not in found:
                said = (done.stderr.strip().splitlines() or ["no route to the next host"])[-1]
                raise ClusterError(f"host {host.name} ({host.ssh or host.name}): {said}")
            host = replace(host, device=found[found.index("dev") + 1])
        hosts.append(host)
    return replace(inventory, hosts=hosts)


def batch(words: list, lines: list) -> None:
    """Run a batch of ip, tc or bridge."""
    done = subprocess.run([*words, "-batch", "-"], input="\n".join(lines) + "\n", text=True,
                          capture_output=True, check=False)
    if done.returncode:
        raise ClusterError(f"{' '.join(words)}: {done.stderr.strip() or 'failed'}")


def build_namespaces(count: int, network: Network) -> None:
    """A star of namespaces on this kernel.

    The names are in a mount namespace of this process's own, so that they collide with nobody's,
    and the kernel removes everything when the last process of the job ends, however it does.
    """
    os.makedirs("/run/netns", exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "cperf", "/run/netns"], check=False).returncode:
        raise ClusterError("cannot mount a tmpfs for names of namespaces: be root")
    star = topo.Star(count, parse_rate(network.link), network.mtu, shaped=False)
    batch(["ip"], topo.links(star))
    batch(["ip", "-n", "sw"], topo.switch(star))
    batch(["bridge", "-n", "sw"], topo.forwarding(star))
    for i in topo.everyone(star):
        batch(["ip", "-n", f"h{i}"], topo.host(star, i))


def main(argv: list) -> int:
    """Run the job; one line says what went wrong."""
    job = Path(argv[0])
    try:
        interrupts.catch(interrupts.OURS)
        told = json.loads((job / "cluster.json").read_text())
        network = Network(**told["network"])
        if told.get("inventory"):
            inventory = find_devices(inventories.parse(told["inventory"], told["path"]))
        else:
            build_namespaces(told["hosts"], network)
            inventory = inventories.namespaces(told["hosts"], network)
        Drive(job, inventory).run()
        return 0
    except ClusterError as error:
        (job / "failed").write_text(f"{error}\n")
        print(f"drive: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return interrupts.INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
