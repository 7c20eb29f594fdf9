"""How fast this machine trains the networks of this table: what the time that is left suffices for."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

from trainwell.population.member import Training
from trainwell.population.own_metric import seconds_of
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Evidence
from trainwell.recipe.options import EFFORTS
from trainwell.search.halving import NARROW, WIDE, Shape, work

CROSS_FITTED = 3  # chosen: finalists for which cross-fitting must be affordable, or else the search is given its time
SPARE = 2.0  # chosen: times what cross-fitting is expected to take; networks of the search may be larger, or learn for longer
CROSS_FIT_SHARE = 0.4  # chosen: of the run's time that cross-fitting may take
SHARE_CALLING = 0.2  # chosen: of the time left, for one of the last stage's uses of a user's function that is slow
TRAINED_BEFORE = ("overfit", "regularize")  # the stages that show how fast networks train here
SECONDS_CHOOSING = "choosing_seconds"  # of the first of them, in which no network of ours trains
WAITED = "waited_seconds"  # of the search, for programs
FULL = "full_training_seconds"  # by this name it stands in their evidence
SHARE_TRAINED = 0.3  # chosen: of their time, at least, was training and no waiting for programs
FEWEST_WAVES = 3  # chosen: of fewer wide waves a search learns little, and the ensemble has few networks to choose from


def pace(trainings: Iterable[Training], seconds: float) -> float:
    """Seconds for a unit of work, from what some trainings took all together; NaN where nothing was trained."""
    done = sum(work(t.member.structure) * t.epochs for t in trainings)
    return seconds / done if done else math.nan


def full_training(context: Context, trainings: Sequence[Training], seconds_per_work: float) -> float:
    """Seconds of a training of the largest size that was tried, to where early stopping ends it on this table."""
    if not trainings:
        return math.nan
    largest = max((t.member.structure for t in trainings), key=work)
    whole = context.epochs(largest)
    epochs = statistics.median(t.epochs if t.stopped else whole for t in trainings)
    return seconds_per_work * work(largest) * epochs


def known_full_training(
    context: Context, trainings: Iterable[Training], evidence: Mapping[str, Evidence], waited: float
) -> float:
    """The same, from what the stages before the search took but for what they waited for programs; of a finished run, which
    keeps no networks, as these stages wrote it down. NaN where nothing is known."""
    trained = [training for training in trainings if training.member.stage in TRAINED_BEFORE]
    found = [evidence[name] for name in TRAINED_BEFORE if name in evidence]
    if not trained:
        return next((float(one.measures[FULL] or 0) for one in reversed(found) if FULL in one.measures), math.nan)
    seconds = sum(one.seconds - float(one.measures.get(SECONDS_CHOOSING) or 0) for one in found)
    return full_training(context, trained, pace(trained, max(SHARE_TRAINED * seconds, seconds - waited)))


def seconds_searching(evidence: Evidence | None) -> float:
    """What the search took but for what it waited for programs, whose networks then say how fast others train."""
    if evidence is None:
        return 0.0
    return max(SHARE_TRAINED * evidence.seconds, evidence.seconds - float(evidence.measures.get(WAITED) or 0))


def shape_of_waves(context: Context, full: float) -> Shape:
    """Wide waves where the time suffices for some of them, else narrow ones; ``full`` as from `full_training`."""
    return NARROW if FEWEST_WAVES * WIDE.cost() * full > context.budget.left else WIDE  # NaN compares as False


def calls_of_metric(context: Context, rows: int) -> float:
    """How often the metric may be called one by one at a time: infinite for one that is compiled, which a user's function of
    NumPy is not."""
    seconds = seconds_of(context.metric, rows)
    return SHARE_CALLING * context.budget.left / seconds if seconds else math.inf


def cross_fits(context: Context, full: float) -> bool:
    """Whether cross-fitting some finalists is affordable; without a time limit it is."""
    seconds = context.budget.seconds
    return seconds is None or CROSS_FITTED * len(context.other_folds) * full <= CROSS_FIT_SHARE * seconds


def cross_fitting(context: Context, full: float) -> float:
    """The share of the run's time that cross-fitting all finalists takes, with time to spare."""
    networks = EFFORTS[context.options.effort].finalists * len(context.other_folds)
    return SPARE * networks * full / (context.budget.seconds or math.inf)
