"""What the order that a model puts rows into is worth: cumulative gain, lift and the cost of each threshold.

    gain(s) = share of the positives among the share s of the rows with the highest probabilities
    lift(s) = gain(s) / s, how many times more positives than as many rows drawn at random have

Rows with equal probabilities are taken in evenly: no order among them is invented.

Source: Provost & Fawcett (2013), "Data science for business", chapter 8.
"""

from typing import NamedTuple

import numpy as np

from trainwell.calibration.thresholds import Costs, confusion

STEPS = 100  # chosen: points of a curve


class Gains(NamedTuple):
    """Curves over the share of the rows that is acted on, highest probability first: each (points,), from 0 to 1."""

    share: np.ndarray
    gain: np.ndarray

    @property
    def lift(self) -> np.ndarray:
        """Undefined (NaN) where no row is acted on."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.gain / self.share

    def at(self, share: float) -> float:
        """The gain of a share of the rows, between 0 and 1."""
        return float(np.interp(share, self.share, self.gain))


def cumulative_gain(probability: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None) -> Gains:
    """The curve of every row.

    Parameters
    ----------
    probability : (rows,) of the second class.
    positive : (rows,) whether the row is of it; at least one is.
    weights : how much each row counts (rows,); None where all count the same.

    Examples
    --------
    >>> half = cumulative_gain(np.array([0.9, 0.8, 0.2, 0.1]), np.array([True, True, False, False]))
    >>> half.at(0.5), half.at(0.25)
    (1.0, 0.5)
    """
    values, inverse = np.unique(-np.asarray(probability, np.float64), return_inverse=True)
    own = np.ones(len(inverse)) if weights is None else np.asarray(weights, np.float64)
    counts = np.bincount(inverse, weights=own, minlength=len(values))
    found = np.bincount(inverse, weights=own * np.asarray(positive, np.float64), minlength=len(values))
    share = np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
    return Gains(share, np.concatenate([[0.0], np.cumsum(found) / found.sum()]))


def thinned(gains: Gains, steps: int = STEPS) -> Gains:
    """The same at even steps, for a figure."""
    share = np.linspace(0, 1, steps + 1)
    return Gains(share, np.interp(share, gains.share, gains.gain))


def cost_curve(
    probability: np.ndarray, positive: np.ndarray, costs: Costs, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(thresholds, mean cost of a row at each): what deciding by each threshold costs, from calling every row positive to none.

    Thresholds lie at even steps of the rows' order, so that the curve is as fine where rows are as they are many.
    """
    probability = np.asarray(probability, np.float64)
    steps = np.unique(np.quantile(probability, np.linspace(0, 1, STEPS + 1)))
    thresholds = np.concatenate([[0.0], steps, [1.0]])
    found = confusion(probability, np.asarray(positive, bool), thresholds, weights)
    return thresholds, np.asarray(found.cost(costs), np.float64)
