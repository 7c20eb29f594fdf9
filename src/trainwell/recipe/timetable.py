"""How long each stage may take: shares of the run's time by which each has to end, or as much from its begin on where what came
before it took longer."""

import math

from trainwell.recipe.context import Context
from trainwell.recipe.evidence import STAGES
from trainwell.recipe.pace import cross_fits, cross_fitting

ENDS = {
    "look": 0.06,
    "baselines": 0.15,
    "overfit": 0.27,
    "regularize": 0.34,
    "tune": 0.55,
    "squeeze": 1.0,
}  # chosen: shares of the time
LEAST = {"baselines": 8.0, "overfit": 14.0, "regularize": 17.0}  # seconds, chosen: by when a stage may end, compiling included
LATEST = {"baselines": 0.3, "overfit": 0.45, "regularize": 0.5, "tune": 0.7}  # chosen: shares of a short time at which it must
LONG = 120.0  # seconds, chosen: longer runs give the search what cross-fitting does not need; shorter ones mostly need it
CLOSING = 8.0  # seconds, chosen: what the ensemble, the test score, the model and the report take on a table of 50,000 rows
CLOSING_ROW = 6e-6  # chosen: seconds for each row; a million rows took 6 s more
EXPLAINING, EXPLAINED = 3.0, 0.04  # chosen: seconds, or a share of the time, to measure what the model reads and where it errs
AMPLE = 100.0  # chosen: full trainings, twice what three waves and cross-fitting cost
AMPLE_COMPILES = 2.0  # chosen: times the slowest program, which one for such members takes to be there
CLOSING_COMPILES = 2.0  # measured: the closing compiles programs for about as long as two trainings' programs take


def end_of(stage: str, context: Context, full: float) -> float:
    """The share of the time at which a stage has to end; tuning takes all that the closing does not need.

    Parameters
    ----------
    stage : one of `trainwell.recipe.evidence.STAGES`.
    full : seconds of a full training, which only tuning asks for; NaN where it is not known.
    """
    seconds = context.budget.seconds or math.inf
    if stage != "tune":
        return max(ENDS[stage], min(LATEST.get(stage, 0.0), LEAST.get(stage, 0.0) / seconds))
    latest, short = 1 - closing_share(context), LEAST["regularize"] / seconds > ENDS["regularize"]
    if not cross_fits(context, full):
        return latest
    usual = min(LATEST["tune"] if short else ENDS["tune"], latest)
    return max(usual, latest - cross_fitting(context, full)) if seconds >= LONG else usual


def end_from_now(stage: str, context: Context, full: float) -> float:
    """The same of a stage that begins now: where those before took longer, as simple models of many classes do, it has the
    share between its own end and that of the stage before it all the same, unless the closing needs it."""
    end, seconds = end_of(stage, context, full), context.budget.seconds
    if seconds is None or stage == STAGES[0]:
        return end
    own = end - end_of(STAGES[STAGES.index(stage) - 1], context, full)
    return max(end, min(context.budget.used / seconds + own, 1 - closing_share(context)))


def is_ample(context: Context, full: float) -> bool:
    """Whether the run, whose context this is, has more time than its search and cross-fitting need, so that members which are
    several networks in one take none from the others; without a limit it has. ``full`` as in `end_of`."""
    seconds = context.budget.seconds
    if seconds is None:
        return True
    needed = AMPLE * full + AMPLE_COMPILES * context.pool.programs.slowest
    return needed <= context.budget.left - closing_share(context) * seconds  # NaN compares as False


def closing_share(context: Context) -> float:
    """The share of the time that the ensemble, the test score, the model and the report are given."""
    seconds = context.budget.seconds or 1.0
    closing = max(CLOSING, CLOSING_COMPILES * context.pool.programs.slowest) + CLOSING_ROW * context.table.rows
    reserved = closing + min(EXPLAINING, EXPLAINED * seconds)
    return min(0.5, max(0.04, reserved / seconds))
