"""Default runs of `trainwell fit` on four real tables: score, seconds, peak memory; and how long it takes to start.

    python -m benchmarks.tables [--out results.json] [table ...]

Only file and target are named, everything else is left at its default. Every run is a process of its own. The tables are read
from the folder TRAINWELL_DATA, or ``shared/data`` beside the checkout; nothing is measured where they are not.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

DATA = Path(os.environ.get("TRAINWELL_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
TIME_LIMIT = 60.0  # seconds, the default of `trainwell fit`
MEMORY_LIMIT = 2e9  # bytes
START_LIMIT = 1.0  # seconds
STARTS = 5  # repetitions of a start, of which the median counts


class Goal(NamedTuple):
    """A table with what a default run has to reach on it."""

    file: str
    target: str
    metric: str
    score: float
    seconds: float


GOALS = {
    "telco_churn": Goal("telco_churn.csv.gz", "Churn", "AUC", 0.835, 90),
    "california_housing": Goal("california_housing.csv.gz", "median_house_value", "R2", 0.80, 180),
    "letter_recognition": Goal("letter_recognition.csv.gz", "lettr", "accuracy", 0.95, 180),
    "adult": Goal("adult_train.csv.gz", "column_15", "AUC", 0.92, 300),
}


def measure_run(name: str, folder: Path) -> dict:
    """One default run: its test score beside that of the best simple model, its wall time and its peak memory."""
    goal = GOALS[name]
    command = [sys.executable, "-m", "trainwell", "fit", DATA / goal.file, "--target", goal.target, "--out", folder, "--quiet"]
    start = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)))
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if code := os.waitstatus_to_exitcode(status):
        raise SystemExit(f"trainwell fit on {name} ended with exit code {code}.")
    measures = json.loads((folder / "evidence" / "squeeze.json").read_text())["measures"]
    tuned = json.loads((folder / "evidence" / "tune.json").read_text())["measures"]
    simple = {key.removesuffix(".test_score"): value for key, value in measures.items() if key.endswith(".test_score")}
    best = max(simple, key=lambda key: simple[key])
    return {
        "metric": goal.metric,
        "score": measures["test_score"],
        "low": measures["low"],
        "high": measures["high"],
        "asked_score": goal.score,
        "best_simple": best,
        "best_simple_score": simple[best],
        "networks": tuned.get("trials", 0),
        "seconds": seconds,
        "asked_seconds": min(goal.seconds, TIME_LIMIT * 1.05),
        "peak_bytes": used.ru_maxrss * 1024,
        "asked_bytes": MEMORY_LIMIT,
    }


def measure_start(*arguments: str) -> dict:
    """Median seconds of a process that only starts."""
    times = []
    for _ in range(STARTS):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return {"seconds": statistics.median(times), "asked_seconds": START_LIMIT}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", default=[], metavar="table", help=", ".join(GOALS))
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.tables) - set(GOALS):
        parser.error(f"{sorted(unknown)[0]!r} is no table of this benchmark: it has {', '.join(GOALS)}.")
    if not DATA.is_dir():
        raise SystemExit(f"The real tables are not in {DATA}: set TRAINWELL_DATA to their folder.")
    results = {"start": {"import trainwell": measure_start("-c", "import trainwell"),
                         "trainwell --help": measure_start("-m", "trainwell", "--help")}}  # fmt: skip
    for what, found in results["start"].items():
        print(f"{what:20s} {found['seconds']:6.2f} s (asked: under {found['asked_seconds']:g} s)", flush=True)
    results["tables"] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.tables or GOALS:
            results["tables"][name] = found = measure_run(name, Path(folder) / name)
            print(
                f"{name:20s} {found['metric']:8s} {found['score']:.4f} (asked {found['asked_score']:g}; "
                f"{found['best_simple']} {found['best_simple_score']:.4f})  {found['networks']:4d} networks  "
                f"{found['seconds']:6.1f} s (at most {found['asked_seconds']:g})  {found['peak_bytes'] / 1e9:.2f} GB",
                flush=True,
            )
    if chosen.out:
        chosen.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
