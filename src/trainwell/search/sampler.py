"""Which members to train next: Optuna's ask and tell, a population at a time.

The members of a wave are asked for one after another by a study that was told of all members before them; of those beside them
it knows that they are running, and keeps away from them. The study is made anew for every wave and its sampler seeded by the
run's seed and the number of the wave's first member, so a draw hangs on nothing but the members before the wave: a search
that is resumed draws the same.

TPE models, for the good and for the other members each, where in the space they lie, and draws where the first are likely and
the second are not. Source: Bergstra et al. (2011), "Algorithms for hyper-parameter optimization"; all settings at once: Falkner
et al. (2018), "BOHB".
"""

from collections.abc import Iterable, Sequence

import numpy as np
import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from trainwell.population.member import Member, Training
from trainwell.search import grid
from trainwell.search.space import Space
from trainwell.search.trials import chosen, quietly, suggested, told

MOST_TOLD = 1000  # chosen: members that a draw learns from; with more it takes a second and more, and learns little from them
STARTUP = 10  # Optuna's default: members up to which draws are random


def draw(
    sampler: str, space: Space, numbers: Sequence[int], first: int, seed: int, before: Iterable[Training] = ()
) -> list[Member]:
    """New members; fewer than were asked for where a grid is at its end.

    Parameters
    ----------
    sampler : ``"tpe"``, ``"random"`` or ``"grid"``.
    numbers : the members' own, one after another; ``first`` is that of the search's first. The search's first members stand at
        the centre of the space, but for a grid, which has its own points.
    seed : of the run.
    before : the members that this draw may learn from.
    """
    if not numbers:
        return []
    if sampler == "grid":
        return [one for number in numbers if (one := grid.member(space, number, first, seed)) is not None]
    with quietly():
        study = optuna.create_study(direction="maximize", sampler=_sampler(sampler, [seed, numbers[0]]))
        if sampler == "tpe":
            known = most_telling(before)
            study.add_trials([trial for training in known if (trial := told(space, training)) is not None])
        return [_asked(study, space, number, first) for number in numbers]


def most_telling(trainings: Iterable[Training], most: int = MOST_TOLD) -> list[Training]:
    """All of them while they are few; of more those that came furthest, the best of them first. They keep their order."""
    every = list(trainings)
    if len(every) <= most:
        return every
    ranked = sorted(every, key=lambda one: (-(one.ended or one.stopped), -one.epochs, -one.rank, one.member.number))
    kept = {one.member.number for one in ranked[:most]}
    return [one for one in every if one.member.number in kept]


def _sampler(name: str, seeds: Sequence[int]) -> BaseSampler:
    seed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    if name == "random":
        return RandomSampler(seed=seed)
    return TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=True, group=True, constant_liar=True)


def _asked(study: optuna.Study, space: Space, number: int, first: int) -> Member:
    """One member: first its choices, then the settings that a network of these choices has."""
    if number - first < len(space.centres):
        central = space.central(number, space.centres[number - first])
        study.enqueue_trial(space.point(central))
    trial = study.ask()
    structure = space.structure_of({name: chosen(trial, name, of) for name, of in space.choices.items()})
    drawn = {name: suggested(trial, name, axis) for name, axis in space.axes(structure).items()}
    return space.member(number, structure, drawn)
