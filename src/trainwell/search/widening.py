"""Ranges that are widened: where the best members lie at the edge of what was searched, the best may lie beyond.

A range is widened after a wave, for the waves that follow, and never beyond what is allowed. It hangs on the members of the
waves that are over alone, and on no clock; a search that is resumed comes to the same.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import NamedTuple

from trainwell.network.structure import hyperparameters_of
from trainwell.population.member import Training
from trainwell.search.space import Space

EDGE = 0.1  # chosen: the outer tenth of a range is its edge
BEST, AGREEING = 3, 2  # chosen: so many of the best must lie there, the best itself among them; one alone may be there by luck
WIDER = 0.3  # chosen: what is added at that end, as a share of the range on its own scale
LOWER, UPPER = "lower", "upper"


class Edge(NamedTuple):
    """An end of the range of a setting."""

    name: str
    end: str


class Widened(NamedTuple):
    """What was done: the setting, which end of its range, and the range before and after."""

    name: str
    end: str
    before: tuple[float, float]
    after: tuple[float, float]

    @property
    def says(self) -> str:
        return (
            f"best {self.name} lies at the edge: widened to {self.after[0]:.3g} to {self.after[1]:.3g} "
            f"(was {self.before[0]:.3g} to {self.before[1]:.3g})"
        )


def widened(space: Space, trainings: Iterable[Training], closed: Collection[Edge] = ()) -> tuple[Space, list[Widened]]:
    """(the space for the waves that follow, what was widened).

    Parameters
    ----------
    space : what was searched so far.
    trainings : all members of the search so far.
    closed : ends beyond which harm was found.
    """
    best = sorted((t for t in trainings if t.sound), key=lambda t: (-t.rank, t.member.number))[:BEST]
    if len(best) < AGREEING:
        return space, []
    done = []
    for edge in edges(space, best[0]):
        agreeing = sum(edge in edges(space, training) for training in best)
        if agreeing >= AGREEING and edge.name not in space.fenced and edge not in closed:
            done.append(_wider(space, best[0], edge))
    return replace(space, ranges={**space.ranges, **{one.name: one.after for one in done}}) if done else space, done


def edges(space: Space, training: Training) -> list[Edge]:
    """The ends of ranges near which a member lies, where the allowed range goes on."""
    declared, found = hyperparameters_of(training.member.structure), []
    for name, axis in space.axes(training.member.structure).items():
        if axis.values or axis.low == axis.high:
            continue
        position = axis.position(training.member.settings[name])
        if position < EDGE and axis.low > declared[name].low:
            found.append(Edge(name, LOWER))
        if position > 1 - EDGE and axis.high < declared[name].high:
            found.append(Edge(name, UPPER))
    return found


def _wider(space: Space, best: Training, edge: Edge) -> Widened:
    structure = best.member.structure
    axis, declared = space.axes(structure)[edge.name], hyperparameters_of(structure)[edge.name]
    low, high = axis.low, axis.high
    if edge.end == LOWER:
        low = max(declared.low, axis.at(-WIDER))
    else:
        high = min(declared.high, axis.at(1 + WIDER))
    return Widened(edge.name, edge.end, (axis.low, axis.high), (low, high))


def moved(before: Space, after: Space) -> set[Edge]:
    """The ends that lie further in than they did."""
    found = set()
    for structure in before.structures:
        new = after.axes(structure)
        for name, axis in before.axes(structure).items():
            found |= {Edge(name, LOWER)} if new[name].low > axis.low else set()
            found |= {Edge(name, UPPER)} if new[name].high < axis.high else set()
    return found
