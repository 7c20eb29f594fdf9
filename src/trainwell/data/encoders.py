"""One column to numbers: the five ways, each a frozen record that is plain JSON.

Every way offers ``continuous(read)`` (its measurements, one array each), ``switches(read)`` (its columns of 0 and 1) and the
names of both. `read_column` reads the cells once for all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainwell.data import cells, dates
from trainwell.data.roles import Column, Note, level_counts, unreadable_note
from trainwell.data.tables import Table
from trainwell.errors import InputError

ONE_HOT_LEVELS = 8  # chosen: more levels than this are embedded
RARE = 3  # chosen: a level of fewer training rows shares slot 0, there is nothing to learn it from
MOST_LEVELS = 1000  # chosen: bounds the embedding that every member of a population carries
CLIP = 3.0  # RealMLP


class Read(NamedTuple):
    """Cells of one column, read: numbers (NaN missing) or level numbers (0 missing or unseen)."""

    values: np.ndarray
    missing: np.ndarray
    notes: list[Note]


class Scaling(NamedTuple):
    """Robust scaling with a smooth clip: z / sqrt(1 + (z / 3)^2) with z = (x - median) scale; 0 for a missing x."""

    median: float
    scale: float

    def __call__(self, values: np.ndarray) -> np.ndarray:
        z = (values - self.median) * self.scale
        z /= np.sqrt(1 + np.square(z / CLIP))
        return np.nan_to_num(z, copy=False, nan=0.0)

    @classmethod
    def fit(cls, values: np.ndarray) -> "Scaling":
        """From quartiles; from the range where the quartiles are equal; scale 0 where all values are."""
        known = values[np.isfinite(values)]
        if not len(known):
            return cls(0.0, 0.0)
        lowest, lower, median, upper, highest = np.quantile(known, (0, 0.25, 0.5, 0.75, 1))
        for spread in (upper - lower, (highest - lowest) / 2):
            if spread > 0 and np.isfinite(1 / spread):
                return cls(float(median), float(1 / spread))
        return cls(float(median), 0.0)


@dataclass(frozen=True)
class Measurement:
    """A number of more than two values."""

    name: str
    style: str
    scaling: Scaling
    missing: bool
    kind: Literal["measurement"] = "measurement"

    @property
    def continuous_names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def switch_names(self) -> tuple[str, ...]:
        return _missing_name(self)

    def continuous(self, read: Read) -> Iterator[np.ndarray]:
        yield self.scaling(read.values)

    def switches(self, read: Read) -> Iterator[np.ndarray]:
        if self.missing:
            yield read.missing


@dataclass(frozen=True)
class TwoNumbers:
    """A number that takes two values: 0 for the lower, 1 for the higher, 1/2 for missing."""

    name: str
    style: str
    low: float
    high: float
    missing: bool
    kind: Literal["two numbers"] = "two numbers"
    continuous_names: ClassVar[tuple[str, ...]] = ()

    @property
    def switch_names(self) -> tuple[str, ...]:
        return (self.name, *_missing_name(self))

    def continuous(self, read: Read) -> Iterator[np.ndarray]:
        yield from ()

    def switches(self, read: Read) -> Iterator[np.ndarray]:
        yield np.where(read.missing, 0.5, np.clip((read.values - self.low) / (self.high - self.low), 0, 1))
        if self.missing:
            yield read.missing


@dataclass(frozen=True)
class Switches:
    """A category of at most eight levels: one column of 0 and 1 a level; of two levels one column, 1/2 where it is neither."""

    name: str
    levels: tuple[str, ...]
    missing: bool
    kind: Literal["switches"] = "switches"
    continuous_names: ClassVar[tuple[str, ...]] = ()

    @property
    def switch_names(self) -> tuple[str, ...]:
        shown = self.levels[1:] if len(self.levels) == 2 else self.levels
        return (*(f"{self.name} = {level}" for level in shown), *_missing_name(self))

    def continuous(self, read: Read) -> Iterator[np.ndarray]:
        yield from ()

    def switches(self, read: Read) -> Iterator[np.ndarray]:
        if len(self.levels) == 2:
            yield np.where(read.values == 0, 0.5, read.values - 1.0)
        else:
            yield from (read.values == number for number in range(1, len(self.levels) + 1))
        if self.missing:
            yield read.missing


@dataclass(frozen=True)
class Level:
    """A category of more levels: a number for an embedding, 0 where missing, unseen or rare."""

    name: str
    levels: tuple[str, ...]
    kind: Literal["level"] = "level"
    missing: ClassVar[bool] = True
    continuous_names: ClassVar[tuple[str, ...]] = ()
    switch_names: ClassVar[tuple[str, ...]] = ()

    def continuous(self, read: Read) -> Iterator[np.ndarray]:
        yield from ()

    def switches(self, read: Read) -> Iterator[np.ndarray]:
        yield from ()


@dataclass(frozen=True)
class Date:
    """A date, taken apart; parts that are the same in every training row are left out."""

    name: str
    style: str
    first: float
    parts: dict[str, Scaling]
    missing: bool
    kind: Literal["date"] = "date"

    @property
    def continuous_names(self) -> tuple[str, ...]:
        return tuple(f"{self.name} {part}" for part in self.parts)

    @property
    def switch_names(self) -> tuple[str, ...]:
        return _missing_name(self)

    def continuous(self, read: Read) -> Iterator[np.ndarray]:
        found = dates.parts(read.values, self.first)
        yield from (scaling(found[part]) for part, scaling in self.parts.items())

    def switches(self, read: Read) -> Iterator[np.ndarray]:
        if self.missing:
            yield read.missing


ColumnEncoder = Measurement | TwoNumbers | Switches | Level | Date


def fit_column(column: Column, train: Table) -> ColumnEncoder:
    """What a column's encoding needs to know, from training rows alone."""
    cells_of = train.column(column.name)
    if column.role == "category":
        return _fit_category(column.name, cells_of)
    if column.role == "date":
        return _fit_date(column, dates.seconds(cells_of, column.style).values)
    values = cells.numbers(cells_of, column.style).values
    known = np.isfinite(values)
    missing = not known.all()
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 0.0)
    if low < high and np.isin(values[known], (low, high)).all():
        return TwoNumbers(column.name, column.style, low, high, missing)
    return Measurement(column.name, column.style, Scaling.fit(values), missing)


def read_column(column: ColumnEncoder, table: Table) -> Read:
    """The cells of a table's column in the way that the training column was read, and notes on those that do not fit."""
    cells_of = table.column(column.name)
    if isinstance(column, Switches | Level):
        return _read_levels(column, table)
    if isinstance(column, Date):
        values, unreadable = dates.seconds(cells_of, column.style)
        what, notes = "date", []
    else:
        values, unreadable, infinite = cells.numbers(cells_of, column.style)
        what, notes = "number", unreadable_note(table, column.name, infinite, "infinite")
    missing = np.isnan(values)
    if unreadable.any() and missing.all():
        _nothing_read(table, column.name, unreadable, what)
    notes += unreadable_note(table, column.name, unreadable, f"no {what}")
    return Read(values, missing, notes + _missing_notes(column, missing))


def _fit_category(name: str, cells_of: pa.ChunkedArray) -> ColumnEncoder:
    counts = level_counts(cells_of)
    if len(counts) <= ONE_HOT_LEVELS:
        return Switches(name, tuple(sorted(counts)), bool(cells.missing_mask(cells_of).any()))
    return Level(name, tuple([level for level, count in counts.items() if count >= RARE][:MOST_LEVELS]))


def _fit_date(column: Column, values: np.ndarray) -> Date:
    known = values[np.isfinite(values)]
    first = float(known.min()) if len(known) else 0.0
    fitted = {part: Scaling.fit(numbers) for part, numbers in dates.parts(values, first).items()}
    parts = {part: scaling for part, scaling in fitted.items() if scaling.scale > 0}
    return Date(column.name, column.style, first, parts, len(known) < len(values))


def _read_levels(column: Switches | Level, table: Table) -> Read:
    texts = cells.labels(table.column(column.name))
    missing = np.asarray(pc.is_null(texts).to_numpy())
    found = pc.index_in(texts, value_set=pa.array(column.levels, pa.string()))
    values = np.asarray(found.fill_null(-1).to_numpy(), np.int32) + np.int32(1)
    notes = _missing_notes(column, missing)
    unseen = (values == 0) & ~missing
    if unseen.any():
        position = int(np.argmax(unseen))
        cell, row, count = texts[position].as_py(), table.row_number(position), int(unseen.sum())
        many = f"{count:,} cells of {column.name!r} hold" if count > 1 else f"1 cell of {column.name!r} holds"
        message = f"{many} a category that training rows had seldom or never (for example {cell!r} in row {row}): "
        notes.append(Note(column.name, message + "treated as unknown."))
    return Read(values, missing, notes)


def _nothing_read(table: Table, name: str, unreadable: np.ndarray, what: str) -> None:
    position = int(np.argmax(unreadable))
    cell, row = str(table.column(name)[position].as_py())[:40], table.row_number(position)
    raise InputError(
        f"column {name!r} of {table.source} holds no {what} in any row (for example {cell!r} in row {row}), "
        f"but it held {what}s in training."
    )


def _missing_notes(column: ColumnEncoder, missing: np.ndarray) -> list[Note]:
    if column.missing or not missing.any():
        return []
    instead = "no level" if isinstance(column, Switches) else "the middle of the training rows"
    count = int(missing.sum())
    return [Note(column.name, f"{count:,} missing in {column.name!r}, none in training rows: {instead} is used.")]


def _missing_name(column: ColumnEncoder) -> tuple[str, ...]:
    return (f"{column.name} is missing",) if column.missing else ()
