"""Successive halving: train many a little, the better part of them further, the best to the end.

With factor f and epochs E, a wave of f^2 n members trains for E/f^2 epochs; the best f n go on to E/f and the best n to E: each
rung costs about the same, and a bad draw costs a ninth of a good one.

Source: Jamieson & Talwalkar (2016), "Non-stochastic best arm identification".
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from trainwell.network.structure import Structure
from trainwell.population.budget import Budget
from trainwell.population.cohort import Population
from trainwell.population.member import Training

FACTOR = 3  # Li et al. (2018), Hyperband: 3 or 4
MARGIN = 0.85  # chosen: of the time left, what the remaining rungs are planned for; the last members seldom fill all cores
OVERHEAD = 10_000  # chosen: multiplications per row that a step costs besides those of its layers


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


def affordable(ends: Sequence[int], reached: int, costs: Sequence[float], seconds: float) -> list[int]:
    """The rungs that are left, drawn in so far that the time suffices for all of them; never drawn out.

    A schedule that falls only late (flat, then cosine) has not begun to fall at the early rungs, so its end may still be moved;
    and a training that comes to its end with a small learning rate is worth more than a longer one that is cut.

    Parameters
    ----------
    ends : the epochs of the rungs that are left, the last one the end of the schedule.
    reached : the epochs trained so far.
    costs : seconds of an epoch of each member that goes on, the best first; a third of them goes on after each rung.
    seconds : the time left.

    >>> affordable([30, 90], reached=10, costs=[1.0] * 6, seconds=1000)
    [30, 90]
    >>> affordable([30, 90], reached=10, costs=[1.0] * 6, seconds=120)
    [18, 54]
    """
    for end in range(ends[-1], reached, -1):
        drawn_in = [max(reached + 1, round(end * rung / ends[-1])) for rung in ends]
        if _cost(drawn_in, reached, costs) <= seconds:
            return drawn_in
    return [reached + 1] * len(ends)


def _cost(ends: Sequence[int], reached: int, costs: Sequence[float]) -> float:
    """Seconds to take members through rungs, of whom a third goes on after each."""
    seconds = 0.0
    for end in ends:
        seconds += sum(costs) * (end - reached)
        costs, reached = costs[: max(1, len(costs) // FACTOR)], end
    return seconds


def wave(
    population: Population,
    trainings: Sequence[Training],
    epochs: int,
    budget: Budget,
    on_rung: Callable[[int, list[Training]], None] = lambda rung, trainings: None,
) -> list[Training]:
    """One wave through all rungs; those left behind keep only their best weights. Under a time limit the rungs are drawn in
    after the first one, so that the last comes to its end.

    ``on_rung`` is called after each rung with its number and all trainings of the wave.
    """
    ends = rungs(epochs)
    going, left_behind = list(trainings), []
    for rung in range(len(ends)):
        if budget.passed:
            break
        before, clock = going, budget.used - population.pool.waited_seconds
        going = population.train(going, ends[rung], ends[-1], budget)
        if rung + 1 < len(ends):
            chosen = survivors(going, max(1, len(going) // FACTOR))
            left_behind += [training.let_go() for training in going if training.member.number not in chosen]
            seconds = budget.used - population.pool.waited_seconds - clock
            done = sum(_work(t.member.structure) * (t.epochs - b.epochs) for t, b in zip(going, before, strict=True))
            going = [training for training in going if training.member.number in chosen]
            if done and not math.isinf(budget.left):
                ranked = sorted(going, key=lambda training: -training.rank)
                costs = [seconds / done * _work(training.member.structure) for training in ranked]
                ends[rung + 1 :] = affordable(ends[rung + 1 :], ends[rung], costs, MARGIN * budget.left)
        on_rung(rung, left_behind + going)
    ended = [replace(t.let_go(), ended=t.stopped or t.epochs >= ends[-1]) for t in going]
    return sorted(left_behind + ended, key=lambda training: training.member.number)


def _work(structure: Structure) -> float:
    """What an epoch costs beside one of another structure: multiplications per row, and a part that is always there."""
    sizes = (structure.entering, *structure.widths, structure.outputs)
    return OVERHEAD + sum(a * b for a, b in pairwise(sizes))
