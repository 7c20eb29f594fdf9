"""The search space: which structures take part and which settings are drawn, from the declarations beside each technique."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from trainwell.errors import InputError, listed, nearest
from trainwell.network.structure import Structure, hyperparameters_of, resolve
from trainwell.population.member import Member

SEARCHED = (  # chosen: what published ablations found to matter most for tables; the rest stays at its default
    "adam.learning_rate",
    "weight_decay.rate",
    "dropout.rate",
    "periodic.frequency",
)


@dataclass(frozen=True)
class Space:
    """What a search draws from.

    Parameters
    ----------
    structures : one of them for each member, in turn, so that every structure gets its share.
    searched : names of settings that are drawn on their declared scale; names that a structure lacks are passed over.
    centre : settings that are not drawn, and those of each structure's first member.
    ranges : (low, high) instead of the declared search range.
    """

    structures: tuple[Structure, ...]
    searched: tuple[str, ...] = SEARCHED
    centre: Mapping[str, float] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {name for structure in self.structures for name in hyperparameters_of(structure)}
        for name in {*self.centre, *self.ranges}:
            if name not in known:
                hint = nearest(name, known) or ","
                raise InputError(
                    f"{name!r} is no setting of any structure of the search{hint} they have {listed(sorted(known), 40)}."
                )

    def member(self, number: int, first: int, seed: int, stage: str = "tune") -> Member:
        """The member of that number; ``first`` is the number of the search's first, which sits at the centre."""
        place = number - first
        structure = self.structures[place % len(self.structures)]
        declared = hyperparameters_of(structure)
        chosen = {name: value for name, value in self.centre.items() if name in declared}
        if place >= len(self.structures):
            generator = np.random.default_rng([seed, number])
            for name in self.searched:
                position = float(generator.random())  # drawn for absent names too: a member's draws don't hang on its structure
                if name in declared:
                    chosen[name] = declared[name].at(position, self.ranges.get(name))
        return Member(number, structure, resolve(structure, chosen), stage)
