"""Networks of two widths: in cohorts of their own, against all padded to the wider one.

python -m benchmarks.widths [--rounds N] [--out FILE]
"""

import argparse
import statistics
from dataclasses import replace
from pathlib import Path

from benchmarks.measuring import alone, by_turns, write_json
from benchmarks.work import Work

OURS = "benchmarks.ours:train"
NARROW = Work((32, 32), batch=128, networks=8, steps=100, epochs=4)
WIDE = replace(NARROW, widths=(64, 64))
PADDED = replace(WIDE, networks=16)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.widths", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    ways = [alone(name, OURS, work, 2) for name, work in (("narrow", NARROW), ("wide", WIDE), ("padded", PADDED))]
    narrow, wide, padded = by_turns(ways, chosen.rounds)
    ratios = [c / (a + b) for a, b, c in zip(narrow.seconds, wide.seconds, padded.seconds, strict=True)]
    middle = statistics.median(ratios)
    print(
        f"8 networks {NARROW.shape} and 8 {WIDE.shape}, batch {NARROW.batch}, two cores: padded to the wider they take "
        f"{middle:.2f} times as long ({min(ratios):.2f} to {max(ratios):.2f}) as in cohorts of their own."
    )
    if chosen.out:
        measured = {name: one.to_json() for name, one in (("narrow", narrow), ("wide", wide), ("padded", padded))}
        write_json(chosen.out, {"padded against separate": {"median": middle, "all": ratios}, **measured})


if __name__ == "__main__":
    main()
