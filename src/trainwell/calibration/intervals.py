"""Intervals around predicted numbers that hold the truth as often as they say: split-conformal prediction.

    prediction -+ q d(prediction),   q = the ceil((n + 1) level)-th smallest of |truth - prediction| / d(prediction)

of the n held-out rows. Where rows to come are like these (exchangeable with them), the interval of a new row holds its truth
with a probability of at least ``level``, whatever the network and the noise are like.

The difficulty d is the error to be expected at a predicted value: the mean absolute error of the rows with the nearest
predictions, on a line between such groups. Prices of diamonds are off by more where they are high: intervals that know this
are narrower on average, and hold the truth of cheap and dear ones alike. Each row's own difficulty comes from other rows, so
that q is not fitted to what it measures. Where the intervals do not get narrower by it, d is 1.

Sources: Vovk et al. (2005), "Algorithmic learning in a random world"; Lei et al. (2018), "Distribution-free predictive
inference for regression", theorem 2 and section 5.2 (locally weighted).
"""

import math
from dataclasses import dataclass

import numpy as np

from trainwell.errors import InputError

LEVEL = 0.9  # chosen: of the intervals where no other is asked for
LEVELS = (*(percent / 100 for percent in range(1, 100)), 0.995, 0.998, 0.999)  # chosen: those that are stored
GROUP, MOST_GROUPS = 50, 20  # chosen: rows that tell an error to about a tenth; 10 to 20 groups were measured to be as good
LEAST = 1e-3  # chosen: of the mean error, below which no difficulty lies
PARTS = 5  # chosen: the difficulty of a fifth of the rows comes from the other four


@dataclass(frozen=True)
class Difficulty:
    """The error to be expected at a predicted value: ``errors`` at the predictions ``at`` (ascending), on lines between them; 1
    where there are none."""

    at: tuple[float, ...] = ()
    errors: tuple[float, ...] = ()

    def of(self, predictions: np.ndarray) -> np.ndarray:
        """The difficulty (rows,) of predictions (rows,)."""
        return np.interp(predictions, self.at, self.errors) if self.at else np.ones(len(predictions))


EVEN = Difficulty()


@dataclass(frozen=True)
class Intervals:
    """Intervals of every level, for predictions in the unit they were fitted on.

    Parameters
    ----------
    rows : of how many rows the errors were known.
    levels, half_widths : ascending, equally many; widths are multiples of the difficulty.
    difficulty : of predictions.
    """

    rows: int
    levels: tuple[float, ...]
    half_widths: tuple[float, ...]
    difficulty: Difficulty = EVEN

    @property
    def highest_level(self) -> float:
        """The highest level that so few rows can vouch for."""
        return self.rows / (self.rows + 1)

    def half_width(self, predictions: np.ndarray, level: float = LEVEL) -> np.ndarray:
        """The half width (rows,) of the intervals of a level around predictions (rows,); of a level between two that are stored
        that of the higher one. `InputError` for a level that is no probability or that the rows were too few for."""
        check_level(level)
        if not self.levels or level > self.levels[-1]:
            raise InputError(
                f"interval is {level:g}, which needs {needed_rows(level):,} validation rows; the model was made with "
                f"{self.rows:,}: allowed is up to {math.floor(1e4 * self.highest_level) / 1e4:g}."
            )
        return self.half_widths[int(np.searchsorted(self.levels, level - 1e-9))] * self.difficulty.of(predictions)


def check_level(level: float) -> float:
    """The level; `InputError` where it is no probability between 0 and 1."""
    if not 0 < level < 1:
        raise InputError(f"interval is {level:g}, allowed are shares between 0 and 1, such as 0.9 for 90%.")
    return level


def needed_rows(level: float) -> int:
    """How many held-out rows a level needs.

    >>> needed_rows(0.9), needed_rows(0.99)
    (9, 99)
    """
    return math.ceil(round(level / (1 - level), 9))


def fit_intervals(predictions: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None) -> Intervals:
    """The intervals of predictions.

    Parameters
    ----------
    predictions, target : (rows,) of rows that no network was trained on, in the same unit.
    weights : how much each row counts (rows,); None where all count the same. The truth is then held by so much of the
        weight, see `_of_errors`.

    Examples
    --------
    >>> ten_rows = fit_intervals(np.zeros(10), np.arange(1.0, 11))
    >>> ten_rows.half_width(np.zeros(1), 0.5).tolist(), ten_rows.half_width(np.zeros(1), 0.9).tolist()
    ([6.0], [10.0])
    """
    predictions = np.asarray(predictions, np.float64)
    errors = np.abs(np.asarray(target, np.float64) - predictions)
    plain = _of_errors(errors, EVEN, weights)
    groups = min(MOST_GROUPS, len(errors) // GROUP)
    if groups < 2:
        return plain
    difficulty = fit_difficulty(predictions, errors, groups, weights)
    fitted = _of_errors(errors / _from_others(predictions, errors, groups, weights), difficulty, weights)
    widths = [np.average(one.half_width(predictions), weights=weights) for one in (plain, fitted)]
    return fitted if widths[1] < widths[0] else plain


def fit_difficulty(predictions: np.ndarray, errors: np.ndarray, groups: int, weights: np.ndarray | None = None) -> Difficulty:
    """The mean absolute error of groups of rows with neighbouring predictions, at the mean prediction of each."""
    parts = np.array_split(np.argsort(predictions, kind="stable"), groups)
    least = max(LEAST * float(np.average(errors, weights=weights)), np.finfo(float).tiny)
    own = [None if weights is None else weights[part] for part in parts]
    at, means = (
        [float(np.average(values[part], weights=some)) for part, some in zip(parts, own, strict=True)]
        for values in (predictions, errors)
    )
    return Difficulty(tuple(at), tuple(max(least, mean) for mean in means))


def coverage(target: np.ndarray, predictions: np.ndarray, half_width: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Share of the rows, or of their weight, whose truth lies within the interval, its ends included."""
    return float(np.average(np.abs(target - predictions) <= half_width, weights=weights))


def _from_others(predictions: np.ndarray, errors: np.ndarray, groups: int, weights: np.ndarray | None) -> np.ndarray:
    """Each row's difficulty by those of the other parts."""
    part = np.random.default_rng(0).permutation(len(errors)) % PARTS
    found = np.ones(len(errors))
    for held_out in range(PARTS):
        own, other = part == held_out, part != held_out
        some = None if weights is None else weights[other]
        found[own] = fit_difficulty(predictions[other], errors[other], groups, some).of(predictions[own])
    return found


def _of_errors(errors: np.ndarray, difficulty: Difficulty, weights: np.ndarray | None = None) -> Intervals:
    """The widths of every level. Of weighted rows the smallest error up to which the wished share of all weight lies, that of
    the row to come, a mean one, included (Tibshirani et al., 2019, "Conformal prediction under covariate shift", section 2)."""
    order, rows = np.argsort(errors, kind="stable"), len(errors)
    ordered = errors[order]
    highest = rows / (rows + 1)
    levels = sorted({level for level in (*LEVELS, highest) if 0 < level <= highest})
    if weights is None:
        ranks = [math.ceil(round((rows + 1) * level, 6)) for level in levels]
    else:
        share = np.cumsum(weights[order]) / (weights.sum() + weights.mean())
        ranks = [1 + min(rows - 1, int(np.searchsorted(share, level - 1e-9))) for level in levels]
    return Intervals(rows, tuple(levels), tuple(float(ordered[rank - 1]) for rank in ranks), difficulty)
