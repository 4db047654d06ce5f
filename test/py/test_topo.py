# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# size: quick
"""The batches that build the star, and what the kernel's log says went wrong."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cloudlab"))

from clusterlib import boot, kernels, splats, topo, units  # noqa: E402
from clusterlib.errors import ClusterError  # noqa: E402

STAR = topo.Star(hosts=3, rate=10e9, mtu=1500, host_delay=250, switch_delay=500)


def lines(star: topo.Star, name: str, word: str = "") -> list[str]:
    """Return the lines of one batch that contain a word."""
    return [line for line in topo.batches(star)[name] if word in line]


def test_every_host_knows_every_other_in_both_families() -> None:
    for host in (1, 2, 3):
        batch = lines(STAR, f"host{host}", "neigh add")
        known = {(line.split()[2], line.split()[4]) for line in batch}
        assert known == {(address, topo.mac(other)) for other in (1, 2, 3) if other != host
                         for address in (f"10.0.0.{other}", f"fd00::{other}")}


def test_addresses_differ_for_all_hosts() -> None:
    star = topo.Star(hosts=topo.MAX_HOSTS)
    assert len({topo.mac(host) for host in topo.everyone(star)}) == topo.MAX_HOSTS
    own = {lines(star, f"host{host}", "fd00")[0].split()[2] for host in topo.everyone(star)}
    assert len(own) == topo.MAX_HOSTS


@pytest.mark.parametrize("word", ["protocol ip ", "protocol ipv6 "])
def test_bands_follow_the_class(word: str) -> None:
    filters = [line for line in topo.downlink(STAR, 1) if word in line]
    bands = {int(match[1], 16) >> 5: int(match[2]) for line in filters
             if (match := re.search(r" (0x\w+) 0xe0 flowid 10:(\d)", line))}
    assert bands == {7: 1, 6: 2, 5: 3, 4: 4, 3: 5, 2: 6, 1: 7}


def test_the_sending_host_has_no_netem() -> None:
    assert lines(STAR, "uplink", "tbf") and not lines(STAR, "uplink", "netem")


def test_real_time_has_no_rates_but_impairments() -> None:
    star = replace(STAR, shaped=False, loss=2)
    assert lines(star, "uplink") == []
    assert not lines(star, "switch_queues", "tbf")
    assert len(lines(star, "switch_queues", "loss 2%")) == 3


def test_delays_of_the_path_add_up() -> None:
    delays = {line.split("delay ")[1].split()[0] for line in lines(STAR, "switch_queues", "netem")}
    assert delays == {"1.000us"}
    assert STAR.path_delay == 1000


def test_buffer_counts_full_frames_and_what_the_delay_holds() -> None:
    assert STAR.limit - replace(STAR, buffer=0).limit == 2_000_000 // 1538 - 1
    assert replace(STAR, buffer=0, host_delay=0, switch_delay=0).limit == 1


def test_bucket_holds_one_frame_but_not_two() -> None:
    for mtu in (1500, 9000):
        star = replace(STAR, mtu=mtu)
        burst = int(re.search(r"burst (\d+)", topo.shaper(star))[1])
        assert star.frame <= burst < 2 * star.frame


def test_a_card_takes_the_place_of_the_uplink() -> None:
    star = replace(STAR, ports=True, nic="ring=64 tx_coalesce=20000")
    assert lines(star, "uplink") == [] and star.hardware
    assert topo.nic_settings(star) == "e0 on c0 rate=10000000000 ring=64 tx_coalesce=20000"
    assert all(" add c0 netns" in line for line in lines(star, "links", "veth"))
    assert lines(star, "host1", "c0 ") and lines(star, "host1", "addr add 10.0.0.1/24 dev e0")
    assert not lines(STAR, "host1", "c0 ") and not STAR.hardware
    assert topo.nic_settings(replace(STAR, nic="")) == "e0 on c0 rate=10000000000"


@pytest.mark.parametrize("words", ["ring", "ring=", "ring=x", "color=3", "rate=5 ring=1"])
def test_bad_cards_are_refused(words: str) -> None:
    with pytest.raises(ClusterError, match="--nic"):
        topo.check(replace(STAR, nic=words))
    with pytest.raises(ClusterError, match="virtual time"):
        topo.check(replace(STAR, nic="", shaped=False))


def test_exact_ports_take_the_place_of_all_shaping() -> None:
    star = replace(STAR, ports=True, shared=True, mark=70000)
    assert lines(star, "switch_queues") == [
        f"qdisc add dev p{host} root handle 1: port" for host in (1, 2, 3)]
    assert lines(star, "uplink") == ["qdisc add dev e0 root handle 1: port"]
    assert lines(star, "port_groups") == [
        "switch_queues rate=10000000000 delay=1000 buffer=2000000 shared=1 mark=70000"]
    assert star.exact and not replace(star, shaped=False).exact


def test_impairments_have_a_device_of_their_own() -> None:
    assert not lines(STAR, "switch_queues", "dev i")
    star = replace(STAR, loss=2, duplicate=1, reorder=5)
    netem = lines(star, "switch_queues", "dev i1 root")[0]
    assert "loss 2%" in netem and "duplicate 1%" in netem
    assert "delay 20.000us reorder 95%" in netem
    assert not [line for line in lines(star, "switch_queues", "dev p1") if "loss" in line]


@pytest.mark.parametrize("bad", [{"hosts": -1}, {"hosts": topo.MAX_HOSTS + 1}, {"mtu": 100},
                                 {"loss": 101}, {"rate": 0}, {"buffer": -1}, {"mark": 1},
                                 {"shared": True}])
def test_impossible_stars_are_refused(bad: dict) -> None:
    with pytest.raises(ClusterError):
        topo.check(replace(STAR, **bad))


@pytest.mark.parametrize("text, value", [("500", 500), ("2us", 2000), ("1.5ms", 1_500_000),
                                         ("1s", 10**9)])
def test_times(text: str, value: int) -> None:
    assert units.parse_ns(text) == value


LOG = """\
[    1.0] WARNING: CPU: 0 PID: 1 at boot.c:1
[    2.0] lab: watching from here
[    3.0] homa: loaded
"""
FOREIGN = [re.compile("maple_tree")]


@pytest.mark.parametrize("line", [
    "WARNING: CPU: 1 PID: 7 at homa/rpc.c:12 homa_rpc_free+0x1/0x2 [homa]",
    "BUG: KASAN: use-after-free in homa_rpc_free", "BUG homa_rpc (Not tainted): Objects remaining",
    "WARNING: possible circular locking dependency detected", "INFO: task kworker blocked for",
    "unreferenced object 0xffff (size 64):", "refcount_t: underflow; use-after-free.",
    "WARNING: suspicious RCU usage", "UBSAN: shift-out-of-bounds in homa/wire.h:3:2",
    "unregister_netdevice: waiting for e0 to become free. Usage count = 2",
    "Kernel panic - not syncing: Fatal exception", "general protection fault, probably for"])
def test_reports_are_found(line: str) -> None:
    found = splats.scan(f"{LOG}[    4.0] {line}\n", FOREIGN)
    assert [splat.title for splat in found] == [line]


def test_reports_before_the_module_do_not_count() -> None:
    assert splats.scan(LOG, FOREIGN) == []


def test_a_known_report_does_not_hide_the_next() -> None:
    log = LOG + "[    4.0] WARNING: suspicious RCU usage\n[    4.0] lib/maple_tree.c:860 x\n" \
        + "[    4.0] stack\n" * 6 + "[    5.0] BUG: KASAN: bad\n"
    assert [splat.title for splat in splats.scan(log, FOREIGN)] == ["BUG: KASAN: bad"]


def test_known_reports_compile() -> None:
    assert splats.known()


def verdict(folder: Path, status: str, log: str = "lab: watching from here\n") -> int:
    """Return the exit code for what a guest left behind."""
    (folder / "log").write_text(log)
    if status:
        (folder / "status").write_text(status)
    return boot.verdict(folder, True, boot.Job(["true"]))


def test_silence_is_failure(tmp_path: Path) -> None:
    assert verdict(tmp_path, "") == boot.SILENT_CODE


def test_success_passes_the_exit_code_on(tmp_path: Path) -> None:
    assert verdict(tmp_path, "success 3\n") == 3


def test_a_report_beats_success(tmp_path: Path) -> None:
    log = "lab: watching from here\nBUG: sleeping function called\n"
    assert verdict(tmp_path, "success 0\n", log) == boot.SPLAT_CODE


def test_refused_options_are_named() -> None:
    wanted = ["CONFIG_A=y", "CONFIG_B=y", "# CONFIG_C is not set", "# CONFIG_D is not set"]
    config = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_D=y\n"
    assert kernels.refused(wanted, config) == ["CONFIG_B=y", "# CONFIG_D is not set"]


def test_a_later_fragment_overrides() -> None:
    lines_ = kernels.wanted(kernels.FLAVORS["smp"])
    assert "CONFIG_SMP=y" in lines_
    assert "CONFIG_UML_TIME_TRAVEL_SUPPORT=y" not in lines_


def test_each_flavor_has_a_place_of_its_own() -> None:
    places = {kernels.locate("6.1", flavor).kdir for flavor in kernels.FLAVORS.values()}
    assert len(places) == len(kernels.FLAVORS)
