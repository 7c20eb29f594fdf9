"""Reliability: whether what is said to be 80% sure comes true in 80% of the rows.

Rows are put into 15 bins by what was predicted, each with equally many rows. The expected calibration error is the mean over
the bins, by their rows, of the distance between the mean prediction and the share that came true.

For two classes the prediction is the probability of the second one, for more it is that of the likeliest class, and true is a
row where that class is right.

Source: Guo et al. (2017), "On calibration of modern neural networks", section 2, for the error and the number of bins; Nixon et
al. (2019), "Measuring calibration in deep learning", for bins of equal mass: with equal width most rows fall into one bin.
"""

from typing import NamedTuple

import numpy as np

BINS = 15  # Guo et al. (2017)


class Reliability(NamedTuple):
    """Each bin's (mean prediction, share that came true, rows or their weight), by rising prediction."""

    predicted: np.ndarray
    true: np.ndarray
    rows: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error."""
        return float(np.average(np.abs(self.predicted - self.true), weights=self.rows))


def reliability(probabilities: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None) -> Reliability:
    """The bins of some predictions.

    Parameters
    ----------
    probabilities : (rows, classes), or (rows, 1) of the second class of two.
    target : (rows,) the number of each row's class.
    weights : how much each row counts (rows,) in its bin, and a bin by its rows; None where all count the same.

    Examples
    --------
    >>> always_sure = reliability(np.ones((4, 1)), np.array([1, 1, 1, 0]))
    >>> always_sure.true.tolist(), always_sure.error
    ([0.75], 0.25)
    """
    said, right = _said(np.asarray(probabilities, np.float64), np.asarray(target))
    edges = np.unique(np.quantile(said, np.arange(1, BINS) / BINS))
    place = np.searchsorted(edges, said, side="left")  # equal predictions share a bin
    own = np.ones(len(said)) if weights is None else np.asarray(weights, np.float64)
    rows = np.bincount(place, weights=own, minlength=len(edges) + 1)
    there = rows > 0
    means = [np.bincount(place, weights=own * values, minlength=len(rows))[there] / rows[there] for values in (said, right)]
    return Reliability(means[0], means[1], rows[there])


def _said(probabilities: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if probabilities.shape[1] == 1:
        return probabilities[:, 0], (target == 1).astype(float)
    return probabilities.max(axis=1), (probabilities.argmax(axis=1) == target).astype(float)
