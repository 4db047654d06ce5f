# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""A host's settings, as declared state: what each should be, what it is, how to change it.

Needs nothing but Python, so that it also runs where only `cperf install` has been. What a
setting was before it was first changed is in the state file; `restore` puts it back.
"""

import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

STATE = "/var/lib/homa/config.json"
SMALL_NIC_RING = {"ice": 1024}          # driver: slots of a send ring that are enough
# Link speed in Mb/s from which on: unsched_bytes, max_incoming.
BY_SPEED = ((100_000, 60_000, 1_600_000), (25_000, 60_000, 480_000), (0, 30_000, 400_000))
COALESCING = {"adaptive-rx": "off", "rx-usecs": "0", "rx-frames": "1", "adaptive-tx": "off",
              "tx-usecs": "5"}
LABELS = {"adaptive-rx": r"Adaptive RX: (\w+)", "adaptive-tx": r"TX: (\w+)",
          "rx-usecs": r"^rx-usecs:\s*(\S+)", "rx-frames": r"^rx-frames:\s*(\S+)",
          "tx-usecs": r"^tx-usecs:\s*(\S+)"}


class ConfigError(Exception):
    """What went wrong, in one line."""


@dataclass
class System:
    """This machine, or one that a test has made up below a folder."""

    root: Path = Path("/")

    def path(self, name: str) -> Path:
        """A file of the machine."""
        return self.root / name.lstrip("/")

    def read(self, name: str) -> str | None:
        """A file's text without the last newline; None if it cannot be read."""
        try:
            return self.path(name).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def write(self, name: str, text: str) -> None:
        """Write a file of the kernel's."""
        try:
            self.path(name).write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{name}: {error.strerror}") from None

    def glob(self, pattern: str) -> list:
        """Names of files that match, sorted as numbers are."""
        found = [f"/{p.relative_to(self.root)}" for p in self.root.glob(pattern.lstrip("/"))]
        return sorted(found, key=lambda n: [int(p) if p.isdigit() else p
                                            for p in re.split(r"(\d+)", n)])

    def run(self, *words: str) -> str | None:
        """A command's output; None if it fails or is not there."""
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  check=False, timeout=30)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 else None

    @property
    def cpus(self) -> int:
        """Processors."""
        return len(self.glob("/sys/devices/system/cpu/cpu[0-9]*")) or os.cpu_count() or 1


@dataclass(frozen=True)
class Setting:
    """One setting: a file of the kernel's, or what a tool reads and sets."""

    group: str
    name: str
    want: str
    file: str = ""
    read: tuple = ()                # words of a command that shows it
    pattern: str = ""               # where in that, or in the file, the value is
    change: tuple = ()              # words of a command that sets it; {} stands for the value

    def now(self, system: System) -> str | None:
        """What it is; None if this machine does not have it."""
        text = system.read(self.file) if self.file else system.run(*self.read)
        if text is None or not self.pattern:
            return text
        match = re.search(self.pattern, text, re.M)
        return match[1] if match else None

    def set(self, system: System, value: str) -> None:
        """Make it so."""
        if self.file:
            system.write(self.file, value)
        elif system.run(*(word.format(value) for word in self.change)) is None:
            raise ConfigError(f"{self.name}: cannot be set to {value}: "
                              + " ".join(self.change).format(value))


@dataclass(frozen=True)
class Wishes:
    """What a user can want different."""

    device: str = ""
    mtu: int = 0
    hugepages: int = 0              # of 2 MB
    idle_usecs: int = -1            # no deeper sleep than that; -1: leave them, for turbo's sake
    priorities: int = 8
    groups: tuple = field(default_factory=tuple)


def speed(system: System, device: str) -> int:
    """Mb/s of a link; 0 if the kernel does not say."""
    text = system.read(f"/sys/class/net/{device}/speed") or ""
    return int(text) if text.isdigit() else 0


def driver(system: System, device: str) -> str:
    """The driver of a device."""
    text = system.run("ethtool", "-i", device) or ""
    match = re.search(r"^driver: (\S+)", text, re.M)
    return match[1] if match else ""


def nic(system: System, device: str) -> list:
    """Interrupts at once, one packet each; a small send ring where the card holds on to packets."""
    found = [Setting("nic", f"{device} {name}", value, read=("ethtool", "-c", device),
                     pattern=LABELS[name], change=("ethtool", "-C", device, name, "{}"))
             for name, value in COALESCING.items()]
    ring = SMALL_NIC_RING.get(driver(system, device))
    if ring:
        found.append(Setting("nic", f"{device} tx ring", str(ring), read=("ethtool", "-g", device),
                             pattern=r"(?s)Current.*?^TX:\s*(\d+)",
                             change=("ethtool", "-G", device, "tx", "{}")))
    return found


def power(system: System, idle_usecs: int) -> list:
    """All cores at full speed; deep sleep off only if that is wanted."""
    found = [Setting("power", f"{name.split('/')[5]} governor", "performance", file=name)
             for name in system.glob("/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor")]
    if idle_usecs >= 0:
        for name in system.glob("/sys/devices/system/cpu/cpu*/cpuidle/state*/latency"):
            deep = int(system.read(name) or 0) > idle_usecs
            parts = name.split("/")
            found.append(Setting("power", f"{parts[5]} {parts[7]} off", str(int(deep)),
                                 file=name.replace("latency", "disable")))
    return found


def mask(cpus: int) -> str:
    """All processors, as the kernel writes them: 32 a word."""
    words = [f"{min((1 << min(cpus - at, 32)) - 1, 0xffffffff):08x}" for at in range(0, cpus, 32)]
    words[-1] = words[-1].lstrip("0")
    return ",".join(reversed(words))


def rps(system: System, device: str) -> list:
    """Packets are spread over all cores, and go where their receiver runs."""
    found = [Setting("rps", "rps_sock_flow_entries", "32768",
                     file="/proc/sys/net/core/rps_sock_flow_entries")]
    for name in system.glob(f"/sys/class/net/{device}/queues/rx-*"):
        queue = f"{device} {name.rsplit('/', 1)[1]}"
        found += [Setting("rps", f"{queue} flows", "2048", file=f"{name}/rps_flow_cnt"),
                  Setting("rps", f"{queue} cores", mask(system.cpus), file=f"{name}/rps_cpus")]
    return found


def irq(system: System, device: str) -> list:
    """The device's interrupts, one core each, in turn."""
    numbers = [Path(n).name for n in system.glob(f"/sys/class/net/{device}/device/msi_irqs/*")]
    return [Setting("irq", f"{device} irq {number}", str(i % system.cpus),
                    file=f"/proc/irq/{number}/smp_affinity_list")
            for i, number in enumerate(numbers)]


def memory(pages: int) -> list:
    """Large pages for receive regions."""
    found = [Setting("memory", "transparent hugepages", "madvise", pattern=r"\[(\w+)\]",
                     file="/sys/kernel/mm/transparent_hugepage/enabled")]
    if pages:
        found.append(Setting("memory", "2 MB hugepages", str(pages),
                             file="/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"))
    return found


def homa(system: System, device: str, priorities: int) -> list:
    """Homa's settings by the speed of the link."""
    rate = speed(system, device)
    unsched, incoming = next((u, i) for least, u, i in BY_SPEED if rate >= least)
    values = {"num_priorities": priorities, "link_mbps": rate, "unsched_bytes": unsched,
              "max_incoming": incoming, "max_nic_est_backlog_usecs": 5,
              "hijack_tcp": int(driver(system, device) == "ice")}
    return [Setting("homa", name, str(value), file=f"/proc/sys/net/homa/{name}")
            for name, value in values.items()]


def link(device: str, mtu: int) -> list:
    """The MTU."""
    if not mtu:
        return []
    return [Setting("mtu", f"{device} mtu", str(mtu), file=f"/sys/class/net/{device}/mtu")]


def settings(system: System, wishes: Wishes) -> list:
    """Everything that is declared for a host; some of it this machine may not have."""
    found = power(system, wishes.idle_usecs) + memory(wishes.hugepages)
    device = wishes.device
    if device:
        if not system.path(f"/sys/class/net/{device}").exists():
            raise ConfigError(f"there is no network device '{device}'")
        found += nic(system, device) + rps(system, device) + irq(system, device)
        found += link(device, wishes.mtu) + homa(system, device, wishes.priorities)
    groups = {s.group for s in found} | {"nic", "rps", "irq", "mtu", "homa"}
    unknown = set(wishes.groups) - groups
    if unknown:
        raise ConfigError(f"no group '{min(unknown)}'; groups: {' '.join(sorted(groups))}")
    return [s for s in found if not wishes.groups or s.group in wishes.groups]


def rows(system: System, declared: list) -> list:
    """(setting, value now) of all that this machine has."""
    found = [(s, s.now(system)) for s in declared]
    return [(s, now) for s, now in found if now is not None]


def _saved(state: Path) -> dict:
    try:
        return json.loads(state.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{state}: {error}") from None


def _save(state: Path, saved: dict) -> None:
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        fresh = state.with_suffix(".new")
        fresh.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")
        fresh.replace(state)
    except OSError as error:
        raise ConfigError(f"{state}: {error.strerror}") from None


def apply(system: System, declared: list, state: Path) -> tuple:
    """Make everything as it is declared; (lines about changes, lines about what failed)."""
    saved, changed, failed = _saved(state), [], []
    for setting, now in rows(system, declared):
        if now == setting.want:
            continue
        # Before the change: it must be known what was, should we not get any further.
        saved.setdefault(setting.name, {"was": now, "file": setting.file,
                                        "change": list(setting.change)})
        _save(state, saved)
        try:
            setting.set(system, setting.want)
            changed.append(f"{setting.name}: {now} -> {setting.want}")
        except ConfigError as error:
            failed.append(str(error))
    return changed, failed


def restore(system: System, state: Path) -> tuple:
    """Put everything back that was changed; (lines about changes, lines about what failed)."""
    saved, changed, failed = _saved(state), [], []
    for name, entry in list(saved.items()):
        setting = Setting("", name, entry["was"], entry["file"], change=tuple(entry["change"]))
        try:
            setting.set(system, entry["was"])
            changed.append(f"{name}: {entry['was']} again")
            del saved[name]
        except ConfigError as error:
            failed.append(str(error))
    if saved:
        _save(state, saved)
    else:
        state.unlink(missing_ok=True)
    return changed, failed
