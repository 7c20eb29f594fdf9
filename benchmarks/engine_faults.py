"""Faults put into our own engine through its settings: whether each is found, and how often healthy members are flagged.

    python -m benchmarks.engine_faults [--out results.json] [--only NAME ...] [--healthy 200] [--skip-faults]

Two real tables. A fault is a change to a network that does well; it is judged by the same rules as a user's PyTorch loop, with
the same re-runs. One that costs score must be a problem; one that is measured and costs none on this table is a warning. The
healthy members are those of real searches at the defaults, of which no finding may be a problem.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.injected import FAULTS, Fault
from benchmarks.measuring import print_table, write_json
from benchmarks.tables import DATA, GOALS
from trainwell.data.encode import Arrays, fit_encoder
from trainwell.data.schema import infer_schema, usable_rows
from trainwell.data.split import split_table
from trainwell.data.tables import read_table
from trainwell.diagnosis.engine.known import Known
from trainwell.diagnosis.engine.reruns import examined
from trainwell.network.structure import Structure, resolve
from trainwell.population.budget import Budget
from trainwell.population.cohort import Population
from trainwell.population.devices import pool
from trainwell.population.epoch import Data
from trainwell.population.member import Member, Training
from trainwell.population.metrics import METRICS, at_half
from trainwell.population.step import Rows

TABLES = ("telco_churn", "california_housing")
# AUC and a threshold chosen afterwards forgive probabilities that are all the same but for a hair.
METRIC = {"binary": at_half(METRICS["balanced_accuracy"]), "regression": METRICS["r2"]}
LOSSES = {"binary": "binary_cross_entropy", "regression": "squared_error"}
HURTS = 0.1  # chosen: a fault is felt where it costs so much of the score, as in the rules


@dataclass(frozen=True)
class Prepared:
    """A table's rows, and the shape of its networks."""

    train: Arrays
    validation: Arrays
    task: str
    shape: Mapping[str, Any]


def prepared(name: str) -> Prepared:
    goal = GOALS[name]
    table = read_table(DATA / goal.file)
    schema, _ = infer_schema(table, goal.target)
    table = table.take(usable_rows(table, schema))
    split = split_table(table, schema, seed=0)
    encoder = fit_encoder(table, schema, split.train)
    arrays = encoder.transform(table)
    shape = {
        "numeric": len(encoder.numeric_names),
        "continuous": encoder.continuous,
        "cardinalities": encoder.cardinalities,
        "outputs": 1,
        "loss": LOSSES[schema.task],
        "widths": (64, 64),
        "batch_size": 64,
        "numeric_embedding": "none",
    }
    return Prepared(arrays.take(split.train), arrays.take(split.validation), schema.task, shape)


def level(task: str, train: Rows, validation: Rows) -> Known:
    """What a linear model and boosted trees reach on the same rows."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge

    regression, metric = task == "regression", METRIC[task]
    linear = Ridge() if regression else LogisticRegression(max_iter=300)
    trees = (HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier)(random_state=0)
    x, other = (np.concatenate([part.numeric, part.categories], axis=1) for part in (train, validation))
    simple = {}
    for name, model in (("linear", linear), ("boosted trees", trees)):
        model.fit(x, train.target)
        guess = model.predict(other)[:, None] if regression else model.predict_proba(other)[:, 1:]
        simple[name] = float(metric.score(guess, validation.target))
    share = float(train.target.mean())
    entropy = float(train.target.var()) if regression else -(share * np.log(share) + (1 - share) * np.log(1 - share))
    constant = 0.0 if regression else 0.5
    return Known(task, metric, len(train.target), entropy, constant, simple)


def judged(table: Prepared, fault: Fault) -> dict[str, Any]:
    """One faulty network: what is found, and its score beside that of the simple models."""
    picked = np.random.default_rng(0).permutation(len(table.train.target))[: fault.rows]
    rows = table.train.take(picked)
    target = np.random.default_rng(1).permutation(rows.target) if fault.shuffled else rows.target
    other = table.validation.target
    other = np.random.default_rng(2).permutation(other) if fault.shuffled else other
    train = Rows(rows.numeric, rows.categories, target)
    validation = Rows(table.validation.numeric, table.validation.categories, other)
    mean = float(target.mean())
    prior = np.array([np.log(mean / (1 - mean)) if table.task == "binary" else mean], np.float32)
    known = level(table.task, train, validation)
    structure = Structure(**{**table.shape, **fault.structure})
    rate = f"{structure.optimizer}.learning_rate"
    settings = {rate if name == "RATE" else name: value for name, value in fault.settings.items()}
    population = Population(Data(train, validation), table.task, METRIC[table.task], prior, 0, pool(1), 1)
    member = Member(1, structure, resolve(structure, settings))
    began = time.perf_counter()
    (training,) = population.train([Training(member)], fault.epochs, fault.epochs, Budget())
    trained = time.perf_counter()
    findings, signals = examined(training, population, known, epochs=fault.epochs)
    severities = {finding.cause: finding.severity for finding in reversed(findings)}  # the first of a cause is its surest
    named = [cause for cause in dict.fromkeys(finding.cause for finding in findings) if severities[cause] != "note"]
    ranks = [place for place, cause in enumerate(named) if cause in fault.causes]
    return {
        "score": signals.number("score"),
        "simple": signals.number("simple_score"),
        "felt": fault.shuffled or signals.number("simple_score") - signals.number("score") > HURTS,
        "causes": list(fault.causes),
        "named": named,
        "severities": severities,
        "rank": ranks[0] if ranks else None,
        "reruns": {name: trial.score for name, trial in signals.trials.items()},
        "seconds": trained - began,
        "diagnosis_seconds": time.perf_counter() - trained,
    }


def faults(tables: Sequence[str], only: Sequence[str] | None) -> dict[str, dict[str, Any]]:
    found, lines = {}, []
    for name in tables:
        table = prepared(name)
        for fault, change in FAULTS.items():
            if only and fault not in only:
                continue
            one = found[f"{name}: {fault}"] = judged(table, change)
            said = ", ".join(f"{cause} ({one['severities'][cause]})" for cause in one["named"][:3]) or "nothing"
            place = "-" if one["rank"] is None else str(one["rank"] + 1)
            felt = "yes" if one["felt"] else "no"
            lines.append((name, fault, f"{one['score']:.2f}", f"{one['simple']:.2f}", felt, said, place))
            print(*lines[-1], sep=" | ", flush=True)
    print_table(("table", "fault", "score", "simple models", "felt", "found", "place of the right cause"), lines)
    return found


def healthy(tables: Sequence[str], wanted: int, seconds: float) -> dict[str, Any]:
    """Runs at the defaults on both tables: how many members have a finding that is a problem."""
    import trainwell

    found: dict[str, Any] = {}
    for name in tables:
        goal = GOALS[name]
        with tempfile.TemporaryDirectory() as home:
            trials = -(-wanted // len(tables))
            run = trainwell.fit(DATA / goal.file, goal.target, out=Path(home) / "run", trials=trials, time_limit=seconds)
            events = [json.loads(line) for line in (run.folder / "events.jsonl").read_text().splitlines()]
        told = [event for event in events if event["event"] in ("member_finished", "member_failed")]
        found_in = [event for event in events if event["event"] == "finding"]
        problems = [event for event in found_in if event["severity"] == "problem"]
        found[name] = {
            "members": len(told),
            "flagged": sorted({event["member"] for event in problems}),
            "problems": problems,
            "warned": sorted({event["member"] for event in found_in if event["severity"] == "warning"}),
            "warnings": Counter(event["cause"] for event in found_in if event["severity"] == "warning"),
            "remedies": [event for event in events if event["event"] == "remedied"],
        }
    print_table(
        ("table", "members", "flagged", "share", "with a warning"),
        [
            (
                name,
                str(one["members"]),
                str(len(one["flagged"])),
                f"{len(one['flagged']) / max(1, one['members']):.1%}",
                str(len(one["warned"])) + "".join(f", {cause} {count}" for cause, count in one["warnings"].items()),
            )
            for name, one in found.items()
        ],
    )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine_faults", description=__doc__)
    parser.add_argument("--out", type=Path, help="file for all figures as JSON")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--only", nargs="+", help="names of faults")
    parser.add_argument("--healthy", type=int, default=0, help="healthy members to look at, of both tables together")
    parser.add_argument("--seconds", type=float, default=100.0, help="time limit of each healthy run")
    parser.add_argument("--skip-faults", action="store_true")
    chosen = parser.parse_args(arguments)
    results: dict[str, Any] = {"faults": {} if chosen.skip_faults else faults(chosen.tables, chosen.only)}
    if chosen.healthy:
        results["healthy"] = healthy(chosen.tables, chosen.healthy, chosen.seconds)
    write_json(chosen.out, results)


if __name__ == "__main__":
    main()
