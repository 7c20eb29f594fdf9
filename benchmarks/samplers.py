"""The samplers of the search beside each other: the same table, seed, stages before, and number of networks.

    python -m benchmarks.samplers [--trials 72] [--rows 1500] [--seeds 0 1 2] [--samplers random tpe] [--out FILE] [table ...]

Up to the search a run is made once; then a copy of its folder goes on with each sampler. What counts is the best validation
score of a network of the search, and the test score of the ensemble. With ``--out`` every result is written when it is there,
and those that the file holds already are not measured again. The tables are those of `benchmarks.tables` and german_credit.
"""

import argparse
import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.measuring import print_table
from benchmarks.tables import DATA
from trainwell.data.tables import Table, read_table
from trainwell.recipe.run import fit

TARGETS = {
    "german_credit": ("german_credit.csv", "default"),
    "telco_churn": ("telco_churn.csv.gz", "Churn"),
    "california_housing": ("california_housing.csv.gz", "median_house_value"),
    "letter_recognition": ("letter_recognition.csv.gz", "lettr"),
}
SAMPLERS = ("random", "tpe")
TRIALS = 72  # four waves: what a minute is enough for on a table of a few thousand rows
ROWS = 1500  # drawn at random, so that a run takes seconds
HEADER = ("table", "sampler", "runs", "best validation score", "ensemble's test score", "seconds")


class _Enough(Exception):
    """The stages before the search are done."""


def measured(name: str, seed: int, samplers: Iterable[str], trials: int, rows: int) -> dict[str, dict[str, float]]:
    """What each sampler comes to on one table."""
    file, target = TARGETS[name]
    table = _some(read_table(DATA / file), rows)

    def stop_at_the_search(event: dict[str, Any]) -> None:
        if (event["event"], event.get("stage")) == ("stage_started", "tune"):
            raise _Enough

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        begun = Path(folder) / "begun"
        with contextlib.suppress(_Enough):
            fit(table, target, out=begun, seed=seed, trials=trials, keep_going=True, listeners=[stop_at_the_search])
        for sampler in samplers:
            own = Path(shutil.copytree(begun, Path(folder) / sampler))
            config = json.loads((own / "config.json").read_text()) | {"search": sampler}
            (own / "config.json").write_text(json.dumps(config))
            start = time.perf_counter()
            run = fit(table, resume=own)
            found[sampler] = {
                "validation": run.evidence["tune"].measures["best_score"],
                "test": run.evidence["squeeze"].measures["test_score"],
                "seconds": time.perf_counter() - start,
            }
    return found


def _some(table: Table, rows: int) -> Table:
    """So many rows, always the same."""
    return table.take(np.sort(np.random.default_rng(0).permutation(table.rows)[:rows]))


def lines(results: Sequence[dict[str, Any]]) -> list[list[str]]:
    """One line for each table and sampler: means over the seeds."""
    found = []
    for table, sampler in dict.fromkeys((one["table"], one["sampler"]) for one in results):
        own = [one for one in results if (one["table"], one["sampler"]) == (table, sampler)]
        figures = (f"{mean(one[name] for one in own):.4f}" for name in ("validation", "test"))
        found.append([table, sampler, str(len(own)), *figures, f"{mean(one['seconds'] for one in own):.0f}"])
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", default=[], metavar="table", help=", ".join(TARGETS))
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--samplers", nargs="+", default=list(SAMPLERS), choices=["random", "tpe", "grid"])
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.tables) - set(TARGETS):
        parser.error(f"{sorted(unknown)[0]!r} is no table of this benchmark: it has {', '.join(TARGETS)}.")
    if not DATA.is_dir():
        raise SystemExit(f"The real tables are not in {DATA}: set TRAINWELL_DATA to their folder.")
    results = json.loads(chosen.out.read_text()) if chosen.out and chosen.out.exists() else []
    for name in chosen.tables or TARGETS:
        for seed in chosen.seeds:
            known = {one["sampler"] for one in results if (one["table"], one["seed"]) == (name, seed)}
            missing = [sampler for sampler in chosen.samplers if sampler not in known]
            if not missing:
                continue
            for sampler, figures in measured(name, seed, missing, chosen.trials, chosen.rows).items():
                results.append({"table": name, "seed": seed, "sampler": sampler, **figures})
            if chosen.out:
                chosen.out.write_text(json.dumps(results, indent=1))
    print_table(HEADER, lines(results))


if __name__ == "__main__":
    main()
