# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""From what the guest of `make bench` prints to tables and files."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parents[2] / "perf" / "bench"
sys.dont_write_bytecode = True
sys.path.insert(0, str(BENCH))
import chart  # noqa: E402
import costs  # noqa: E402
import stream  # noqa: E402
from clusterlib.errors import ClusterError  # noqa: E402


def cost(protocol: str = "homa", size: int = 100, outstanding: int = 1, mean: float = 40000,
         p50: float = 39000, link: str = "veth") -> costs.Cost:
    return costs.Cost(link, protocol, size, outstanding, 1000, mean, p50, 38000)


def said(item: costs.Cost) -> str:
    """The line in which the guest tells a cost."""
    told = {name: getattr(item, name) for name in
            ("protocol", "size", "outstanding", "count", "mean", "p50", "min")}
    return f"cost {item.link} {json.dumps(told)}\n"


def test_lines_of_the_guest() -> None:
    assert costs.parse_line(said(cost())) == cost()
    assert costs.parse_line("count vmxnet3 homa 42\n") == ("vmxnet3 homa", 42)
    assert costs.parse_line("kernel Linux 6.12\n") is None
    for bad in ("cost veth", "cost veth {}", 'cost veth {"size": 3}', "count veth homa some"):
        with pytest.raises(ClusterError, match="the guest said"):
            costs.parse_line(bad)


def test_rows_are_what_each_protocol_can_do() -> None:
    rows = costs.plan()
    assert len(rows) == len(set(rows))
    assert {row.link for row in rows} == set(costs.LINKS) | set(costs.GROWTH)
    assert max(row.size for row in rows if row.protocol == "udp") <= costs.MAX_UDP
    assert {row.protocol for row in rows if row.link == "veth-notso"} == {"tcp"}
    for link in ("veth", "vmxnet3"):
        assert {(row.size, row.outstanding) for row in rows
                if (row.link, row.protocol) == (link, "homa")} \
            == {(size, at_once) for size in costs.SIZES for at_once in (1, 8)}
    assert [str(row) for row in costs.plan("veth (homa|udp) 100 1 ")] \
        == ["veth homa 100 1 1000", "veth udp 100 1 1000"]
    with pytest.raises(ClusterError, match="not a regular expression"):
        costs.plan("(")


def test_what_grows_is_compared_with_one() -> None:
    found = [replace(cost(link="veth-peers"), outstanding=number, mean=mean)
             for number, mean in ((1, 40000), (100, 44000), (10000, 50000))]
    lines = costs.table(found, {}).splitlines()
    assert "100 peers: 44.0k, 1.10 times what one costs" in lines
    assert "10000 peers: 50.0k, 1.25 times what one costs: more than 1.2" in lines
    assert not any("what one costs" in line for line in costs.table([cost()], {}).splitlines())


def test_amounts_keep_three_digits() -> None:
    assert [costs.amount(value) for value in (8210, 99949, 99951, 999400, 999600, 4753000)] \
        == ["8.2k", "99.9k", "100k", "999k", "1.00M", "4.75M"]


def test_table_compares_homa_with_both() -> None:
    text = costs.table([cost(mean=50000), cost("tcp", mean=25000), cost("udp", mean=40000),
                        cost(size=500000, mean=6e6), cost("tcp", 500000, mean=1.5e6),
                        cost("tcp", link="veth-notso")], {"veth homa": 3, "veth tcp": 0})
    lines = text.splitlines()
    short = next(line for line in lines if line.split()[:2] == ["100", "1"])
    assert short.split()[2:] == ["50.0k", "39.0k", "25.0k", "39.0k", "40.0k", "39.0k",
                                 "2.00", "1.25"]
    long = next(line for line in lines if line.split()[:1] == ["500K"])
    assert long.split()[2::2][:3] == ["6.00M", "1.50M", "-"] and long.split()[-2:] == ["4.00", "-"]
    assert len({len(line) for line in (short, long)}) == 1
    assert lines[-1] == "packets sent again, veth homa: 3"
    without = text.partition(costs.LINKS["veth-notso"])[2]
    assert "homa" not in without.splitlines()[1]


def test_results_come_back_as_they_were(tmp_path: Path) -> None:
    items = [cost(), cost("tcp", 500000, 8)]
    file = tmp_path / "old.json"
    file.write_text(costs.dump(items, {"veth homa": 1}, {"kernel": "Linux 6.12"}))
    assert costs.load(file) == items
    assert json.loads(file.read_text())["kernel"] == "Linux 6.12"
    for bad in ("", "[]", "{}", '{"costs": [{"size": 1}]}'):
        file.write_text(bad)
        with pytest.raises(ClusterError, match="cannot read costs"):
            costs.load(file)


def test_growth_of_homa_is_seen() -> None:
    before = [cost(p50=40000), cost("tcp", p50=30000), cost(size=1000, p50=41000)]
    lines, worse = costs.grown(before, [cost(p50=42000), cost("tcp", p50=30300)])
    assert lines == ["veth homa 100 1 1000: 40.0k -> 42.0k (+5.0%)"] and worse
    assert costs.grown(before, [cost(p50=38000)]) == (
        ["veth homa 100 1 1000: 40.0k -> 38.0k (-5.0%)"], False)
    assert not costs.grown(before, [cost("tcp", p50=33000)])[1]
    assert costs.grown(before, [cost(p50=41000), cost(size=500000)]) == ([], False)
    unsteady = [cost(outstanding=8), cost(size=100000)]
    assert costs.grown(unsteady, [replace(item, p50=2 * item.p50) for item in unsteady]) \
        == ([], False)


def program(name: str) -> ModuleType:
    """One of the programs, as a module."""
    loader = SourceFileLoader(name, str(BENCH / name))
    made = module_from_spec(spec_from_loader(name, loader))
    loader.exec_module(made)
    return made


def test_results_are_not_overwritten(tmp_path: Path) -> None:
    bench = program("bench")
    file = bench.new_file(tmp_path / "a" / "b.json")
    assert file.exists()
    with pytest.raises(ClusterError, match="never overwritten"):
        bench.new_file(file)


def test_a_run_is_compared_with_the_record_of_its_kernel(tmp_path: Path, capsys) -> None:
    bench = program("bench")
    assert bench.compare(None, [cost()]) == 0 and not capsys.readouterr().out
    record = tmp_path / "records" / "6.1.json"
    about = {"finished": "now", "kernel": "Linux 6.1.0", "emulator": "QEMU", "commit": "abc",
             "machine": "here"}
    assert bench.keep(record, [cost(p50=40000)], {}, about) == 0
    assert costs.load(record) == [cost(p50=40000)] and "here" not in record.read_text()
    assert bench.compare(record, [cost(p50=41100)]) == 0
    assert bench.compare(record, [cost(p50=41300)]) == 3
    assert "40.0k -> 41.3k (+3.2%)\nHoma's costs grew" in capsys.readouterr().out
    assert costs.record_of("Linux 6.1.0-56-amd64").name == "6.1.json"
    assert costs.record_of("Linux 6.12.74+deb12-amd64").name == "6.12.json"
    with pytest.raises(ClusterError, match="no version"):
        costs.record_of("")


def test_records_are_what_they_say() -> None:
    records = sorted((BENCH / "records").glob("*.json"))
    assert {record.stem for record in records} == {"6.1", "6.12"}
    for record in records:
        kernel = json.loads(record.read_text())["kernel"]
        assert costs.record_of(kernel) == record and costs.load(record)


def test_picture_shows_rows_of_one_at_a_time(tmp_path: Path) -> None:
    found = [cost(), cost(size=1000), cost(outstanding=8), cost("tcp"),
             cost("udp", link="vmxnet3"), cost(link="veth-peers")]
    assert chart.lines(found, "veth") == {"homa": [(100, 39000), (1000, 39000)],
                                          "tcp": [(100, 39000)]}
    file = tmp_path / "a.png"
    assert chart.draw(found, "title", file) and file.read_bytes()[:4] == b"\x89PNG"
    assert not chart.draw([cost(link="veth-peers")], "title", tmp_path / "b.png")


@pytest.mark.parametrize("words", [["bench", "--rows", "veth homa 100 1 "],
                                   ["functions", "veth homa 100 1"], ["smp"]])
def test_programs_that_are_not_built_are_named_before_a_machine_boots(
        words: list[str], tmp_path: Path) -> None:
    bench = tmp_path / "perf" / "bench"
    shutil.copytree(BENCH, bench)
    (tmp_path / "cloudlab").symlink_to(BENCH.parents[1] / "cloudlab")
    done = subprocess.run([bench / words[0], *words[1:]], capture_output=True, text=True,
                          check=False, timeout=60)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "is missing: run 'make tools' first" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [["--rows", "no such row"], ["--rows", "("],
                                   ["--against", "/nonexistent"], ["--nonsense"]])
def test_wrong_words_are_refused(words: list[str]) -> None:
    done = subprocess.run([sys.executable, str(BENCH / "bench"), *words], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 2 and "bench: " in done.stderr
    assert "Traceback" not in done.stderr


SYMBOLS = """ffffffff81000000 T schedule
ffffffff81000100 t ktime_get
ffffffff81000100 T ktime_get_alias
ffffffff81000200 D data
ffffffffa0000000 t homa_sendmsg	[homa]
ffffffffa0000040 t homa_recvmsg	[homa]
"""


def logged(*places: int) -> list[str]:
    """QEMU's log of instructions at these addresses."""
    return [f"Trace 0: 0x7f00 [00000000/{place:016x}/00c0/ff0200] f\n" for place in places]


def test_instructions_belong_to_functions() -> None:
    symbols = stream.Symbols(SYMBOLS.splitlines())
    send, clock = 0xffffffffa0000000, 0xffffffff81000100
    rpc = [send, clock, clock + 4, send + 8, 0x401000, send, send + 4, 0xffffffffa0000044]
    found = stream.profile(symbols, ["----\n", *logged(clock, *rpc, *rpc, send, clock)])
    assert (found.rpcs, found.instructions) == (2, 8)
    told = {one.name: (one.instructions, one.calls, one.callers) for one in found.functions}
    assert told == {"homa_sendmsg [homa]": (4, 2, [("[programs]", 1), ("ktime_get", .5),
                                                   ("homa_recvmsg [homa]", .5)]),
                    "ktime_get": (2, 1, [("homa_sendmsg [homa]", 1)]),
                    stream.USER: (1, 0, []), "homa_recvmsg [homa]": (1, 0, [])}
    text = stream.table(found, 2).splitlines()
    assert text[0] == "8 instructions an RPC, from 2 RPCs"
    assert text[3].split()[:3] == ["4", "50.0%", "2.0"] and text[-1].endswith("2 others")
    assert json.loads(stream.dump(found, {"row": "x"}))["functions"][1]["calls"] == 1


def test_streams_without_rpcs_and_symbols() -> None:
    symbols = stream.Symbols(SYMBOLS.splitlines())
    with pytest.raises(ClusterError, match="too few instructions"):
        stream.profile(symbols, logged(0xffffffffa0000000, 0x401000, 0xffffffffa0000000))
    with pytest.raises(ClusterError, match="where its functions are"):
        stream.Symbols(["0000000000000000 T schedule"])


@pytest.mark.parametrize("words, says", [
    (["veth homa 3 1"], "there is no row"), (["veth homa 100 1", "--json", __file__], "exists")])
def test_functions_refuses(words: list[str], says: str) -> None:
    done = subprocess.run([str(BENCH / "functions"), *words], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 2 and says in done.stderr and done.stderr.count("\n") == 1
