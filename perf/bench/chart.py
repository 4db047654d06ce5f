# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The picture that `bench` leaves beside its figures: what an RPC of each size costs."""

from __future__ import annotations

from pathlib import Path

import costs
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from clusterlib.units import size_label  # noqa: E402

STYLE = Path(__file__).resolve().parents[1] / "plot" / "style.mplstyle"
COLORS = {"homa": "C0", "tcp": "C1", "udp": "C2"}


def lines(found: list[costs.Cost], link: str) -> dict[str, list[tuple[int, float]]]:
    """Return for each protocol of a link its sizes and medians, of one RPC at a time."""
    here = sorted((cost.protocol, cost.size, cost.p50) for cost in found
                  if cost.link == link and cost.outstanding == 1)
    return {name: [(size, p50) for protocol, size, p50 in here if protocol == name]
            for name in costs.PROTOCOLS if any(name == protocol for protocol, _, _ in here)}


def draw(found: list[costs.Cost], title: str, path: Path) -> bool:
    """Save the picture; False if there is nothing that it shows."""
    links = [link for link in costs.LINKS if lines(found, link)]
    if not links:
        return False
    with plt.style.context(STYLE):
        figure, row = plt.subplots(1, len(links), figsize=(1 + 4 * len(links), 4.5),
                                   sharey=True, squeeze=False)
        for axes, link in zip(row[0], links):
            for name, points in lines(found, link).items():
                sizes, medians = zip(*points)
                axes.plot(sizes, medians, marker="o", color=COLORS[name], label=name)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xticks(costs.SIZES, map(size_label, costs.SIZES), rotation=45)
            axes.minorticks_off()
            axes.set_title(link)
            axes.set_xlabel("Request and response (bytes)")
            axes.legend(loc="upper left")
        row[0][0].set_ylabel("Instructions an RPC (median)")
        figure.suptitle(title, fontsize=11)
        figure.savefig(path)
        plt.close(figure)
    return True
