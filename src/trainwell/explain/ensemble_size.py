"""What more networks buy: the score of averages of ever more of them.

The error that averaging takes away falls as 1/k for networks that err independently, so that the score follows

    score(k) = a - b / k

a is what endless networks of the same kind would reach. Averages are of networks drawn at random, so that the curve does not
hang on an order.

Source: Hansen & Salamon (1990), "Neural network ensembles"; Breiman (1996), "Bagging predictors".
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

DRAWS = 20  # chosen: sets of networks for each size
MOST = 24  # chosen: networks of the largest set

Scores = Callable[[np.ndarray], np.ndarray]  # (models, rows, outputs) -> (models,)


class EnsembleGain(NamedTuple):
    """Scores of averages of ``sizes`` networks: their mean, the lowest and highest of the draws; and a - b/k, fitted."""

    sizes: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    a: float
    b: float

    def more(self, times: int = 2) -> float:
        """What so many times the networks would gain."""
        last = float(self.sizes[-1])
        return self.b / last - self.b / (times * last)


def ensemble_gain(predictions: np.ndarray, scores: Scores, seed: int = 0) -> EnsembleGain | None:
    """The curve; None for a single network.

    Parameters
    ----------
    predictions : (networks, rows, outputs), the best networks first, of rows that none of them was trained on.
    scores : of several models at once, larger is better.
    seed : of the draws.
    """
    predictions = predictions[:MOST]
    count = len(predictions)
    if count < 2:
        return None
    random = np.random.default_rng(seed)
    sizes = np.unique(np.round(np.geomspace(1, count, min(count, 8))).astype(int))
    found = []
    for size in sizes:
        draws = 1 if size == count else DRAWS
        sets = [random.permutation(count)[:size] for _ in range(draws)]
        averages = np.stack([predictions[chosen].mean(axis=0) for chosen in sets])
        found.append(np.asarray(scores(averages), np.float64))
    mean = np.array([one.mean() for one in found])
    x = 1 / sizes
    spread = x - x.mean()
    b = max(0.0, -float((spread * (mean - mean.mean())).sum() / (spread**2).sum()))
    return EnsembleGain(
        sizes, mean, np.array([one.min() for one in found]), np.array([one.max() for one in found]),
        float(mean.mean() + b * x.mean()), b,
    )  # fmt: skip
