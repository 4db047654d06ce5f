# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# size: quick
"""Settings of hosts on a made-up machine, the doctor's page."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cperf_job import TOP

from clusterlib import doctor, hostconfig, hoststate

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


class Machine(hoststate.System):
    """A folder in the place of the kernel's files; ethtool is a table."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.coalescing = {"adaptive-rx": "on", "rx-usecs": "8", "rx-frames": "32",
                           "adaptive-tx": "on", "tx-usecs": "50"}
        self.ring, self.broken = 4096, False
        self.qdiscs = {"root": "mq 0:", "0:1": "fq_codel", "0:2": "fq_codel"}
        self.addresses = ["fe80::1/64"]
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
        if words[:2] == ("ethtool", "-l"):
            count = len(self.glob("/sys/class/net/nic0/queues/rx-*"))
            return f"Pre-set maximums:\nCombined:\t16\nCurrent settings:\nCombined:\t{count}\n"
        if words[:2] == ("ethtool", "-L"):
            self.set_channels(int(words[4]))
            return ""
        if words[:4] == ("ip", "-6", "addr", "show"):
            return "".join(f"    inet6 {text} scope global \n" for text in self.addresses)
        if words[:2] == ("ip", "-6"):
            getattr(self.addresses, {"add": "append", "del": "remove"}[words[3]])(words[4])
            return ""
        if words[0] == "tc":
            return self.tc(*words[2:])
        if words[:2] == ("ethtool", "-i"):
            return "driver: ice\nversion: 1\n"
        if words[:2] == ("ethtool", "-g"):
            return f"Pre-set maximums:\nTX:\t8192\nCurrent hardware settings:\nTX:\t{self.ring}\n"
        if words[:2] == ("ethtool", "-G"):
            self.ring = int(words[4])
            return ""
        return None

    def set_channels(self, count: int) -> None:
        """Queues of the card, new ones as the kernel makes them."""
        for name in self.glob("/sys/class/net/nic0/queues/*x-*"):
            shutil.rmtree(self.path(name))
        for queue in range(count):
            for name in (f"rx-{queue}/rps_flow_cnt", f"rx-{queue}/rps_cpus", f"tx-{queue}/x"):
                path = self.path(f"/sys/class/net/nic0/queues/{name}")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("0\n")
        self.qdiscs = {parent: text for parent, text in self.qdiscs.items()
                       if parent == "root" or int(parent.partition(":")[2], 16) <= count}

    def tc(self, action: str, _dev: str, _name: str, *words: str) -> str:
        """Of tc qdisc what `config` uses: an order of the kernel's qdiscs and ours."""
        if action == "show":
            return "".join(f"qdisc {text} root refcnt 9 \n" if parent == "root" else
                           f"qdisc {text} 0: parent {parent} limit 10240p\n"
                           for parent, text in self.qdiscs.items())
        queues = len(self.glob("/sys/class/net/nic0/queues/tx-*"))
        if words[0] == "root":
            handle = words[2] if action == "replace" else "0:"
            kind = words[3] if action == "replace" else "mq"
            self.qdiscs = {"root": f"{kind} {handle}"}
            if kind == "mq":
                self.qdiscs |= {f"{handle}{q + 1:x}": "fq_codel" for q in range(queues)}
        else:
            assert words[1] in self.qdiscs
            self.qdiscs[words[1]] = words[2]
        return ""

    def state(self) -> dict:
        """Everything, to be compared."""
        return ({n: self.read(n) for n in FILES} | self.coalescing | {"ring": self.ring}
                | self.qdiscs)


@pytest.fixture(name="machine")
def fixture_machine(tmp_path: Path) -> Machine:
    """A machine that nobody has touched."""
    return Machine(tmp_path / "root")


WISHES = hostconfig.Wishes("nic0", mtu=9000, hugepages=64, idle_usecs=10)


def different(machine: Machine, wishes: hostconfig.Wishes = WISHES) -> set:
    """Names of the settings that are not as declared."""
    found = hoststate.rows(machine, hostconfig.settings(machine, wishes))
    return {s.name for s, now in found if now != s.want}


def test_what_differs_is_found(machine: Machine) -> None:
    names = different(machine)
    assert {"cpu0 governor", "cpu0 state1 off", "nic0 mtu", "nic0 rx-usecs", "nic0 tx ring",
            "nic0 rx-1 cores", "nic0 irq 71", "2 MB hugepages", "link_mbps"} <= names
    assert not {"cpu1 governor", "cpu0 state0 off", "num_priorities"} & names


def test_apply_and_restore(machine: Machine, tmp_path: Path) -> None:
    before, state = machine.state(), tmp_path / "state.json"
    changed, failed = hoststate.apply(machine, hostconfig.settings(machine, WISHES), state)
    assert failed == [] and "cpu0 governor: powersave -> performance" in changed
    # What a real kernel shows with brackets does not come back so from a made-up one.
    assert different(machine) <= {"transparent hugepages"}
    assert machine.ring == 1024 and machine.read("/sys/class/net/nic0/mtu") == "9000"
    assert machine.read("/proc/irq/71/smp_affinity_list") == "1"
    assert hoststate.apply(machine, hostconfig.settings(machine, WISHES), state)[0] == []
    changed, failed = hoststate.restore(machine, state)
    assert failed == [] and not state.exists()
    after = machine.state()
    thp = "/sys/kernel/mm/transparent_hugepage/enabled"
    assert after.pop(thp) == "never" and before.pop(thp) and after == before


def test_what_was_before_is_known_after_two_changes(machine: Machine, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    for mtu in (3000, 9000):
        wishes = hostconfig.Wishes("nic0", mtu=mtu, groups=("mtu",))
        hoststate.apply(machine, hostconfig.settings(machine, wishes), state)
    assert machine.read("/sys/class/net/nic0/mtu") == "9000"
    hoststate.restore(machine, state)
    assert machine.read("/sys/class/net/nic0/mtu") == "1500"


def test_what_cannot_be_put_back_is_kept(machine: Machine, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    wishes = hostconfig.Wishes("nic0", groups=("nic",))
    hoststate.apply(machine, hostconfig.settings(machine, wishes), state)
    machine.broken = True
    changed, failed = hoststate.restore(machine, state)
    assert changed == [] and len(failed) == 6 and state.exists()
    machine.broken = False
    assert hoststate.restore(machine, state)[1] == [] and machine.coalescing["rx-usecs"] == "8"


def test_channels_first_and_a_qdisc_for_each_queue(machine: Machine, tmp_path: Path) -> None:
    machine.set_channels(2)
    before, state = machine.state(), tmp_path / "state.json"
    wishes = hostconfig.Wishes("nic0", channels=12, qdisc="homa",
                               groups=("channels", "qdisc", "rps"))
    _, failed = hoststate.apply(machine, hostconfig.settings(machine, wishes), state)
    assert failed == []
    ours = {"root": "mq 4801:"} | {f"4801:{q:x}": "homa" for q in range(1, 13)}
    assert machine.qdiscs == ours and "4801:c" in ours
    assert machine.read("/sys/class/net/nic0/queues/rx-11/rps_cpus") == "3"
    assert different(machine, wishes) == set()
    assert hoststate.restore(machine, state)[1] == [] and machine.state() == before


def test_an_address_is_added_and_taken_away(machine: Machine, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    for _ in range(2):
        wishes = hostconfig.Wishes("nic0", address6="fd00:0::3/64", groups=("address",))
        hoststate.apply(machine, hostconfig.settings(machine, wishes), state)
        assert machine.addresses == ["fe80::1/64", "fd00::3/64"]
    hoststate.restore(machine, state)
    assert machine.addresses == ["fe80::1/64"]
    with pytest.raises(hoststate.ConfigError, match="--address6: "):
        list(hostconfig.settings(machine, hostconfig.Wishes("nic0", address6="fd00::x")))


def test_one_queue_needs_no_mq(machine: Machine, tmp_path: Path) -> None:
    machine.set_channels(1)
    machine.qdiscs = {"root": "fq_codel 0:"}
    wishes = hostconfig.Wishes("nic0", qdisc="homa", groups=("qdisc",))
    hoststate.apply(machine, hostconfig.settings(machine, wishes), tmp_path / "state.json")
    assert machine.qdiscs == {"root": "homa 4801:"}


def test_what_somebody_has_chosen_stays(machine: Machine) -> None:
    machine.qdiscs = {"root": "htb 1:"}
    wishes = hostconfig.Wishes("nic0", qdisc="homa")
    with pytest.raises(hoststate.ConfigError, match="somebody has chosen, 'htb 1:'"):
        list(hostconfig.settings(machine, wishes))
    assert not {s.group for s in hostconfig.settings(machine, WISHES)} & {"channels", "qdisc"}


@pytest.mark.parametrize("wishes, said", [
    (hostconfig.Wishes("nic9"), "no network device 'nic9'"),
    (hostconfig.Wishes("nic0", groups=("x",)), "no group 'x'")])
def test_wrong_wishes(machine: Machine, wishes: hostconfig.Wishes, said: str) -> None:
    with pytest.raises(hoststate.ConfigError, match=said):
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
    hoststate.apply(machine, hostconfig.settings(machine, WISHES), tmp_path / "state")
    after = states(machine)
    assert {after[what] for what in cured} == {doctor.GOOD}
    page = doctor.page("nic0", doctor.examine(machine, "nic0"))
    assert page.splitlines()[1].split()[0] == doctor.BAD
    for one in doctor.examine(machine, "nic0"):
        assert one.fix if one.state == doctor.BAD else True


@pytest.mark.parametrize("words", [["show", "--device", "no0"], ["apply", "--cluster", "/no.toml"],
                                   ["switch", "sonic", "--ports", "x"],
                                   ["switch", "os10", "--buffer", "-1"]])
def test_wrong_usage_is_one_line(words: list) -> None:
    done = subprocess.run([CONFIG, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
