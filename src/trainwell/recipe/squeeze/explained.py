"""What the finished model does, measured within what is left of the time: nothing here is chosen by, all of it is told.

Everything is of the test rows, which no choice has seen, but for what more networks buy, which is of the rows that the ensemble
was chosen by. The dearest come last, so that a short run leaves out those; what is left out is noted.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from trainwell.errors import InputError
from trainwell.model import Model
from trainwell.population.budget import Budget
from trainwell.population.epoch import BLOCKS
from trainwell.recipe.context import Context
from trainwell.recipe.final_scores import final, score_or_none
from trainwell.recipe.squeeze.finalists import Choice
from trainwell.recipe.squeeze.measured import Measured
from trainwell.recipe.squeeze.outcome import Outcome
from trainwell.recipe.squeeze.what_it_is_worth import add_ensemble_gain, add_gains
from trainwell.recipe.squeeze.what_it_reads import add_dependence, add_importance
from trainwell.recipe.squeeze.where_it_errs import add_mistakes, add_subgroups

MOST_SECONDS, SHARE_OF_TIME = 8.0, 0.1  # chosen: what all of it may take; the smaller of a fixed time and a share of the run's
KEPT_FOR_REPORT = 1.0  # seconds, measured: saving the model and writing the report of a table of 50,000 rows
MOST_NETWORKS = 10  # chosen: of the ensemble; the average of the ten with the largest shares reads what the whole one reads
FEWEST_ROWS = 50  # chosen: of the test; with fewer what is measured is mostly chance


def explain(context: Context, choice: Choice, average: np.ndarray, found: Outcome) -> None:
    """Add to the last stage's evidence what there is time for."""
    rows = len(context.test.target)
    if rows < FEWEST_ROWS:
        context.log.note("squeeze", f"{rows} test rows are too few to say which features the model reads and where it errs.")
        return
    predictions = final(context.metric, choice.model.calibration, average)
    model = heaviest(choice.model, MOST_NETWORKS)
    measured = Measured(
        choice,
        average,
        predictions,
        score_or_none(context.metric, predictions, context.test.target, context.test.weights),
        model.each,
        np.array([member.share for member in model.members]),
        next((size for size in BLOCKS if rows <= size), BLOCKS[-1]),
        _clock(context.budget),
    )
    steps: dict[str, Callable[[Context, Measured, Outcome], None]] = {
        "gains": add_gains,
        "what more networks buy": add_ensemble_gain,
        "scores by subgroup": add_subgroups,
        "which features it reads": add_importance,
        "what each feature does": add_dependence,
        "the worst mistakes": add_mistakes,
    }
    left_out = []
    for name, step in steps.items():
        if measured.passed() and name not in ("gains", "the worst mistakes"):  # which cost nothing
            left_out.append(name)
            continue
        try:
            step(context, measured, found)
        except InputError as problem:  # of a user's function, on some of the rows
            context.log.note("squeeze", f"{name[0].upper()}{name[1:]}: not measured. {problem}")
    if left_out:
        context.log.note("squeeze", f"No time was left to measure {', '.join(left_out)} (--time-limit gives more).")


def heaviest(model: Model, most: int) -> Model:
    """The members with the largest shares, as a model whose shares sum to 1."""
    order = sorted(range(len(model.members)), key=lambda place: (-model.members[place].share, place))[:most]
    kept = [model.members[place] for place in sorted(order)]
    whole = sum(member.share for member in kept)
    return dataclasses.replace(model, members=tuple(dataclasses.replace(member, share=member.share / whole) for member in kept))


def _clock(budget: Budget) -> Callable[[], bool]:
    """Whether what may be spent on this is used up. Without a time limit never, so that every such run comes to the same."""
    if budget.seconds is None:
        return lambda: budget.interrupted
    end = budget.left - min(MOST_SECONDS, SHARE_OF_TIME * budget.seconds)
    return lambda: budget.left <= max(KEPT_FOR_REPORT, end)
