# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# size: quick
"""Configurations of switches, as text."""

import json
import re

import pytest

from cperf_job import TOP       # noqa: F401  (finds clusterlib)

from clusterlib import switches
from clusterlib.errors import ClusterError


def test_sonic_refers_only_to_what_it_defines() -> None:
    tables = json.loads(switches.text("sonic", "0-3", 70, 0, False))
    assert set(tables["PORT"]) == {"Ethernet0", "Ethernet4", "Ethernet8", "Ethernet12"}
    assert len(tables["QUEUE"]) == 4 * 8
    for entry in tables["QUEUE"].values():
        assert entry["scheduler"] in tables["SCHEDULER"]
        assert entry.get("wred_profile", "homa_ecn") in tables["WRED_PROFILE"]
    assert tables["DSCP_TO_TC_MAP"]["homa"]["56"] == "7"
    assert "WRED_PROFILE" not in json.loads(switches.text("sonic", "0-3", 0, 0, False))


@pytest.mark.parametrize("system", ["mlnx-os", "os10"])
def test_all_ports_and_classes_are_configured(system: str) -> None:
    text = switches.text(system, "3-6", 70, 0, False)
    undo = switches.text(system, "3-6", 70, 0, True)
    if system == "mlnx-os":
        for port in range(3, 7):
            assert len(re.findall(rf"1/{port} traffic-class \d dcb ets strict", text)) == 8
            assert f"no interface ethernet 1/{port} qos trust" in undo
    else:
        assert "1/1/3-1/1/6" in text and "1/1/3-1/1/6" in undo
        defined = re.findall(r"^class-map type queuing (\S+)", text, re.M)
        used = re.findall(r"^ class (\S+)", text, re.M)
        assert defined == used and len(used) == 8
    assert "strict" in text and str(switches.MTU) in text


@pytest.mark.parametrize("system, line", [
    ("mlnx-os", "pool ePool0 direction egress size 2000K type dynamic"),
    ("os10", "  queue-limit thresh-mode static 2000"), ("sonic", '      "size": "2000000"')])
def test_what_waits_in_the_switch_is_limited_if_asked_for(system: str, line: str) -> None:
    assert line in switches.text(system, "1-2", 70, 2000, False).splitlines()
    plain = switches.text(system, "1-2", 70, 0, False)
    assert not re.search("pool|queue-limit", plain, re.I)
    if system == "mlnx-os":
        assert "no pool ePool0" in switches.text(system, "1-2", 70, 2000, True)


def test_bad_ports() -> None:
    for bad in ("", "5-1", "a"):
        with pytest.raises(ClusterError):
            switches.ports_of(bad)
