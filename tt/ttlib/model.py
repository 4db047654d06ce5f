# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What happened in a cluster, as tables that analyzers work on.

Times are ns since the base of the recording, NaN where nothing was recorded;
lengths are bytes. "Sent" is when a packet was given to IP, "received" when Homa
took it in. Clocks that cannot be right have been set (clocksync.py).

rpcs      one row for each RPC. id (low 32 bits, even), client, server (hosts), port
          (of the server), request, response (lengths), unsched_request and
          unsched_response (bytes sent without grants), rtt (sendmsg to the end of
          recvmsg). Stages, of the client with c_ before them and of the server with
          s_: send (sendmsg begins), copy_in, copied (from the application), xmit,
          last_xmit (first and last packet sent), rcvd (first packet received; NaN if the message
          began before the recording),
          complete (all of the message is here), queued (on the socket's list),
          handoff, found (a thread has it), copy_out, copied_out, done (recvmsg
          returns), end. Numbers of records: c_resends, c_retransmits, c_busys,
          c_drops, c_aborts, c_timeouts, c_grants (received), and the same of s_;
          c_pid, s_pid: the threads that received.
messages  one row for each message, two for each RPC: id, kind (request, response), tx,
          rx (hosts), length, unscheduled; send, copied, xmit, last_xmit at tx; rcvd,
          complete, queued, found, done at rx; grants, resends, retransmits.
packets   one row for each data packet sent: tx, rx, id, offset, length, wire (bytes on
          an Ethernet), frame (offset of the first packet that was given to IP with it),
          sched (it needed a grant), prio (of the grant, else -1), resent (not for the
          first time), xmit, qdisc (given to the queueing discipline), queue (of the device:
          its number), nic (given to the device), nic_done (the device is done with it), gro
          (another device has received it), rcvd, tx_cpu, rx_cpu. From qdisc to gro: only
          with the kernel's records (devices.py).
grants    one row for each grant sent: id, offset, prio, increment (bytes), by (who
          grants), to, sent, rcvd, rx_cpu.
intervals one row for each host and interval of 20 us: host, begin, tx_kb, rx_kb,
          tx_pkts, rx_pkts, live_out (RPCs that its threads began and that have not
          ended), live_in (of other hosts), inflight_kb (sent to it and not yet
          received), outgoing_kb (sent by it and not yet received), granted_kb (granted
          by it and not yet received).
"""
from __future__ import annotations

import hashlib
import os
import pickle
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ttlib import clocksync, devices, files, intervals, packets, rpcs
from ttlib.events import EVENTS_H
from ttlib.recording import Recording
from ttlib.trace import TraceError

VERSION = 1
"""One more whenever tables made by older sources are not what these would make."""


@dataclass
class Tables:
    """A recording and all that was made of it."""
    recording: Recording
    rpcs: pd.DataFrame
    messages: pd.DataFrame
    packets: pd.DataFrame
    grants: pd.DataFrame
    intervals: pd.DataFrame
    gbps: float
    """Speed of the links, as far as the recording shows it."""
    sync: clocksync.Sync | None
    """What the packets say of the clocks; None if too few do."""
    moved: dict[str, float] = field(default_factory=dict)
    """Host -> by how much its times were corrected, in ns; only clocks that were wrong."""

    @property
    def hosts(self) -> list[str]:
        """Names of the hosts."""
        return self.recording.hosts

    def event(self, *names: str) -> pd.DataFrame:
        """The records of some kinds, in order of time."""
        return self.recording.event(*names)


def build(recording: Recording) -> Tables:
    """Make all tables of a recording."""
    moved: dict[str, float] = {}
    try:
        sync = clocksync.sync(recording) if len(recording.hosts) > 1 else None
    except TraceError:
        sync = None
    if sync and sync.wrong():
        moved = {host: -sync.offsets[host] for host in sync.wrong()}
        recording = recording.moved({host: sync.offsets[host] for host in moved})
    sides = rpcs.sides(recording)
    table = rpcs.rpcs(recording, sides)
    data = devices.add_times(packets.data_packets(recording), recording)
    grants = packets.grants(recording)
    gbps = intervals.link_gbps(data)
    return Tables(recording, table, rpcs.messages(table), data, grants,
                  intervals.intervals(recording, table, data, grants), gbps, sync, moved)


def cache_folder() -> Path:
    """Where tables are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "homa-timetrace"


def _digest(contents: dict[str, bytes]) -> str:
    """Tells recordings apart, and the sources that the tables are made with."""
    digest = hashlib.blake2b(f"{VERSION} {pd.__version__}".encode(), digest_size=16)
    sources = [EVENTS_H, *sorted(Path(__file__).parent.glob("*.py"))]
    for name, data in [*contents.items(), *((p.name, p.read_bytes()) for p in sources)]:
        digest.update(f"{name} {len(data)} ".encode())
        digest.update(data)
    return digest.hexdigest()


def load(paths: list[str], cache: bool = True) -> Tables:
    """The tables of the traces in some files, one of each host."""
    contents = files.load_hosts(paths)
    kept = cache_folder() / f"{_digest(contents)}.tables"
    if cache and kept.is_file() and kept.stat().st_uid == os.geteuid():
        try:
            return pickle.loads(kept.read_bytes())
        except (pickle.UnpicklingError, EOFError, AttributeError, ImportError):
            pass        # cut short, or of other versions: made anew
    tables = build(Recording.make({host: files.parse(data, path) for (host, data), path
                                   in zip(contents.items(), paths)}))
    if cache:
        _keep(tables, kept)
    return tables


def _keep(tables: Tables, path: Path) -> None:
    """Keep tables, if there is room; nobody needs to know if there is none."""
    part = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            pickle.dump(tables, file, protocol=5)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
