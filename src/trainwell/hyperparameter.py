"""The declaration of a hyperparameter: made once, beside its technique.

Checks, the search space, ``--set`` on the command line, the report and the docs all read these declarations.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from trainwell.errors import InputError, listed, nearest


@dataclass(frozen=True)
class Hyperparameter:
    """A number that may differ between the members of one population.

    Parameters
    ----------
    name : the field's word for it, whole, e.g. ``"learning_rate"``.
    default : value when nobody chose one.
    low, high : the allowed range, both ends included.
    scale : how to draw and to draw on an axis: ``"linear"`` or ``"log"``.
    meaning : half a sentence, with the unit if it has one.
    source : where the default and the range come from, or ``"chosen"``.
    search : the part of the allowed range that a search draws from; the whole range when left out.
    on : value where somebody chose the technique and no number, if the default would leave it without effect.
    """

    name: str
    default: float
    low: float
    high: float
    scale: Literal["linear", "log"] = "linear"
    meaning: str = ""
    source: str = "chosen"
    search: tuple[float, float] | None = None
    on: float | None = None

    def __post_init__(self) -> None:
        self.check(self.default, self.name)
        for bound in (*self.search_range, *(() if self.on is None else (self.on,))):
            self.check(bound, self.name)

    @property
    def search_range(self) -> tuple[float, float]:
        return self.search or (self.low, self.high)

    def check(self, value: object, label: str | None = None) -> float:
        """The value as a float; an `InputError` with the allowed range where it is no number in it (NaN is none)."""
        label = label or self.name
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"{label} is {value!r}, which is not a number from {self.low:g} to {self.high:g}.") from None
        if not self.low <= number <= self.high:  # written so that NaN is refused too
            raise InputError(f"{label} is {number:g}, allowed is {self.low:g} to {self.high:g}.")
        return number

    def at(self, position: float, ends: tuple[float, float] | None = None) -> float:
        """The value at a position from 0 to 1 of the search range (or between other ends), on this hyperparameter's scale."""
        low, high = ends or self.search_range
        if self.scale == "log":
            return low * (high / low) ** position
        return low + position * (high - low)


@dataclass(frozen=True)
class Choice:
    """Something that changes the compiled program: one of a few names."""

    name: str
    default: str
    options: tuple[str, ...]
    meaning: str = ""
    source: str = "chosen"

    def __post_init__(self) -> None:
        self.check(self.default)

    def check(self, value: object, label: str | None = None) -> str:
        """The value itself; an `InputError` with the options and the nearest spelling where it is none of them."""
        label = label or self.name
        if value not in self.options:
            hint = nearest(str(value), self.options)
            raise InputError(f"{label} is {value!r}{hint or ','} allowed is one of {listed(self.options, most=20)}.")
        return str(value)


def defaults(declared: Iterable[Hyperparameter]) -> dict[str, float]:
    """Name to default of some declarations, ready to be passed as keywords."""
    return {hyperparameter.name: hyperparameter.default for hyperparameter in declared}
