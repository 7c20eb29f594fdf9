"""Intervals around predicted numbers that hold the truth as often as they say: split-conformal prediction.

    prediction -+ q,   q = the ceil((n + 1) level)-th smallest of the n residuals |truth - prediction| of held-out rows

Where rows to come are like the held-out ones (exchangeable with them), the interval of a new row holds its truth with a
probability of at least ``level``, whatever the network and the noise are like.

Source: Vovk et al. (2005), "Algorithmic learning in a random world"; Lei et al. (2018), "Distribution-free predictive inference
for regression", theorem 2.
"""

import math
from dataclasses import dataclass

import numpy as np

from trainwell.errors import InputError

LEVEL = 0.9  # chosen: of the intervals where no other is asked for
LEVELS = (*(percent / 100 for percent in range(1, 100)), 0.995, 0.998, 0.999)  # chosen: those that are stored


@dataclass(frozen=True)
class Intervals:
    """Half widths of intervals by level, in the unit of the residuals they were fitted on.

    Parameters
    ----------
    rows : how many residuals there were.
    levels, half_widths : ascending, equally many.
    """

    rows: int
    levels: tuple[float, ...]
    half_widths: tuple[float, ...]

    @property
    def highest_level(self) -> float:
        """The highest level that so few rows can vouch for."""
        return self.rows / (self.rows + 1)

    def half_width(self, level: float = LEVEL) -> float:
        """The half width of a level; of one between two that are stored the wider one's. `InputError` for a level that is no
        probability or that the rows were too few for."""
        check_level(level)
        if not self.levels or level > self.levels[-1]:
            raise InputError(
                f"interval is {level:g}, which needs {needed_rows(level):,} validation rows; the model was made with "
                f"{self.rows:,}: allowed is up to {math.floor(1e4 * self.highest_level) / 1e4:g}."
            )
        return self.half_widths[int(np.searchsorted(self.levels, level - 1e-9))]


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


def fit_intervals(predictions: np.ndarray, target: np.ndarray) -> Intervals:
    """The intervals of predictions.

    Parameters
    ----------
    predictions, target : (rows,) of rows that no network was trained on, in the same unit.

    Examples
    --------
    >>> ten_rows = fit_intervals(np.zeros(10), np.arange(1.0, 11))
    >>> ten_rows.half_width(0.5), ten_rows.half_width(0.9)
    (6.0, 10.0)
    """
    residuals = np.sort(np.abs(np.asarray(target, np.float64) - np.asarray(predictions, np.float64)))
    rows = len(residuals)
    highest = rows / (rows + 1)
    levels = sorted({level for level in (*LEVELS, highest) if 0 < level <= highest})
    ranks = [math.ceil(round((rows + 1) * level, 6)) for level in levels]
    return Intervals(rows, tuple(levels), tuple(float(residuals[rank - 1]) for rank in ranks))


def coverage(predictions: np.ndarray, target: np.ndarray, half_width: float) -> float:
    """Share of the rows whose truth lies within the interval, its ends included."""
    return float((np.abs(target - predictions) <= half_width).mean())
