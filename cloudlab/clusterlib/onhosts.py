# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Runs a command on all hosts of an inventory at once, and installs what experiments need."""

import io
import shlex
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .errors import ClusterError
from .inventory import Host, Inventory, ssh_words
from .nodes import TOP

PARALLEL = 64
PROGRAMS = (TOP / "out/bin/cp_node", TOP / "out/bin/homa_ss", TOP / "out/bin/homa_metrics")
TOOLS = ("hosttool.py", "hostconfig.py", "hoststate.py", "doctor.py")
LOAD = "{sudo}rmmod homa 2>/dev/null; {sudo}insmod {bin}/homa.ko"


@dataclass(frozen=True)
class Outcome:
    """How a command ended on one host."""

    host: Host
    code: int
    out: str
    error: str

    @property
    def line(self) -> str:
        """The host, and the last thing that was said."""
        said = (self.error.strip() or self.out.strip() or f"exit code {self.code}").splitlines()[-1]
        return f"{self.host.name} ({self.host.ssh or self.host.name}): {said}"


def _one(host: Host, command: str, data: bytes, timeout: float) -> Outcome:
    try:
        done = subprocess.run([*ssh_words(host), command], input=data, capture_output=True,
                              timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return Outcome(host, 124, "", f"no end after {timeout:g} s")
    return Outcome(host, done.returncode, done.stdout.decode(errors="replace"),
                   done.stderr.decode(errors="replace"))


def run_on(hosts: list, command, data: bytes = b"", timeout: float = 120) -> list:
    """Run command(host), a shell command, on hosts at once; an outcome each, in order."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(lambda host: _one(host, command(host), data, timeout), hosts))


def sudo(host: Host) -> str:
    """What a command needs before it to be root."""
    return "sudo -n " if host.sudo else ""


def choose(inventory: Inventory, names: str | None) -> list:
    """The hosts with these names (a,b); all without."""
    if inventory.backend != "ssh":
        raise ClusterError(f"{inventory.path}: its hosts are not reached by ssh", 2)
    if not names:
        return inventory.hosts
    known = {host.name: host for host in inventory.hosts}
    missing = [n for n in names.split(",") if n not in known]
    if missing:
        raise ClusterError(f"{inventory.path}: there is no host {missing[0]}", 2)
    return [known[n] for n in names.split(",")]


def archive(module: Path | None) -> bytes:
    """A tar file of everything that a host needs."""
    files = [p for p in PROGRAMS if p.is_file()]
    if PROGRAMS[0] not in files:
        raise ClusterError(f"{PROGRAMS[0]} is missing: run 'make tools' first")
    files += [Path(__file__).with_name(name) for name in TOOLS]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path in files:
            tar.add(path, path.name)
        if module:
            tar.add(module, "homa.ko")
    return buffer.getvalue()


def install(hosts: list, module: Path | None, load: bool) -> list:
    """Copy programs and module to hosts, and load it; an outcome each."""
    if module and not module.is_file():
        raise ClusterError(f"{module}: no such file", 2)

    def command(host: Host) -> str:
        folder = shlex.quote(host.bin)
        steps = [f"mkdir -p {folder}", f"tar -C {folder} -xzf -"]
        if module and load:
            steps.append("{ " + LOAD.format(sudo=sudo(host), bin=folder) + "; }")
        return " && ".join(steps)

    return run_on(hosts, command, archive(module))


def host_tool(hosts: list, words: list) -> list:
    """Run hosttool.py on hosts with these arguments, and each host's own device and address."""
    def command(host: Host) -> str:
        own = ["--device", host.device] if host.device and "--device" not in words else []
        if host.address6 and words[0] not in ("doctor", "restore"):
            own += ["--address6", host.address6 + "/64" * ("/" not in host.address6)]
        return (f"{sudo(host)}python3 {shlex.quote(host.bin)}/hosttool.py "
                + shlex.join([*words, *own]))
    return run_on(hosts, command)
