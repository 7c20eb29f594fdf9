"""How long ``fit`` of an estimator takes on a small table, once its programs are compiled.

python -m benchmarks.estimators [--rows 500] [--effort fast] [--rounds 3] [--out estimators.json]

Made-up tables of one shape and other numbers each time: the first fit compiles (or reads from the cache of an earlier process),
the others show what a fit takes after that.
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn.datasets import make_classification, make_regression

from trainwell import NeuralClassifier, NeuralRegressor

COLUMNS = 10


def seconds_of(estimator: Any, X: Any, y: Any) -> float:
    """Seconds of a fit."""
    began = time.monotonic()
    estimator.fit(X, y)
    return time.monotonic() - began


def measured(rows: int, effort: str, rounds: int) -> list[dict[str, Any]]:
    """One row for each estimator: seconds of the first fit, and of those after it."""
    found = []
    for kind, make in ((NeuralClassifier, make_classification), (NeuralRegressor, make_regression)):
        tables = [make(n_samples=rows, n_features=COLUMNS, random_state=seed) for seed in range(rounds + 1)]
        seconds = [seconds_of(kind(effort=effort, random_state=0), *table) for table in tables]
        after = seconds[1:]
        found.append(
            {
                "estimator": kind.__name__,
                "first fit": round(seconds[0], 2),
                "median after": round(statistics.median(after), 2),
                "worst after": round(max(after), 2),
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
