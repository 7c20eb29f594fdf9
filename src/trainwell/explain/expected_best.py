"""What a longer search buys: the best score to be expected of so many networks.

    E[best of k] = sum over i of s_(i) [C(i, k) - C(i - 1, k)] / C(n, k),    s_(1) <= ... <= s_(n)

the mean, over all sets of k of the n networks that were tried, of the best in the set. It hangs on no order, so that one lucky
early network does not hide that more of them help.

Source: Dodge et al. (2019), "Show your work: improved reporting of experimental results", there with replacement; without it
the estimate is unbiased.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln


def expected_best(scores: Sequence[float] | np.ndarray, sizes: Sequence[int] | np.ndarray) -> np.ndarray:
    """The expectation for each size (from 1 to the number of scores), larger is better.

    Examples
    --------
    >>> expected_best([1.0, 2.0, 3.0], [1, 2, 3]).round(3).tolist()
    [2.0, 2.667, 3.0]
    """
    ordered = np.sort(np.asarray(scores, np.float64))
    count = len(ordered)
    place = np.arange(1, count + 1)
    found = []
    for size in sizes:
        # among all sets of this size, the share whose best is the i-th: C(i - 1, size - 1) / C(n, size)
        possible = place >= size
        log_share = np.where(possible, _log_choose(np.maximum(place - 1, 0), size - 1) - _log_choose(count, size), -np.inf)
        found.append(float((np.exp(log_share) * ordered).sum()))
    return np.array(found)


def gain_of_doubling(scores: Sequence[float] | np.ndarray) -> float:
    """What the last doubling bought, from half of the networks to all of them; the next one seldom buys more.

    Examples
    --------
    >>> round(gain_of_doubling([1.0, 2.0, 3.0, 4.0]), 3)
    0.667
    """
    count = len(scores)
    half, whole = expected_best(scores, [max(1, count // 2), count])
    return float(whole - half)


def _log_choose(n: np.ndarray | int, k: int) -> np.ndarray:
    n = np.asarray(n, np.float64)
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(np.maximum(n - k, 0) + 1)
