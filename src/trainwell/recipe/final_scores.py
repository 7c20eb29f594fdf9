"""Scores of finished predictions, as the last stage takes them: of one model, of many at once, of some of the rows."""

from collections.abc import Callable
from functools import partial

import jax
import numpy as np
from sklearn import metrics

from trainwell.calibration.calibrate import Calibration
from trainwell.calibration.thresholds import recentred
from trainwell.population.metrics import Metric
from trainwell.population.own_metric import calls_back


def final(metric: Metric, calibration: Calibration, average: np.ndarray) -> np.ndarray:
    """The networks' average as it is scored: calibrated, and where decisions are scored with the threshold moved to 1/2."""
    applied = calibration.applied(average)
    return recentred(applied, calibration.threshold) if metric.decided is not None else applied


def scorer(metric: Metric, calibration: Calibration, target: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A function from averages of several models (models, rows, outputs) to their scores (models,)."""

    def scores(averages: np.ndarray) -> np.ndarray:
        finished = np.stack([final(metric, calibration, one) for one in averages])
        if calls_back(metric):
            return np.array([float(metric.final(one, target)) for one in finished])
        return np.asarray(_of_models(finished, target, metric=metric))

    return scores


@partial(jax.jit, static_argnames="metric")
def _of_models(predictions, target, metric: Metric):
    return jax.vmap(lambda one: metric.final(one, target))(predictions)


def resampled(
    predictions: np.ndarray, target: np.ndarray, picks: np.ndarray, metric: Metric, weights: np.ndarray | None = None
) -> np.ndarray:
    """Scores (draws,) of draws of rows (draws, drawn)."""
    if calls_back(metric):
        return np.array([float(metric.final(*_taken(rows, predictions, target, weights))) for rows in picks])
    return np.asarray(_resampled(predictions, target, weights, picks.astype(np.int32), metric=metric))


@partial(jax.jit, static_argnames="metric")
def _resampled(predictions, target, weights, picks, metric: Metric):
    return jax.lax.map(lambda rows: metric.final(*_taken(rows, predictions, target, weights)), picks)


def _taken(rows, *arrays):
    return jax.tree.map(lambda one: one[rows], arrays)


def score_of_some(metric: Metric, predictions: np.ndarray, target: np.ndarray) -> float:
    """The score of finished predictions of any number of rows, larger is better.

    Compiled programs are made for a number of rows; scikit-learn's functions, which the engine's are held against, need none.
    """
    plain = _plain(metric.name, predictions, target)
    return float(metric.final(predictions, target)) if plain is None else plain


def _plain(name: str, predictions: np.ndarray, target: np.ndarray) -> float | None:
    column = predictions[:, 0]
    if name in ("r2", "rmse", "mae"):
        signs = {"r2": metrics.r2_score, "rmse": _negative_rmse, "mae": lambda *both: -metrics.mean_absolute_error(*both)}
        return float(signs[name](target, column))
    if name == "auc":
        return float(metrics.roc_auc_score(target, column))
    if name == "average_precision":
        return float(metrics.average_precision_score(target, column))
    if name in ("accuracy", "balanced_accuracy"):
        guess = (column > 0.5).astype(int) if predictions.shape[1] == 1 else predictions.argmax(axis=1)
        hits = guess == target
        each = [hits[target == one].mean() for one in np.unique(target)]
        return float(hits.mean() if name == "accuracy" else np.mean(each))
    return None


def _negative_rmse(target: np.ndarray, predicted: np.ndarray) -> float:
    return -float(np.sqrt(((target - predicted) ** 2).mean()))
