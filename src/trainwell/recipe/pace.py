"""How fast this machine trains the networks of this table: what the time that is left suffices for."""

import math
from collections.abc import Iterable

from trainwell.network.structure import Structure
from trainwell.population.member import Training
from trainwell.recipe.context import Context
from trainwell.search.halving import NARROW, WIDE, Shape, work

FEWEST_WAVES = 3  # chosen: of fewer wide waves a search learns little, and the ensemble has few networks to choose from


def pace(trainings: Iterable[Training], seconds: float) -> float:
    """Seconds for a unit of work, from what some trainings took all together; NaN where nothing was trained."""
    done = sum(work(t.member.structure) * t.epochs for t in trainings)
    return seconds / done if done else math.nan


def shape_of_waves(context: Context, structure: Structure, seconds_per_work: float) -> Shape:
    """Wide waves where the time suffices for some of them, else narrow ones."""
    full = seconds_per_work * work(structure) * context.epochs(structure)
    wanted = FEWEST_WAVES * WIDE.cost() * full
    return NARROW if wanted > context.budget.left else WIDE  # NaN compares as False
