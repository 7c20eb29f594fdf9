"""What the search does about a finding, for the networks that follow: another range of the learning rate, or clipped gradients.

A remedy is data, and so is its effect: another space. It hangs on the trainings alone, in the order of their numbers, and on no
clock; a search that is resumed comes to the same.
"""

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from trainwell.diagnosis.engine.known import Known
from trainwell.diagnosis.findings import Finding
from trainwell.network.structure import hyperparameters_of
from trainwell.population.member import Training
from trainwell.recipe.context import Context
from trainwell.recipe.events import read_events
from trainwell.recipe.findings import problems
from trainwell.search.space import Space
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
    held : names of choices and settings that the user holds fixed.
    """
    narrowed, unhelped, done = _rates(searched, found, list(trained))
    clipped, more = _clipped(narrowed, unhelped) if "clip" not in held else (narrowed, [])
    return clipped, [*done, *more]


def _rates(
    searched: Space, found: Sequence[tuple[Training, Finding]], trained: Sequence[Training]
) -> tuple[Space, list[Finding], list[Done]]:
    """(the space with another range of the rate, problems that ask for more or for something else, what was done).

    A remedy that lowers the learning rate lowers the range's upper end to a third of the lowest rate that did harm, one that
    raises it raises the lower end; never beyond the rate of the best network, which did well with it.
    """
    name = f"{searched.structures[0].optimizer}.learning_rate"
    declared = hyperparameters_of(searched.structures[0]).get(name)
    if declared is None or name not in searched.searched:
        return searched, [finding for _, finding in found], []
    low, high = searched.ranges.get(name, declared.search_range)
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
    return searched, unhelped, done


def _clipped(searched: Space, found: Sequence[Finding]) -> tuple[Space, list[Done]]:
    """The space with clipped gradients where a problem names that remedy, and what was done."""
    asking = next((one for one in found if any(remedy.change == CLIP for remedy in one.remedies)), None)
    free = [one for one in searched.structures if one.clip == "none" and isinstance(one.optimizer, str)]
    if asking is None or not free:
        return searched, []
    structures = tuple(dataclasses.replace(one, clip="global_norm") if one in free else one for one in searched.structures)
    limit = CLIP_BY_GLOBAL_NORM[0].default
    says = f"gradients were clipped to a norm of {limit:g} for the networks that followed"
    return dataclasses.replace(searched, structures=structures), [Done(asking.cause, says)]


def _said(cause: str, end: str, name: str, before: float, after: float) -> list[Done]:
    if before == after:
        return []
    return [Done(cause, f"the {end} end of {name} was moved from {before:.3g} to {after:.3g} for the networks that followed")]


class Narrowed:
    """What is searched after some trainings; every change of it is one event.

    Parameters
    ----------
    context : the run.
    searched : what is searched where nothing went wrong.
    known : what the run knows of its rows.
    """

    def __init__(self, context: Context, searched: Space, known: Known):
        self.context, self.searched, self.known = context, searched, known
        self._problems: dict[Mark, list[tuple[Training, Finding]]] = {}
        self._spaces: dict[tuple[Mark, ...], Space] = {}
        events = read_events(context.folder / "events.jsonl")  # a run that is resumed tells nothing twice
        self._told = {event.get("says") for event in events if event["event"] == "remedied"}

    def after(self, trainings: Sequence[Training]) -> Space:
        """The space for the networks that follow these: each is looked at once, as far as it has come."""
        marks = tuple((t.member.number, t.epochs, t.ended) for t in trainings)
        if marks not in self._spaces:
            for mark, training in zip(marks, trainings, strict=True):
                if mark not in self._problems:
                    self._problems[mark] = problems([training], self.known)
            found = [one for mark in marks for one in self._problems[mark]]
            self._spaces[marks], done = remedied(self.searched, found, trainings, self.context.options.settings)
            self._tell(done)
        return self._spaces[marks]

    def _tell(self, done: Iterable[Done]) -> None:
        for one in done:
            if one.says not in self._told:
                self._told.add(one.says)
                self.context.log.add("remedied", stage="tune", cause=one.cause, says=one.says)
