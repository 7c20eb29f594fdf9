"""One column to numbers: the five ways, each a frozen record that is plain JSON.

Every way offers ``continuous(read)`` (its measurements, one array each), ``switches(read)`` (its columns of 0 and 1) and the
names of both. Cells come to them read (`reading.read_column`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Discriminator, FiniteFloat

from trainwell.data import dates
from trainwell.data.cells import NumberStyle
from trainwell.data.roles import Note

CLIP = 3.0  # RealMLP
SMALLEST = 1e-100  # chosen: a smaller spread is none; it keeps z^2 within a float64


class Read(NamedTuple):
    """Cells of one column, read: numbers (NaN missing) or level numbers (0 missing or unseen)."""

    values: np.ndarray
    missing: np.ndarray
    notes: list[Note]


class Scaling(NamedTuple):
    """Robust scaling with a smooth clip: z / sqrt(1 + (z / 3)^2) with z = (x - median) scale; 0 for a missing x."""

    median: FiniteFloat
    scale: FiniteFloat

    def __call__(self, values: np.ndarray) -> np.ndarray:
        z = (values - self.median) * self.scale
        z /= np.sqrt(1 + np.square(z / CLIP))
        return np.nan_to_num(z, copy=False, nan=0.0)

    @classmethod
    def fit(cls, values: np.ndarray) -> "Scaling":
        """From quartiles; where they are equal, because most rows have one value, from twice the median distance of the others
        to it (the same for a normal distribution); from the range where that is nothing either; scale 0 where all are equal."""
        known = values[np.isfinite(values)]
        if not len(known):
            return cls(0.0, 0.0)
        lowest, lower, median, upper, highest = np.quantile(known, (0, 0.25, 0.5, 0.75, 1))
        apart = np.abs(known - median)
        others = apart[apart > 0]
        for spread in (upper - lower, 2 * np.median(others) if len(others) else 0.0, (highest - lowest) / 2):
            if spread > SMALLEST:
                return cls(float(median), float(1 / spread))
        return cls(float(median), 0.0)


@dataclass(frozen=True)
class Measurement:
    """A number of more than two values; where training rows lacked it, ``marked`` says whether a column of its own tells."""

    name: str
    style: NumberStyle
    scaling: Scaling
    missing: bool
    marked: bool = True
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
        if is_marked(self):
            yield read.missing


@dataclass(frozen=True)
class TwoNumbers:
    """A number that takes two values: 0 for the lower, 1 for the higher, 1/2 for missing; ``marked`` as of a `Measurement`."""

    name: str
    style: NumberStyle
    low: FiniteFloat
    high: FiniteFloat
    missing: bool
    marked: bool = True
    kind: Literal["two numbers"] = "two numbers"
    continuous_names: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"low is {self.low}, allowed is a number below high, {self.high}")

    @property
    def switch_names(self) -> tuple[str, ...]:
        return (self.name, *_missing_name(self))

    def continuous(self, read: Read) -> Iterator[np.ndarray]:
        yield from ()

    def switches(self, read: Read) -> Iterator[np.ndarray]:
        size = max(abs(self.low), abs(self.high))  # parts of it neither overflow nor vanish, whatever its exponent
        low, high = self.low / size, self.high / size
        yield np.where(read.missing, 0.5, (np.clip(read.values, self.low, self.high) / size - low) / (high - low))
        if is_marked(self):
            yield read.missing


@dataclass(frozen=True)
class Switches:
    """A category of at most eight levels: one column of 0 and 1 a level; of two levels one column, 1/2 where it is neither."""

    name: str
    levels: tuple[str, ...]
    missing: bool
    kind: Literal["switches"] = "switches"
    continuous_names: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        _check_levels(self.levels)

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
        if is_marked(self):
            yield read.missing


@dataclass(frozen=True)
class Embedded:
    """A category of more levels: a number for an embedding, 0 where missing, unseen or rare."""

    name: str
    levels: tuple[str, ...]
    kind: Literal["embedded"] = "embedded"
    missing: ClassVar[bool] = True
    continuous_names: ClassVar[tuple[str, ...]] = ()
    switch_names: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        _check_levels(self.levels)

    def continuous(self, read: Read) -> Iterator[np.ndarray]:
        yield from ()

    def switches(self, read: Read) -> Iterator[np.ndarray]:
        yield from ()


@dataclass(frozen=True)
class Date:
    """A date, taken apart; parts that are the same in every training row are left out."""

    name: str
    style: str
    first: FiniteFloat
    parts: dict[str, Scaling]
    missing: bool
    kind: Literal["date"] = "date"

    def __post_init__(self) -> None:
        if wrong := set(self.parts) - set(dates.PARTS):
            raise ValueError(f"{min(wrong)!r} is no part of a date")
        if self.style not in (*dates.STYLES, "timestamp"):
            raise ValueError(f"{self.style!r} is no style of dates")
        ordered = {
            part: self.parts[part] for part in dates.PARTS if part in self.parts
        }  # as they enter, however they lie in a file
        object.__setattr__(self, "parts", ordered)

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
        if is_marked(self):
            yield read.missing


ColumnEncoder = Annotated[Measurement | TwoNumbers | Switches | Embedded | Date, Discriminator("kind")]


def is_marked(column: ColumnEncoder) -> bool:
    """Whether a column of its own tells where this one is missing."""
    return column.missing and (not isinstance(column, Measurement | TwoNumbers) or column.marked)


def _missing_name(column: ColumnEncoder) -> tuple[str, ...]:
    return (f"{column.name} is missing",) if is_marked(column) else ()


def _check_levels(levels: tuple[str, ...]) -> None:
    if len(set(levels)) < len(levels):
        raise ValueError("a level is there twice")
