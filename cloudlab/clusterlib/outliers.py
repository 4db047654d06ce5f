# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Hosts that differ from the others of a run: a slow machine, a bad cable, a full port.

All hosts that send do the same, so their figures differ by chance alone. A host is told apart if its
figure is far from the median of the hosts, farther than chance explains, and much farther than
the others are from it: queues last, so under a high load RPCs of a host have much in common.
"""

import numpy as np
import pandas as pd

SLOWER = 1.2                    # times the median host's slowdown, or that much less
SURE = 4                        # standard errors; and times the usual distance of a host
NORMAL = 1.4826                 # standard deviations in a median distance
LEAST_RPCS = 50                 # of a host, before its slowdown says something
RESENT, LEAST_RESENT = 3, 50    # times the median host's packets sent again; packets
LEAST_HOSTS = 3
# What a protocol calls packets that a host sent again.
AGAIN = {"homa": "resent_packets", "tcp": "Tcp.RetransSegs", "dctcp": "Tcp.RetransSegs"}


def slowdowns(done: pd.DataFrame, by: str) -> dict:
    """{host: times the median host's slowdown} of those that differ, by "host" or by "server".

    Means are of logarithms, for one slow message in a thousand is no slow host.
    """
    logs = np.log(done.slowdown)
    groups = logs.groupby(done[by])
    table = pd.DataFrame({"mean": groups.mean(), "n": groups.size(), "std": groups.std()})
    table = table[table.n >= LEAST_RPCS]
    if len(table) < LEAST_HOSTS:
        return {}
    apart = table["mean"] - table["mean"].median()
    chance = np.maximum(table["std"] / np.sqrt(table.n), NORMAL * apart.abs().median())
    odd = apart.abs() > np.maximum(SURE * chance, np.log(SLOWER))
    return {host: float(np.exp(apart[host])) for host in table.index[odd]}


def resent(metrics: pd.DataFrame, name: str, hosts: set) -> dict:
    """{host: (packets, median of the hosts)} of those that sent far more of them again."""
    part = metrics[metrics.metric == name].set_index("host").delta
    part = part[[host for host in part.index if int(host[1:]) in hosts]]
    if len(part) < LEAST_HOSTS:
        return {}
    usual = float(part.median())
    most = RESENT * usual + SURE * np.sqrt(usual)
    return {int(host[1:]): (int(count), usual) for host, count in part.items()
            if count > most and count >= LEAST_RESENT}


def find(name: str, done: pd.DataFrame, metrics: pd.DataFrame) -> list:
    """Sentences about the hosts of a protocol's run that differ from the others."""
    found = []
    for by, did in (("host", "began"), ("server", "served")):
        for host, times in slowdowns(done, by).items():
            how = f"{times:.2g} times" if times > 1 else f"only {times:.2g} times"
            found.append(f"{name}: host {host}: RPCs that it {did} took {how} as long, over their "
                         "idle time, as those of the median host")
    for host, (count, usual) in resent(metrics, AGAIN[name], set(done.host)).items():
        found.append(f"{name}: host {host} sent {count:,} packets again, the median host "
                     f"{usual:,.0f}")
    return found
