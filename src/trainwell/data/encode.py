"""Cells to numbers: an encoder fitted on training rows, kept as plain JSON, applied to any rows.

    numbers      (x - median) / (upper - lower quartile), then smoothly clipped to (-3, 3):  z / sqrt(1 + (z / 3)^2)
    missing      the median, and a column of its own that says so, where training rows had missing cells; of few rows only
                 where these go with the target, see `trainwell.data.indicators`
    two levels   one column of 0 and 1
    few levels   one column of 0 and 1 for each level
    more levels  a number for an embedding: 0 missing, unseen or rare, then the levels, the commonest first
    dates        days since the first training row, year, and sine and cosine of month, day, weekday and hour

Source of the scaling: Holzmueller, Grinsztajn & Steinwart (2024), "Better by default" (RealMLP), section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import pyarrow as pa
from pydantic import FiniteFloat

from trainwell.data import cells, dates, json_state
from trainwell.data.encoders import SMALLEST, ColumnEncoder, Date, Embedded, Measurement, Scaling, Switches, TwoNumbers
from trainwell.data.indicators import FEW_ROWS, telling
from trainwell.data.reading import read_column
from trainwell.data.roles import Column, Note, level_counts
from trainwell.data.schema import Schema, target_values
from trainwell.data.tables import Table
from trainwell.errors import InputError, nearest

ONE_HOT_LEVELS = 8  # chosen: more levels than this are embedded
RARE = 3  # chosen: a level of fewer training rows shares slot 0, there is nothing to learn it from
MOST_LEVELS = 1000  # chosen: bounds the embedding that every member of a population carries


@dataclass(frozen=True)
class Arrays:
    """What a network is fed.

    Parameters
    ----------
    numeric : float32 (rows, d); the first `Encoder.continuous` columns are measurements in (-3, 3), the others
        switches: 0 or 1, or 1/2 where neither is known.
    categories : int32 (rows, c), 0 for missing, unseen or rare.
    target : int32 (rows,) class index; float32 (rows,) standardized number; empty where not asked for.
    notes : cells that did not fit what the training rows were: unreadable, unseen, missing where none was.
    weights : float32 (rows,), how much each row counts; None where all count the same.
    """

    numeric: np.ndarray
    categories: np.ndarray
    target: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    notes: tuple[Note, ...] = ()
    weights: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Arrays:
        """The same for some rows, in their order."""
        target = self.target[rows] if len(self.target) else self.target
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, numeric=self.numeric[rows], categories=self.categories[rows], target=target, weights=weights)


@dataclass(frozen=True)
class Encoder:
    """The fitted state: one entry for each feature, and how the target is standardized.

    Parameters
    ----------
    schema : what the table holds.
    columns : one column encoder for each feature, in the schema's order.
    target_mean, target_scale : of the training rows; 0 and 1 for classes.
    """

    schema: Schema
    columns: tuple[ColumnEncoder, ...]
    target_mean: FiniteFloat = 0.0
    target_scale: FiniteFloat = 1.0

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  (pydantic's own spelling)

    def __post_init__(self) -> None:
        if tuple(column.name for column in self.columns) != tuple(column.name for column in self.schema.features):
            raise ValueError("the encoded columns are not the features of the schema")
        if not self.target_scale > 0:
            raise ValueError(f"target_scale is {self.target_scale}, allowed is a number above 0")

    @property
    def continuous_names(self) -> tuple[str, ...]:
        return tuple(name for column in self.columns for name in column.continuous_names)

    @property
    def continuous(self) -> int:
        """How many of the numeric columns, from the first on, are measurements."""
        return len(self.continuous_names)

    @property
    def numeric_names(self) -> tuple[str, ...]:
        """Names of the columns of `Arrays.numeric`."""
        return self.continuous_names + tuple(name for column in self.columns for name in column.switch_names)

    @property
    def category_names(self) -> tuple[str, ...]:
        """Names of the columns of `Arrays.categories`."""
        return tuple(column.name for column in self.columns if isinstance(column, Embedded))

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Sizes of the embedded categories, slot 0 included."""
        return tuple(len(column.levels) + 1 for column in self.columns if isinstance(column, Embedded))

    @property
    def unsigned(self) -> frozenset[str]:
        """The columns in which a minus alone is a missing cell: all that have no sign among their levels."""
        signed = (
            column.name for column in self.columns if isinstance(column, Switches | Embedded) and {"+", "-"} & {*column.levels}
        )
        return frozenset(column.name for column in self.columns) - frozenset(signed)

    def transform(self, table: Table, *, with_target: bool = True, part: bool = False) -> Arrays:
        """Encode every row, in order; a row's numbers do not depend on the other rows.

        Columns that the encoder does not know are passed over. Of a ``part`` of a table it is no error that a column holds
        nothing in it that can be read.

        Raises
        ------
        InputError : columns are missing (all are named), a column holds nothing that can be read, or the target is unknown.
        """
        _check_columns(self.columns, table)
        numeric = np.empty((table.rows, len(self.numeric_names)), np.float32)
        categories = np.zeros((table.rows, len(self.cardinalities)), np.int32)
        notes: list[Note] = []
        continuous, switch, category = 0, self.continuous, 0
        for column in self.columns:
            read = read_column(column, table, part)
            notes += read.notes
            for values in column.continuous(read):
                numeric[:, continuous] = values
                continuous += 1
            for values in column.switches(read):
                numeric[:, switch] = values
                switch += 1
            if isinstance(column, Embedded):
                categories[:, category] = read.values
                category += 1
        if not with_target:
            return Arrays(numeric, categories, notes=tuple(notes))
        weights = None if table.weights is None else table.weights.astype(np.float32)
        return Arrays(numeric, categories, self._target(table), tuple(notes), weights)

    def check(self, table: Table) -> None:
        """`InputError` where columns are missing or one holds nothing that can be read, as `transform` says it."""
        _check_columns(self.columns, table)
        for column in self.columns:
            read_column(column, table)

    def _target(self, table: Table) -> np.ndarray:
        values = target_values(table, self.schema)
        if self.schema.task != "regression":
            return values
        return np.clip((values - self.target_mean) / self.target_scale, -cells.LARGEST, cells.LARGEST).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        return json_state.dump(self)

    @classmethod
    def from_json(cls, state: dict[str, Any] | str | bytes) -> Encoder:
        return json_state.load(cls, state, "the encoder")


def fit_encoder(table: Table, schema: Schema, train_rows: np.ndarray) -> Encoder:
    """Medians, quartiles, levels and dates of the training rows, and of no other row.

    Parameters
    ----------
    table : of usable rows.
    schema : its roles.
    train_rows : positions of the training rows.
    """
    train = table.take(np.asarray(train_rows))
    target = target_values(train, schema)

    def tells(missing: np.ndarray) -> bool:
        return train.rows >= FEW_ROWS or telling(missing, target, len(schema.classes))

    columns = tuple(fit_column(column, train, tells) for column in schema.features)
    if schema.task != "regression":
        return Encoder(schema, columns)
    return Encoder(schema, columns, float(target.mean()), float(target.std()) if target.std() > SMALLEST else 1.0)


def fit_column(column: Column, train: Table, tells: Callable[[np.ndarray], bool]) -> ColumnEncoder:
    """What a column's encoding needs to know, from training rows alone; ``tells`` says whether it is worth telling where cells
    are missing."""
    cells_of = train.column(column.name)
    if column.role == "category":
        return _fit_category(column.name, cells_of)
    if column.role == "date":
        return _fit_date(column, dates.seconds(cells_of, column.style).values)
    style = cast(cells.NumberStyle, column.style)
    values = cells.numbers(cells_of, style).values
    known = np.isfinite(values)
    missing = not known.all()
    marked = not missing or tells(~known)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 0.0)
    if low < high and np.isin(values[known], (low, high)).all():
        return TwoNumbers(column.name, style, low, high, missing, marked)
    return Measurement(column.name, style, Scaling.fit(values), missing, marked)


def _fit_category(name: str, cells_of: pa.ChunkedArray) -> ColumnEncoder:
    counts = level_counts(cells_of)
    if len(counts) <= ONE_HOT_LEVELS:
        return Switches(name, tuple(sorted(counts)), bool(cells.missing_mask(cells_of).any()))
    return Embedded(name, tuple([level for level, count in counts.items() if count >= RARE][:MOST_LEVELS]))


def _fit_date(column: Column, values: np.ndarray) -> Date:
    known = values[np.isfinite(values)]
    first = float(known.min()) if len(known) else 0.0
    fitted = {part: Scaling.fit(numbers) for part, numbers in dates.parts(values, first).items()}
    parts = {part: scaling for part, scaling in fitted.items() if scaling.scale > 0}
    return Date(column.name, column.style, first, parts, len(known) < len(values))


def _check_columns(columns: tuple[ColumnEncoder, ...], table: Table) -> None:
    present = set(table.columns)
    missing = [column.name for column in columns if column.name not in present]
    if missing:
        others = present - {column.name for column in columns}
        named = "; ".join(f"{name!r}{nearest(name, others)}" for name in missing)
        what = "a column" if len(missing) == 1 else f"{len(missing)} columns"
        end = "" if named.endswith("?") else "."
        raise InputError(f"{table.source} lacks {what} of the training table: {named}{end}")
