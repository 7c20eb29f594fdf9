"""The worst mistakes, as rows to look at: where the model was surest and wrong, or furthest off.

A look at these rows tells more than any score: labels that are wrong, cells that mean something else, a kind of row that no
feature tells apart (Karpathy, 2019, "A recipe for training neural networks": look at the worst ones).
"""

from typing import NamedTuple

import numpy as np

MOST = 12  # chosen: rows that a person looks at


class Mistake(NamedTuple):
    """One row: its place, how wrong it was (larger is worse), and the probability of its true class (NaN for a number)."""

    place: int
    error: float
    probability: float


def worst_of_classes(probabilities: np.ndarray, target: np.ndarray, most: int = MOST) -> list[Mistake]:
    """The rows whose true class was given the least probability, of those where another class was likelier; worst first.

    Parameters
    ----------
    probabilities : (rows, classes), or (rows, 1) of the second class of two.
    target : (rows,) the number of each row's class.

    Examples
    --------
    >>> [one.place for one in worst_of_classes(np.array([[0.9], [0.2], [0.6]]), np.array([0, 1, 1]))]
    [0, 1]
    """
    if probabilities.shape[1] == 1:
        probabilities = np.hstack([1 - probabilities, probabilities])
    true = probabilities[np.arange(len(target)), target.astype(int)].astype(np.float64)
    wrong = np.flatnonzero(true < probabilities.max(axis=1))
    order = wrong[np.argsort(true[wrong], kind="stable")][:most]
    return [Mistake(int(place), float(1 - true[place]), float(true[place])) for place in order]


def worst_of_numbers(predicted: np.ndarray, truth: np.ndarray, most: int = MOST) -> list[Mistake]:
    """The rows that are furthest off, worst first; both (rows,) in the target's own unit."""
    errors = np.abs(np.asarray(predicted, np.float64) - truth)
    order = np.argsort(-errors, kind="stable")[:most]
    return [Mistake(int(place), float(errors[place]), float("nan")) for place in order if errors[place] > 0]
