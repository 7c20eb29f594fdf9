"""What the search does about what it finds: the range of the learning rate is narrowed for the networks that follow where
something went wrong, and ranges at whose edge the best lie are widened.

A remedy is data, and so is its effect: another range. It hangs on the trainings alone, in the order of their numbers, and on no
clock; a search that is resumed comes to the same.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from trainwell.diagnosis.engine.known import Known
from trainwell.diagnosis.findings import Finding
from trainwell.network.structure import Structure
from trainwell.population.member import Training
from trainwell.recipe.context import Context
from trainwell.recipe.events import read_events
from trainwell.recipe.findings import problems
from trainwell.search.halving import Wave
from trainwell.search.space import Space
from trainwell.search.waves import members_of
from trainwell.search.widening import Widened, moved, widened

Mark = tuple[int, int, bool]
AWAY = 3.0  # chosen: the new end lies so many times away from the rate that did harm; half of a factor of ten
NARROWEST = 2.0  # chosen: highest over lowest rate that is left at least


class Done(NamedTuple):
    """What was done about a cause: a sentence."""

    cause: str
    says: str


def remedied(
    searched: Space, found: Sequence[tuple[Training, Finding]], trained: Iterable[Training]
) -> tuple[Space, list[Done]]:
    """(the space for the networks that follow, what was done).

    Parameters
    ----------
    searched : what was searched so far.
    found : networks with a problem, and the problem. A remedy that lowers the learning rate lowers the range's upper end to a
        third of the lowest rate that did harm, one that raises it raises the lower end; never beyond the rate of the best
        network, which did well with it.
    trained : all networks so far.
    """
    done: list[Done] = []
    trained = list(trained)
    for structure in {f"{one.optimizer}.learning_rate": one for one in searched.structures}.values():
        searched, more = _rate_remedied(searched, structure, found, trained)
        done += more
    return searched, done


def _rate_remedied(
    searched: Space, structure: Structure, found: Sequence[tuple[Training, Finding]], trained: Sequence[Training]
) -> tuple[Space, list[Done]]:
    """The same for the learning rate of one optimizer, that of the structure."""
    name = f"{structure.optimizer}.learning_rate"
    axis = searched.axes(structure).get(name)
    if axis is None or axis.values:
        return searched, []
    low, high = axis.low, axis.high
    lowered: list[tuple[float, str]] = []
    raised: list[tuple[float, str]] = []
    for training, finding in found:
        times = next((one.times for one in finding.remedies if one.change == "learning_rate" and one.times), None)
        if times is not None and name in training.member.settings:
            (lowered if times < 1 else raised).append((training.member.settings[name], finding.cause))
    best = max((t for t in trained if t.sound and name in t.member.settings), key=lambda t: t.rank, default=None)
    good = None if best is None else best.member.settings[name]
    done = []
    if lowered:
        (rate, cause), before = min(lowered), high
        high = min(high, max(rate / AWAY, good or 0.0, NARROWEST * low))
        done += _said(cause, "upper", name, before, high)
    if raised:
        (rate, cause), before = max(raised), low
        low = max(low, min(rate * AWAY, good or high, high / NARROWEST))
        done += _said(cause, "lower", name, before, low)
    return dataclasses.replace(searched, ranges={**searched.ranges, name: (low, high)}) if done else searched, done


def _said(cause: str, end: str, name: str, before: float, after: float) -> list[Done]:
    if before == after:
        return []
    return [Done(cause, f"the {end} end of {name} was moved from {before:.3g} to {after:.3g} for the networks that followed")]


class Searched:
    """What is searched after some waves: widened where the best lie at an edge, narrowed where something went wrong.

    Every change is one event. An end that a remedy moved is not widened again: harm was found beyond it.

    Parameters
    ----------
    context : the run.
    searched : what the search begins with.
    known : what the run knows of its rows.
    before : the trainings of the stages before.
    """

    def __init__(self, context: Context, searched: Space, known: Known, before: Sequence[Training] = ()):
        self.context, self.searched, self.known, self.before = context, searched, known, list(before)
        self.widened: list[Widened] = []
        self._problems: dict[Mark, list[tuple[Training, Finding]]] = {}
        events = read_events(context.folder / "events.jsonl")  # a run that is resumed tells nothing twice
        self._told = {event.get("says") for event in events if event["event"] in ("remedied", "widened")}

    def after(self, waves: Sequence[Wave], beside: Sequence[Training] = ()) -> Space:
        """The space for the networks that follow these waves, and those trained beside them."""
        space, trained, changes = self.searched, list(self.before), []
        for place, wave in enumerate(waves, start=1):
            trained += wave.trainings
            closed = moved(space, remedied(space, self._found(trained), trained)[0])
            space, more = widened(space, members_of(waves[:place]), closed)
            changes += more
        self.widened = changes
        trained += beside
        space, done = remedied(space, self._found(trained), trained)
        self._tell(changes, done)
        return space

    def _found(self, trainings: Sequence[Training]) -> list[tuple[Training, Finding]]:
        """The problems of trainings; each is looked at once, as far as it has come."""
        marks = [(t.member.number, t.epochs, t.ended) for t in trainings]
        for mark, training in zip(marks, trainings, strict=True):
            if mark not in self._problems:
                self._problems[mark] = problems([training], self.known)
        return [one for mark in marks for one in self._problems[mark]]

    def _tell(self, changes: Iterable[Widened], done: Iterable[Done]) -> None:
        for change in changes:
            self._once("widened", change.says, name=change.name, end=change.end, before=change.before, after=change.after)
        for one in done:
            self._once("remedied", one.says, cause=one.cause)

    def _once(self, event: str, says: str, **fields: object) -> None:
        if says not in self._told:
            self._told.add(says)
            self.context.log.add(event, stage="tune", **fields, says=says)
