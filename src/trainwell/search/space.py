"""The search space: which structures take part and which settings are drawn, from the declarations beside each technique."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, NamedTuple

from trainwell.errors import InputError, listed, nearest
from trainwell.network.structure import Structure, hyperparameters_of, resolve
from trainwell.population.member import Member

SEARCHED = (  # chosen: what published ablations found to matter most for tables; the rest stays at its default
    "adam.learning_rate",
    "weight_decay.rate",
    "dropout.rate",
    "periodic.frequency",
    "input_noise.standard_deviation",
)
MOST_STRUCTURES = 32  # chosen: each is a program of its own, which takes about a second to compile
MOST_CENTRES = 6  # chosen: a third of a wave; the others explore
Label = str | int | bool


class Axis(NamedTuple):
    """What one setting is drawn from: all numbers between two ends, or a few values.

    Parameters
    ----------
    low, high : the ends, both included; of values the smallest and the largest.
    log : whether equal ratios count the same, instead of equal differences.
    values : the values, where it is no range.
    """

    low: float
    high: float
    log: bool = False
    values: tuple[float, ...] = ()

    def position(self, value: float) -> float:
        """Where a value lies: 0 at the lower end, 1 at the upper; 0.5 where the ends are the same."""
        if self.low == self.high:
            return 0.5
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def at(self, position: float) -> float:
        """The number at a position, which may lie beyond the ends."""
        if self.log:
            return self.low * (self.high / self.low) ** position
        return self.low + position * (self.high - self.low)

    def nearest(self, value: float) -> float:
        """The value that can be drawn and is nearest to another."""
        if self.values:
            return min(self.values, key=lambda one: abs(one - value))
        return min(max(value, self.low), self.high)

    def holds(self, value: float) -> bool:
        """Whether the value can be drawn."""
        return value in self.values if self.values else self.low <= value <= self.high


@dataclass(frozen=True)
class Space:
    """What a search draws from.

    Parameters
    ----------
    structures : what a member may be; the choices in which they differ are drawn.
    searched : names of settings that are drawn; names that a structure lacks are passed over.
    centre : settings that are not drawn, and those of the search's first members.
    ranges : (low, high) instead of the declared search range.
    values : a few values instead of a range.
    logarithmic : whether a setting is drawn on a logarithmic scale, where that is not as declared.
    fenced : settings whose range is not widened, see `trainwell.search.widening`.
    replaced : structures that members had before, and what they have been replaced by for those that follow.
    """

    structures: tuple[Structure, ...]
    searched: tuple[str, ...] = SEARCHED
    centre: Mapping[str, float] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    logarithmic: Mapping[str, bool] = field(default_factory=dict)
    fenced: frozenset[str] = frozenset()
    replaced: Mapping[Structure, Structure] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.structures) > MOST_STRUCTURES:
            raise InputError(
                f"the choices make {len(self.structures)} different networks, each of which is a program to compile: "
                f"allowed are {MOST_STRUCTURES}, so take values out of {_counted(self.choices)}."
            )
        known = {name for structure in self.structures for name in hyperparameters_of(structure)}
        for name in {*self.centre, *self.ranges, *self.values}:
            if name not in known:
                hint = nearest(name, known) or ","
                raise InputError(
                    f"{name!r} is no setting of any structure of the search{hint} they have {listed(sorted(known), 40)}."
                )

    @cached_property
    def choices(self) -> dict[str, tuple[Label, ...]]:
        """The fields in which the structures differ, with their values; one that follows from the others is left out."""
        kept = [one.name for one in fields(Structure) if len({labelled(s, one.name) for s in self.structures}) > 1]
        for name in reversed(kept.copy()):
            others = [other for other in kept if other != name]
            if len({_labels(s, others) for s in self.structures}) == len(set(self.structures)):
                kept = others
        return {name: tuple(dict.fromkeys(labelled(s, name) for s in self.structures)) for name in kept}

    def structure_of(self, chosen: Mapping[str, Label]) -> Structure:
        """The structure with these choices; where they do not go together, the first with the most of them."""
        return max(self.structures, key=lambda one: sum(labelled(one, name) == chosen[name] for name in self.choices))

    def axes(self, structure: Structure) -> dict[str, Axis]:
        """What each setting that this structure has is drawn from."""
        declared = hyperparameters_of(structure)
        found = {}
        for name in dict.fromkeys(self.searched):
            if name in declared:
                values = self.values.get(name, ())
                low, high = (min(values), max(values)) if values else self.ranges.get(name, declared[name].search_range)
                log = self.logarithmic.get(name, declared[name].scale == "log") and low > 0
                found[name] = Axis(low, high, log, values)
        return found

    @cached_property
    def centres(self) -> tuple[Structure, ...]:
        """The structures of the search's first members: all of them, or some evenly spread where there are many."""
        count = min(len(self.structures), MOST_CENTRES)
        return tuple(self.structures[place * len(self.structures) // count] for place in range(count))

    def central(self, number: int, structure: Structure, stage: str = "tune") -> Member:
        """The member at the centre of the space, as near to it as may be drawn."""
        return self.member(number, structure, {}, stage)

    def member(self, number: int, structure: Structure, drawn: Mapping[str, float], stage: str = "tune") -> Member:
        """A member with drawn settings; those that are not among them sit at the centre."""
        declared, axes = hyperparameters_of(structure), self.axes(structure)
        settings = resolve(structure, {name: value for name, value in self.centre.items() if name in declared})
        settings |= {name: axis.nearest(settings[name]) for name, axis in axes.items()}
        return Member(number, structure, resolve(structure, settings | dict(drawn)), stage)

    def point(self, member: Member) -> dict[str, Label | float]:
        """What was drawn for a member: its choices, and the settings that are searched."""
        settings = {name: member.settings[name] for name in self.axes(member.structure)}
        return {**{name: labelled(self.now(member.structure), name) for name in self.choices}, **settings}

    def now(self, structure: Structure) -> Structure:
        """What a structure has been replaced by; itself where it has not."""
        return self.replaced.get(structure, structure)

    def holds(self, member: Member) -> bool:
        """Whether the member could be drawn from this space, or could be before its structure was replaced."""
        axes = self.axes(member.structure)
        known = self.now(member.structure) in self.structures
        return known and all(axis.holds(member.settings[name]) for name, axis in axes.items())


def labelled(structure: Structure, name: str) -> Label:
    """A field of a structure as the value of a choice: ``"128-64"`` for widths, ``"none"`` where there is nothing."""
    value: Any = getattr(structure, name)
    if name == "logarithm":
        return "log" if value else "none"
    if isinstance(value, tuple):
        return "-".join(map(str, value)) or ("linear" if name == "widths" else "none")
    return value if isinstance(value, str | int | bool) else "custom"


def _labels(structure: Structure, names: Sequence[str]) -> tuple[Label, ...]:
    return tuple(labelled(structure, name) for name in names)


def _counted(choices: Mapping[str, Sequence[Label]]) -> str:
    """``"widths (4 values), activation (9)"``, for a sentence."""
    return ", ".join(f"{name} ({len(values)} values)" for name, values in choices.items())
