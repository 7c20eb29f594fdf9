"""Scores and seconds of `trainwell.fit` and of what users would pick instead, on thirteen real tables.

    python -m benchmarks.tabular --python PEERS_PYTHON [--seeds 0 1 2] [--systems trainwell ...] [--out FILE] [table ...]
    python -m benchmarks.tabular --more --python PEERS_PYTHON
    python -m benchmarks.tabular --ablation [--seeds 0] [table ...]
    python -m benchmarks.tabular --ablation --rows 400 --trials 72 --systems whole no-adapters [table ...]

``--more`` takes ten other tables, on which no default was settled. The peers need an environment of their own:
``pip install torch==2.13.0 pytabkit lightgbm catboost scikit-learn pandas``. The tables and their split are those of
``tables.py`` in TRAINWELL_PEERS, or ``shared/peers`` beside the checkout; of the ten in ``more_tables``. Every fit is a process
of its own on all cores, and its seconds are those of the fit alone. What is in FILE already is not measured again.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.tabular_fits import ABLATIONS, NETWORKS, OURS, PEERS, SHARES_PROGRAMS

FOLDER = Path(os.environ.get("TRAINWELL_PEERS") or Path(__file__).resolve().parents[2] / "shared" / "peers")
TABLES = (
    "telco_churn", "german_credit", "adult", "ai4i2020", "mushrooms", "horse_colic", "titanic", "letter_recognition",
    "mice_protein", "california_housing", "bike_sharing_hour", "diamonds", "insurance_charges",
)  # fmt: skip
MORE = (
    "madelon", "isolet", "arcene", "taxis", "parkinsons", "cmapss", "breast_cancer", "wine", "diabetes", "digits",
)  # fmt: skip
EQUAL = 0.001  # scores that differ by no more count as equal
Results = dict[str, dict[str, dict[str, Any]]]  # by "table seed", then by system: score and seconds


def measure(system: str, table: str, seed: int, python: str, *more: object) -> dict[str, Any]:
    """One fit in a process of its own: its score on the test rows, larger is better, and its seconds."""
    folder = Path(__file__).with_name("more_tables") if table in MORE else FOLDER
    command = [python, Path(__file__).with_name("tabular_fits.py"), folder, system, table, seed, *more]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        return {"failed": f"exit code {done.returncode}"}
    return dict(json.loads(lines[-1]))


def ablated(system: str, table: str, seed: int, compiled: set[str], *more: object) -> dict[str, Any]:
    """The same of a part taken away, with every program compiled before: a run against the clock would otherwise differ by what
    it compiles."""
    first = "whole" if system in SHARES_PROGRAMS else system
    against_the_clock = not any(str(one).endswith(NETWORKS) for one in more)
    if first not in compiled and against_the_clock:
        measure(first, table, seed, sys.executable, *more)
        compiled.add(first)
    return measure(system, table, seed, sys.executable, *more)


def means(results: Results, systems: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
    """By table and system: mean and spread of the scores over the seeds, and the mean of the seconds."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for table in (*TABLES, *MORE):
        own = [measured for key, measured in results.items() if key.split()[0] == table]
        for system in systems:
            done = [one[system] for one in own if "score" in one.get(system, {})]
            if done:
                scores, seconds = ([one[name] for one in done] for name in ("score", "seconds"))
                spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
                found.setdefault(table, {})[system] = {
                    "score": statistics.mean(scores), "spread": spread, "seconds": statistics.mean(seconds),
                }  # fmt: skip
    return found


def ranks(row: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """1 for the best; systems of equal scores share the mean of their ranks."""
    return {
        system: 1
        + sum(other["score"] > one["score"] + EQUAL for other in row.values())
        + 0.5 * sum(abs(other["score"] - one["score"]) <= EQUAL for name, other in row.items() if name != system)
        for system, one in row.items()
    }


def show(results: Results, systems: Sequence[str], reference: str) -> None:
    """The table of scores, and how often the reference is better or equal, and faster."""
    table = means(results, systems)
    print(f"\n{'table':20s} " + " ".join(f"{system:>24s}" for system in systems))
    for name, row in table.items():
        cells = (
            f"{row[s]['score']:.4f} ±{row[s]['spread']:.4f} {row[s]['seconds']:6.1f} s" if s in row else "-" for s in systems
        )
        print(f"{name:20s} " + " ".join(f"{cell:>24s}" for cell in cells))
    whole = [row for row in table.values() if set(systems) <= set(row)]
    if not whole:
        return
    ranked = [ranks(row) for row in whole]
    print(f"mean rank ({len(whole)}){'':6s} " + " ".join(f"{statistics.mean(r[s] for r in ranked):>24.2f}" for s in systems))
    for system in systems:
        if system != reference and reference in systems:
            better = sum(row[reference]["score"] >= row[system]["score"] - EQUAL for row in whole)
            faster = sum(row[reference]["seconds"] <= row[system]["seconds"] for row in whole)
            gain = statistics.mean(row[reference]["score"] - row[system]["score"] for row in whole)
            print(f"{reference} against {system}: better or equal on {better} of {len(whole)}, faster on {faster}, {gain:+.4f}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", default=[], metavar="table", help=", ".join((*TABLES, *MORE)))
    parser.add_argument("--python", help="the Python of the peers' environment")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--systems", nargs="+")
    parser.add_argument("--more", action="store_true", help="the ten other tables where none is named")
    parser.add_argument("--ablation", action="store_true", help="trainwell with one part taken away, or added, at a time")
    parser.add_argument("--seconds", type=float, help="of a run of the ablation; the default effort's when left out")
    parser.add_argument("--trials", type=int, help="networks of a run of the ablation, which then ends by no clock")
    parser.add_argument("--rows", type=int, help="training rows of a run of the ablation with --trials; all when left out")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    systems = chosen.systems or (list(ABLATIONS) if chosen.ablation else [*OURS, *(PEERS if chosen.python else ())])
    if unknown := {*chosen.tables} - {*TABLES, *MORE} or {*systems} - {*OURS, *PEERS, *ABLATIONS}:
        parser.error(
            f"{sorted(unknown)[0]!r} is not known: there are {', '.join((*TABLES, *MORE, *OURS, *PEERS, *ABLATIONS))}."
        )
    if chosen.rows is not None and not (chosen.ablation and chosen.trials):
        parser.error("--rows goes with --ablation and --trials.")
    if not (FOLDER / "tables.py").is_file():
        raise SystemExit(f"There is no tables.py in {FOLDER}: set TRAINWELL_PEERS to its folder.")
    results: Results = json.loads(chosen.out.read_text()) if chosen.out and chosen.out.exists() else {}
    limit: list[object] = [] if chosen.seconds is None else [chosen.seconds]
    if chosen.trials is not None:
        limit = [f"{chosen.trials}{NETWORKS}", *([] if chosen.rows is None else [chosen.rows])]
    for seed, table in product(chosen.seeds, chosen.tables or (MORE if chosen.more else TABLES)):
        own = results.setdefault(f"{table} {seed}", {})
        compiled: set[str] = set()
        with tempfile.TemporaryDirectory() as programs:
            for system in systems:
                if system not in own and system in ABLATIONS:
                    own[system] = ablated(system, table, seed, compiled, programs, *limit)
                elif system not in own:
                    own[system] = measure(system, table, seed, chosen.python if system in PEERS else sys.executable)
                else:
                    continue
                print(f"{table} seed {seed} {system}: {own[system]}", flush=True)
                if chosen.out:
                    chosen.out.write_text(json.dumps(results, indent=1))
    show(results, systems, "whole" if chosen.ablation else "trainwell")


if __name__ == "__main__":
    main()
