"""Which encoded columns a feature became, and how to put other values into them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from trainwell.data.encode import Arrays, Encoder
from trainwell.data.encoders import ColumnEncoder, Embedded, Read


class Place(NamedTuple):
    """A feature's columns: of `Arrays.numeric`, and of `Arrays.categories` where it is embedded."""

    numeric: tuple[int, ...]
    category: int | None = None


def places(encoder: Encoder) -> dict[str, Place]:
    """Each feature's columns, in the order in which `Encoder.transform` writes them."""
    found, continuous, switch, category = {}, 0, encoder.continuous, 0
    for column in encoder.columns:
        measured, switched = len(column.continuous_names), len(column.switch_names)
        numeric = (*range(continuous, continuous + measured), *range(switch, switch + switched))
        embedded = isinstance(column, Embedded)
        found[column.name] = Place(numeric, category if embedded else None)
        continuous, switch, category = continuous + measured, switch + switched, category + embedded
    return found


def permuted(arrays: Arrays, place: Place, order: np.ndarray) -> Arrays:
    """The same rows with one feature taken from other rows: row ``i`` has that of row ``order[i]``."""
    numeric, categories = arrays.numeric.copy(), arrays.categories.copy()
    numeric[:, place.numeric] = arrays.numeric[np.ix_(order, np.asarray(place.numeric, int))]
    if place.category is not None:
        categories[:, place.category] = arrays.categories[order, place.category]
    return Arrays(numeric, categories, arrays.target)


def replaced(arrays: Arrays, column: ColumnEncoder, place: Place, value: float) -> Arrays:
    """The same rows with one feature set to one value: a number, seconds of a date, or a level's number (from 1)."""
    rows = len(arrays.numeric)
    read = Read(np.full(rows, value), np.zeros(rows, bool), [])
    numeric, categories = arrays.numeric.copy(), arrays.categories.copy()
    for number, values in zip(place.numeric, (*column.continuous(read), *column.switches(read)), strict=True):
        numeric[:, number] = values
    if place.category is not None:
        categories[:, place.category] = int(value)
    return Arrays(numeric, categories, arrays.target)


def stacked(parts: Mapping[str, Arrays] | list[Arrays]) -> Arrays:
    """The rows of all parts below each other, without their target."""
    several = list(parts.values()) if isinstance(parts, Mapping) else parts
    return Arrays(np.concatenate([one.numeric for one in several]), np.concatenate([one.categories for one in several]))
