"""Scores of finished predictions, as the last stage takes them: of one model, of many at once, of some of the rows."""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import numpy as np
from jaxtyping import Int
from sklearn import metrics as sklearn

from trainwell.calibration.calibrate import Calibration
from trainwell.calibration.thresholds import THRESHOLDED, recentred
from trainwell.errors import InputError
from trainwell.population import scores
from trainwell.population.metrics import Metric
from trainwell.population.own_metric import calls_back

DRAWS, MOST_DRAWN = 200, 4000  # chosen: draws of rows for the doubt in a difference, and rows of each


def final(metric: Metric, calibration: Calibration, average: np.ndarray) -> np.ndarray:
    """The networks' average as it is scored: calibrated, and where decisions are scored with the threshold moved to 1/2."""
    applied = calibration.applied(average)
    return recentred(applied, calibration.threshold) if metric.decided is not None else applied


def scorer(
    metric: Metric,
    calibration: Calibration,
    target: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    compiled: bool = True,
) -> Callable[[np.ndarray], np.ndarray]:
    """A function from averages of several models (models, rows, outputs) to their scores (models,).

    It is ``compiled`` for each number of models, which is worth it for many calls and not for a few.
    """

    def of_models(averages: np.ndarray) -> np.ndarray:
        finished = np.stack([final(metric, calibration, one) for one in averages])
        if calls_back(metric):
            return np.array([float(metric.final(one, target, weights)) for one in finished])
        if not compiled:
            return np.array([score_of_some(metric, one, target, weights) for one in finished])
        return np.asarray(_of_models(finished, target, weights, metric=metric))

    return of_models


@partial(jax.jit, static_argnames="metric")
def _of_models(predictions, target, weights, metric: Metric):
    return jax.vmap(lambda one: metric.final(one, target, weights))(predictions)


def resampled(
    predictions: np.ndarray, target: np.ndarray, picks: np.ndarray, metric: Metric, weights: np.ndarray | None = None
) -> np.ndarray:
    """Scores (draws,) of draws of rows (draws, drawn); NaN for one that a user's function cannot measure."""
    if calls_back(metric):
        return np.array([score_or_none(metric, *_taken(rows, predictions, target, weights)) for rows in picks])
    return np.asarray(_resampled(predictions, target, weights, picks.astype(np.int32), metric=metric))


def can_be_doubted(metric: Metric) -> bool:
    """Whether drawing rows again and again tells how sure a score is: not where each draw would choose a threshold anew, nor
    where a user's function would be called for each."""
    return metric.kind not in THRESHOLDED and not calls_back(metric)


def drawn(
    rows: int, draws: int, size: int, groups: np.ndarray | None, generator: np.random.Generator
) -> Int[np.ndarray, "draws size"]:
    """Numbers of rows, drawn with replacement; where rows belong to ``groups`` (rows,), whole groups of them, the last one cut
    at the wished number. Rows of one group err alike: drawn one by one they would seem to say more than they do.

    >>> drawn(4, 2, 3, np.array([7, 7, 5, 5]), np.random.default_rng(1)).tolist()
    [[2, 3, 0], [0, 1, 0]]
    """
    if groups is None:
        return generator.integers(0, rows, (draws, size)).astype(np.int32)
    _, group = np.unique(groups, return_inverse=True)
    order, lengths = np.argsort(group, kind="stable"), np.bincount(group)
    starts, enough = np.cumsum(lengths) - lengths, size // int(lengths.min()) + 1
    picks = np.empty((draws, size), np.int32)
    for pick in picks:
        chosen = generator.integers(0, len(lengths), enough)
        ends = np.cumsum(lengths[chosen])
        chosen, ends = (one[: int(np.searchsorted(ends, size)) + 1] for one in (chosen, ends))
        first = np.repeat(starts[chosen] - ends + lengths[chosen], lengths[chosen])
        pick[:] = order[first + np.arange(ends[-1])][:size]
    return picks


def doubt(
    both: Sequence[np.ndarray],
    target: np.ndarray,
    metric: Metric,
    weights: np.ndarray | None,
    groups: np.ndarray | None = None,
    *,
    seed: int,
) -> float:
    """Two standard errors of the difference between the scores of two predictions of the same rows, by drawing these, or their
    groups, again and again."""
    count = min(len(target), MOST_DRAWN)
    picks = drawn(len(target), DRAWS, count, groups, np.random.default_rng(seed))
    apart = np.subtract(*(resampled(each, target, picks, metric, weights) for each in both))
    return 2 * float(np.nanstd(apart)) * (count / len(target)) ** 0.5


@partial(jax.jit, static_argnames="metric")
def _resampled(predictions, target, weights, picks, metric: Metric):
    return jax.lax.map(lambda rows: metric.final(*_taken(rows, predictions, target, weights)), picks)


def _taken(rows, *arrays):
    return jax.tree.map(lambda one: one[rows], arrays)


def score_or_none(metric: Metric, predictions: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The score of finished predictions; NaN where a user's function fails on these rows, such as for want of a class."""
    try:
        return float(metric.final(predictions, target, weights))
    except InputError:
        return float("nan")


def score_of_some(metric: Metric, predictions: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The score of finished predictions of any number of rows, larger is better.

    Compiled programs are made for a number of rows; scikit-learn's functions, which the engine's are held against, need none.
    """
    plain = _plain(metric, predictions, target, weights)
    return float(metric.final(predictions, target, weights)) if plain is None else plain


def _plain(metric: Metric, predictions: np.ndarray, target: np.ndarray, weights: np.ndarray | None) -> float | None:
    """By scikit-learn or NumPy; None for a metric that only its own function knows."""
    own = {"sample_weight": weights}
    name, column = metric.kind, predictions[:, 0].astype(np.float64)
    if isinstance(metric.score, scores.NegativePinball):
        return -float(sklearn.mean_pinball_loss(target, column, alpha=metric.score.quantile, **own))
    if name in OF_NUMBERS:
        return float(OF_NUMBERS[name](target, column, **own))
    if name in OF_ORDER:
        return float(OF_ORDER[name](target, column, **own))
    both = np.column_stack([1 - column, column]) if predictions.shape[1] == 1 else predictions
    if name == "log_loss":
        right = both[np.arange(len(target)), target.astype(int)]
        return float(np.average(np.log(np.clip(right, scores.SMALLEST, 1)), weights=weights))
    guess = both.argmax(axis=1)
    if name == "accuracy":
        return float(np.average(guess == target, weights=weights))
    if name == "balanced_accuracy":
        return float(sklearn.recall_score(target, guess, average="macro", labels=np.unique(target), zero_division=0, **own))
    if name == "f1":
        average = "binary" if predictions.shape[1] == 1 else "macro"
        return float(sklearn.f1_score(target, guess, average=average, zero_division=0, **own))
    return None


def _negative_rmse(target: np.ndarray, predicted: np.ndarray, sample_weight: np.ndarray | None) -> float:
    return -float(np.sqrt(np.average((target - predicted) ** 2, weights=sample_weight)))


def _negative_mae(target: np.ndarray, predicted: np.ndarray, sample_weight: np.ndarray | None) -> float:
    return -float(np.average(np.abs(target - predicted), weights=sample_weight))


OF_NUMBERS: dict[str, Callable] = {
    "r2": sklearn.r2_score,
    "rmse": _negative_rmse,
    "mae": _negative_mae,
}
OF_ORDER: dict[str, Callable] = {"auc": sklearn.roc_auc_score, "average_precision": sklearn.average_precision_score}
