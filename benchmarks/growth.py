"""How the cost of training grows: with members, rows, width and depth; and what share of the machine's arithmetic it reaches.

    python -m benchmarks.growth [--rounds 3] [--out growth.json] [name ...]

All points of one axis are measured by turns in one run, and with them the best float32 matrix product on the same cores, which
is what the share is of. The first run, with the compiling of its program, is not counted; it has a column of its own, and so
has the most memory that the process ever held, the libraries' own included.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measuring import Measured, Way, alone, by_turns, print_table, products, rate_of, write_json
from benchmarks.work import Work

OURS = "benchmarks.ours:train"
ROUNDS = 3  # chosen: the growth over orders of magnitude needs no more


class Axis(NamedTuple):
    """One thing that grows, with everything else fixed: the values and the work at each of them."""

    what: str
    cores: int
    points: tuple[tuple[int, Work], ...]


def _small(members: int) -> Work:
    return Work((32, 32), batch=32, networks=members, epochs=max(2, 64 // members))


def _large(members: int) -> Work:
    return Work((256, 256, 256), inputs=20, outputs=1, steps=25, networks=members, epochs=max(1, 16 // members))


def _wide(width: int) -> Work:
    return Work((width, width), steps=20, epochs=max(1, min(100, 1024 // width)))


AXES = {
    "members": Axis("members 32-32-32-2, batch 32", 2, tuple((n, _small(n)) for n in (1, 4, 16, 64, 256))),
    "large_members": Axis("members 20-256-256-256-1, batch 256", 2, tuple((n, _large(n)) for n in (1, 2, 8, 32))),
    "rows": Axis(
        "rows, one network 32-128-128-2, batch 256",
        1,
        tuple((256 * s, Work((128, 128), steps=s, epochs=max(1, 2000 // s))) for s in (4, 40, 400, 4000)),
    ),
    "width": Axis("width of two layers, 32 inputs, batch 256", 1, tuple((w, _wide(w)) for w in (16, 64, 256, 1024))),
    "depth": Axis(
        "layers of 128 units, 32 inputs, batch 256",
        1,
        tuple((depth, Work((128,) * depth, epochs=max(2, 12 // depth))) for depth in (1, 2, 4, 8, 16)),
    ),
}  # values from the goals of the engine; epochs chosen so that a run takes about half a second


class Point(NamedTuple):
    """What one value of an axis came to; ``share`` is that of the FLOP/s of the best matrix product on the same cores."""

    value: int
    measured: Measured
    limit: float

    @property
    def rate(self) -> float:
        """FLOP/s of the matrix products in training."""
        work = self.measured.way.work
        return work.flops_per_step() * work.network_steps / self.measured.median

    @property
    def share(self) -> float:
        return self.rate / self.limit

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "flops_per_second": self.rate, "share": self.share, **self.measured.to_json()}


def measure(axis: Axis, rounds: int) -> list[Point]:
    """All points of the axis by turns."""
    ways = [Way(str(value), OURS, work, alone("", "", work, axis.cores).processes) for value, work in axis.points]
    measured = by_turns([*ways, *products(axis.cores)], rounds)
    limit = max(map(rate_of, measured[len(ways) :]))
    return [Point(value, one, limit) for (value, _), one in zip(axis.points, measured, strict=False)]


HEADER = ("command", "what grows", "value", "cores", "us per network-step (spread)", "GFLOP/s", "share", "first run", "memory")


def lines(name: str, points: Sequence[Point]) -> list[list[str]]:
    found = []
    for point in points:
        one = point.measured
        scale = 1e6 / one.way.work.network_steps
        times = f"{one.per_step:.1f} ({min(one.seconds) * scale:.1f} to {max(one.seconds) * scale:.1f})"
        memory = f"{max(figures['peak_bytes'] for figures in one.figures) / 1e9:.2f} GB"
        what = [f"`{name}`", AXES[name].what, f"{point.value:,}", str(AXES[name].cores)]
        found.append([*what, times, f"{point.rate / 1e9:.1f}", f"{point.share:.0%}", f"{one.first:.1f} s", memory])
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[], metavar="name", help=", ".join(AXES))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(AXES):
        parser.error(f"{sorted(unknown)[0]!r} is nothing that grows here: there are {', '.join(AXES)}.")
    found = {}
    for name in chosen.names or AXES:
        found[name] = measure(AXES[name], chosen.rounds)
        print_table(HEADER, lines(name, found[name]))
        print(f"Best matrix product on the same cores: {found[name][0].limit / 1e9:.0f} GFLOP/s.\n", flush=True)
    write_json(chosen.out, {name: [point.to_json() for point in points] for name, points in found.items()})


if __name__ == "__main__":
    main()
