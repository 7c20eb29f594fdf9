"""Stage 4, regularize: trade training accuracy for validation accuracy, and measure what each regularizer does on this table.

One network, the size and rate that the stage before chose; a population of it in which each member has one regularizer at
one strength. The gap is the score on training rows minus the score on validation rows, both at the best epoch.
"""

import numpy as np

from trainwell.network.structure import Structure, hyperparameters_of, resolve
from trainwell.population.cohort import Member, Population, Training
from trainwell.population.metrics import METRICS
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Evidence, Figure, Series

STRENGTHS = {  # chosen: from hardly felt to clearly too much
    "dropout.rate": (0.1, 0.25, 0.5),
    "weight_decay.rate": (0.01, 0.1, 0.5),
    "label_smoothing": (0.05, 0.2),
}
TOGETHER = {"dropout.rate": 0.15, "weight_decay.rate": 0.05}  # Holzmueller et al. (2024): dropout 0.15 and decay 0.02 together
PATIENCE = 16.0  # chosen: epochs; about an eighth of the longest training
ROWS_SCORED = 5000  # chosen: training rows on which the gap is measured


def regularize(context: Context, first: int, widths: str, learning_rate: float) -> tuple[Evidence, list[Training]]:
    """(evidence with the best strength of each regularizer, all trainings); members are numbered from ``first``."""
    structure = context.structure(widths=tuple(int(width) for width in widths.split("-") if width))
    plans = _plans(structure, context.metric.name)
    base = {"adam.beta2": 0.95, "early_stopping.patience": PATIENCE, "dropout.rate": 0.0, "weight_decay.rate": 0.0,
            f"{structure.optimizer}.learning_rate": learning_rate}  # fmt: skip
    trainings = [
        Training(
            Member(first + i, structure, resolve(structure, context.settings(structure, {**base, **changes})), "regularize")
        )
        for i, changes in enumerate(plans)
    ]
    population = context.population()
    epochs = context.epochs(structure)
    trainings = population.train(trainings, epochs, epochs, context.budget)
    rows = [row for row in _measured(context, population, plans, trainings) if np.isfinite(row["score"])]
    if not rows:
        return _too_late(), []
    plain, best = rows[0], max(rows, key=lambda row: row["score"])
    evidence = Evidence(
        "regularize",
        "pass" if best["gap"] <= max(plain["gap"], 0.05) else "warn",
        f"gap {plain['gap']:.3f} -> {best['gap']:.3f} with {best['regularizer']}, early stop at epoch {best['epoch']}",
        explanation=_explanation(context, rows, plain, best),
        actions=_actions(plain, best),
        measures={
            **{f"best.{name}": value for name, value in best["changes"].items()},
            "plain_score": plain["score"], "best_score": best["score"], "plain_gap": plain["gap"], "best_gap": best["gap"],
            "regularizer": best["regularizer"], "patience": PATIENCE,
        },
        tables={"What each regularizer does": [
            {"regularizer": row["regularizer"], f"training {context.metric.label}": round(context.shown(row["score"] + row["gap"]), 4),
             f"validation {context.metric.label}": round(context.shown(row["score"]), 4), "gap": round(row["gap"], 4),
             "best epoch": row["epoch"]} for row in rows]},
        figures={"gap": Figure(
            "bars", "Gap and score of each regularizer", "", context.metric.label,
            (Series("training", [row["regularizer"] for row in rows], [round(context.shown(row["score"] + row["gap"]), 4) for row in rows]),
             Series("validation", [row["regularizer"] for row in rows], [round(context.shown(row["score"]), 4) for row in rows])),
            "A regularizer is worth its price when the validation score rises, not merely when the gap closes.")},
    )  # fmt: skip
    return evidence, [training.let_go() for training in trainings]


def _plans(structure: Structure, metric: str) -> list[dict[str, float]]:
    """Changes to the unregularized network: none, each regularizer at each strength, two of them together."""
    known = hyperparameters_of(structure)
    plans: list[dict[str, float]] = [{}]
    for name, strengths in STRENGTHS.items():
        full = f"{structure.loss}.{name}" if name == "label_smoothing" else name
        if full in known and not (name == "label_smoothing" and metric == "auc"):  # it blurs the order that AUC measures
            plans += [{full: strength} for strength in strengths]
    if set(TOGETHER) <= set(known):
        plans.append(dict(TOGETHER))
    return plans


def _measured(context: Context, population: Population, plans: list[dict[str, float]], trainings: list[Training]) -> list[dict]:
    """A row for each member that trained: what it has, its validation score, its gap, its best epoch."""
    chosen = [
        (plan, training) for plan, training in zip(plans, trainings, strict=True) if training.curves and not training.failed
    ]
    if not chosen:
        return []
    sample = context.train.take(np.arange(min(ROWS_SCORED, len(context.split.train))))
    predictions = population.predict([training for _, training in chosen], sample.numeric, sample.categories)
    score = METRICS[context.metric.name].score
    return [
        {
            "changes": plan,
            "regularizer": " + ".join(f"{name.split('.')[-2].replace('_', ' ') if name.endswith('.rate') else 'label smoothing'} {value:g}"
                                      for name, value in plan.items()) or "early stopping alone",
            "score": training.score,
            "gap": float(score(one, sample.target)) - training.score,
            "epoch": training.curves.best_epoch,
        }
        for (plan, training), one in zip(chosen, predictions, strict=True)
    ]  # fmt: skip


def _too_late() -> Evidence:
    return Evidence("regularize", "warn", "no time was left to measure regularizers", "The time of this stage was used up before a "
                    "network had trained: the defaults are used.", ("Give the run more time (--time-limit).",))  # fmt: skip


def _explanation(context: Context, rows: list[dict], plain: dict, best: dict) -> str:
    label = context.metric.label
    words = (
        f"With early stopping alone the network scores {label} {context.shown(plain['score'] + plain['gap']):.4f} on training rows and "
        f"{context.shown(plain['score']):.4f} on validation rows. Of {len(rows)} ways to hold it back, {best['regularizer']} is the best for "
        f"validation: {context.shown(best['score']):.4f}. "
    )
    if best is plain:
        return words + "No regularizer beats stopping early on this table; the search tries mild ones all the same."
    return words + "The search draws all strengths again, together and at random; this stage shows what each does by itself."


def _actions(plain: dict, best: dict) -> list[str]:
    actions = []
    if best["gap"] > 0.1:
        actions.append("The gap stays wide whatever is done: more rows would help more than any setting.")
    if best["epoch"] and plain["epoch"] <= 3:
        actions.append("The best epoch comes very early: a lower learning rate would leave more to choose from.")
    return actions
