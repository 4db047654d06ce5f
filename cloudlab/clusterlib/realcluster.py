# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Clusters in real time: namespaces of this kernel or of a virtual machine, machines over ssh.

They have the members of nodes.SimCluster; drive.py carries their jobs out.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from .errors import ClusterError
from .inventory import Inventory, read
from .nodes import LAB, Cluster, Running, SimCluster

DRIVE = Path(__file__).resolve().parent / "drive.py"
# Names of namespaces in a mount namespace of their own: see drive.build_namespaces().
PRIVATE = ["unshare", "--mount", "--propagation", "private"]


class RealCluster(Cluster):
    """What real-time clusters have in common; a seed picks arrivals but repeats no times."""

    def path(self, _job: Path, name: str) -> str:
        """What the hosts call a file of the job: remotes run cp_node where its files go."""
        return name

    def _describe(self, job: Path, **more: object) -> None:
        (job / "cluster.json").write_text(json.dumps(
            {"hosts": self.hosts, "network": asdict(self.network), **more}))

    def _drive(self, job: Path) -> list:
        return [sys.executable, str(DRIVE), str(job)]


class NetnsCluster(RealCluster):
    """Namespaces of the kernel that runs here; it must have the module loaded."""

    kind = "netns"

    def prepare(self, module: bool, log: Path) -> Running:
        """See that Homa is there."""
        check = "[ -d /proc/sys/net/homa ] || { echo 'homa.ko is not loaded'; exit 1; }"
        return Running(["sh", "-c", check if module else "true"], log)

    def start(self, job: Path, _module: bool, _timeout: float) -> Running:
        """Carry out the job in folder `job`."""
        self._describe(job)
        return Running([*PRIVATE, *self._drive(job)], job / "lab.log")


class VmCluster(RealCluster):
    """Namespaces of a distribution's kernel in a virtual machine: right or wrong, not speed."""

    kind = "vm"

    def _lab(self, words: list, share: Path | None, module: bool, timeout: float) -> list:
        command = [str(LAB), "vm", "--timeout", str(int(timeout)), "--mem", self.memory]
        command += ["--kernel", self.kernel] if self.kernel else []
        command += ["--share", str(share)] if share else []
        return [*command, *([] if module else ["--no-module"]), "--", *words]

    def prepare(self, module: bool, log: Path) -> Running:
        """Build what a job needs and boot it once."""
        return Running(self._lab(["/bin/true"], None, module, 3600), log)

    def start(self, job: Path, module: bool, timeout: float) -> Running:
        """Carry out the job in folder `job`."""
        self._describe(job)
        return Running(self._lab([*PRIVATE, *self._drive(job)], job, module, timeout),
                       job / "lab.log")


class SshCluster(RealCluster):
    """Machines of an inventory."""

    kind = "ssh"
    inventory: Inventory
    text: str

    @property
    def name(self) -> str:
        """The file of the inventory."""
        return self.inventory.path

    def address(self, host: int) -> str:
        """Address of host 1..hosts."""
        machine = self.inventory.hosts[host - 1]
        found = machine.address6 if self.network.ipv6 else machine.address
        if not found:
            raise ClusterError(f"{machine.name} has no address for "
                               + ("IPv6" if self.network.ipv6 else "IPv4"), 2)
        return found

    def prepare(self, _module: bool, log: Path) -> Running:
        """Nothing: `config install` did it."""
        return Running(["true"], log)

    def start(self, job: Path, _module: bool, _timeout: float) -> Running:
        """Carry out the job in folder `job`."""
        self._describe(job, inventory=self.text, path=self.inventory.path)
        return Running(self._drive(job), job / "lab.log")


def from_file(path: str) -> tuple:
    """(class of the cluster, number of hosts, network) of an inventory's file."""
    found = read(path)
    if found.backend == "netns":
        return NetnsCluster, len(found.hosts), found.network
    base = SimCluster if found.backend == "sim" else SshCluster
    kind = type(base.__name__, (base,), {
        "inventory": found, "text": Path(path).read_text(encoding="utf-8")})
    return kind, len(found.hosts), found.network
