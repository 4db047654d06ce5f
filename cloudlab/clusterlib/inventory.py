# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The inventory: one TOML file that says which hosts make a cluster.

    backend = "ssh"                 # or "netns": namespaces of this kernel
    link = "25g"                    # rate of the links, MTU, what the switch runs
    mtu = 1500
    switch = "sonic"

    [[hosts]]                       # one table a group of hosts; all but nodes can be left out
    nodes = "node[1-4]"             # ClusterShell node set; the names that messages use
    ssh = "node[1-4].example.org"   # what ssh is told (the names)
    address = "10.0.1.[1-4]"        # on the network that is measured
    address6 = "fd00::[1-4]"
    user = "ann"
    port = 22
    key = "~/.ssh/cluster"
    sudo = true                     # the user is not root
    device = "ens1f0"               # default: that of the route to the next host
    link = "25g"                    # of these hosts
    roles = ["client", "server"]
    bin = "homa"                    # folder with cp_node and homa.ko (`cperf install`)

Lists in node sets have as many members as nodes: the k-th host has the k-th address.

With backend = "sim" the cluster is simulated: hosts have nodes, link and roles only, and the
file may say more of the network, as `lab run --help` explains it:

    host_delay = "500ns"            # also switch_delay
    buffer = "2000000"              # of a port; with shared = true of the switch
    mark = 70000                    # bytes in a port from which ECN marks
    loss = 0.1                      # percent; also reorder, duplicate
    nic = "ring=256"                # a card under each host
    fabric = "leaves=2 spines=2"    # two tiers
    ports = true                    # exact ports, as shared, mark, fabric and other links need
"""

import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from .errors import ClusterError
from .nodes import Network
from .units import parse_rate

BACKENDS = ("ssh", "netns", "sim")
ROLES = ("client", "server")
SWITCHES = ("", "mlnx-os", "os10", "sonic")
PER_HOST = ("ssh", "address", "address6")      # node sets, a member a host


@dataclass(frozen=True)
class Host:
    """One machine, or one namespace."""

    name: str
    address: str = ""
    address6: str = ""
    ssh: str = ""
    user: str = ""
    port: int = 22
    key: str = ""
    sudo: bool = False
    device: str = ""
    link: str = ""
    roles: tuple = ROLES
    bin: str = "homa"


@dataclass(frozen=True)
class Inventory:
    """The hosts of a cluster, in order: host 1 is the first."""

    backend: str
    network: Network
    hosts: list = field(default_factory=list)
    switch: str = ""
    path: str = ""

    def having(self, role: str) -> tuple:
        """Numbers of the hosts with a role; () if all have it."""
        found = tuple(i for i, host in enumerate(self.hosts, 1) if role in host.roles)
        return () if len(found) == len(self.hosts) else found


def expand(text: str, where: str) -> list:
    """The members of a node set, in its order."""
    # Only who has an inventory needs the package python3-clustershell.
    try:
        from ClusterShell.NodeSet import NodeSetException, expand as members
    except ImportError:
        raise ClusterError("inventories need the package python3-clustershell") from None
    try:
        found = members(text)
    except NodeSetException as error:
        raise ClusterError(f"{where}: {error}", 2) from None
    if not found:
        raise ClusterError(f"{where}: '{text}' names nothing", 2)
    return found


def _typed(table: dict, known: dict, where: str) -> None:
    """Refuse keys that mean nothing and values of a wrong type."""
    for key, value in table.items():
        if key not in known:
            raise ClusterError(f"{where}: unknown key '{key}'; known: {' '.join(known)}", 2)
        wanted = (int, float) if known[key] is float else known[key]
        if not isinstance(value, wanted) or (known[key] is not bool and isinstance(value, bool)):
            raise ClusterError(f"{where}: {key} must be a {known[key].__name__}", 2)


HOST_KEYS = {"nodes": str, "roles": list} | {
    f.name: f.type for f in fields(Host) if f.name not in ("name", "roles")}
TOP_KEYS = {"backend": str, "link": str, "mtu": int, "switch": str, "hosts": list}
SIM_HOST_KEYS = {key: HOST_KEYS[key] for key in ("nodes", "link", "roles")}
SIM_KEYS = {"host_delay": str, "switch_delay": str, "buffer": str, "ports": bool, "shared": bool,
            "mark": int, "nic": str, "loss": float, "reorder": float, "duplicate": float,
            "fabric": str}


def _group(table: dict, where: str, known: dict) -> list:
    """The hosts of one [[hosts]] table."""
    _typed(table, known, where)
    if "nodes" not in table:
        raise ClusterError(f"{where}: nodes is missing", 2)
    roles = tuple(table.get("roles", ROLES))
    if not roles or set(roles) - set(ROLES):
        raise ClusterError(f"{where}: roles are {' and '.join(ROLES)}", 2)
    names = expand(table["nodes"], where)
    lists = {key: expand(table[key], where) for key in PER_HOST if key in table}
    for key, members in lists.items():
        if len(members) != len(names):
            raise ClusterError(f"{where}: {len(names)} nodes but {len(members)} of {key}", 2)
    if "link" in table:
        parse_rate(table["link"])
    plain = {k: v for k, v in table.items() if k not in (*PER_HOST, "nodes", "roles")}
    return [Host(name, roles=roles, **plain, **{k: m[i] for k, m in lists.items()})
            for i, name in enumerate(names)]


def parse(text: str, path: str) -> Inventory:
    """An inventory from the text of its file."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ClusterError(f"{path}: {error}", 2) from None
    backend, switch = data.get("backend", "ssh"), data.get("switch", "")
    if backend not in BACKENDS:
        raise ClusterError(f"{path}: backend must be one of: {' '.join(BACKENDS)}", 2)
    sim = backend == "sim"
    _typed(data, TOP_KEYS | (SIM_KEYS if sim else {}), path)
    if switch not in SWITCHES:
        raise ClusterError(f"{path}: switch must be one of: {' '.join(SWITCHES[1:])}", 2)
    network = Network(data.get("link", "25g"), data.get("mtu", 1500),
                      **{key: value for key, value in data.items() if key in SIM_KEYS})
    parse_rate(network.link)
    hosts = [host for i, table in enumerate(data.get("hosts", []), 1)
             for host in _group(table, f"{path}: hosts table {i}",
                                SIM_HOST_KEYS if sim else HOST_KEYS)]
    names = [host.name for host in hosts]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise ClusterError(f"{path}: {double[0]} is there twice", 2)
    if len(hosts) < 2:
        raise ClusterError(f"{path}: a cluster has at least 2 hosts", 2)
    lacking = [h.name for h in hosts if not (h.address or h.address6)]
    if lacking and backend == "ssh":
        raise ClusterError(f"{path}: {lacking[0]} has no address", 2)
    if sim:
        network = _with_rates(network, hosts)
    return Inventory(backend, network, hosts, switch, path)


def _with_rates(network: Network, hosts: list) -> Network:
    """The network of a simulation, whose links may differ; only exact ports can do some of it."""
    rates = " ".join(f"h{i}={host.link}" for i, host in enumerate(hosts, 1) if host.link)
    exact = network.ports or network.shared or network.mark or network.fabric or rates
    return replace(network, rates=rates or None, ports=bool(exact))


def read(path: str) -> Inventory:
    """Read the inventory in a file."""
    try:
        return parse(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise ClusterError(f"{path}: {getattr(error, 'strerror', error)}", 2) from None


def namespaces(count: int, network: Network) -> Inventory:
    """The inventory of `netns:COUNT`: the addresses that topo.py gives."""
    hosts = [Host(f"h{i}", f"10.0.0.{i}", f"fd00::{i:x}", device="e0")
             for i in range(1, count + 1)]
    return Inventory("netns", network, hosts)


def ssh_words(host: Host) -> list:
    """What runs a command on a host by ssh: never asks, gives up soon, notices a dead host."""
    words = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10",
             "-o", "ServerAliveInterval=4", "-o", "ServerAliveCountMax=3",
             "-o", "StrictHostKeyChecking=accept-new", "-p", str(host.port)]
    words += ["-i", str(Path(host.key).expanduser())] if host.key else []
    words += ["-l", host.user] if host.user else []
    return [*words, host.ssh or host.name]
