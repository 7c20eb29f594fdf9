"""The rows that are inspected, as plain numbers: the features as they were written, before any encoding, and the target."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainwell.data import cells, dates
from trainwell.data.roles import Column
from trainwell.data.schema import Schema, target_values
from trainwell.data.tables import Table


@dataclass(frozen=True)
class Inspected:
    """Some rows of a table.

    Parameters
    ----------
    names : the features.
    values : float64 (rows, features); categories as whole numbers from 0, the commonest first; dates in seconds; NaN missing.
    categorical : bool (features,), true for categories.
    target : int32 (rows,) class index, or float64 (rows,) numbers.
    task : ``"binary"``, ``"multiclass"`` or ``"regression"``.
    rows : int64 (rows,) positions in the table.
    """

    names: tuple[str, ...]
    values: np.ndarray
    categorical: np.ndarray
    target: np.ndarray
    task: str
    rows: np.ndarray

    def take(self, rows: np.ndarray) -> "Inspected":
        return replace(self, values=self.values[rows], target=self.target[rows], rows=self.rows[rows])

    def some(self, most: int, seed: int) -> "Inspected":
        """At most so many rows, drawn from the seed."""
        return self if len(self.rows) <= most else self.take(some_rows(len(self.rows), most, seed))

    def only(self, columns: np.ndarray) -> "Inspected":
        """Some of the features, by their positions."""
        names = tuple(self.names[place] for place in columns)
        return replace(self, names=names, values=self.values[:, columns], categorical=self.categorical[columns])

    def without(self, names: set[str]) -> "Inspected":
        return self.only(np.array([place for place, name in enumerate(self.names) if name not in names], int))


def some_rows(rows: int, most: int, seed: int) -> np.ndarray:
    """All row numbers where they are few, else ``most`` drawn ones, ascending."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def read(table: Table, schema: Schema, rows: np.ndarray) -> Inspected:
    """These rows (positions) of a table of usable rows."""
    taken = table.take(rows)
    features = schema.features
    values = np.empty((taken.rows, len(features)))
    for place, column in enumerate(features):
        values[:, place] = numbers_of(taken, column)
    return Inspected(
        tuple(column.name for column in features),
        values,
        np.array([column.role == "category" for column in features], bool),
        target_values(taken, schema),
        schema.task,
        np.asarray(rows, np.int64),
    )


def numbers_of(table: Table, column: Column) -> np.ndarray:
    """The cells of a feature as numbers."""
    cells_of = table.column(column.name)
    if column.role == "category":
        return codes_of(cells_of)
    if column.role == "date":
        return dates.seconds(cells_of, column.style).values
    return cells.numbers(cells_of, column.style).values


def codes_of(cells_of: pa.ChunkedArray) -> np.ndarray:
    """Labels as whole numbers from 0, the commonest first, equals in the order in which they come; NaN where missing."""
    coded = cells.labels(cells_of).combine_chunks().dictionary_encode()
    codes = np.asarray(pc.fill_null(coded.indices, -1), np.int64)
    counts = np.bincount(codes[codes >= 0], minlength=max(1, len(coded.dictionary)))
    place = np.empty(len(counts))
    place[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.where(codes >= 0, place[codes], np.nan)
