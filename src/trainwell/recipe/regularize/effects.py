"""What a way to regularize does: its scores on training and validation rows, and how sure a difference between two ways is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trainwell.data.encode import Arrays
from trainwell.errors import InputError
from trainwell.network.structure import Structure
from trainwell.population.cohort import Population
from trainwell.population.member import Training
from trainwell.recipe.baselines.simple_models import some_rows
from trainwell.recipe.context import Context
from trainwell.recipe.final_scores import can_be_doubted, doubt

ROWS_SCORED = 5000  # chosen: training rows on which the gap is measured


class Way(NamedTuple):
    """One way to regularize: the network's structure, what is changed in its settings, its name, its kind and strength; a way
    without a strength is drawn in no curve."""

    structure: Structure
    changes: dict[str, float]
    name: str
    kind: str = ""
    strength: float | None = None


class Effect(NamedTuple):
    """What one way came to: scores on training and validation rows, larger is better, and the best epoch."""

    way: Way
    training: float
    validation: float
    epoch: int

    @property
    def name(self) -> str:
        return self.way.name

    @property
    def changes(self) -> dict[str, float]:
        return self.way.changes

    @property
    def gap(self) -> float:
        return self.training - self.validation


def effects_of(context: Context, population: Population, ways: Sequence[Way], trainings: Sequence[Training]) -> list[Effect]:
    """The effect of each way whose member trained."""
    done = [(way, t) for way, t in zip(ways, trainings, strict=True) if t.sound and np.isfinite(t.score)]
    if not done:
        return []
    classes = None if context.task == "regression" else context.train.target
    sample = context.train.take(some_rows(len(context.split.train), ROWS_SCORED, context.options.seed, classes))
    found = []
    for structure in dict.fromkeys(way.structure for way, _ in done):
        own = [(way, training) for way, training in done if way.structure == structure]
        predictions = population.predict([training for _, training in own], sample.numeric, sample.categories)
        found += [
            Effect(way, _scored(context, guess, sample), training.score, training.curves.best_epoch)
            for (way, training), guess in zip(own, predictions, strict=True)
        ]
    return found


def _scored(context: Context, guess: np.ndarray, rows: Arrays) -> float:
    """The score of a network on some rows; NaN where a user's function gives none for them."""
    try:
        return float(context.metric.score(guess, rows.target, rows.weights))
    except InputError:
        return float("nan")


def doubt_of(
    context: Context, population: Population, ways: Sequence[Way], trainings: Sequence[Training], best: Effect
) -> float:
    """Two standard errors of the difference between the best way and none, from drawing the validation rows again and again;
    NaN where there is nothing to compare, or where the score hangs on a threshold that each draw would choose anew."""
    metric, rows = context.metric, context.validation
    if not best.changes or not can_be_doubted(metric):
        return float("nan")
    both = [t for way, t in zip(ways, trainings, strict=True) if way.changes in ({}, best.changes) and t.sound]
    if len(both) < 2:
        return float("nan")
    one, other = population.predict(both, rows.numeric, rows.categories)
    groups = context.groups_of(context.split.validation)
    return doubt((one, other), rows.target, metric, rows.weights, groups, seed=context.options.seed)
