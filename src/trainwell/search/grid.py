"""The grid: every combination of the choices and of a few values of every setting, each once, in an order drawn by the seed.

In that order a grid that is cut short still covers the whole space evenly.
"""

import math
from functools import cache

import numpy as np

from trainwell.errors import InputError
from trainwell.population.member import Member
from trainwell.search.space import Axis, Space

LEVELS = 3  # chosen: values of a range: both ends and the middle on its scale
MOST = 10_000  # chosen: networks; more are days of training


def size(space: Space) -> int:
    """How many members the grid needs; `InputError` where nobody could train them all."""
    count = sum(_points(space))
    if count > MOST:
        raise InputError(
            f"a grid of this space needs {count:,} networks, allowed are {MOST:,}: search fewer settings, give fewer values, "
            f"or search by 'tpe' or 'random'."
        )
    return count


def member(space: Space, number: int, first: int, seed: int) -> Member | None:
    """The member of that number, where ``first`` is that of the grid's first; None after its last."""
    if number - first >= size(space):
        return None
    ends = np.cumsum(_points(space))
    place = int(_order(size(space), seed)[number - first])
    which = int(np.searchsorted(ends, place, side="right"))  # the structure whose points this is one of
    structure, place = space.structures[which], place - int(ends[which - 1] if which else 0)
    drawn = {}
    for name, axis in space.axes(structure).items():
        levels = levels_of(axis)
        place, own = divmod(place, len(levels))
        drawn[name] = levels[own]
    return space.member(number, structure, drawn)


def levels_of(axis: Axis) -> tuple[float, ...]:
    """The values of a setting in the grid."""
    if axis.values or axis.low == axis.high:
        return axis.values or (axis.low,)
    return tuple(axis.nearest(axis.at(place / (LEVELS - 1))) for place in range(LEVELS))


def _points(space: Space) -> list[int]:
    """How many points of the grid each structure has."""
    return [math.prod(len(levels_of(axis)) for axis in space.axes(structure).values()) for structure in space.structures]


@cache
def _order(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng([seed, count]).permutation(count)
