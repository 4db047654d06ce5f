# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Message-size distributions, as the load generator samples them.

A file util/workloads/NAME.cdf has a `size cumulative-fraction` pair a line.  Before use a table
is thinned: a point stays if it adds at least MIN_FRACTION of the messages, or if the next size
would be more than MAX_RATIO times the last kept one; the mass of a dropped point moves up.
"""

from dataclasses import dataclass
from pathlib import Path

from .errors import ClusterError

MAX_MESSAGE = 1_000_000         # Homa's longest
MAX_STREAM = 32 << 20           # cp_node's longest over TCP (--no-trunc)
MIN_FRACTION = 0.0025
MAX_RATIO = 1.2


@dataclass(frozen=True)
class Workload:
    """A step CDF: `points` holds (size, fraction of messages of at most that size)."""

    name: str
    points: tuple

    def weights(self):
        """Yield (size, fraction of the messages that have it)."""
        before = 0.0
        for size, cumulative in self.points:
            yield size, cumulative - before
            before = cumulative

    @property
    def mean(self) -> float:
        """Mean message size in bytes."""
        return sum(size * weight for size, weight in self.weights())

    @property
    def sizes(self) -> list:
        """All sizes, ascending."""
        return [size for size, _ in self.points]


def thin(points: list, longest: int = MAX_MESSAGE) -> tuple:
    """The points that the load generator keeps of a table."""
    kept, last_size, last_fraction = [], 0, 0.0
    for i, (size, fraction) in enumerate(points):
        if size >= longest or i == len(points) - 1:
            kept.append((min(size, longest), 1.0))
            break
        if fraction - last_fraction >= MIN_FRACTION or MAX_RATIO * last_size < points[i + 1][0]:
            kept.append((size, fraction))
            last_size, last_fraction = size, fraction
    return tuple(kept)


def parse_cdf(text: str, name: str, longest: int = MAX_MESSAGE) -> Workload:
    """A workload from the text of a .cdf file."""
    points = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split("#")[0].split()
        if not fields:
            continue
        try:
            size, fraction = int(fields[0]), float(fields[1])
        except (ValueError, IndexError):
            raise ClusterError(f"{name}: line {number} is not 'size fraction'") from None
        if size > 0:
            points.append((size, fraction))
    if not points:
        raise ClusterError(f"{name}: no points")
    return Workload(name, thin(points, longest))


def load_workload(name: str, folder: Path, longest: int = MAX_MESSAGE) -> Workload:
    """Workload `name`: a file of `folder`, the path of a .cdf file, or a fixed size in bytes.

    Longer messages than `longest` become as long as that.
    """
    if name.isdigit():
        if not 1 <= int(name) <= longest:
            raise ClusterError(f"message size {name} is not in 1..{longest}", 2)
        return Workload(name, ((int(name), 1.0),))
    path = Path(name) if name.endswith(".cdf") else folder / f"{name}.cdf"
    if not path.is_file():
        known = " ".join(sorted(p.stem for p in folder.glob("*.cdf")))
        raise ClusterError(f"unknown workload '{name}': use a size in bytes, FILE.cdf or one of: "
                           f"{known}", 2)
    try:
        return parse_cdf(path.read_text(encoding="utf-8"), path.stem, longest)
    except (OSError, UnicodeDecodeError) as error:
        raise ClusterError(f"{path}: {getattr(error, 'strerror', error)}", 2) from None
