"""The finalists of a run: the best of the search, cross-fitted as far as the time allows, from which the ensemble is chosen."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trainwell.calibration.calibrate import Calibration, calibrate
from trainwell.calibration.thresholds import costs_of
from trainwell.model import EnsembleMember, Model, ensemble_members
from trainwell.network.structure import Structure
from trainwell.population.member import Training
from trainwell.population.own_metric import can_measure
from trainwell.recipe.context import Context
from trainwell.recipe.options import EFFORTS
from trainwell.recipe.pace import calls_of_metric, pace
from trainwell.search.cross_fit import (
    CrossFit,
    Finalist,
    Fold,
    criteria,
    held_out_groups,
    held_out_once,
    held_out_target,
    held_out_weights,
)
from trainwell.search.ensemble import MOST_CANDIDATES, PICKS, candidates_of, greedy, optimism
from trainwell.search.halving import MARGIN, work

FEWEST = 3  # chosen: of fewer finalists or folds the ensemble would have nothing to choose from, or by
MOST_ROWS = 200_000  # chosen: with more rows a fifth of them is enough to choose by
BY_PROMISE = 6  # chosen: finalists before the best of each structure that has none among them


class Choice(NamedTuple):
    """The ensemble and what it was chosen by.

    Parameters
    ----------
    model : not yet scored on the test rows.
    finalists, shares : what it was chosen from, and the share of each chosen one by its place.
    predictions, target : of the ensemble (rows, outputs) on rows that its networks have not seen, and their target (rows,).
    criteria : what is maximized of each finalist alone on these rows.
    optimism : by how much choosing the ensemble flatters the score on these rows, as measured on halves of them.
    folds : how many networks a finalist has.
    trained : every network that was trained to choose by, also those that came to nothing.
    weights : how much each of these rows counts (rows,); None where all count the same.
    """

    model: Model
    finalists: tuple[Finalist, ...]
    shares: dict[int, float]
    predictions: np.ndarray
    target: np.ndarray
    criteria: np.ndarray
    optimism: float
    folds: int
    trained: tuple[Training, ...] = ()
    weights: np.ndarray | None = None


def choose(context: Context, trainings: Sequence[Training], first: int, seconds: float) -> Choice:
    """The ensemble that does best on rows that its networks have not seen.

    Parameters
    ----------
    context : its clock says when cross-fitting has to end.
    trainings : every network of the run; new networks are numbered from ``first``.
    seconds : what the search's networks took, to know what the time suffices for.
    """
    candidates = candidates_of(trainings)
    rows = context.validation
    own = [Fold(context.train, rows, context.groups_of(context.split.validation))]
    predictions = context.population().predict(candidates, rows.numeric, rows.categories)
    alone = [Finalist((training,), one) for training, one in zip(candidates, predictions, strict=True)]
    ranked = with_each_structure(_by_promise(context, alone))
    best = ranked[: affordable(context, ranked, trainings, seconds)]
    if len(best) < FEWEST:
        return _chosen(context, alone, own)
    folds = measurable(context, context.folds())
    fitted = _cross_fitted(context, best, folds, schedule_of(context, candidates), first)
    used = len(fitted.finalists[0].networks) if fitted.finalists else 0
    if used < FEWEST:
        return _chosen(context, alone, own)._replace(trained=fitted.trained)
    return _chosen(context, fitted.finalists, folds[:used])._replace(trained=fitted.trained)


def measurable(context: Context, folds: Sequence[Fold]) -> list[Fold]:
    """The folds whose own rows the metric can be taken of; the others, which lack what a user's function needs, are noted."""
    able = [fold for fold in folds if can_measure(context.metric, fold.validation.target, context.outputs)]
    if len(able) < len(folds):
        lacking = f"{len(folds) - len(able)} of {len(folds)} folds are left out"
        context.log.note("squeeze", f"{lacking}: the metric {context.metric.name!r} cannot be taken of their rows.")
    return able


def _cross_fitted(context: Context, best: Sequence[Training], folds: Sequence[Fold], epochs: int, first: int) -> CrossFit:
    """What cross-fitting came to; a finalist that is lost in it is noted in the diary."""
    fitted = held_out_once(
        best,
        folds,
        lambda fold: context.population(fold.train, fold.validation),
        epochs,
        context.budget,
        context.folder / "members",
        first,
        context.watcher("squeeze", len(best) * (len(folds) - 1)),
    )
    for training, lost in fitted.left_out:
        context.log.note(
            "squeeze",
            f"Network {training.member.number} is no finalist: trained with other rows held out, as network "
            f"{lost.member.number}, it broke down.",
        )
    networks = 1 + len(fitted.trained) // len(best)
    if networks < len(folds):
        context.log.note("squeeze", f"The time sufficed for {networks} of {len(folds)} folds: fewer rows to choose by.")
    return fitted


def affordable(context: Context, candidates: Sequence[Training], trainings: Sequence[Training], seconds: float) -> int:
    """How many of the candidates, the most promising first, the time suffices to train again for every other fold; 0 where rows
    must not be dealt, and where they are only a sample of those that the search trained on."""
    others = len(context.other_folds)
    if not others or context.sample is not None or context.table.rows > MOST_ROWS:
        return 0
    most = EFFORTS[context.options.effort].finalists
    if math.isinf(context.budget.left):
        return most
    unit = pace((t for t in trainings if t.member.stage == "tune"), seconds)
    if math.isnan(unit):
        return 0
    longest = schedule_of(context, candidates)
    costs = np.cumsum([unit * work(t.member.structure) * min(t.epochs, longest) * others for t in candidates[:most]])
    return int(np.searchsorted(costs, MARGIN * context.budget.left, side="right"))


def schedule_of(context: Context, candidates: Sequence[Training]) -> int:
    """The epochs of the schedule that the candidates were trained by: those of the ones that came to its end."""
    ended = [t.epochs for t in candidates if t.ended and not t.stopped]
    return max(ended, default=context.epochs(candidates[0].member.structure))


def _by_promise(context: Context, alone: Sequence[Finalist]) -> list[Training]:
    """Those that complement each other on the validation rows first, then by score."""
    ranks = np.array([one.networks[0].rank for one in alone])
    rows, predictions = context.validation, np.stack([one.predictions for one in alone])
    shares = greedy(predictions, rows.target, ranks, context.metric, rows.weights, _looked_at(context, len(rows.target)))
    order = sorted(range(len(alone)), key=lambda place: (-shares.get(place, 0.0), -ranks[place], place))
    return [alone[place].networks[0] for place in order]


def with_each_structure(ranked: Sequence[Training]) -> list[Training]:
    """The first few as they are ranked, then the best of each searched structure that has none among them, then the others."""
    leaders: dict[Structure, Training] = {}
    for training in ranked:
        if training.member.stage == "tune":
            leaders.setdefault(training.member.structure, training)
    first = list(ranked[:BY_PROMISE])
    seen = {training.member.structure for training in first}
    first += [training for structure, training in leaders.items() if structure not in seen]
    numbers = {training.member.number for training in first}
    return first + [training for training in ranked if training.member.number not in numbers]


def _chosen(context: Context, finalists: Sequence[Finalist], folds: Sequence[Fold]) -> Choice:
    """The choice by the rows that were held out in these folds."""
    target, weights, groups = held_out_target(folds), held_out_weights(folds), held_out_groups(folds)
    metric = context.metric
    predictions = np.stack([one.predictions for one in finalists])
    single = criteria(finalists, target, metric, weights)
    shares = greedy(predictions, target, single, metric, weights, _looked_at(context, len(target)))
    average = np.sum([share * predictions[place] for place, share in shares.items()], axis=0)
    members: list[EnsembleMember] = []
    for place, share in shares.items():
        networks = finalists[place].networks
        members += ensemble_members({i: share / len(networks) for i in range(len(networks))}, networks)
    return Choice(
        Model(context.encoder, tuple(members), metric.name, calibration=calibrated(context, average, target, weights)),
        tuple(finalists),
        shares,
        average,
        target,
        single,
        optimism(predictions, target, metric, context.options.seed, weights, groups),
        len(finalists[0].networks),
        weights=weights,
    )


def _looked_at(context: Context, rows: int) -> int:
    """Of how many networks an ensemble is chosen, pick after pick."""
    return int(max(1, min(MOST_CANDIDATES, calls_of_metric(context, rows) / PICKS)))


def calibrated(context: Context, average: np.ndarray, target: np.ndarray, weights: np.ndarray | None) -> Calibration:
    """Temperature, threshold and intervals from the ensemble's average (rows, outputs) for rows not seen."""
    costs = costs_of(context.options.cost, context.task)
    unit = {"mean": context.encoder.target_mean, "scale": context.encoder.target_scale}
    return calibrate(average, target, context.task, metric=context.metric.kind, costs=costs, weights=weights, **unit)
