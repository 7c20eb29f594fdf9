"""The decision threshold of two classes: the second class is predicted where its probability is above it.

Without a reason for another it is 1/2. With costs it is where the mistakes cost least; for F1 and balanced accuracy, which 1/2
serves badly where one class is rare, it is where they are highest (Lipton et al., 2014, "Optimal thresholding of classifiers to
maximize F1 measure"). Every threshold that tells rows apart is tried.

Of thresholds that are equally good the one is taken that theory names: for costs fp / (fp + fn), which is the cheapest where
probabilities are true (Elkan, 2001, "The foundations of cost-sensitive learning", equation 2).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from trainwell.errors import InputError, listed

HALF = 0.5
NO_ROW = 1e-9  # chosen: stands for 0 where it is divided by; a row's weight may be small
THRESHOLDED = ("f1", "balanced_accuracy")  # metrics that depend on it


class Costs(NamedTuple):
    """What a mistake costs, in any unit: a row falsely called positive (of the second class), a positive row missed."""

    fp: float
    fn: float

    @property
    def theory(self) -> float:
        """The cheapest threshold for true probabilities."""
        return self.fp / (self.fp + self.fn)


class Confusion(NamedTuple):
    """Rows by truth and decision: true or false, positive or negative; numbers, or arrays for many thresholds."""

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    tn: np.ndarray

    def cost(self, costs: Costs) -> np.ndarray:
        """Mean cost of a row."""
        return (costs.fp * self.fp + costs.fn * self.fn) / (self.tp + self.fp + self.fn + self.tn)

    @property
    def f1(self) -> np.ndarray:
        return 2 * self.tp / np.maximum(2 * self.tp + self.fp + self.fn, NO_ROW)

    @property
    def balanced_accuracy(self) -> np.ndarray:
        found, spared = self.tp / np.maximum(self.tp + self.fn, NO_ROW), self.tn / np.maximum(self.tn + self.fp, NO_ROW)
        return (found + spared) / 2


def costs_of(given: Mapping[str, float] | None, task: str) -> Costs | None:
    """Costs as an option gives them; `InputError` for any that cannot be meant."""
    if given is None:
        return None
    if task != "binary":
        raise InputError(f"cost is for a target of two classes (fp and fn, the two mistakes); this one is {task}.")
    if set(given) != set(Costs._fields):
        raise InputError(f"cost names {listed(given) or 'nothing'}; it must name both mistakes, such as fp=1,fn=20.")
    for name, value in given.items():
        if not 0 < value < float("inf"):
            raise InputError(f"cost {name} is {value:g}, allowed are numbers above 0 (a mistake that is free is none).")
    return Costs(**given)


def confusion(
    probability: np.ndarray,
    positive: np.ndarray,
    thresholds: np.ndarray | float = HALF,
    weights: np.ndarray | None = None,
) -> Confusion:
    """What becomes of the rows at a threshold, or at each of several.

    Parameters
    ----------
    probability : (rows,) of the second class.
    positive : (rows,) whether the row is of it.
    thresholds : above which a row is called positive.
    weights : how much each row counts (rows,), where not all count the same.

    Examples
    --------
    >>> [int(rows) for rows in confusion(np.array([0.2, 0.6, 0.9]), np.array([False, False, True]))]
    [1, 1, 0, 1]
    """
    probability = probability.astype(np.float64)
    order = np.argsort(probability, kind="stable")
    up_to = np.searchsorted(probability[order], thresholds, side="right")
    if weights is not None:
        below = [np.concatenate([[0.0], np.cumsum((weights * own)[order])]) for own in (positive, ~positive)]
        missed, spared = (own[up_to] for own in below)
        return Confusion(below[0][-1] - missed, below[1][-1] - spared, missed, spared)
    missed = np.concatenate([[0], np.cumsum(positive[order])])[up_to]
    positives = int(positive.sum())
    called = len(probability) - up_to
    return Confusion(positives - missed, called - (positives - missed), missed, up_to - missed)


def above(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Whether each row is called positive; compared in float64, as thresholds are chosen."""
    return probability.astype(np.float64) > threshold


def cheapest(probability: np.ndarray, positive: np.ndarray, costs: Costs, weights: np.ndarray | None = None) -> float:
    """The threshold at which mistakes cost least on these rows."""
    thresholds = _all(probability, costs.theory)
    found = confusion(probability, positive, thresholds, weights)
    return _nearest_of_the_best(thresholds, -found.cost(costs), costs.theory)


def highest(probability: np.ndarray, positive: np.ndarray, metric: str, weights: np.ndarray | None = None) -> float:
    """The threshold at which F1 or balanced accuracy (a name of `THRESHOLDED`) is highest on these rows."""
    thresholds = _all(probability, HALF)
    return _nearest_of_the_best(thresholds, getattr(confusion(probability, positive, thresholds, weights), metric), HALF)


def choose(
    probability: np.ndarray,
    positive: np.ndarray,
    metric: str,
    costs: Costs | None,
    weights: np.ndarray | None = None,
) -> float:
    """The cheapest threshold where there are costs, the one with the highest score where the metric depends on it, else 1/2."""
    if costs is not None:
        return cheapest(probability, positive, costs, weights)
    return highest(probability, positive, metric, weights) if metric in THRESHOLDED else HALF


def recentred(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Probabilities of two classes moved, in the same order, so that the threshold comes to lie at 1/2: what is measured at 1/2
    is then measured at the threshold."""
    if threshold == HALF or probabilities.shape[1] > 1:
        return probabilities
    p = probabilities.astype(np.float64)
    upper = np.maximum(HALF + (p - threshold) / (2 * max(1 - threshold, 1e-9)), np.nextafter(np.float32(HALF), np.float32(1)))
    lower = np.minimum(p / (2 * max(threshold, 1e-9)), HALF)
    return np.where(p > threshold, upper, lower).astype(np.float32)


def _all(probability: np.ndarray, wanted: float) -> np.ndarray:
    """Every threshold that tells rows apart, midway between neighbours and one beyond each end; and the wanted one."""
    values = np.unique(probability.astype(np.float64))
    return np.concatenate([[0.0], (values[:-1] + values[1:]) / 2, [1.0, wanted]])


def _nearest_of_the_best(thresholds: np.ndarray, score: np.ndarray, wanted: float) -> float:
    best = np.flatnonzero(score >= score.max() - 1e-12)
    return float(thresholds[best[np.argmin(np.abs(thresholds[best] - wanted))]])
