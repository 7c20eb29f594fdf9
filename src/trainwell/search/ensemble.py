"""Greedy ensemble selection: add, again and again and with repetition, the member that helps the average of all most.

Source: Caruana et al. (2004), "Ensemble selection from libraries of models".
"""

from collections.abc import Sequence
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from trainwell.population.member import Training
from trainwell.population.metrics import Metric, metric_named
from trainwell.population.own_metric import calls_back

MOST_CANDIDATES = 48  # chosen: weaker members are seldom picked
PICKS = 24  # chosen: a weight is a multiple of 1/24 or more
DRAWS, MOST_HALVED = 3, 8000  # chosen: draws of halves, and rows of both together, to measure how choosing flatters
FEWEST_HALVED = 10  # chosen: rows of a half; what fewer say is chance
MOST_NUMBERS = 1_000_000  # chosen: of all predictions of a half, so that three draws take a second, not a dozen
FEW_ROWS = 2000  # chosen: up to so many rows a program takes its compiling for, not its work
MOST_ROWS, FEWER_ROWS = 20_000, 5_000  # chosen: of so many rows chance is no matter; of hundreds of classes fewer must do
FIRST_PICKS = 3  # chosen: the average starts from the best three, which keeps one lucky member from deciding alone


def candidates_of(trainings: Sequence[Training], most: int = MOST_CANDIDATES) -> list[Training]:
    """Those that an ensemble may be chosen from, the best first."""
    sound = [one for one in trainings if one.sound and np.isfinite(one.score) and one.state is not None]
    return sorted(sound, key=lambda one: (-one.rank, one.member.number))[:most]


@cache
def _scorer(metric: Metric):
    """(criterion of the average, and of that with each candidate added): one compiled program for any number of picks, but for
    a user's function that cannot be compiled."""

    def score(total, picked, predictions, target, weights):
        added = jax.vmap(lambda one: metric.criterion((total + one) / (picked + 1), target, weights))(predictions)
        return metric.criterion(total / picked, target, weights), added

    def one_by_one(total, picked, predictions, target, weights):
        added = [metric.criterion((total + one) / (picked + 1), target, weights) for one in predictions]
        return metric.criterion(total / picked, target, weights), np.array([float(one) for one in added])

    return one_by_one if calls_back(metric) else jax.jit(score)


def greedy(
    predictions: np.ndarray,
    target: np.ndarray,
    ranks: np.ndarray,
    metric: str | Metric,
    weights: np.ndarray | None = None,
    most: int = MOST_CANDIDATES,
) -> dict[int, float]:
    """Weights (summing to 1) of the chosen members, by place in ``predictions``; never worse on these rows than the best alone.
    Of more than `MOST_ROWS` rows (of many classes `FEWER_ROWS`) so many, drawn by chance, do the choosing.

    Parameters
    ----------
    predictions : (members, rows, outputs), on rows that the members were not trained on.
    target : (rows,).
    ranks : (members,) what is maximized, `Metric.criterion`, of each member alone on these rows.
    metric : what the average is to maximize, by name or as it is.
    weights : how much each row counts (rows,); None where all count the same.
    most : of how many members, the best alone, it is chosen.
    """
    metric = metric_named(metric)
    scorer = _scorer(metric)
    candidates = [int(i) for i in np.argsort(-ranks, kind="stable") if np.isfinite(ranks[i])][:most]
    if len(candidates) < 2:
        return {candidates[0] if candidates else 0: 1.0}
    best = float(ranks[candidates[0]])  # what an average has to beat
    enough = max(FEWER_ROWS, MOST_ROWS // max(1, predictions.shape[2] // 10))
    if len(target) > enough and not calls_back(metric):
        drawn = np.sort(np.random.default_rng(0).choice(len(target), enough, replace=False))
        predictions, target = predictions[:, drawn], target[drawn]
        weights = None if weights is None else weights[drawn]
        best = float(_alone(predictions[candidates[:1]], target, metric, weights)[0])
    given = candidates if calls_back(metric) else _filled(candidates, len(target))
    device_predictions, device_target = jnp.asarray(predictions[given]), jnp.asarray(target)
    device_weights = None if weights is None else jnp.asarray(weights)
    picks = list(range(min(FIRST_PICKS, len(candidates))))
    best_picks = [0]
    while len(picks) <= PICKS:
        total = predictions[[candidates[place] for place in picks]].sum(axis=0)
        own, added = scorer(total, float(len(picks)), device_predictions, device_target, device_weights)
        if float(own) > best:
            best, best_picks = float(own), list(picks)
        if len(picks) == PICKS:
            break
        scores = np.asarray(added)[: len(candidates)]
        picks.append(int(np.argmax(np.where(np.isnan(scores), -np.inf, scores))))  # NaN, of a user's function, would win
    return {candidates[place]: best_picks.count(place) / len(best_picks) for place in sorted(set(best_picks))}


def _alone(predictions: np.ndarray, target: np.ndarray, metric: Metric, weights: np.ndarray | None) -> np.ndarray:
    """The criterion of each member (members,) for itself: the program that `greedy` runs gives that of nothing and it."""
    many = jnp.asarray(predictions[_filled(list(range(len(predictions))), len(target))])
    given = [None if own is None else jnp.asarray(own) for own in (target, weights)]
    _, alone = _scorer(metric)(np.zeros_like(predictions[0]), 0.0, many, *given)
    return np.asarray(alone)[: len(predictions)]


def _filled(candidates: list[int], rows: int) -> list[int]:
    """The candidates, and the first again and again: of few rows up to the most there can be, of many up to a power of two. So
    few programs serve any number of them."""
    size = MOST_CANDIDATES if rows <= FEW_ROWS else 1 << (len(candidates) - 1).bit_length()
    return candidates + candidates[:1] * (size - len(candidates))


def optimism(
    predictions: np.ndarray,
    target: np.ndarray,
    metric: str | Metric,
    seed: int,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> float:
    """By how much choosing flatters the score on the rows that are chosen by; NaN where they are too few or too uniform to say,
    or where the metric is a user's function that cannot be compiled.

    Rows are drawn into two halves, again and again. An ensemble chosen by one half scores better there than on the other; the
    mean difference is the optimism of choosing by the rows of a half. Chance sets nearly equal members apart by about one over
    the root of the number of rows, so for all rows it is taken times the root of the share that a half has of them. It is that
    of the last choice alone: what halving and early stopping took from these rows before is not in it. Parameters are those
    of `greedy`, and ``groups`` (rows,), none of which is in both halves.
    """
    metric = metric_named(metric)
    numbers = len(predictions) * predictions.shape[2]
    size = min(len(target) // 2, MOST_HALVED // 2, max(FEWEST_HALVED, MOST_NUMBERS // numbers))
    if calls_back(metric) or len(predictions) == 1:  # thousands of calls of a function may take minutes; one is no choice
        return float("nan")
    found: list[float] = []
    drawn = [_halves(len(target), size, groups, np.random.default_rng([seed, draw])) for draw in range(DRAWS)]
    size = min(len(half) for halves in drawn for half in halves)  # all of one size, which one program serves
    for one, other in drawn if size >= FEWEST_HALVED else ():
        halves = one[:size], other[:size]
        if any(target[half].min() == target[half].max() for half in halves):  # AUC and R2 mean nothing there
            continue
        found += [_gain(predictions, target, metric, weights, *both) for both in (halves, halves[::-1])]
    return (size / len(target)) ** 0.5 * float(np.mean(found)) if found else float("nan")


def _halves(rows: int, size: int, groups: np.ndarray | None, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of at most so many rows, and no group in both."""
    if groups is None:
        order = random.permutation(rows)
        return order[:size], order[size : 2 * size]
    _, group = np.unique(groups, return_inverse=True)
    place = random.permutation(int(group.max()) + 1)[group]
    order = np.argsort(place, kind="stable")
    ends = np.flatnonzero(np.diff(place[order])) + 1  # where a group ends and another begins
    cut = int(ends[np.argmin(np.abs(ends - rows // 2))]) if len(ends) else 0
    return random.permutation(order[:cut])[:size], random.permutation(order[cut:])[:size]


def _gain(
    predictions: np.ndarray,
    target: np.ndarray,
    metric: Metric,
    weights: np.ndarray | None,
    here: np.ndarray,
    there: np.ndarray,
) -> float:
    """The score of the ensemble chosen by the rows ``here``, less its score ``there``."""
    own, other = (None if weights is None else weights[rows] for rows in (here, there))
    ranks = _alone(predictions[:, here], target[here], metric, own)
    shares = greedy(predictions[:, here], target[here], ranks, metric, own)
    average = sum(share * predictions[place] for place, share in shares.items())
    return float(metric.score(average[here], target[here], own) - metric.score(average[there], target[there], other))
