# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The timetrace tools against known traces, and events.h against its own rules."""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "test" / "golden"
RAW = GOLDEN / "ttprint.raw"
sys.path.insert(0, str(ROOT / "tt"))

from ttlib import events, trace  # noqa: E402


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
            "finally: assert 'pandas' not in sys.modules and 'numpy' not in sys.modules"
            % str(ROOT / "tt" / "bin" / "ttprint"))
    result = subprocess.run([sys.executable, "-c", code, str(RAW)], timeout=60,
                            capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("name", ["ttprint", "ttgrep", "ttrange", "ttmerge"])
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
        assert catalog.match(text) == (event.name, want)


def test_events__value_without_a_name_is_an_error() -> None:
    with pytest.raises(ValueError):
        events.Event.make("BAD", "value: %u")


def test_frame__has_the_values_of_known_events() -> None:
    table = trace.frame(trace.read(str(RAW)))
    sent = table[table.event == "SENDMSG_REQUEST"].iloc[0]
    assert (sent.ns, sent.cpu, sent.id, sent.length) == (5123456789, 3, 4242, 3000)
    assert table[table.event == "SENDMSG_ERROR"].iloc[0].error == -110
    assert table.event.isna().sum() == 1 and len(table) == 8
