# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# size: quick
"""Inventories: what a file says, and one line about what is wrong with it."""

import subprocess
from pathlib import Path

import pytest

from cperf_job import TOP

from clusterlib import inventory, nodes
from clusterlib.errors import ClusterError
from clusterlib.experiment import Experiment

GOOD = """
backend = "ssh"
link = "100g"
mtu = 3000
switch = "sonic"
[[hosts]]
nodes = "node[1-3]"
address = "10.0.1.[9-11]"
address6 = "fd00::[1-3]"
user = "ann"
port = 2222
sudo = true
[[hosts]]
nodes = "big"
ssh = "big.example.org"
address = "10.0.1.50"
address6 = "fd00::50"
link = "200g"
roles = ["server"]
"""


def test_hosts_get_their_own_addresses_in_order() -> None:
    found = inventory.parse(GOOD, "x")
    assert [(h.name, h.address, h.address6) for h in found.hosts] == [
        ("node1", "10.0.1.9", "fd00::1"), ("node2", "10.0.1.10", "fd00::2"),
        ("node3", "10.0.1.11", "fd00::3"), ("big", "10.0.1.50", "fd00::50")]
    assert found.network.link == "100g" and found.network.mtu == 3000
    assert found.having("client") == (1, 2, 3) and found.having("server") == ()
    words = inventory.ssh_words(found.hosts[0])
    assert words[-3:] == ["-l", "ann", "node1"] and words[words.index("-p") + 1] == "2222"
    assert inventory.ssh_words(found.hosts[3])[-1] == "big.example.org"


@pytest.mark.parametrize("old, new, said", [
    ('"ssh"\n', '"rsh"\n', "backend must be one of"),
    ("sonic", "ios", "switch must be one of"),
    ('"node[1-3]"', '"node[1-2]"', "2 nodes but 3 of address"),
    ('"node[1-3]"', '"node[1-3"', "table 1"),
    ('"big"', '"node2"', "node2 is there twice"),
    ("port = 2222", 'port = "x"', "port must be a int"),
    ("port = 2222", "prot = 1", "unknown key 'prot'"),
    ('"server"', '"sever"', "roles are"),
    ("mtu = 3000", "mtu = ", "x: "),
    ('"100g"', '"fast"', "not a link rate"),
    ('address = "10.0.1.[9-11]"\naddress6 = "fd00::[1-3]"\n', "", "node1 has no address"),
])
def test_what_is_wrong_is_told(old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(ClusterError, match=said.replace("'", "'")):
        inventory.parse(GOOD.replace(old, new, 1), "x")


def test_a_cluster_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rack.toml"
    path.write_text(GOOD)
    kind, hosts, network = nodes.parse_cluster(str(path))
    cluster = kind(hosts, network, 1)
    assert hosts == 4 and cluster.address(2) == "10.0.1.10"
    load = Experiment("x", cluster=str(path), load=0.5, rpcs=100).plan()[0]
    assert load.senders(hosts) == (1, 2, 3) and load.targets(hosts) == (1, 2, 3, 4)


def test_a_missing_file_is_one_line() -> None:
    done = subprocess.run([TOP / "cloudlab/bin/cperf", "run", "cp_vs_tcp", "--cluster",
                           "/no/such.toml"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr == "cperf: /no/such.toml: No such file or directory\n"


SIM = """
backend = "sim"
link = "10g"
mtu = 3000
buffer = "500000"
loss = 0.5
fabric = "leaves=2 spines=1"
[[hosts]]
nodes = "h[1-3]"
[[hosts]]
nodes = "fast"
link = "40g"
roles = ["server"]
"""


def test_a_simulated_cluster_can_be_an_inventory(tmp_path: Path) -> None:
    (tmp_path / "rack.toml").write_text(SIM)
    kind, hosts, network = nodes.parse_cluster(str(tmp_path / "rack.toml"))
    assert issubclass(kind, nodes.SimCluster) and kind.repeats and hosts == 4
    assert network == nodes.Network("10g", 3000, buffer="500000", loss=0.5, ports=True,
                                    fabric="leaves=2 spines=1", rates="h4=40g")
    made = Experiment("x", str(tmp_path / "rack.toml"), ms=1)
    assert made.roles() == ((1, 2, 3), ()) and made.plan()[1]["inventory"] == SIM
    words = made.make_cluster()._command(["true"], True, 4, 9)
    assert words[words.index("--rates") + 1] == "h4=40g" and "--ports" in words


@pytest.mark.parametrize("old, new, said", [
    ('"fast"', '"fast"\naddress = "10.0.0.9"', "unknown key 'address'"),
    ('"sim"', '"ssh"', "unknown key 'buffer'"),
    ("loss = 0.5", "loss = true", "loss must be a float"),
    ("mtu = 3000", "mtu = true", "mtu must be a int")])
def test_what_a_simulated_cluster_cannot_have(old: str, new: str, said: str) -> None:
    with pytest.raises(ClusterError, match=said):
        inventory.parse(SIM.replace(old, new), "x")
