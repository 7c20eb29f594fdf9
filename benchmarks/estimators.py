"""How long ``fit`` of an estimator takes on a small table, once its programs are compiled.

python -m benchmarks.estimators [--rows 500] [--effort fast] [--rounds 3] [--out estimators.json]

The first fit compiles (or reads from the cache of an earlier process). After it the same table is fitted again and again, with
nothing left to compile; then other tables of that shape, for which the stages may choose networks of another size, whose
programs are compiled when they are first needed.
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sklearn.datasets import make_classification, make_regression

from trainwell import NeuralClassifier, NeuralRegressor

COLUMNS = 10


class Took(NamedTuple):
    """Seconds of a fit: by the clock, and of the processor, which a machine that others use as well does not lengthen much."""

    clock: float
    processor: float


def fitted(estimator: Any, X: Any, y: Any) -> Took:
    clock, processor = time.monotonic(), time.process_time()
    estimator.fit(X, y)
    return Took(time.monotonic() - clock, time.process_time() - processor)


def middle(fits: Sequence[Took]) -> Took:
    """The median of either."""
    return Took(*(round(statistics.median(own), 1) for own in zip(*fits, strict=True)))


def measured(rows: int, effort: str, rounds: int) -> list[dict[str, Any]]:
    """One row for each estimator: seconds of the first fit, of the same table again, and of others."""
    found = []
    for kind, make in ((NeuralClassifier, make_classification), (NeuralRegressor, make_regression)):
        estimator = kind(effort=effort, random_state=0)
        first, *others = [make(n_samples=rows, n_features=COLUMNS, random_state=seed) for seed in range(rounds + 1)]
        beginning = fitted(estimator, *first)
        again = middle([fitted(estimator, *first) for _ in range(rounds)])
        elsewhere = middle([fitted(estimator, *table) for table in others])
        found.append(
            {
                "estimator": kind.__name__,
                "first fit": round(beginning.clock, 1),
                "the same table again": again.clock,
                "of the processor": again.processor,
                "other tables": elsewhere.clock,
                "of the processor then": elsewhere.processor,
            }
        )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimators", description=__doc__)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    found = measured(chosen.rows, chosen.effort, chosen.rounds)
    print(f"| {' | '.join(found[0])} |\n|{'---|' * len(found[0])}")
    for row in found:
        print(f"| {' | '.join(map(str, row.values()))} |")
    if chosen.out:
        chosen.out.write_text(json.dumps({"rows": chosen.rows, "effort": chosen.effort, "fits": found}, indent=1))


if __name__ == "__main__":
    main()
