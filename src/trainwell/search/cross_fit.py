"""Cross-fitting: the best of a search trained again with other rows held out, until every row was held out once.

What a network says of rows that it was trained on is worthless for choosing. With few rows held out, choosing among many
networks finds the luckiest. So each finalist is trained once for each fold of the rows, on all the others; together its
networks predict every row as one that they have not seen, and the ensemble is chosen by all rows rather than by a fifth of
them. In the end all networks of a chosen finalist vote: each has seen other rows, which lowers the variance as bagging does.

Sources: Breiman (1996), "Stacked regressions"; Wolpert (1992), "Stacked generalization"; Parmanto, Munro & Doyle (1996) for
averaging the networks of a cross-validation.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainwell.data.encode import Arrays
from trainwell.population import checkpoint
from trainwell.population.budget import Budget
from trainwell.population.cohort import Population
from trainwell.population.member import Member, Training
from trainwell.population.metrics import Metric, metric_named

STAGE = "squeeze"


class Fold(NamedTuple):
    """Rows that train and rows that they are measured on."""

    train: Arrays
    validation: Arrays


class Finalist(NamedTuple):
    """One configuration: its networks, one for each fold, and the predictions (rows, outputs) of each fold's own rows by the
    network that has not seen them, fold after fold. A finalist that was not cross-fitted has one network."""

    networks: tuple[Training, ...]
    predictions: np.ndarray

    @property
    def number(self) -> int:
        """The number of the search's own member."""
        return self.networks[0].member.number


def held_out_once(
    trainings: Sequence[Training],
    folds: Sequence[Fold],
    population: Callable[[Fold], Population],
    epochs: int,
    budget: Budget,
    folder: Path,
    first: int,
) -> list[Finalist]:
    """The finalists whose networks of all folds were trained, in the order given.

    Parameters
    ----------
    trainings : the search's own, trained on the first fold.
    folds : all of them.
    population : makes one of a fold.
    epochs : of a full training.
    budget : when to end at the latest; a network that was cut counts where it has trained at all.
    folder : where each fold's networks are kept as they are done; what is there is not trained again.
    first : the number of the first new network; every finalist and fold has its own.
    """
    by_fold = [list(trainings)]
    kept = [_predictions(population(folds[0]), trainings, folds[0])]
    for place, fold in enumerate(folds[1:], start=1):
        own, path = population(fold), folder / f"fold-{place}.safetensors"
        if path.exists():
            trained = checkpoint.load(path)
        else:
            numbers = range(first + (place - 1) * len(trainings), first + place * len(trainings))
            new = [_again(training, number) for training, number in zip(trainings, numbers, strict=True)]
            trained = [training.let_go() for training in own.train(new, epochs, epochs, budget)]
            if not budget.passed:
                checkpoint.save(trained, path)
        by_fold.append(trained)
        sound = [t for t in trained if t.sound]
        shown = dict(zip([t.member.number for t in sound], _predictions(own, sound, fold), strict=True)) if sound else {}
        kept.append([shown.get(t.member.number) for t in trained])
    return [
        Finalist(networks, np.concatenate(predictions))
        for networks, predictions in zip(zip(*by_fold, strict=True), zip(*kept, strict=True), strict=True)
        if all(one is not None for one in predictions)
    ]


def held_out_target(folds: Sequence[Fold]) -> np.ndarray:
    """The target (rows,) of the rows that `Finalist.predictions` are of."""
    return np.concatenate([fold.validation.target for fold in folds])


def criteria(finalists: Sequence[Finalist], target: np.ndarray, metric: str | Metric) -> np.ndarray:
    """What is maximized, `Metric.criterion`, of each finalist (finalists,) on the rows that its networks have not seen."""
    criterion = metric_named(metric).criterion
    return np.array([float(criterion(finalist.predictions, target)) for finalist in finalists])


def _again(training: Training, number: int) -> Training:
    return Training(Member(number, training.member.structure, training.member.settings, STAGE))


def _predictions(population: Population, trainings: Sequence[Training], fold: Fold) -> list[np.ndarray]:
    return list(population.predict(trainings, fold.validation.numeric, fold.validation.categories))
