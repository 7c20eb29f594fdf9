"""What the measures of the finished model are taken of."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from trainwell.explain.permutation import Networks
from trainwell.recipe.squeeze.finalists import Choice


class Measured(NamedTuple):
    """The finished model and what it says of the test rows.

    Parameters
    ----------
    choice : the model and what it was chosen by.
    average : (rows, outputs) as the networks gave it.
    predictions : (rows, outputs) as they are scored.
    score : of them, larger is better.
    networks, shares : the networks that are looked at one by one, and their shares of the average (summing to 1).
    together : how many rows are best predicted at a time.
    passed : whether the time for all this is used up.
    """

    choice: Choice
    average: np.ndarray
    predictions: np.ndarray
    score: float
    networks: Networks
    shares: np.ndarray
    together: int
    passed: Callable[[], bool]
