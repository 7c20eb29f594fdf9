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
from trainwell.errors import InputError
from trainwell.network.structure import WITHOUT_A_SETTING, Structure
from trainwell.population import checkpoint
from trainwell.population.budget import Budget
from trainwell.population.cohort import Population
from trainwell.population.member import Member, Training
from trainwell.population.metrics import Metric, metric_named

STAGE = "squeeze"


class Fold(NamedTuple):
    """Rows that train and rows that they are measured on; of which groups these are (rows,), where there are groups."""

    train: Arrays
    validation: Arrays
    groups: np.ndarray | None = None


class Finalist(NamedTuple):
    """One configuration: its networks, one for each fold, and the predictions (rows, outputs) of each fold's own rows by the
    network that has not seen them, fold after fold. A finalist that was not cross-fitted has one network."""

    networks: tuple[Training, ...]
    predictions: np.ndarray

    @property
    def number(self) -> int:
        """The number of the search's own member."""
        return self.networks[0].member.number


class CrossFit(NamedTuple):
    """What came of it.

    Parameters
    ----------
    finalists : those whose networks of all folds are sound, in the order given.
    trained : every network that was trained for it, by number.
    left_out : (the search's own training, the first of its networks that came to nothing) of each that is no finalist.
    """

    finalists: tuple[Finalist, ...]
    trained: tuple[Training, ...]
    left_out: tuple[tuple[Training, Training], ...]


def held_out_once(
    trainings: Sequence[Training],
    folds: Sequence[Fold],
    population: Callable[[Fold], Population],
    epochs: int,
    budget: Budget,
    folder: Path,
    first: int,
    on_finished: Callable[[Sequence[Training]], None] = lambda trainings: None,
) -> CrossFit:
    """The trainings, trained once more for every fold but the first.

    A fold that the budget cuts counts for nothing, nor do those after it: then the finalists have fewer networks, and fewer
    rows were held out.

    Parameters
    ----------
    trainings : the search's own, trained on the first fold.
    folds : all of them.
    population : makes one of a fold.
    epochs : of a full training.
    budget : when to end at the latest.
    folder : where each fold's networks are kept as they are done; what is there is not trained again.
    first : the number of the first new network; that of a finalist and a fold hangs on their places alone.
    on_finished : called with networks that are done.
    """
    by_fold = [list(trainings)]
    shown = [_predictions(population(folds[0]), trainings, folds[0])]
    for place, fold in enumerate(folds[1:]):
        own = population(fold)
        new = [_again(t, first + place + rank * (len(folds) - 1)) for rank, t in enumerate(trainings)]
        trained = _trained(own, new, epochs, budget, folder / f"fold-{place + 1}.safetensors", on_finished)
        if trained is None:
            break
        by_fold.append(trained)
        shown.append(_predictions(own, trained, fold))
    return _put_together(by_fold, shown)


def _trained(
    population: Population,
    new: Sequence[Training],
    epochs: int,
    budget: Budget,
    path: Path,
    on_finished: Callable[[Sequence[Training]], None],
) -> list[Training] | None:
    """The new networks trained to their end, those of them that the file holds read from it; None where the budget cut them."""
    kept = {training.member.number: training for training in (checkpoint.load(path) if path.exists() else ())}
    missing = [one for one in new if not _same(one, kept.get(one.member.number))]
    if missing:
        done = population.train(missing, epochs, epochs, budget, lambda some: on_finished([one.let_go() for one in some]))
        if not all(training.stopped or training.failed or training.epochs >= epochs for training in done):
            return None
        kept |= {training.member.number: training.let_go() for training in done}
        checkpoint.save([kept[one.member.number] for one in new], path)
    return [kept[one.member.number] for one in new]


def _put_together(by_fold: Sequence[Sequence[Training]], shown: Sequence[Sequence[np.ndarray | None]]) -> CrossFit:
    finalists, left_out = [], []
    for networks, predictions in zip(zip(*by_fold, strict=True), zip(*shown, strict=True), strict=True):
        held_out = [one for one in predictions if one is not None]
        if len(held_out) == len(networks):
            finalists.append(Finalist(networks, np.concatenate(held_out)))
        else:
            left_out.append((networks[0], next(one for one in networks if not _serves(one))))
    trained = sorted((one for fold in by_fold[1:] for one in fold), key=lambda training: training.member.number)
    return CrossFit(tuple(finalists), tuple(trained), tuple(left_out))


def held_out_target(folds: Sequence[Fold]) -> np.ndarray:
    """The target (rows,) of the rows that `Finalist.predictions` are of, given the folds that a finalist has networks of."""
    return np.concatenate([fold.validation.target for fold in folds])


def held_out_weights(folds: Sequence[Fold]) -> np.ndarray | None:
    """How much each of these rows counts (rows,); None where all count the same."""
    weights = [fold.validation.weights for fold in folds]
    return None if weights[0] is None else np.concatenate([own for own in weights if own is not None])


def held_out_groups(folds: Sequence[Fold]) -> np.ndarray | None:
    """Which group each of these rows is of (rows,); None where there are no groups."""
    groups = [fold.groups for fold in folds]
    return None if groups[0] is None else np.concatenate([own for own in groups if own is not None])


def criteria(
    finalists: Sequence[Finalist], target: np.ndarray, metric: str | Metric, weights: np.ndarray | None = None
) -> np.ndarray:
    """What is maximized, `Metric.criterion`, of each finalist (finalists,) on the rows that its networks have not seen."""
    criterion = metric_named(metric).criterion
    return np.array([float(criterion(finalist.predictions, target, weights)) for finalist in finalists])


def _again(training: Training, number: int) -> Training:
    """The same configuration as a new network that has not begun."""
    member = training.member
    if member.structure.optimizer is WITHOUT_A_SETTING:
        raise InputError(
            f"member {member.number} was trained with an optax transformation, which no file can hold: "
            "it cannot be trained again from one."
        )
    return Training(Member(number, member.structure, member.settings, STAGE))


def _same(new: Training, kept: Training | None) -> bool:
    """Whether a kept network is of the configuration that is to be trained."""
    if kept is None:
        return False
    structure = Structure.from_json(new.member.structure.to_json())  # without the optax transformation, if it has one
    return kept.member.structure == structure and kept.member.settings == new.member.settings


def _serves(training: Training) -> bool:
    return training.sound and bool(np.isfinite(training.score))


def _predictions(population: Population, trainings: Sequence[Training], fold: Fold) -> list[np.ndarray | None]:
    """Of the fold's own rows, by each network that came to something."""
    able = [training for training in trainings if _serves(training)]
    if not able:
        return [None] * len(trainings)
    found = iter(population.predict(able, fold.validation.numeric, fold.validation.categories))
    return [next(found) if _serves(training) else None for training in trainings]
