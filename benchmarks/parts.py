"""Where the time of a step goes: the same network with one thing more or less each, by turns in one run on one core.

    python -m benchmarks.parts [--rounds 5] [--out parts.json]

The matrix products alone are counted at the rate of the best product on the core: what no program can go below.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.measuring import Measured, alone, by_turns, print_table, products, rate_of, ratio, write_json
from benchmarks.work import EXTRAS, Work

OURS = "benchmarks.ours:train"
ROUNDS = 5
PLAIN = Work((128, 128), epochs=5)
PARTS = {
    "plain": PLAIN,
    **{f"with {extra}": replace(PLAIN, extras=(extra,)) for extra in EXTRAS},
    "with all four": replace(PLAIN, extras=EXTRAS),
    "with 4,096 rows of validation": replace(PLAIN, validation=4096),
    "20 steps to an epoch, not 100": replace(PLAIN, steps=20, epochs=25),
}
HEADER = ("part", "us per step", "x plain (spread)", "first run")


def lines(found: Sequence[Measured]) -> list[list[str]]:
    """One line for each; the first is what the others are compared with."""
    return [[one.way.label, f"{one.per_step:.1f}", str(ratio(one, found[0])), f"{one.first:.1f} s"] for one in found]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    ways = [alone(label, OURS, work) for label, work in PARTS.items()]
    measured = by_turns([*ways, *products(1)], chosen.rounds)
    found, limit = measured[: len(ways)], max(map(rate_of, measured[len(ways) :]))
    print(f"{PLAIN.shape}, batch {PLAIN.batch}, one core:")
    print_table(HEADER, lines(found))
    products_alone = PLAIN.flops_per_step() / limit * 1e6
    print(f"The matrix products of a plain step at {limit / 1e9:.0f} GFLOP/s, the best measured: {products_alone:.1f} us.\n")
    write_json(chosen.out, {"products_microseconds": products_alone, "parts": [one.to_json() for one in found]})


if __name__ == "__main__":
    main()
