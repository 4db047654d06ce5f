# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# size: quick
"""Two tiers of switches: who is where, which way frames go, what fails when."""

import re
from dataclasses import replace

import pytest

from cperf_job import TOP  # noqa: F401  (puts clusterlib where it is found)

from clusterlib import fabric, topo
from clusterlib.errors import ClusterError

HOSTS = 16
TIERS = fabric.Fabric(4, 2, over=2)
STAR = topo.Star(hosts=HOSTS, rate=10e9, ports=True, fabric=TIERS)


def test_hosts_fill_the_leaves_in_order() -> None:
    assert [TIERS.leaf(i, HOSTS) for i in (1, 4, 5, 16)] == [1, 1, 2, 4]
    master = dict(re.findall(r"link set (p\d+) master (\w+)", "\n".join(
        topo.batches(STAR)["switch"])))
    assert master["p4"] == "br1" and master["p5"] == "br2" and len(master) == HOSTS


def test_rates_follow_from_oversubscription() -> None:
    assert TIERS.link_rate(HOSTS, 10e9) == 10e9                 # 4 hosts, 2 uplinks, twice
    assert fabric.Fabric(4, 2).link_rate(HOSTS, 10e9) == 20e9
    assert fabric.parse("leaves=4 spines=2 rate=40g", HOSTS).link_rate(HOSTS, 10e9) == 40e9
    groups = dict(line.split(" ", 1) for line in topo.batches(STAR)["port_groups"])
    assert groups["fabric_queues"].startswith("rate=10000000000 delay=1500 ")
    assert len(topo.batches(STAR)["fabric_queues"]) == 2 * 4 * 2


def walk(source: int, target: int) -> list:
    """The devices on the way of a frame, by the filters and tables of the batches."""
    files = topo.batches(STAR)
    table: dict = {}
    for line in files["forwarding"]:
        if match := re.match(r"fdb replace (\S+) dev (\S+) master", line):
            table.setdefault(match[1], []).append(match[2])
    address = topo.mac(target)
    out = None
    for line in files["switch_queues"]:
        match = re.match(rf"filter add dev p{source} .*dst_mac (\S+?)(?:/(\S+))? action (.*)", line)
        if not match:
            continue
        want, mask, action = match[1], match[2] or "ff:ff:ff:ff:ff:ff", match[3]
        both = [int(part.replace(":", ""), 16) for part in (want, mask, address)]
        if both[0] == both[2] & both[1]:
            out = None if action == "pass" else action.split()[-1]
            break
    if out is None:
        return [next(d for d in table[address] if d.startswith("p"))]
    leaf, spine = out[1:].split("_")
    assert int(leaf) == TIERS.leaf(source, HOSTS)
    down = next(d for d in table[address] if d.startswith(f"d{spine}_"))
    assert down == f"d{spine}_{TIERS.leaf(target, HOSTS)}"
    return [out, down, next(d for d in table[address] if d.startswith("p"))]


def test_each_pair_has_one_way_and_all_spines_are_used() -> None:
    used = set()
    for source in range(1, HOSTS + 1):
        for target in range(1, HOSTS + 1):
            if source == target:
                continue
            way = walk(source, target)
            assert way[-1] == f"p{target}"
            same = TIERS.leaf(source, HOSTS) == TIERS.leaf(target, HOSTS)
            assert len(way) == (1 if same else 3)
            used |= {way[0]} if not same else set()
    assert used == {f"u{leaf}_{spine}" for leaf in range(1, 5) for spine in (1, 2)}


@pytest.mark.parametrize("text, said", [
    ("leaves=4", "needs leaves"), ("leaves=4 spines=3", "spines"), ("leaves=17 spines=2", "fill"),
    ("leaves=x spines=2", "no number"), ("leafs=2 spines=2", "not one of"),
    ("leaves=4 spines=2 over=0", "positive")])
def test_impossible_fabrics_are_refused(text: str, said: str) -> None:
    with pytest.raises(ClusterError, match=said):
        fabric.parse(text, HOSTS)


def test_what_does_not_go_together_is_refused() -> None:
    topo.check(STAR)
    for change in ({"ports": False}, {"shared": True}, {"loss": 1.0},
                   {"rates": ((1, 1e9),), "nic": ""}):
        with pytest.raises(ClusterError):
            topo.check(replace(STAR, **change))


def test_links_with_rates_of_their_own() -> None:
    star = topo.Star(hosts=3, rate=10e9, ports=True,
                     rates=tuple(fabric.parse_rates("h2=1g", 3).items()))
    files = topo.batches(star)
    assert files["port2"] == ["qdisc add dev p2 root handle 1: port"]
    assert not [line for line in files["switch_queues"] if "p2" in line]
    assert "port2 rate=1000000000 delay=2000" in files["port_groups"][1]
    assert topo.port_settings(star)["LAB_HOST_RATES"] == "10000000000 1000000000 10000000000"
    for bad in ("h4=1g", "h1", "h0=1g"):
        with pytest.raises(ClusterError):
            fabric.parse_rates(bad, 3)


def test_failures() -> None:
    assert fabric.failures("h3@5:2,leaf1-spine2@1.5") == (
        (1.5, "ip -n sw link set u1_2 down"), (5.0, "ip -n sw link set p3 down"),
        (7.0, "ip -n sw link set p3 up"))
    with pytest.raises(ClusterError):
        fabric.failures("h3")
