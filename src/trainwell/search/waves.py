"""A search wave after wave, each kept in a file of its own after every rung, so that a kill costs one rung at most.

With a fixed number of trials the end is the same bits as without the kill: members are drawn by number, and a wave goes on from
its file as if it had not stopped. A wave that is over is never written again.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

from trainwell.network.structure import Structure
from trainwell.population import checkpoint
from trainwell.population.budget import Budget
from trainwell.population.cohort import Population
from trainwell.population.member import Training
from trainwell.search.ensemble import candidates_of
from trainwell.search.halving import WIDE, Shape, Wave, wave

Draw = Callable[[Sequence[int], Sequence[Wave], Sequence[Training]], list[Training]]
TOO_SHORT = 0.4  # chosen: of the longest wave; in less a wave cannot get past its first rung, and teaches nothing


def search(
    population: Population,
    draw: Draw,
    epochs: Callable[[int], int],
    budget: Budget,
    folder: Path,
    *,
    first: int = 0,
    trials: int | None = None,
    shape: Shape = WIDE,
    kept: Sequence[Wave] = (),
    on_rung: Callable[[list[Wave]], None] = lambda waves: None,
) -> list[Wave]:
    """The waves of the search, each with all its members and their best weights.

    Parameters
    ----------
    population : what they are trained in.
    draw : the members of some numbers, always the same; fewer where there are no more, and none ends the search. They may hang
        on the waves that are over and, for those in the place of members that failed, on what their own wave's first rung
        trained, which is empty for the others.
    epochs : of a full training in the wave of a number, from 0.
    budget : when to end at the latest.
    folder : where the waves are kept.
    first : the number of the first member.
    trials : how many members; as many as the time allows where it is None.
    shape : of the waves to come.
    kept : the waves that a run before this one left, from `read_waves`.
    on_rung : called after each rung with the waves so far, the last of them as far as it has come.
    """
    waves = [one for one in kept if one.over]
    begun = next((one for one in kept if not one.over), None)
    numbers = islice(count(first), len(members_of(kept)), trials)

    def new(members: int, beside: Sequence[Training] = ()) -> list[Training]:
        chosen = list(islice(numbers, members))
        return draw(chosen, waves, beside) if chosen else []

    def after_rung(now: Wave) -> None:
        on_rung([*waves, now])
        if not (budget.passed or now.over):  # a rung that was cut is no rung: a resumed run does it again
            write_wave(now, folder, len(waves) + 1)

    longest = 0.0
    while begun or (not budget.passed and budget.left >= TOO_SHORT * longest):
        began = time.monotonic()
        begun = begun or Wave.of(new(shape.members), epochs(len(waves)), shape)
        if not begun.trainings:
            break
        done = wave(population, begun, budget, new, after_rung)
        if not any(training.curves for training in done.trainings):
            break  # no time was left to begin
        if trials is None or not budget.passed:
            write_wave(done, folder, len(waves) + 1)
        waves = let_others_go([*waves, done])
        begun, longest = None, max(longest, time.monotonic() - began)
    return waves


def let_others_go(waves: Sequence[Wave]) -> list[Wave]:
    """The waves without the weights of members that no ensemble can be chosen from, whatever comes: in a long search they
    would fill the memory."""
    kept = {training.member.number for training in candidates_of(members_of(waves))}
    return [_without_weights(one, kept) for one in waves]


def _without_weights(one: Wave, kept: set[int]) -> Wave:
    heavy = [t for t in one.trainings if t.member.number not in kept and t.state is not None and t.state.best_weights]
    if not heavy:
        return one
    light = {t.member.number: replace(t, state=t.state._replace(best_weights={}, best_statistics={})) for t in heavy if t.state}
    return replace(one, trainings=tuple(light.get(t.member.number, t) for t in one.trainings))


def members_of(waves: Iterable[Wave]) -> list[Training]:
    """All members of some waves, in order."""
    return [training for one in waves for training in one.trainings]


def write_wave(one: Wave, folder: Path, number: int) -> None:
    """Keep a wave; ``number`` counts from 1."""
    checkpoint.save(one.trainings, _path(folder, number), {"ends": one.ends, "rung": one.rung, "shape": one.shape})


def read_waves(folder: Path, known: Iterable[Structure] = ()) -> list[Wave]:
    """The waves that were kept in a folder, in order, up to the first that is missing; only the last may be unfinished.

    ``known`` are structures with an optax transformation, see `checkpoint.load`. `InputError` where a file is damaged.
    """
    waves: list[Wave] = []
    while (not waves or waves[-1].over) and (path := _path(folder, len(waves) + 1)).exists():
        trainings, notes = checkpoint.load(path, known), checkpoint.notes_of(path)
        with checkpoint.any_error_is_damage(path):
            shape = Shape(int(notes["shape"][0]), int(notes["shape"][1]), float(notes["shape"][2]))
            waves.append(Wave(tuple(trainings), tuple(map(int, notes["ends"])), int(notes["rung"]), shape))
    return waves


def _path(folder: Path, number: int) -> Path:
    return folder / f"wave-{number}.safetensors"
