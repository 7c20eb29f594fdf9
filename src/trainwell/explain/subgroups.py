"""Scores by subgroup: whether a model that is good on average is good for everybody.

The rows of each level of a category are scored by themselves, with a 95% interval from drawing them again and again. Levels
with few rows are left out: their intervals would say nothing. Scores of order and of explained variance (AUC, R2) are lower
within a subgroup for one more reason: what tells subgroups apart no longer helps. So each subgroup's mean prediction is held
against its mean truth beside: a model that is off there serves these rows badly whatever the score.

Among many subgroups some lie low by chance, so a level is called worse, or off, only beyond what chance would do to one of them
all in twenty tables (Bonferroni).

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
MATTERS = 0.05  # chosen: of the truth's standard deviation, a difference of means that somebody would notice

Resampled = Callable[[np.ndarray], np.ndarray]  # (draws, drawn) row numbers -> (draws,) scores


class Subgroup(NamedTuple):
    """One level of one feature.

    Parameters
    ----------
    feature, level, rows : which rows, and how many.
    score, low, high : their score with its interval of 95%, larger is better.
    predicted, true : the means of what was predicted and of what came true.
    worse : whether the score lies below that of all rows by more than chance.
    off : whether the two means differ by more than chance, and by enough to matter.
    """

    feature: str
    level: str
    rows: int
    score: float
    low: float
    high: float
    predicted: float
    true: float
    worse: bool
    off: bool


def subgroups(
    features: Mapping[str, np.ndarray],
    levels: Mapping[str, tuple[str, ...]],
    target: np.ndarray,
    predicted: np.ndarray,
    true: np.ndarray,
    score: Callable[[np.ndarray], float],
    resampled: Resampled,
    *,
    all_rows: float,
    classes: bool,
    weights: np.ndarray | None = None,
    seed: int = 0,
    passed: Callable[[], bool] = lambda: False,
) -> list[Subgroup]:
    """The subgroups of every feature, largest first within a feature; of classes only those that have two of them.

    Parameters
    ----------
    features : by name (rows,) the number of each row's level, 0 where it is none of them.
    levels : by name what the levels are called, number 1 first.
    target : (rows,).
    predicted, true : (rows,) whose means are compared: a probability and whether it came true, or numbers.
    score : of some rows, by their numbers.
    resampled : scores of many draws of rows.
    all_rows : the score of all of them.
    classes : whether the target has classes.
    weights : how much each row counts (rows,) in the means; None where all count the same.
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
    least = MATTERS * _deviation(true, weights)
    found, random = [], np.random.default_rng(seed)
    shared = _normal(1 - (1 - LEVEL) / (2 * max(1, len(kept))))
    for name, level, rows in kept:
        if passed():
            break
        drawn = np.asarray(resampled(rows[random.integers(0, len(rows), (DRAWS, DRAWN))]), np.float64)
        # draws of another size than the subgroup scatter by another amount: more rows, less
        spread = float(np.nanstd(drawn)) * (DRAWN / len(rows)) ** 0.5
        own = score(rows)
        half = _normal(1 - (1 - LEVEL) / 2) * spread
        apart = (predicted[rows] - true[rows]).astype(np.float64)
        own_weights = None if weights is None else weights[rows].astype(np.float64)
        worth = len(rows) if own_weights is None else own_weights.sum() ** 2 / (own_weights**2).sum()  # Kish (1965)
        error = _deviation(apart, own_weights) / float(worth) ** 0.5
        means = (float(np.average(one[rows], weights=own_weights)) for one in (predicted, true))
        found.append(
            Subgroup(
                name,
                level,
                len(rows),
                own,
                own - half,
                own + half,
                next(means),
                next(means),
                worse=own + shared * spread < all_rows,
                off=abs(float(np.average(apart, weights=own_weights))) > max(shared * error, least),
            )
        )
    return found


def _deviation(values: np.ndarray, weights: np.ndarray | None) -> float:
    """The standard deviation, by the rows' weights."""
    if weights is None:
        return float(values.std())
    return float(np.average((values - np.average(values, weights=weights)) ** 2, weights=weights) ** 0.5)


def _normal(share: float) -> float:
    """The quantile of the normal distribution."""
    from scipy.special import ndtri

    return float(ndtri(share))
