"""Stage 4, regularize: trade training accuracy for validation accuracy, and measure what each regularizer does on this table.

One network, of the size and rate that the stage before chose; a population of it in which each member has one regularizer at
one strength. The gap is the score on training rows minus the score on validation rows, both with the best epoch's weights.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trainwell.network.structure import Structure, hyperparameters_of
from trainwell.population.cohort import Population
from trainwell.population.member import Member, Training
from trainwell.population.metrics import ORDERS
from trainwell.recipe import fixed
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Evidence, Figure, Series
from trainwell.recipe.overfit import FEWEST_EPOCHS, FREQUENCY, MANY_ROWS, SHARE_OF_MANY
from trainwell.recipe.simple_models import some_rows

STRENGTHS = {  # chosen: from hardly felt to clearly too much
    "dropout.rate": (0.1, 0.25, 0.5),
    "weight_decay.rate": (0.01, 0.1, 0.5),
    "label_smoothing": (0.05, 0.2),
}
TOGETHER = {"dropout.rate": 0.15, "weight_decay.rate": 0.02}  # Holzmueller et al. (2024)
PATIENCE = 16.0  # chosen: epochs; an eighth of the longest training
ROWS_SCORED = 5000  # chosen: training rows on which the gap is measured
WIDE = 0.1  # chosen: a gap that regularization should have closed
EARLY = 3  # chosen: a best epoch this early leaves nothing to choose from


class Effect(NamedTuple):
    """What one way to regularize came to: its settings, its name, scores on training and validation rows, its best epoch."""

    changes: dict[str, float]
    name: str
    training: float
    validation: float
    epoch: int

    @property
    def gap(self) -> float:
        return self.training - self.validation


def regularize(
    context: Context, first: int, widths: str, learning_rate: float | None, frequency: float | None = None
) -> tuple[Evidence, list[Training]]:
    """(evidence with the best regularizer, all trainings); members are numbered from ``first``."""
    structure = context.structure(widths=fixed.widths_of(widths))
    base = {"adam.beta2": 0.95, "early_stopping.patience": PATIENCE, "dropout.rate": 0.0, "weight_decay.rate": 0.0}
    if learning_rate is not None:
        base[f"{structure.optimizer}.learning_rate"] = learning_rate
    if frequency is not None and FREQUENCY in hyperparameters_of(structure):
        base[FREQUENCY] = frequency
    plans = ways_to_regularize(structure, context.metric.name)
    trainings = []
    for number, changes in enumerate(plans, start=first):
        settings = context.settings(structure, {**base, **changes})
        trainings.append(Training(Member(number, structure, settings, "regularize")))
    population, epochs = context.population(), _epochs(context, structure)
    trainings = population.train(trainings, epochs, epochs, context.budget, context.watcher("regularize", len(trainings)))
    effects = _effects(context, population, plans, trainings)
    whole = epochs == context.epochs(structure) and all(t.stopped or t.epochs >= epochs for t in trainings)
    return (_evidence(context, effects, whole) if effects else _too_late()), [training.let_go() for training in trainings]


def _epochs(context: Context, structure: Structure) -> int:
    """Of few rows a full training; of many a part of it, which is enough to see the gap."""
    full = context.epochs(structure)
    return full if len(context.split.train) < MANY_ROWS else max(FEWEST_EPOCHS, round(SHARE_OF_MANY * full))


def ways_to_regularize(structure: Structure, metric: str) -> list[dict[str, float]]:
    """Changes to the unregularized network: none, each regularizer at each strength, two of them together."""
    known = hyperparameters_of(structure)
    plans: list[dict[str, float]] = [{}]
    for name, strengths in STRENGTHS.items():
        full = f"{structure.loss}.{name}" if name == "label_smoothing" else name
        blurs_order = name == "label_smoothing" and metric in ORDERS
        if full in known and not blurs_order:
            plans += [{full: strength} for strength in strengths]
    return [*plans, dict(TOGETHER)] if set(TOGETHER) <= set(known) else plans


def _effects(
    context: Context, population: Population, plans: Sequence[dict[str, float]], trainings: Sequence[Training]
) -> list[Effect]:
    """The effect of each plan whose member trained."""
    trained = [(plan, t) for plan, t in zip(plans, trainings, strict=True) if t.sound and np.isfinite(t.score)]
    if not trained:
        return []
    sample = context.train.take(some_rows(len(context.split.train), ROWS_SCORED, context.options.seed))
    predictions = population.predict([training for _, training in trained], sample.numeric, sample.categories)
    score = context.metric.score
    return [
        Effect(
            plan, _name(plan), float(score(guess, sample.target, sample.weights)), training.score, training.curves.best_epoch
        )
        for (plan, training), guess in zip(trained, predictions, strict=True)
    ]


def _name(changes: dict[str, float]) -> str:
    """``"dropout 0.15 + weight decay 0.02"``."""
    words = {name: name.removesuffix(".rate").rsplit(".", 1)[-1].replace("_", " ") for name in changes}
    return " + ".join(f"{words[name]} {value:g}" for name, value in changes.items()) or "early stopping alone"


def _evidence(context: Context, effects: list[Effect], whole: bool) -> Evidence:
    best = max(effects, key=lambda effect: effect.validation)
    plain = next((effect for effect in effects if not effect.changes), best)
    label = context.metric.label
    return Evidence(
        "regularize",
        "warn" if best.gap > max(WIDE, plain.gap) else "pass",
        f"gap {context.said_gap(plain.gap)} -> {context.said_gap(best.gap)} with {best.name}, best at epoch {best.epoch}",
        explanation=_explanation(context, effects, plain, best),
        actions=_actions(plain, best),
        measures={
            **{f"best.{name}": value for name, value in best.changes.items()},
            "regularizer": best.name,
            "trained_to_the_end": whole,
            "plain_score": plain.validation,
            "best_score": best.validation,
            "plain_gap": plain.gap,
            "best_gap": best.gap,
        },
        tables={
            "What each regularizer does": [
                {
                    "regularizer": effect.name,
                    f"training {label}": round(context.shown(effect.training), 4),
                    f"validation {label}": round(context.shown(effect.validation), 4),
                    "gap": context.said_gap(effect.gap),
                    "best epoch": effect.epoch,
                }
                for effect in effects
            ]
        },
        figures={"gap": _gap_figure(context, effects)},
    )


def _too_late() -> Evidence:
    said = "The time of this stage was used up before a network had trained: the usual strengths are taken."
    return Evidence(
        "regularize", "warn", "no time was left to measure regularizers", said, ("Give the run more time (--time-limit).",)
    )


def _explanation(context: Context, effects: list[Effect], plain: Effect, best: Effect) -> str:
    words = (
        f"With {plain.name} the network scores {context.metric.label} {context.said(plain.training)} on training rows and "
        f"{context.said(plain.validation)} on validation rows. Of {len(effects)} ways to hold it back, {best.name} is the "
        f"best on the validation rows: {context.said(best.validation)}. "
    )
    if best is plain:
        return words + "No regularizer beats stopping early on this table; the search tries mild ones all the same."
    return words + "The search draws strengths anew, together and at random; this stage shows what each does by itself."


def _actions(plain: Effect, best: Effect) -> list[str]:
    actions = []
    if best.gap > WIDE:
        actions.append("The gap stays wide whatever is done: more rows would help more than any setting.")
    if plain.epoch <= EARLY:
        actions.append("The best epoch comes very early: a lower learning rate would leave more to choose from.")
    return actions


def _gap_figure(context: Context, effects: list[Effect]) -> Figure:
    names = [effect.name for effect in effects]
    bars = (
        Series("training", names, [round(context.shown(effect.training), 4) for effect in effects]),
        Series("validation", names, [round(context.shown(effect.validation), 4) for effect in effects]),
    )
    caption = "A regularizer is worth its price when the validation score rises, not merely when the gap closes."
    return Figure("bars", "What each regularizer does", "", context.metric.label, bars, caption)
