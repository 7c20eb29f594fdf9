"""Scores by subgroup: whether a model that is good on average is good for everybody.

The rows of each level of a category are scored by themselves, with a 95% interval from drawing them again and again. Levels
with few rows are left out: their intervals would say nothing. Among many subgroups some lie low by chance, so a level is called
worse only where its interval lies wholly below the score of all rows, at a level that is shared among all subgroups
(Bonferroni).

Source: Mitchell et al. (2019), "Model cards for model reporting", for scores by subgroup with intervals.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

FEWEST = 40  # chosen: rows of a level; the score of fewer is mostly chance
MOST_LEVELS = 12  # chosen: of a category; more would fill the page
MOST_SUBGROUPS = 60  # chosen: the largest ones of all categories together
DRAWS, DRAWN = 200, 512  # chosen: resamples, and rows of each: all of one size, so that one compiled program scores them all
LEVEL = 0.95

Resampled = Callable[[np.ndarray], np.ndarray]  # (draws, drawn) row numbers -> (draws,) scores


class Subgroup(NamedTuple):
    """One level of one feature: rows, score, its interval of 95%, and whether it is worse than all rows beyond chance."""

    feature: str
    level: str
    rows: int
    score: float
    low: float
    high: float
    worse: bool = False


def subgroups(
    features: Mapping[str, np.ndarray],
    levels: Mapping[str, tuple[str, ...]],
    target: np.ndarray,
    score: Callable[[np.ndarray], float],
    resampled: Resampled,
    *,
    all_rows: float,
    classes: bool,
    seed: int = 0,
    passed: Callable[[], bool] = lambda: False,
) -> list[Subgroup]:
    """The subgroups of every feature, largest first within a feature; of classes only those that have two of them.

    Parameters
    ----------
    features : by name (rows,) the number of each row's level, 0 where it is none of them.
    levels : by name what the levels are called, number 1 first.
    target : (rows,).
    score : of some rows, by their numbers.
    resampled : scores of many draws of rows.
    all_rows : the score of all of them.
    classes : whether the target has classes.
    seed : of the draws.
    passed : whether time is up; asked before each subgroup.
    """
    picked = []
    for name, numbers in features.items():
        counts = np.bincount(numbers.astype(int), minlength=len(levels[name]) + 1)[1:]
        for place in np.argsort(-counts, kind="stable")[:MOST_LEVELS]:
            rows = np.flatnonzero(numbers == place + 1)
            if FEWEST <= len(rows) < len(numbers) and not (classes and len(np.unique(target[rows])) < 2):
                picked.append((name, levels[name][place], rows))
    largest = sorted(picked, key=lambda one: -len(one[2]))[:MOST_SUBGROUPS]
    kept = [one for one in picked if any(one is other for other in largest)]
    found, random = [], np.random.default_rng(seed)
    for name, level, rows in kept:
        if passed():
            break
        drawn = np.asarray(resampled(rows[random.integers(0, len(rows), (DRAWS, DRAWN))]), np.float64)
        # draws of another size than the subgroup scatter by another amount: more rows, less
        spread = float(np.nanstd(drawn)) * (DRAWN / len(rows)) ** 0.5
        own = score(rows)
        sure = own + _normal(1 - (1 - LEVEL) / (2 * len(kept))) * spread < all_rows
        half = _normal(1 - (1 - LEVEL) / 2) * spread
        found.append(Subgroup(name, level, len(rows), own, own - half, own + half, sure))
    return found


def _normal(share: float) -> float:
    """The quantile of the normal distribution."""
    from scipy.special import ndtri

    return float(ndtri(share))
