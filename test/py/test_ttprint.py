# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The timetrace tools against known traces, and events.h against its own rules."""
from __future__ import annotations

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "test" / "golden"
RAW = GOLDEN / "ttprint.raw"
sys.path.insert(0, str(ROOT / "tt"))

from ttlib import binform, events, files, textform, trace  # noqa: E402


def tool(name: str, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a tool of tt/bin."""
    return subprocess.run([ROOT / "tt" / "bin" / name, *args], input=stdin,
                          capture_output=True, text=True, timeout=60, check=False)


def texts(output: str) -> list[str]:
    """Texts of a rendered trace without its heading."""
    return [line.split("] ", 1)[1] for line in output.splitlines()[1:]]


@pytest.mark.parametrize("name,args,golden", [
    ("ttprint", [], "ttprint.txt"),
    ("ttgrep", ["--rebase", "offset"], "ttgrep-rebase.txt"),
    ("ttrange", ["1", "12002.55"], "ttrange.txt"),
])
def test_output__is_golden(name: str, args: list[str], golden: str) -> None:
    want = (GOLDEN / golden).read_text()
    from_file = tool(name, *args, str(RAW))
    assert (from_file.returncode, from_file.stderr) == (0, "")
    assert from_file.stdout == want
    assert tool(name, *args, "-", stdin=RAW.read_text()).stdout == want


def test_ttprint__reads_what_it_wrote() -> None:
    rendered = (GOLDEN / "ttprint.txt").read_text()
    assert tool("ttprint", "-", stdin=rendered).stdout == rendered


def test_ttprint__converts_cycles() -> None:
    raw = "cpu_khz: 2000000\n1000 [C00] a\n5000 [C01] b\n"
    lines = tool("ttprint", "-", stdin=raw).stdout.splitlines()
    assert lines[0].endswith("First event has timestamp 1000 (cpu_ghz 2.000000)")
    assert lines[2] == "    2.000 us (+     2.000 us) [C01] b"


def test_ttprint__empty_trace_prints_nothing() -> None:
    result = tool("ttprint", "-", stdin="cpu_khz: 1000000\n")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("text,complaint", [
    ("", "not a timetrace"),
    ("root:x:0:0\n", "not a timetrace"),
    ("cpu_khz: 0\n", "cpu_khz is 0"),
    ("cpu_khz: 1000000\n12 [C00] ok\nno record\n", ":3: not a record"),
    ("\x00\xff\n", "not a timetrace"),
])
def test_ttprint__refuses_garbage_in_one_line(text: str, complaint: str) -> None:
    result = tool("ttprint", "-", stdin=text)
    assert result.returncode == 1
    assert result.stdout == ""
    assert complaint in result.stderr and result.stderr.count("\n") == 1


def test_ttprint__missing_file_is_one_line() -> None:
    result = tool("ttprint", "/nonexistent")
    assert result.returncode == 1
    assert result.stderr == "ttprint: /nonexistent: No such file or directory\n"


def test_ttprint__stops_quietly_when_the_reader_does() -> None:
    raw = "cpu_khz: 1000000\n" + "".join(f"{n} [C00] tick\n" for n in range(100000))
    ttprint = ROOT / "tt" / "bin" / "ttprint"
    result = subprocess.run(["sh", "-c", f"'{ttprint}' - | head -n 1"], input=raw,
                            capture_output=True, text=True, timeout=60, check=True)
    assert result.stderr == "" and result.stdout.count("\n") == 1


def test_ttprint__does_not_wait_for_pandas() -> None:
    code = ("import runpy, sys; sys.argv = ['ttprint', sys.argv[1]]\n"
            "try: runpy.run_path(%r, run_name='__main__')\n"
            "finally: assert 'pandas' not in sys.modules"
            % str(ROOT / "tt" / "bin" / "ttprint"))
    result = subprocess.run([sys.executable, "-c", code, str(RAW)], timeout=60,
                            capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("name", ["ttprint", "ttgrep", "ttrange", "ttmerge", "ttoffset", "ttsum"])
def test_help__has_examples(name: str) -> None:
    result = tool(name, "--help")
    assert result.returncode == 0 and "examples:" in result.stdout


def test_ttgrep__bad_pattern_is_one_line() -> None:
    result = tool("ttgrep", "(", str(RAW))
    assert result.returncode == 1 and result.stderr.count("\n") == 1


def test_ttmerge__orders_by_absolute_time(tmp_path: Path) -> None:
    (tmp_path / "h1.tt").write_text("cpu_khz: 1000000\n2000 [C00] b\n4000 [C00] d\n")
    (tmp_path / "h2.tt").write_text("cpu_khz: 1000000\n1000 [C01] a\n3000 [C01] c\n")
    files = [str(tmp_path / "h1.tt"), str(tmp_path / "h2.tt")]
    plain = tool("ttmerge", *files)
    assert texts(plain.stdout) == ["a", "b", "c", "d"]
    assert "timestamp 1000 " in plain.stdout
    assert [line.split("(+")[1][:10].strip() for line in plain.stdout.splitlines()[1:]] \
        == ["0.000", "1.000", "1.000", "1.000"]
    assert texts(tool("ttmerge", "--tag", *files).stdout)[0] == "h2: a"


def test_ttmerge__refuses_different_clocks(tmp_path: Path) -> None:
    (tmp_path / "a.tt").write_text("cpu_khz: 1000000\n1 [C00] a\n")
    (tmp_path / "b.tt").write_text("cpu_khz: 2400000\n1 [C00] b\n")
    result = tool("ttmerge", str(tmp_path / "a.tt"), str(tmp_path / "b.tt"))
    assert result.returncode == 1 and "different clocks" in result.stderr


def test_events__every_line_is_understood() -> None:
    lines = [line for line in events.EVENTS_H.read_text().splitlines()
             if line.startswith("TT_EVENT(")]
    catalog = events.load()
    assert len(lines) == len(catalog.events) > 50
    for event in catalog.events.values():
        assert len(event.fields) <= 4
        assert len(set(event.fields)) == len(event.fields), event.name


def test_events__each_text_finds_its_own_event() -> None:
    catalog = events.load()
    for event in catalog.events.values():
        text = event.text
        want = {}
        for number, field in enumerate(event.fields, 11):
            conversion = re.search(rf"\b{field} (0x%x|%u|%d)", text)[1]
            want[field] = -number if conversion == "%d" else number
            shown = f"{number:#x}" if conversion == "0x%x" else str(want[field])
            text = text.replace(conversion, shown, 1)
        row = trace.frame(textform.parse(["cpu_khz: 1000000", f"5 [C00] {text}"])).iloc[0]
        assert row.event == event.name
        assert row[catalog.field_names()].dropna().to_dict() == want


def test_events__value_without_a_name_is_an_error() -> None:
    with pytest.raises(ValueError):
        events.Event.make("BAD", "value: %u")


def test_frame__has_the_values_of_known_events() -> None:
    table = trace.frame(files.read(str(RAW)))
    sent = table[table.event == "SENDMSG_REQUEST"].iloc[0]
    assert (sent.ns, sent.cpu, sent.id, sent.length) == (5123456789, 3, 4242, 3000)
    assert table[table.event == "SENDMSG_ERROR"].iloc[0].error == -110
    assert table.event.isna().sum() == 1 and len(table) == 8


TEXTS = ["plain", "100% of 12", "id 007 and 0x0 0x00ff", "1 2 3 4 5", "-1 is %d, -0 not",
         "0xA1 10x 18446744073709551615", "h4 RPC ends, id 4 port 5", "0xffffffff 4294967295"]


@pytest.mark.parametrize("text", TEXTS)
def test_texts__come_back_as_they_were(text: str) -> None:
    found = textform.parse(["cpu_khz: 1000000", f"5 [C00] {text}"])
    assert found.texts() == [text]
    assert binform.parse(binform.write(found), "x").texts() == [text]


def test_binary__is_the_same_trace() -> None:
    binary = subprocess.run([ROOT / "tt/bin/ttprint", "--binary", RAW], check=True,
                            capture_output=True, timeout=60).stdout
    result = subprocess.run([ROOT / "tt/bin/ttprint", "-"], input=binary, check=True,
                            capture_output=True, timeout=60)
    assert result.stdout.decode() == (GOLDEN / "ttprint.txt").read_text()


def test_binary__what_a_kernel_of_the_other_byte_order_wrote() -> None:
    found = files.read(str(RAW))
    data = binform.write(found)
    head = binform.HEADER.itemsize
    begin = int.from_bytes(data[24:32], "little")
    swapped = bytearray(data)
    swapped[:head] = binform.np.frombuffer(data, binform.HEADER, 1).byteswap().tobytes()
    swapped[begin:] = binform.np.frombuffer(data, binform.EVENT, -1, begin).byteswap().tobytes()
    assert files.parse(bytes(swapped), "x").texts() == found.texts()


@pytest.mark.parametrize("cut,complaint", [(100, "within its header"), (-32, "shorter than"),
                                           (300, "shorter than")])
def test_binary__a_part_is_refused_in_one_line(cut: int, complaint: str) -> None:
    data = binform.write(files.read(str(RAW)))[:cut]
    result = subprocess.run([ROOT / "tt/bin/ttprint", "-"], input=data, check=False,
                            capture_output=True, timeout=60)
    assert result.returncode == 1 and result.stderr.count(b"\n") == 1
    assert complaint in result.stderr.decode()


def test_ttoffset__moves_all_times() -> None:
    raw = "cpu_khz: 1000000\n1000 [C00] a\n5500 [C01] b\n"
    lines = tool("ttoffset", "0", "-2", stdin=raw).stdout.splitlines()
    assert lines[1].startswith("   -2.000 us") and lines[2].startswith("    2.500 us")
    assert "timestamp 3000 " in lines[0]


SUMMED = "cpu_khz: 1000000\n" + "".join(
    f"{stamp} [C{cpu:02d}] {text}\n" for stamp, cpu, text in
    [(0, 0, "go 1"), (10, 1, "step 7"), (30, 0, "step 8"), (100, 0, "go 2"), (150, 0, "step 9")])


def rows(output: str) -> dict[str, list[float]]:
    """Event -> numbers of a table of ttsum --csv."""
    lines = [line.rsplit(",", 5) for line in output.splitlines()[1:]]
    return {line[0]: [float(value) for value in line[1:]] for line in lines}


def test_ttsum__steps() -> None:
    # step: 10, 20 and 50 after what came before; go: 70
    found = rows(tool("ttsum", "--csv", stdin=SUMMED).stdout)
    assert found == {"step ?": [20, 10, 50, 26.7, 3], "go ?": [70, 70, 70, 70, 1]}
    numbers = rows(tool("ttsum", "--csv", "-n", stdin=SUMMED).stdout)
    assert numbers["step 8"] == [20, 20, 20, 20, 1]


def test_ttsum__cores_are_apart() -> None:
    found = rows(tool("ttsum", "--csv", "-c", stdin=SUMMED).stdout)
    assert found["[C00] step ?"] == [40, 30, 50, 40, 2] and "[C01] step ?" not in found


def test_ttsum__timeline_counts_repetitions() -> None:
    found = rows(tool("ttsum", "--csv", "-a", "-f", "^go", stdin=SUMMED).stdout)
    assert found == {"go ?": [0, 0, 0, 0, 2], "step ?": [30, 10, 50, 30, 2],
                     "step ? (#2)": [30, 30, 30, 30, 1]}
    assert "no record matches" in tool("ttsum", "-f", "nothing", stdin=SUMMED).stderr


def million() -> trace.Trace:
    """A million records of one host, of kinds and numbers as in real traces."""
    np = binform.np
    catalog = list(events.load().events.values())
    wanted = [e for e in catalog if len(e.fields) >= 2][:12]
    random = np.random.default_rng(1)
    count = 1_000_000
    return trace.Trace(5_000_000_000, trace.KHZ, np.cumsum(random.integers(1, 500, count)) * 1.0,
                       random.integers(0, 8, count).astype(np.int32),
                       random.integers(0, len(wanted), count).astype(np.int32),
                       random.integers(0, 1 << 31, (count, 4), dtype=np.uint32),
                       [event.text for event in wanted])


def cpu_seconds(*args: str, stdin: Path, stdout: Path) -> float:
    """CPU time of a tool that reads one file and writes another."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with stdin.open() as source, stdout.open("w") as sink:
        subprocess.run([str(ROOT / "tt/bin" / args[0]), *args[1:]], stdin=source, stdout=sink,
                       check=True, timeout=300)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_speed__of_a_million_records(tmp_path: Path) -> None:
    """CPU time, since the machine may be busy with other things."""
    binary, text, out = tmp_path / "a.ttb", tmp_path / "a.txt", tmp_path / "out"
    binary.write_bytes(binform.write(million()))
    assert cpu_seconds("ttprint", "-", stdin=binary, stdout=text) < 3
    assert cpu_seconds("ttrange", "--binary", "0", "1e9", stdin=binary, stdout=out) < 3
    assert cpu_seconds("ttgrep", "--binary", "DATA", stdin=binary, stdout=out) < 3
    assert cpu_seconds("ttprint", "-", stdin=text, stdout=out) < 20
    assert out.read_bytes() == text.read_bytes()
