#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Plant faults in 8 hosts that run W4 at 80% load, and keep what the hosts recorded.

    lab run --hosts 8 -- test/lib/plant_faults.py --draws 1 --clean 1 DIR [KIND ...]

Every fault is real, at a random host, time and size: arriving packets are held up, grants
are dropped, a switch port loses its priorities, an application is stopped, and others
send through a host's device. DIR/plan.json says which recording has which fault.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]

HOSTS = [f"h{i}" for i in range(1, 9)]
GBPS = 9.24929          # requests of a host; with responses and headers 80% of 25 Gb/s
WINDOW_US = 4000
RECOVERY_US = 4000
RING = 65536
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def tc(namespace: str, *lines: str) -> None:
    """Carry out lines of tc in a namespace."""
    subprocess.run(["tc", "-n", namespace, "-batch", "-"], input="\n".join(lines) + "\n",
                   text=True, check=True)


def nap_us(us: float) -> None:
    time.sleep(us / 1e6)


def udp_socket(host: str) -> socket.socket:
    """A socket of another namespace."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{host}", os.O_RDONLY)
    assert LIBC.setns(there, CLONE_NEWNET) == 0
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, 32, 8 << 20)        # SO_SNDBUFFORCE
    assert LIBC.setns(own, CLONE_NEWNET) == 0
    os.close(own)
    os.close(there)
    return made


class Cluster:
    """Eight hosts under load."""

    def __init__(self, seconds: float, seed: int) -> None:
        Path("/sys/module/homa/parameters/timetrace_events").write_text(str(RING))
        self.nodes = {host: subprocess.Popen(
            ["ip", "netns", "exec", host, str(TOP / "out/bin/cp_node")], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) for host in HOSTS}
        self.udp = {host: udp_socket(host) for host in HOSTS}
        self.order({host: "server --protocol homa --ports 3 --port-threads 3" for host in HOSTS})
        nap_us(50_000)
        self.order({host: self.client(i, seconds, seed) for i, host in enumerate(HOSTS, 1)})

    @staticmethod
    def client(number: int, seconds: float, seed: int) -> str:
        others = ",".join(f"10.0.0.{i}" for i in range(1, 9) if i != number)
        return ("client --protocol homa --workload w4 --client-max 5000 --ports 3"
                f" --port-receivers 3 --server-ports 3 --servers {others} --gbps {GBPS}"
                f" --seed {seed} --host-id {number} --seconds {seconds:.6f} --drain 1")

    def order(self, commands: dict[str, str]) -> None:
        for host, command in commands.items():
            self.nodes[host].stdin.write(command + "\n")
            self.nodes[host].stdin.flush()

    def trace_file(self, host: str) -> Path:
        return Path(f"/proc/{self.nodes[host].pid}/net/timetrace_bin")

    def forget(self) -> None:
        """Empty all rings."""
        for host in HOSTS:
            self.trace_file(host).open("rb").close()

    def record(self, folder: Path) -> None:
        """Write what all hosts recorded into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        opened = {host: self.trace_file(host).open("rb") for host in HOSTS}
        for host, file in opened.items():
            (folder / f"{host}.ttb").write_bytes(file.read())
            file.close()

    def stop(self) -> None:
        for node in self.nodes.values():
            node.kill()
            node.wait()


def plant_nothing(cluster: Cluster, host: str, rng: random.Random) -> None:
    nap_us(WINDOW_US)


def plant_stall(cluster: Cluster, host: str, rng: random.Random) -> None:
    """Hold up all that arrives at a host for 2 ms."""
    tc(host, "qdisc add dev ifb0 root handle 1: tbf rate 1000gbit burst 100m limit 100m")
    tc(host, "filter add dev e0 parent ffff: protocol all prio 1 matchall"
       " action mirred egress redirect dev ifb0")
    nap_us(rng.uniform(300, 1200))
    tc(host, "qdisc change dev ifb0 root handle 1: tbf rate 8kbit burst 1600 limit 100m")
    nap_us(2000)
    tc(host, "qdisc change dev ifb0 root handle 1: tbf rate 1000gbit burst 100m limit 100m")
    nap_us(WINDOW_US - 3200)


def lift_stall(host: str) -> None:
    tc(host, "filter del dev e0 parent ffff:", "qdisc del dev ifb0 root")


def plant_grant(cluster: Cluster, host: str, rng: random.Random) -> None:
    """Drop the grants that a host gives in some microseconds, at least one."""
    port = f"p{host[1:]}"
    nap_us(rng.uniform(300, 2500))
    tc("sw", f"qdisc add dev {port} handle ffff: ingress",
       f"filter add dev {port} parent ffff: protocol ip prio 1 u32 match ip protocol 146 0xff"
       " match u8 0x11 0xff at 31 action drop")
    for _ in range(100):
        nap_us(rng.uniform(5, 15))
        said = subprocess.run(["tc", "-n", "sw", "-s", "filter", "show", "dev", port, "parent",
                               "ffff:"], capture_output=True, text=True, check=True).stdout
        if "dropped 0," not in said:
            break
    tc("sw", f"qdisc del dev {port} ingress")
    nap_us(1000)


def plant_port(cluster: Cluster, host: str, rng: random.Random) -> None:
    """Take a switch port's priorities away: all is of the lowest."""
    port = f"p{host[1:]}"
    nap_us(rng.uniform(0, 1500))
    tc("sw", f"filter del dev {port} parent 10: protocol ip prio 1")
    nap_us(WINDOW_US - 1500)


def lift_port(host: str) -> None:
    for band in range(1, 8):
        tc("sw", f"filter add dev p{host[1:]} parent 10: protocol ip prio 1 u32 match ip dsfield"
           f" {(8 - band) << 5:#x} 0xe0 flowid 10:{band}")


def plant_thread(cluster: Cluster, host: str, rng: random.Random) -> None:
    """Stop an application for a while."""
    nap_us(rng.uniform(300, 1500))
    cluster.nodes[host].send_signal(signal.SIGSTOP)
    nap_us(rng.uniform(600, 2000))
    cluster.nodes[host].send_signal(signal.SIGCONT)
    nap_us(500)


def plant_queue(cluster: Cluster, host: str, rng: random.Random) -> None:
    """Have others give 500 kB to a host's device at once."""
    nap_us(rng.uniform(300, 3000))
    target = rng.choice([i for i in range(1, 9) if f"h{i}" != host])
    for _ in range(int(500_000 * rng.uniform(1, 1.5) / 1500)):
        cluster.udp[host].sendto(bytes(1472), (f"10.0.0.{target}", 9))
    nap_us(800)


PLANTS = {"stall": (plant_stall, lift_stall), "grant": (plant_grant, None),
          "port": (plant_port, lift_port), "thread": (plant_thread, None),
          "queue": (plant_queue, None)}


def draw(cluster: Cluster, kind: str, rng: random.Random, folder: Path) -> dict[str, str]:
    """Plant one fault and record."""
    host = rng.choice(HOSTS)
    plant, lift = PLANTS.get(kind, (plant_nothing, None))
    cluster.forget()
    plant(cluster, host, rng)
    cluster.record(folder)
    if lift:
        lift(host)
    print(f"{folder.name}: {kind} at {host}", flush=True)
    nap_us(RECOVERY_US)
    return {"kind": kind, "host": host, "folder": folder.name}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1, help="of each fault")
    parser.add_argument("--clean", type=int, default=1, help="recordings without a fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("folder", type=Path, help="new folder for the recordings")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {' '.join(PLANTS)}")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    wanted = [(kind, n) for n in range(args.draws) for kind in args.kinds or PLANTS]
    wanted += [("none", n) for n in range(args.clean)]
    for host in HOSTS:
        subprocess.run(["ip", "-n", host, "link", "add", "ifb0", "up", "type", "ifb"], check=True)
        tc(host, "qdisc add dev e0 handle ffff: ingress")
    cluster = Cluster((len(wanted) + 3) * (WINDOW_US + RECOVERY_US + 1000) / 1e6, args.seed)
    nap_us(6000)
    plan = [draw(cluster, kind, rng, args.folder / f"{kind}{n}") for kind, n in wanted]
    cluster.stop()
    (args.folder / "plan.json").write_text(json.dumps(plan))
    return 0


if __name__ == "__main__":
    sys.exit(main())
