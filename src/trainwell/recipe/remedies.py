"""What the search does about what it finds: where something went wrong, the networks that follow have another range of the
learning rate or clipped gradients, and ranges at whose edge the best lie are widened.

A remedy is data, and so is its effect: another space. It hangs on the trainings alone, in the order of their numbers, and on no
clock; a search that is resumed comes to the same.
"""

import dataclasses
from collections.abc import Collection, Iterable, Sequence
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
from trainwell.techniques.gradients import CLIP_BY_GLOBAL_NORM

Mark = tuple[int, int, bool]
CLIP = "clip by norm"  # the remedy's name for it
AWAY = 3.0  # chosen: the new end lies so many times away from the rate that did harm; half of a factor of ten
NARROWEST = 2.0  # chosen: highest over lowest rate that is left at least


class Done(NamedTuple):
    """What was done about a cause: a sentence."""

    cause: str
    says: str


def remedied(
    searched: Space, found: Sequence[tuple[Training, Finding]], trained: Iterable[Training], held: Collection[str] = ()
) -> tuple[Space, list[Done]]:
    """(the space for the networks that follow, what was done).

    Of each problem the first remedy is taken that the search can act on: the range of the learning rate is narrowed, and where
    that is no remedy, or cannot be narrowed as far as it should, gradients are clipped.

    Parameters
    ----------
    searched : what was searched so far.
    found : networks with a problem, and the problem.
    trained : all networks so far.
    held : names of choices and settings that the user holds fixed, or says what to search of.
    """
    trained = list(trained)
    unhelped, done = [finding for _, finding in found], list[Done]()
    for structure in {f"{one.optimizer}.learning_rate": one for one in searched.structures}.values():
        searched, more, others = _rates(searched, structure, found, trained)
        done += more
        unhelped = [finding for finding in unhelped if finding in others]
    if "clip" not in held:
        searched, more = _clipped(searched, unhelped)
        done += more
    return searched, done


def _rates(
    searched: Space, structure: Structure, found: Sequence[tuple[Training, Finding]], trained: Sequence[Training]
) -> tuple[Space, list[Done], list[Finding]]:
    """(the space with another range of the rate of the structure's optimizer, what was done, problems that ask for more).

    A remedy that lowers the learning rate lowers the range's upper end to a third of the lowest rate that did harm, one that
    raises it raises the lower end; never beyond the rate of the best network, which did well with it.
    """
    name = f"{structure.optimizer}.learning_rate"
    axis = searched.axes(structure).get(name)
    if axis is None or axis.values:
        return searched, [], [finding for _, finding in found]
    low, high = axis.low, axis.high
    lowered: list[tuple[float, Finding]] = []
    raised: list[tuple[float, Finding]] = []
    unhelped: list[Finding] = []
    for training, finding in found:
        times = next((one.times for one in finding.remedies if one.change == "learning_rate" and one.times), None)
        if times is not None and name in training.member.settings:
            (lowered if times < 1 else raised).append((training.member.settings[name], finding))
        else:
            unhelped.append(finding)
    best = max((t for t in trained if t.sound and name in t.member.settings), key=lambda t: t.rank, default=None)
    good = None if best is None else best.member.settings[name]
    done = []
    if lowered:
        (rate, finding), before = min(lowered, key=lambda one: one[0]), high
        high = min(high, max(rate / AWAY, good or 0.0, NARROWEST * low))
        done += _said(finding.cause, "upper", name, before, high)
        unhelped += [finding] if high > rate else []
    if raised:
        (rate, finding), before = max(raised, key=lambda one: one[0]), low
        low = max(low, min(rate * AWAY, good or high, high / NARROWEST))
        done += _said(finding.cause, "lower", name, before, low)
    if done:
        searched = dataclasses.replace(searched, ranges={**searched.ranges, name: (low, high)})
    return searched, done, unhelped


def _clipped(searched: Space, found: Sequence[Finding]) -> tuple[Space, list[Done]]:
    """The space with clipped gradients where a problem names that remedy, and what was done."""
    asking = next((one for one in found if any(remedy.change == CLIP for remedy in one.remedies)), None)
    free = [one for one in searched.structures if one.clip == "none" and isinstance(one.optimizer, str)]
    if asking is None or not free:
        return searched, []
    clipped = {one: dataclasses.replace(one, clip="global_norm") for one in free}
    structures = tuple(dict.fromkeys(clipped.get(one, one) for one in searched.structures))
    limit = CLIP_BY_GLOBAL_NORM[0].default
    says = f"gradients were clipped to a norm of {limit:g} for the networks that followed"
    searched = dataclasses.replace(searched, structures=structures, replaced={**searched.replaced, **clipped})
    return searched, [Done(asking.cause, says)]


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
        self._after: list[tuple[Space, list[Widened]]] = [(searched, [])]  # by the number of waves, which never change
        events = read_events(context.folder / "events.jsonl")  # a run that is resumed tells nothing twice
        self._told = {event.get("says") for event in events if event["event"] in ("remedied", "widened")}

    def after(self, waves: Sequence[Wave], beside: Sequence[Training] = ()) -> Space:
        """The space for the networks that follow these waves, and those trained beside them."""
        for place in range(len(self._after), len(waves) + 1):  # what came of the waves before is known
            self._after.append(self._next(waves[:place]))
        space, self.widened = self._after[len(waves)]
        space, done = self._remedied(space, [*self.before, *members_of(waves), *beside])
        self._tell(self.widened, done)
        return space

    def _next(self, waves: Sequence[Wave]) -> tuple[Space, list[Widened]]:
        """(the space after these waves but for what went wrong, all that was widened)."""
        space, changes = self._after[len(waves) - 1]
        members = members_of(waves)
        closed = moved(space, self._remedied(space, [*self.before, *members])[0])
        space, more = widened(space, members, closed)
        return space, [*changes, *more]

    def _remedied(self, space: Space, trained: Sequence[Training]) -> tuple[Space, list[Done]]:
        options = self.context.options
        return remedied(space, self._found(trained), trained, {*options.settings, *(options.space or {})})

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
