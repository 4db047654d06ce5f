# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# size: quick
"""Settings of hosts on a made-up machine, the doctor's page, configurations of switches."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from cperf_job import TOP

from clusterlib import doctor, hostconfig, switches
from clusterlib.errors import ClusterError

CONFIG = TOP / "cloudlab" / "bin" / "config"
FILES = {
    "/sys/class/net/nic0/speed": "25000", "/sys/class/net/nic0/mtu": "1500",
    "/sys/class/net/nic0/operstate": "up",
    "/sys/class/net/nic0/queues/rx-0/rps_flow_cnt": "0",
    "/sys/class/net/nic0/queues/rx-0/rps_cpus": "0",
    "/sys/class/net/nic0/queues/rx-1/rps_flow_cnt": "0",
    "/sys/class/net/nic0/queues/rx-1/rps_cpus": "0",
    "/sys/class/net/nic0/device/msi_irqs/70": "msix", "/sys/class/net/nic0/device/msi_irqs/71": "",
    "/proc/irq/70/smp_affinity_list": "0-1", "/proc/irq/71/smp_affinity_list": "0-1",
    "/proc/sys/net/core/rps_sock_flow_entries": "0",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave",
    "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance",
    "/sys/devices/system/cpu/cpu0/cpuidle/state0/latency": "2",
    "/sys/devices/system/cpu/cpu0/cpuidle/state0/disable": "0",
    "/sys/devices/system/cpu/cpu0/cpuidle/state1/latency": "133",
    "/sys/devices/system/cpu/cpu0/cpuidle/state1/disable": "0",
    "/sys/kernel/mm/transparent_hugepage/enabled": "always madvise [never]",
    "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "0",
    "/proc/sys/net/homa/num_priorities": "8", "/proc/sys/net/homa/link_mbps": "0",
    "/proc/sys/net/homa/unsched_bytes": "40000", "/proc/cmdline": "quiet",
}


class Machine(hostconfig.System):
    """A folder in the place of the kernel's files; ethtool is a table."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.coalescing = {"adaptive-rx": "on", "rx-usecs": "8", "rx-frames": "32",
                           "adaptive-tx": "on", "tx-usecs": "50"}
        self.ring, self.broken = 4096, False
        for name, text in FILES.items():
            self.path(name).parent.mkdir(parents=True, exist_ok=True)
            self.write(name, text)

    def run(self, *words: str) -> str | None:
        if self.broken:
            return None
        if words[:2] == ("ethtool", "-c"):
            c = self.coalescing
            return (f"Adaptive RX: {c['adaptive-rx']}  TX: {c['adaptive-tx']}\nrx-usecs:\t"
                    f"{c['rx-usecs']}\nrx-frames:\t{c['rx-frames']}\n\ntx-usecs:\t{c['tx-usecs']}\n")
        if words[:2] == ("ethtool", "-C"):
            self.coalescing[words[3]] = words[4]
            return ""
        if words[:2] == ("ethtool", "-i"):
            return "driver: ice\nversion: 1\n"
        if words[:2] == ("ethtool", "-g"):
            return f"Pre-set maximums:\nTX:\t8192\nCurrent hardware settings:\nTX:\t{self.ring}\n"
        if words[:2] == ("ethtool", "-G"):
            self.ring = int(words[4])
            return ""
        return None

    def state(self) -> dict:
        """Everything, to be compared."""
        return {n: self.read(n) for n in FILES} | self.coalescing | {"ring": self.ring}


@pytest.fixture(name="machine")
def fixture_machine(tmp_path: Path) -> Machine:
    """A machine that nobody has touched."""
    return Machine(tmp_path / "root")


WISHES = hostconfig.Wishes("nic0", mtu=9000, hugepages=64, idle_usecs=10)


def different(machine: Machine, wishes: hostconfig.Wishes = WISHES) -> set:
    """Names of the settings that are not as declared."""
    found = hostconfig.rows(machine, hostconfig.settings(machine, wishes))
    return {s.name for s, now in found if now != s.want}


def test_what_differs_is_found(machine: Machine) -> None:
    names = different(machine)
    assert {"cpu0 governor", "cpu0 state1 off", "nic0 mtu", "nic0 rx-usecs", "nic0 tx ring",
            "nic0 rx-1 cores", "nic0 irq 71", "2 MB hugepages", "link_mbps"} <= names
    assert not {"cpu1 governor", "cpu0 state0 off", "num_priorities"} & names


def test_apply_and_restore(machine: Machine, tmp_path: Path) -> None:
    before, state = machine.state(), tmp_path / "state.json"
    declared = hostconfig.settings(machine, WISHES)
    changed, failed = hostconfig.apply(machine, declared, state)
    assert failed == [] and "cpu0 governor: powersave -> performance" in changed
    # What a real kernel shows with brackets does not come back so from a made-up one.
    assert different(machine) <= {"transparent hugepages"}
    assert machine.ring == 1024 and machine.read("/sys/class/net/nic0/mtu") == "9000"
    assert machine.read("/proc/irq/71/smp_affinity_list") == "1"
    assert hostconfig.apply(machine, declared, state)[0] == []
    changed, failed = hostconfig.restore(machine, state)
    assert failed == [] and not state.exists()
    after = machine.state()
    thp = "/sys/kernel/mm/transparent_hugepage/enabled"
    assert after.pop(thp) == "never" and before.pop(thp) and after == before


def test_what_was_before_is_known_after_two_changes(machine: Machine, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    for mtu in (3000, 9000):
        wishes = hostconfig.Wishes("nic0", mtu=mtu, groups=("mtu",))
        hostconfig.apply(machine, hostconfig.settings(machine, wishes), state)
    assert machine.read("/sys/class/net/nic0/mtu") == "9000"
    hostconfig.restore(machine, state)
    assert machine.read("/sys/class/net/nic0/mtu") == "1500"


def test_what_cannot_be_put_back_is_kept(machine: Machine, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    wishes = hostconfig.Wishes("nic0", groups=("nic",))
    hostconfig.apply(machine, hostconfig.settings(machine, wishes), state)
    machine.broken = True
    changed, failed = hostconfig.restore(machine, state)
    assert changed == [] and len(failed) == 6 and state.exists()
    machine.broken = False
    assert hostconfig.restore(machine, state)[1] == [] and machine.coalescing["rx-usecs"] == "8"


@pytest.mark.parametrize("wishes, said", [
    (hostconfig.Wishes("nic9"), "no network device 'nic9'"),
    (hostconfig.Wishes("nic0", groups=("x",)), "no group 'x'")])
def test_wrong_wishes(machine: Machine, wishes: hostconfig.Wishes, said: str) -> None:
    with pytest.raises(hostconfig.ConfigError, match=said):
        hostconfig.settings(machine, wishes)


@pytest.mark.parametrize("cpus, text", [(1, "1"), (8, "ff"), (32, "ffffffff"),
                                        (40, "ff,ffffffff"), (64, "ffffffff,ffffffff")])
def test_masks(cpus: int, text: str) -> None:
    assert hostconfig.mask(cpus) == text


def states(machine: Machine) -> dict:
    """The doctor's verdicts."""
    return {f.what: f.state for f in doctor.examine(machine, "nic0")}


def test_the_doctor_sees_what_is_bad_and_that_it_was_cured(machine: Machine, tmp_path) -> None:
    before = states(machine)
    cured = {"governor", "sleep states", "MTU", "receive packet steering",
             "interrupts have cores of their own"}
    assert {before[what] for what in cured} == {doctor.BAD}
    assert before["mitigations"] == doctor.BAD and before["link is up"] == doctor.GOOD
    assert before["generic-receive-offload"] == doctor.UNKNOWN
    hostconfig.apply(machine, hostconfig.settings(machine, WISHES), tmp_path / "state")
    after = states(machine)
    assert {after[what] for what in cured} == {doctor.GOOD}
    page = doctor.page("nic0", doctor.examine(machine, "nic0"))
    assert page.splitlines()[1].split()[0] == doctor.BAD
    for one in doctor.examine(machine, "nic0"):
        assert one.fix if one.state == doctor.BAD else True


def test_sonic_refers_only_to_what_it_defines() -> None:
    tables = json.loads(switches.text("sonic", "0-3", 70, False))
    assert set(tables["PORT"]) == {"Ethernet0", "Ethernet4", "Ethernet8", "Ethernet12"}
    assert len(tables["QUEUE"]) == 4 * 8
    for entry in tables["QUEUE"].values():
        assert entry["scheduler"] in tables["SCHEDULER"]
        assert entry.get("wred_profile", "homa_ecn") in tables["WRED_PROFILE"]
    assert tables["DSCP_TO_TC_MAP"]["homa"]["56"] == "7"
    assert "WRED_PROFILE" not in json.loads(switches.text("sonic", "0-3", 0, False))


@pytest.mark.parametrize("system", ["mlnx-os", "os10"])
def test_all_ports_and_classes_are_configured(system: str) -> None:
    text = switches.text(system, "3-6", 70, False)
    undo = switches.text(system, "3-6", 70, True)
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


def test_bad_ports() -> None:
    for bad in ("", "5-1", "a"):
        with pytest.raises(ClusterError):
            switches.ports_of(bad)


@pytest.mark.parametrize("words", [["show", "--device", "no0"], ["apply", "--cluster", "/no.toml"],
                                   ["switch", "sonic", "--ports", "x"]])
def test_wrong_usage_is_one_line(words: list) -> None:
    done = subprocess.run([CONFIG, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
