# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Configurations of switches, as text: DSCP is trusted, 8 classes are strict, ECN marks for DCTCP.

Homa sends priority p with class selector p (DSCP 8 p). A switch that obeys it serves class 7
first. Marks are for classes 0 and 1, where TCP is.
"""

import json
import re

from .errors import ClusterError

CLASSES = 8
MTU = 9216
MARKED = (0, 1)


def ports_of(text: str) -> range:
    """The ports of FIRST-LAST."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    if not match or int(match[2] or match[1]) < int(match[1]):
        raise ClusterError(f"--ports {text}: write FIRST-LAST", 2)
    return range(int(match[1]), int(match[2] or match[1]) + 1)


def mlnx_os(ports: range, ecn: int, buffer: int, undo: bool) -> str:
    """NVIDIA (Mellanox) MLNX-OS and Onyx; the pool of all that waits to leave is limited."""
    lines = ["enable", "configure terminal"]
    if buffer:
        lines += ["no pool ePool0", "no advanced buffer management"] if undo else [
            "advanced buffer management force",
            f"pool ePool0 direction egress size {buffer}K type dynamic"]
    for port in ports:
        to = f"interface ethernet 1/{port}"
        if undo:
            lines += [f"no {to} qos trust", f"no {to} mtu"]
            lines += [f"no {to} traffic-class {c} dcb ets" for c in range(CLASSES)]
            lines += [f"no {to} traffic-class {c} congestion-control" for c in MARKED]
            continue
        lines += [f"{to} shutdown", f"{to} mtu {MTU} force", f"no {to} shutdown",
                  f"{to} qos trust both"]
        lines += [f"{to} traffic-class {c} dcb ets strict" for c in range(CLASSES)]
        if ecn:
            lines += [f"{to} traffic-class {c} congestion-control ecn minimum-absolute {ecn}"
                      f" maximum-absolute {ecn}" for c in MARKED]
    return "\n".join([*lines, "exit", ""])


def os10(ports: range, ecn: int, buffer: int, undo: bool) -> str:
    """Dell OS10; each queue is limited."""
    span = f"interface range ethernet 1/1/{ports[0]}-1/1/{ports[-1]}"
    if undo:
        lines = ["configure terminal", span, " no mtu", " no trust-map dscp",
                 " no qos-map traffic-class", " no service-policy output type queuing homa-strict",
                 " exit", "no policy-map type queuing homa-strict"]
        lines += [f"no class-map type queuing homa-{c}" for c in range(CLASSES)]
        return "\n".join([*lines, "no qos-map traffic-class homa-queues", "no trust dscp-map homa",
                          "no wred homa-ecn", "end", ""])
    lines = ["configure terminal", "trust dscp-map homa"]
    lines += [f" qos-group {c} dscp {8 * c}-{8 * c + 7}" for c in range(CLASSES)]
    lines += [" exit", "qos-map traffic-class homa-queues"]
    lines += [f" queue {c} qos-group {c}" for c in range(CLASSES)] + [" exit"]
    if ecn:
        lines += ["wred homa-ecn", f" random-detect color green minimum-threshold {ecn}"
                  f" maximum-threshold {ecn} drop-probability 100", " random-detect ecn", " exit"]
    for c in range(CLASSES):
        lines += [f"class-map type queuing homa-{c}", f" match queue {c}", " exit"]
    lines.append("policy-map type queuing homa-strict")
    for c in range(CLASSES):
        lines += [f" class homa-{c}", "  priority"]
        lines += ["  random-detect homa-ecn"] if ecn and c in MARKED else []
        lines += [f"  queue-limit thresh-mode static {buffer}"] if buffer else []
        lines.append("  exit")
    lines += [" exit", span, f" mtu {MTU}", " trust-map dscp homa",
              " qos-map traffic-class homa-queues",
              " service-policy output type queuing homa-strict", "end", ""]
    return "\n".join(lines)


def sonic(ports: range, ecn: int, buffer: int, undo: bool) -> str:
    """SONiC: a file for `config load`; ports are Ethernet0, 4, 8, ... as most boxes have them.

    The pool of all that waits to leave is limited.
    """
    names = [f"Ethernet{4 * port}" for port in ports]
    if undo:
        lines = [f"sudo config interface mtu {name} 9100" for name in names]
        return "\n".join([*lines, "sudo config qos clear", "sudo config qos reload", ""])
    tables: dict = {
        "DSCP_TO_TC_MAP": {"homa": {str(d): str(d // 8) for d in range(64)}},
        "TC_TO_QUEUE_MAP": {"homa": {str(c): str(c) for c in range(CLASSES)}},
        "SCHEDULER": {"homa_strict": {"type": "STRICT"}},
        "PORT": {name: {"mtu": str(MTU)} for name in names},
        "PORT_QOS_MAP": {name: {"dscp_to_tc_map": "homa", "tc_to_queue_map": "homa"}
                         for name in names},
        "QUEUE": {f"{name}|{c}": {"scheduler": "homa_strict"}
                  for name in names for c in range(CLASSES)},
    }
    if ecn:
        limit = str(ecn * 1000)
        tables["WRED_PROFILE"] = {"homa_ecn": {
            "ecn": "ecn_green", "wred_green_enable": "true", "green_min_threshold": limit,
            "green_max_threshold": limit, "green_drop_probability": "100"}}
        for name in names:
            for c in MARKED:
                tables["QUEUE"][f"{name}|{c}"]["wred_profile"] = "homa_ecn"
    if buffer:
        tables["BUFFER_POOL"] = {"egress_lossy_pool": {"type": "egress", "mode": "dynamic",
                                                       "size": str(buffer * 1000)}}
    return json.dumps(tables, indent=2) + "\n"


WRITERS = {"mlnx-os": mlnx_os, "os10": os10, "sonic": sonic}
SYSTEMS = tuple(WRITERS)


def text(system: str, ports: str, ecn: int, buffer: int, undo: bool) -> str:
    """The configuration of some ports, or what takes it back; kB, 0: as they are."""
    if min(ecn, buffer) < 0:
        raise ClusterError("--ecn and --buffer are 0 or more kB", 2)
    return WRITERS[system](ports_of(ports), ecn, buffer, undo)
