"""Speed beside what users run today, and beside ourselves: each row by turns, in one run, on the same cores.

    python -m benchmarks.speed [--rounds 5] [--out speed.json] [name ...]

Float32 everywhere, the same shapes and the same number of steps; a first run of everybody is not counted, so that no compile
time is in a ratio (ours is shown beside). Ours always validates after an epoch; here on 64 rows, and the others not at all,
save where a row says otherwise. The losses at the end stand beside the times: nobody computed less.
"""

import argparse
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measuring import (
    Measured,
    Ratio,
    Way,
    alone,
    best,
    by_turns,
    cores,
    print_table,
    products,
    rate_of,
    ratio,
    side_by_side,
    write_json,
)
from benchmarks.work import EXTRAS, Work

OURS, FIT = "benchmarks.ours:train", "benchmarks.ours:fit"
LOOP, STACKED = "benchmarks.peers:loop", "benchmarks.peers:stacked"
SCIKIT_LEARN, LIGHTNING = "benchmarks.peers:scikit_learn", "benchmarks.peers:lightning"
ROUNDS = 5  # chosen: at least; the median of five is little moved by one disturbed round

FIRST = Work((128, 128), epochs=10)
WITH_SETTINGS = Work((128, 128), networks=32, steps=75)
SMALL = Work((32, 32), batch=32, networks=64, epochs=5)
WIDE = Work((256, 256, 256), inputs=20, outputs=1, networks=32, steps=20)
ONE_FIT = Work((128, 128), steps=78, epochs=20, validation=4000)  # 78 batches of 256 are 19,968 rows
MANY_SMALL = Work((32, 32), batch=32, networks=256, steps=200)
ONE_SMALL = Work((32, 32), batch=32, steps=200, epochs=25)


class Row(NamedTuple):
    """What was asked and what was reached; ``asked`` is None where a row stands only for comparison.

    ``above`` and ``below`` are the times that were divided; a share of FLOP/s has ours above.
    """

    work: str
    against: str
    asked: float | None
    at_most: bool
    reached: Ratio
    above: Measured
    below: Measured

    @property
    def held(self) -> str:
        if self.asked is None:
            return "-"
        return "yes" if (self.reached.median <= self.asked) == self.at_most else "no"

    @property
    def wanted(self) -> str:
        return "-" if self.asked is None else f"{'<=' if self.at_most else '>='} {self.asked:g}"

    def to_json(self) -> dict[str, Any]:
        sides = {"above": self.above.to_json(), "below": self.below.to_json()}
        return {**self._asdict(), "reached": self.reached._asdict(), "held": self.held, **sides}


def one_network(rounds: int, work: Work = FIRST) -> list[Row]:
    """One network on one core, against PyTorch and against scikit-learn."""
    ours, loop, scikit_learn = by_turns(
        [alone("ours", OURS, work), alone("loop", LOOP, work), alone("MLPClassifier", SCIKIT_LEARN, work)], rounds
    )
    what = f"one network {work.shape}, batch {work.batch}, one core"
    return [_faster(what, "PyTorch", 2.2, [loop], ours), _faster(what, "scikit-learn", 3.5, [scikit_learn], ours)]


def with_settings(rounds: int, work: Work = WITH_SETTINGS) -> list[Row]:
    """Many networks with settings of their own, two cores, against PyTorch."""
    return _many(work, 2.2, rounds)[0]


def small(rounds: int, work: Work = SMALL) -> list[Row]:
    """Many small networks with small batches, two cores, against PyTorch."""
    return _many(work, 25, rounds)[0]


def wide(rounds: int, work: Work = WIDE) -> list[Row]:
    """Many large networks, two cores, against PyTorch and against the machine's best matrix product."""
    rows, ours, measured = _many(work, 1.9, rounds, products(2))
    return [*rows, share_of_product(_named(work), 0.55, ours, measured)]


def one_fit(rounds: int, work: Work = ONE_FIT) -> list[Row]:
    """One fit from arrays in memory, as its user waits for it; both validate on the same rows after every epoch."""
    ours, *peers = by_turns(
        [
            alone("ours", FIT, work, 2),
            alone("one thread", LIGHTNING, work),
            alone("two threads", LIGHTNING, work, 2),
        ],
        rounds,
    )
    return [_faster(f"one fit {work.shape}, {work.rows:,} rows, {work.epochs} epochs", "Lightning", 5, peers, ours)]


def regularized(rounds: int, work: Work = FIRST) -> list[Row]:
    """Dropout, batch normalization and noise on, against off."""
    on, off = by_turns([alone("on", OURS, replace(work, extras=EXTRAS)), alone("off", OURS, work)], rounds)
    what = f"dropout, batch norm and noise on, {work.shape}, one core"
    return [Row(what, "ourselves: off", 1.35, True, ratio(on, off), on, off)]


def signals(rounds: int, work: Work = FIRST) -> list[Row]:
    """The signals of the layers on, against off."""
    on, off = by_turns([alone(str(one), OURS, replace(work, signals=one)) for one in (True, False)], rounds)
    return [Row(f"signals on, {work.shape}, one core", "ourselves: off", 1.05, True, ratio(on, off), on, off)]


def members(rounds: int, work: Work = MANY_SMALL, one: Work = ONE_SMALL) -> list[Row]:
    """The time of one step of one of many members, against that of one alone: on the machine, whose cores one member cannot
    share, and on one core."""
    what = f"{work.networks} members, per member-step, {work.shape}, batch {work.batch}"
    found = []
    for cores_, said, asked in ((2, "two cores", 0.35), (1, "one core", None)):
        many, single = by_turns([alone("many", OURS, work, cores_), alone("one", OURS, one, cores_)], rounds)
        found.append(Row(f"{what}, {said}", "ourselves: 1 member", asked, True, ratio(many, single), many, single))
    return found


def share_of_product(what: str, asked: float | None, ours: Measured, measured: Sequence[Measured]) -> Row:
    """The share that training reaches of the FLOP/s of the best matrix product, over all rounds, of all libraries."""
    fastest = max(measured, key=rate_of)
    limit = rate_of(fastest)
    flops = ours.way.work.flops_per_step() * ours.way.work.network_steps
    low, middle, high = (
        flops / seconds / limit for seconds in (max(ours.seconds), statistics.median(ours.seconds), min(ours.seconds))
    )
    against = f"matrix product: {fastest.way.label}, {limit / 1e9:.0f} GFLOP/s"
    return Row(what, against, asked, False, Ratio(middle, low, high), ours, fastest)


def _many(work: Work, asked: float, rounds: int, others: Sequence[Way] = ()) -> tuple[list[Row], Measured, list[Measured]]:
    """(rows, ours, others): against the better of PyTorch's loops; and, without a figure asked, the better of its stacks."""
    ours, *measured = by_turns(
        [
            alone("ours", OURS, work, 2),
            *(
                make(f"{name}, {how}", function, work, 2)
                for name, function in (("loop", LOOP), ("torch.func stack", STACKED))
                for make, how in ((alone, "two threads"), (side_by_side, "two processes"))
            ),
            *others,
        ],
        rounds,
    )
    what = _named(work)
    rows = [_faster(what, "PyTorch", asked, measured[:2], ours), _faster(what, "PyTorch", None, measured[2:4], ours)]
    return rows, ours, measured[4:]


def _named(work: Work) -> str:
    return f"{work.networks} networks {work.shape}, batch {work.batch}, two cores"


def _faster(work: str, against: str, asked: float | None, peers: Sequence[Measured], ours: Measured) -> Row:
    """How many times as long as ours the best of the peers takes."""
    peer = best(peers)
    return Row(work, f"{against}: {peer.way.label}", asked, False, ratio(peer, ours), peer, ours)


MEASUREMENTS: dict[str, Callable[[int], list[Row]]] = {
    function.__name__: function
    for function in (one_network, with_settings, small, wide, one_fit, regularized, signals, members)
}
HEADER = (
    "command",
    "work",
    "against",
    "asked",
    "reached (spread)",
    "held",
    "us per network-step",
    "losses at the end",
    "first run",
)


def lines(name: str, rows: Sequence[Row]) -> list[list[str]]:
    """One line of the table for each row."""
    found = []
    for row in rows:
        sides = [side for side in (row.above, row.below) if "loss" in side.figures[-1]]
        times = [f"{side.per_step:.1f}" for side in sides]
        equal = len({side.way.work.epochs * side.way.work.steps for side in sides}) == 1  # else the losses tell nothing
        losses = [f"{side.loss:.4f}" for side in sides] if equal else ["-"]
        first = next(side for side in (row.below, row.above) if side.way.function in (OURS, FIT))
        figures = [str(row.reached), row.held, " / ".join(times), " / ".join(losses), f"{first.first:.1f} s"]
        found.append([f"`{name}`", row.work, row.against, row.wanted, *figures])
    return found


def measure(names: Sequence[str], rounds: int) -> dict[str, list[Row]]:
    """The rows of each measurement, printed as they come."""
    found = {}
    for name in names:
        found[name] = MEASUREMENTS[name](rounds)
        for line in lines(name, found[name]):
            print(" | ".join(line), flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[], metavar="name", help=", ".join(MEASUREMENTS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(MEASUREMENTS):
        parser.error(f"{sorted(unknown)[0]!r} is no measurement of speed: there are {', '.join(MEASUREMENTS)}.")
    if len(cores()) < 2:
        parser.error("two cores are needed: ours and theirs are compared on one and on two.")
    found = measure(chosen.names or list(MEASUREMENTS), chosen.rounds)
    print()
    print_table(HEADER, [line for name, rows in found.items() for line in lines(name, rows)])
    write_json(chosen.out, {name: [row.to_json() for row in rows] for name, rows in found.items()})


if __name__ == "__main__":
    main()
