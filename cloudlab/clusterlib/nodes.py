# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Clusters: what hosts there are, and how a job runs on all of them.

A job is a folder with the commands of every host (see runner.py).  A cluster kind knows how to
carry one out and leaves the raw measurements in the same folder; everything that interprets
them is the same for all kinds.  A new kind is a class with the members of SimCluster; those in
real time are in realcluster.py.
"""

import os
import signal
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from .errors import ClusterError

TOP = Path(__file__).resolve().parents[2]
LAB = TOP / "cloudlab" / "bin" / "lab"
GUEST = Path(__file__).resolve().parent / "guest" / "run_nodes.sh"
MAX_HOSTS = 200


@dataclass(frozen=True)
class Network:
    """The star that joins the hosts."""

    link: str = "25g"
    mtu: int = 1500
    host_delay: str | None = None
    switch_delay: str | None = None
    buffer: str | None = None
    ipv6: bool = False
    ports: bool = False         # exact switch ports, which know their occupancy
    shared: bool = False        # the buffer is of the whole switch
    mark: int = 0               # bytes in a port above which ECN marks; 0: never
    nic: str | None = None      # settings of a network card under each host
    loss: float = 0             # percent of all frames, at random
    reorder: float = 0
    duplicate: float = 0
    fabric: str | None = None   # two tiers, as `lab run --fabric` has it
    rates: str | None = None    # links that are different, as `lab run --rates` has it


# The clusters of Homa's papers, by what they had in common with any other: rates, MTU and the
# round trip of 100 bytes on an idle network, 5 us (SIGCOMM 2018, simulated) and 15 us (ATC 2021,
# measured, most of it software). All of that is delay here, as CPU time is free. DCTCP's mark and
# the switch's buffer are those of the ATC paper's machines.
SWITCH_16MB = {"buffer": "16000000", "ports": True, "shared": True, "mark": 70_000}
STANDARD = {
    "paper18": (16, Network("10g", 1500, "947ns", "250ns", **SWITCH_16MB)),
    "paper21": (16, Network("25g", 3000, "3430ns", "500ns", **SWITCH_16MB)),
}


# Whatever ends us, also what nobody can catch, must end what we have started.
ENDS_WITH_US = ["setpriv", "--pdeathsig", "TERM"]


class Running:
    """One job that is being carried out by a process of ours, in its own process group."""

    def __init__(self, command: list, log: Path) -> None:
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen([*ENDS_WITH_US, *command], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, start_new_session=True)

    def poll(self) -> int | None:
        """Exit code, or None while it runs."""
        return self.process.poll()

    def stop(self) -> None:
        """End it, first politely, so that it can clean up."""
        for sig, patience in ((signal.SIGINT, 5), (signal.SIGTERM, 3), (signal.SIGKILL, 3)):
            if self.process.poll() is not None:
                return
            try:
                os.killpg(self.process.pid, sig)
                self.process.wait(patience)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


class Cluster:
    """What clusters of all kinds have in common."""

    kind = ""
    repeats = False                 # the same inputs give the same bytes

    def __init__(self, hosts: int, network: Network, seed: int, flavor: str = "fast",
                 kernel: str | None = None, memory: str = "2G") -> None:
        self.hosts, self.network, self.seed = hosts, network, seed
        self.flavor, self.kernel, self.memory = flavor, kernel, memory

    @property
    def name(self) -> str:
        """The cluster as the user wrote it."""
        return f"{self.kind}:{self.hosts}"

    def address(self, host: int) -> str:
        """Address of host 1..hosts."""
        return f"fd00::{host:x}" if self.network.ipv6 else f"10.0.0.{host}"


class SimCluster(Cluster):
    """Namespaces of one User-Mode Linux kernel in virtual time; each job boots its own kernel."""

    kind = "sim"
    repeats = True

    def _command(self, words: list, module: bool, hosts: int, timeout: float) -> list:
        net = self.network
        if hosts < self.hosts:          # prepare() boots fewer hosts: no two tiers
            net = replace(net, fabric=None, rates=None)
        command = [str(LAB), "run", "--hosts", str(hosts), "--link", net.link, "--mtu",
                   str(net.mtu), "--seed", str(self.seed), "--flavor", self.flavor,
                   "--timeout", str(int(timeout)), "--mem", self.memory]
        for option, value in (("--host-delay", net.host_delay), ("--buffer", net.buffer),
                              ("--switch-delay", net.switch_delay), ("--version", self.kernel),
                              ("--nic", net.nic), ("--fabric", net.fabric), ("--rates", net.rates)):
            command += [option, value] if value is not None else []
        for option, wanted in (("--ipv6", net.ipv6), ("--ports", net.ports),
                               ("--shared-buffer", net.shared)):
            command += [option] if wanted else []
        for option, value in (("--mark", net.mark), ("--loss", net.loss),
                              ("--reorder", net.reorder), ("--duplicate", net.duplicate)):
            command += [option, f"{value:g}"] if value else []
        command += [] if module else ["--no-module"]
        return [*command, "--", *words]

    def prepare(self, module: bool, log: Path) -> Running:
        """Build what a job needs and boot it once, so that jobs can then start side by side."""
        return Running(self._command(["/bin/true"], module, 1, 3600), log)

    def path(self, job: Path, name: str) -> str:
        """What the hosts call a file of the job; run_nodes.sh makes it so."""
        return f"/run/cperf/job/{name}"

    def start(self, job: Path, module: bool, timeout: float) -> Running:
        """Carry out the job in folder `job`."""
        words = ["/bin/bash", str(GUEST), str(job)]
        return Running(self._command(words, module, self.hosts, timeout), job / "lab.log")


def kinds() -> dict:
    """Kinds of clusters that are written KIND:HOSTS."""
    from .realcluster import NetnsCluster, VmCluster    # which build upon this module
    return {"sim": SimCluster, "netns": NetnsCluster, "vm": VmCluster}


def parse_cluster(text: str) -> tuple:
    """(class of the cluster, number of hosts, network) from `sim:8`, `paper18:40`, `FILE.toml`."""
    if text.endswith(".toml"):
        from .realcluster import from_file
        return from_file(text)
    kind, _, count = text.partition(":")
    if kind in STANDARD:
        hosts, network = STANDARD[kind]
        return SimCluster, parse_count(text, count or str(hosts)), network
    known = kinds()
    if kind not in known:
        raise ClusterError(f"'{text}': a cluster is one of: " + " ".join(
            [*(f"{k}:HOSTS" for k in known), *STANDARD, "FILE.toml"]), 2)
    return known[kind], parse_count(text, count), Network()


def parse_count(text: str, count: str) -> int:
    """The number of hosts of the cluster that the user calls `text`."""
    if not count.isdigit() or not 2 <= int(count) <= MAX_HOSTS:
        raise ClusterError(f"'{text}': the number of hosts must be 2..{MAX_HOSTS}", 2)
    return int(count)
