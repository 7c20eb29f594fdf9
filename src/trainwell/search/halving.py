"""Successive halving: train many a little, the better part of them further, the best to the end.

With factor f and epochs E, a wave of f^2 n members trains for E/f^2 epochs; the best f n go on to E/f and the best n to E: each
rung costs about the same, and a bad draw costs a ninth of a good one.

Source: Jamieson & Talwalkar (2016), "Non-stochastic best arm identification".
"""

from collections.abc import Callable, Sequence

from trainwell.population.budget import Budget
from trainwell.population.cohort import Population, Training

FACTOR = 3  # Li et al. (2018), Hyperband: 3 or 4


def rungs(epochs: int, smallest: int = 1) -> list[int]:
    """The epochs at which members are compared; the last is the end. None is shorter than ``smallest`` epochs.

    >>> rungs(90)
    [10, 30, 90]
    >>> rungs(10, smallest=4)
    [10]
    """
    found = [epochs]
    while len(found) < 3 and found[0] // FACTOR >= smallest:
        found.insert(0, found[0] // FACTOR)
    return found


def survivors(trainings: Sequence[Training], keep: int) -> set[int]:
    """The numbers of the best; a member that failed is never among them, and the lower number wins a tie."""
    sound = [training for training in trainings if not training.failed and training.state is not None]
    ordered = sorted(sound, key=lambda training: (-training.rank, training.member.number))
    return {training.member.number for training in ordered[:keep]}


def wave(
    population: Population,
    trainings: Sequence[Training],
    epochs: int,
    budget: Budget,
    on_rung: Callable[[int, list[Training]], None] = lambda rung, trainings: None,
) -> list[Training]:
    """One wave through all rungs; those left behind keep only their best weights.

    ``on_rung`` is called after each rung with its number and all trainings of the wave.
    """
    steps = rungs(epochs, max((population.epochs_per_call(t.member.structure) for t in trainings), default=1))
    going, left_behind = list(trainings), []
    for rung, until in enumerate(steps):
        if budget.passed:
            break
        going = population.train(going, until, epochs, budget)
        if until < epochs:
            chosen = survivors(going, max(1, len(going) // FACTOR))
            left_behind += [training.let_go() for training in going if training.member.number not in chosen]
            going = [training for training in going if training.member.number in chosen]
        on_rung(rung, left_behind + going)
    return sorted(left_behind + [training.let_go() for training in going], key=lambda training: training.member.number)
