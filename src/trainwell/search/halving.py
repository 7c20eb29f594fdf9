"""Successive halving: train many a little, the better part of them further, the best to the end.

With factor f and epochs E, a wave of f^2 n members trains for E/f^2 epochs; the best f n go on to E/f and the best n to E: each
rung costs about the same, and a bad draw costs a ninth of a good one.

Where a full training is dear, few waves would be made, and two networks of each come to their end: an ensemble of two. A narrow
wave costs the same, tries a third as many, and takes twice as many to their end.

Source: Jamieson & Talwalkar (2016), "Non-stochastic best arm identification".
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from trainwell.network.structure import Structure
from trainwell.population.budget import Budget
from trainwell.population.cohort import Population
from trainwell.population.member import Training

FACTOR = 3  # Li et al. (2018), Hyperband: 3 or 4
MARGIN = 0.85  # chosen: of the time left, what the remaining rungs are planned for; the last members seldom fill all cores
REFILLS = 2  # chosen: rounds of new members for those that fail or stop; where two do not do, the space itself is bad
Refill = Callable[[int, Sequence[Training]], list[Training]]
OVERHEAD = 10_000  # chosen: multiplications per row that a step costs besides those of its layers


class Shape(NamedTuple):
    """How many members a wave begins with, at how many rungs they are compared, and which share of them goes on."""

    members: int
    rungs: int
    share: float

    def cost(self) -> float:
        """What a wave costs, in full trainings."""
        cost, members, before = 0.0, float(self.members), 0.0
        for rung in range(self.rungs):
            end = FACTOR ** (rung + 1 - self.rungs)
            cost, members, before = cost + members * (end - before), self.going_on(members), end
        return cost

    def going_on(self, members: float) -> int:
        return max(1, int(members * self.share + 1e-9))


WIDE = Shape(members=18, rungs=3, share=1 / FACTOR)  # chosen: 18 -> 6 -> 2
NARROW = Shape(members=6, rungs=2, share=2 / FACTOR)  # chosen: 6 -> 4, at the same cost


def rungs(epochs: int, most: int = WIDE.rungs, smallest: int = 1) -> list[int]:
    """The epochs at which members are compared; the last is the end. None is shorter than ``smallest`` epochs.

    >>> rungs(90)
    [10, 30, 90]
    >>> rungs(90, most=2)
    [30, 90]
    >>> rungs(10, smallest=4)
    [10]
    """
    found = [epochs]
    while len(found) < most and found[0] // FACTOR >= smallest:
        found.insert(0, found[0] // FACTOR)
    return found


def survivors(trainings: Sequence[Training], keep: int) -> set[int]:
    """The numbers of the best; a member that failed is never among them, and the lower number wins a tie."""
    sound = [training for training in trainings if not training.failed and training.state is not None]
    ordered = sorted(sound, key=lambda training: (-training.rank, training.member.number))
    return {training.member.number for training in ordered[:keep]}


def affordable(ends: Sequence[int], reached: int, costs: Sequence[float], seconds: float, shape: Shape = WIDE) -> list[int]:
    """The rungs that are left, drawn in so far that the time suffices for all of them; never drawn out.

    A schedule that falls only late (flat, then cosine) has not begun to fall at the early rungs, so its end may still be moved;
    and a training that comes to its end with a small learning rate is worth more than a longer one that is cut.

    Parameters
    ----------
    ends : the epochs of the rungs that are left, the last one the end of the schedule.
    reached : the epochs trained so far.
    costs : seconds of an epoch of each member that goes on, the best first.
    seconds : the time left.
    shape : says how many of them go on after each rung.

    >>> affordable([30, 90], reached=10, costs=[1.0] * 6, seconds=1000)
    [30, 90]
    >>> affordable([30, 90], reached=10, costs=[1.0] * 6, seconds=120)
    [18, 54]
    """
    for end in range(ends[-1], reached, -1):
        drawn_in = [max(reached + 1, round(end * rung / ends[-1])) for rung in ends]
        if _cost(drawn_in, reached, costs, shape) <= seconds:
            return drawn_in
    return [reached + 1] * len(ends)


def _cost(ends: Sequence[int], reached: int, costs: Sequence[float], shape: Shape) -> float:
    """Seconds to take members through rungs."""
    seconds = 0.0
    for end in ends:
        seconds += sum(costs) * (end - reached)
        costs, reached = costs[: shape.going_on(len(costs))], end
    return seconds


@dataclass(frozen=True)
class Wave:
    """Members that are compared with each other, as far as they have come.

    Parameters
    ----------
    trainings : all of them, by number; those left behind keep only their best weights.
    ends : the epochs of the rungs, the last the end of the schedule.
    rung : how many rungs are done.
    shape : how many of them go on.
    """

    trainings: tuple[Training, ...]
    ends: tuple[int, ...]
    rung: int = 0
    shape: Shape = WIDE

    @classmethod
    def of(cls, trainings: Sequence[Training], epochs: int, shape: Shape = WIDE) -> "Wave":
        """A wave that begins."""
        return cls(tuple(trainings), tuple(rungs(epochs, shape.rungs)), 0, shape)

    @property
    def over(self) -> bool:
        return self.rung == len(self.ends)

    @property
    def going(self) -> list[Training]:
        """Those that the next rung is for."""
        return [t for t in self.trainings if self.rung == 0 or (t.state is not None and t.state.weights)]

    def closed(self) -> "Wave":
        """The wave with nothing left to do: only best weights, and those marked that came to their end."""
        going = {training.member.number for training in self.going}
        trainings = [
            replace(t.let_go(), ended=t.stopped or t.epochs >= self.ends[-1]) if t.member.number in going else t
            for t in self.trainings
        ]
        return Wave(tuple(trainings), self.ends[: self.rung], self.rung, self.shape)


def wave(
    population: Population,
    begun: Wave,
    budget: Budget,
    refill: Refill = lambda count, beside: [],
    on_rung: Callable[[Wave], None] = lambda wave: None,
) -> Wave:
    """The wave taken through the rungs that are left, and closed. Under a time limit the rungs are drawn in after the first
    one, so that the last comes to its end.

    Parameters
    ----------
    population, budget : what the members are trained in, and when to end at the latest.
    begun : a wave that begins, or one that ``on_rung`` was given: it comes to the same end.
    refill : gives as many new members as it is asked for, or fewer, and is told of those trained beside them. In the first rung
        a member that fails or stops gives its place to a new one.
    on_rung : called with the wave after each rung.
    """
    now = begun
    while not now.over and not budget.passed:
        now = _next_rung(population, now, budget, refill)
        on_rung(now)
    return now.closed()


def _next_rung(population: Population, now: Wave, budget: Budget, refill: Refill) -> Wave:
    before, clock = now.going, budget.used - population.pool.waited_seconds
    ends, last = now.ends, now.rung + 1 == len(now.ends)
    trained = population.train(before, ends[now.rung], ends[-1], budget)
    if now.rung == 0 and not last:
        trained += _replacements(population, trained, ends, budget, refill)
    trainings = {training.member.number: training for training in (*now.trainings, *trained)}
    if not last:
        chosen = survivors(trained, now.shape.going_on(len(before)))
        trainings |= {t.member.number: t.let_go() for t in trained if t.member.number not in chosen}
        seconds = budget.used - population.pool.waited_seconds - clock
        ends = _drawn_in(now, trained, chosen, seconds, budget.left)
    return Wave(tuple(trainings[number] for number in sorted(trainings)), ends, now.rung + 1, now.shape)


def _replacements(
    population: Population,
    trained: Sequence[Training],
    ends: Sequence[int],
    budget: Budget,
    refill: Refill,
) -> list[Training]:
    """New members for those that failed or stopped in the first rung, taken through it, and for those of the new that do."""
    newest = list(trained)
    found: list[Training] = []
    for _ in range(REFILLS):
        free = sum(training.stopped for training in newest)
        if not free or budget.passed or not (new := refill(free, [*trained, *found])):
            break
        newest = population.train(new, ends[0], ends[-1], budget)
        found += newest
    return found


def _drawn_in(now: Wave, trained: Sequence[Training], chosen: set[int], seconds: float, left: float) -> tuple[int, ...]:
    """The wave's rungs as the time ``left`` allows, where there is a limit; the one just done took so many ``seconds``."""
    before = {training.member.number: training.epochs for training in now.going}
    done = sum(work(t.member.structure) * (t.epochs - before.get(t.member.number, 0)) for t in trained)
    if not done or math.isinf(left):
        return now.ends
    ranked = sorted((t for t in trained if t.member.number in chosen), key=lambda training: -training.rank)
    costs = [seconds / done * work(training.member.structure) for training in ranked]
    rung = now.rung + 1
    return (*now.ends[:rung], *affordable(now.ends[rung:], now.ends[now.rung], costs, MARGIN * left, now.shape))


def work(structure: Structure) -> float:
    """What an epoch costs beside one of another structure: multiplications per row, and a part that is always there."""
    return OVERHEAD + structure.products
