"""Partial dependence: what is predicted on average when one feature is set to a value in every row.

    PD(v) = mean over rows of prediction(row with the feature set to v)

It is the effect of the feature alone where it acts apart from the others; where it acts together with them, rows may be asked
for that do not exist (a tenure of 0 months with high total charges). The networks' own curves show how sure the shape is.

Source: Friedman (2001), "Greedy function approximation", section 8.2.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from trainwell.data.encode import Arrays
from trainwell.data.encoders import ColumnEncoder, Date, Embedded, Read, Switches, TwoNumbers
from trainwell.explain.columns import Place, replaced, stacked
from trainwell.explain.permutation import Networks

MOST_VALUES = 12  # chosen: of a number; a smooth curve needs no more


class Dependence(NamedTuple):
    """The curve of one feature.

    Parameters
    ----------
    values : (values,) what the feature was set to: numbers, level numbers, seconds.
    average : (values, outputs) the ensemble's mean prediction.
    networks : (networks, values, outputs) that of each network.
    """

    values: np.ndarray
    average: np.ndarray
    networks: np.ndarray


def partial_dependence(
    networks: Networks,
    shares: np.ndarray,
    rows: Arrays,
    column: ColumnEncoder,
    place: Place,
    values: np.ndarray,
    *,
    together: int,
    passed: Callable[[], bool] = lambda: False,
) -> Dependence | None:
    """The curve of a feature over some values; None where time was up. Parameters as of `permutation_importance`."""
    each, found = max(1, together // len(rows.numeric)), []
    for first in range(0, len(values), each):
        if passed():
            return None
        part = values[first : first + each]
        asked = stacked([replaced(rows, column, place, float(value)) for value in part])
        predictions = networks(asked.numeric, asked.categories)
        found += [one.mean(axis=1) for one in np.split(predictions, len(part), axis=1)]
    curves = np.stack(found, axis=1)
    return Dependence(values, np.tensordot(shares, curves, 1), curves)


def values_of(column: ColumnEncoder, read: Read) -> np.ndarray:
    """What to set a feature to: every level that is there, or values at even steps of the rows' order, ends at 2% and 98%."""
    known = np.asarray(read.values, np.float64)[~np.asarray(read.missing, bool)]
    if isinstance(column, Switches | Embedded):
        counts = np.bincount(known.astype(int), minlength=len(column.levels) + 1)[1:]
        often = np.argsort(-counts, kind="stable")[:MOST_VALUES]
        return (np.sort(often[counts[often] > 0]) + 1).astype(float)
    if isinstance(column, TwoNumbers):
        return np.array([column.low, column.high])
    if not len(known):
        return known
    levels = np.unique(known)
    return levels if len(levels) <= MOST_VALUES else np.unique(np.quantile(known, np.linspace(0.02, 0.98, MOST_VALUES)))


def labels(column: ColumnEncoder, values: Sequence[float] | np.ndarray) -> list[str | float]:
    """The values as a person writes them."""
    if isinstance(column, Switches | Embedded):
        return [column.levels[int(value) - 1] for value in values]
    if isinstance(column, Date):
        return [str(np.datetime64(int(value), "s"))[:10] for value in values]
    return [float(f"{value:.5g}") for value in values]
