# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# size: full
# slots: 2
# timeout: 600
"""Captures of what the wire suite sends and receives, in tshark: what it calls malformed is
what a test made wrong, and nothing that the module sent.
"""
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from dissect import ROOT, nano_packets, table, tshark
from test_dissector_odd import is_wrong

pytestmark = pytest.mark.skipif(not shutil.which("tshark"), reason="no tshark (make deps)")

SUITE = sorted(path for path in (ROOT / "test" / "wire").glob("*.c")
               if " * desc: " in path.read_text())
UNDER_TEST = "02:09:00:00:00:01"
MALFORMED = '_ws.expert.group == "Malformed" && (ip.proto == 146 || ipv6.nxt == 146)'


def capture(words: list[str], pcap: Path, *env: str) -> None:
    """Run a test that writes a capture."""
    with open(pcap.with_suffix(".log"), "w") as log:
        subprocess.run([str(ROOT / "cloudlab/bin/lab"), "run", "--no-topology", "--timeout", "300",
                        *env, "--", *words], stdout=log, stderr=log, check=False)
    assert pcap.exists(), pcap.with_suffix(".log").read_text()[-2000:]


def malformed(pcap: Path, condition: str = "frame") -> set[int]:
    """Numbers of the packets that the dissector calls so."""
    return {int(row["frame.number"])
            for row in table(pcap, condition=f"{MALFORMED} && {condition}")}


@pytest.mark.parametrize("test", [path.stem for path in SUITE])
def test_only_what_a_test_made_wrong_is_malformed(tmp_path: Path, test: str) -> None:
    pcap = tmp_path / f"{test}.pcap"
    capture([str(ROOT / "out/bin/test" / test)], pcap, "--env", f"WIRE_PCAP={pcap}")
    found = nano_packets(pcap)
    # Where there is nothing behind an IPv4 header Wireshark asks no dissector.
    wrong = {at for at, frame in found.items() if frame.data and is_wrong(frame)}
    shown = malformed(pcap) & set(found)
    assert found and wrong <= shown
    # Some of hostile's packets are wrong by what was said before.
    assert shown == wrong or test == "hostile"
    assert not malformed(pcap, f"eth.src == {UNDER_TEST}")


def test_no_packet_of_a_conversation_is_malformed(tmp_path: Path) -> None:
    pcap = tmp_path / "conform.pcap"
    capture([str(ROOT / "test/wire/conform"), "--namespaces", "--pcap", str(pcap)], pcap)
    assert not malformed(pcap)
    assert "Malformed" not in tshark(pcap, "-V")
