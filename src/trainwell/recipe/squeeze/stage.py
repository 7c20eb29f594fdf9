"""Stage 6, squeeze: an ensemble of the best, and one score on rows that nothing else has seen.

The members are chosen greedily by rows that they have not seen, which are all rows but the test's where the time sufficed to
cross-fit the finalists, and the validation rows where it did not. The test rows are scored once, when nothing is left to
choose, with a confidence interval from resampling them; the simple models of stage 2 are scored on the same rows.
"""

import math
from typing import NamedTuple

import numpy as np

from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Evidence, Figure, Series
from trainwell.recipe.final_scores import drawn, final, resampled, score_or_none
from trainwell.recipe.next_steps import MORE_TIME
from trainwell.recipe.options import EFFORTS, MINIMAL
from trainwell.recipe.pace import calls_of_metric
from trainwell.recipe.squeeze.explained import explain
from trainwell.recipe.squeeze.finalists import Choice
from trainwell.recipe.squeeze.outcome import Outcome, outcome
from trainwell.words import rounded

FEWEST_RESAMPLES = 50  # chosen: for a user's function that is slow; the ends of the interval are then rough
RESAMPLES = 400  # chosen: of the test rows; enough for the ends of a 95% interval
MOST_RESAMPLED, LEAST_RESAMPLED = 20_000, 2_000  # chosen: rows of one resample, by how many classes; more only make it slower


class Scores(NamedTuple):
    """Scores, larger is better, of the ensemble and of what it is compared with; ``held_out`` on the rows it was chosen by.

    NaN where a user's function gives none; simple models without one are left out.
    """

    test: float
    low: float
    high: float
    held_out: float
    best_single: float
    simple: dict[str, float]

    @property
    def best_simple(self) -> str | None:
        return max(self.simple, key=lambda name: self.simple[name], default=None)

    @property
    def wins(self) -> bool:
        return self.best_simple is None or math.isnan(self.test) or self.test >= self.simple[self.best_simple]


def squeeze(context: Context, choice: Choice, simple: dict[str, np.ndarray]) -> tuple[Evidence, float | None]:
    """(evidence, test score as a person reads it, None where there is none); ``simple`` holds the simple models' predictions of
    the test rows."""
    metric, calibration, rows = context.metric, choice.model.calibration, context.test
    average = choice.model.average(rows.numeric, rows.categories)
    predictions = final(metric, calibration, average)
    test = score_or_none(metric, predictions, rows.target, rows.weights)
    if math.isnan(test):
        context.log.note("squeeze", f"The metric {metric.name!r} gives no score for the test rows: the model has none.")
    others = {name: score_or_none(metric, guess, rows.target, rows.weights) for name, guess in simple.items()}
    scores = Scores(
        test,
        *interval(context, predictions),
        score_or_none(metric, final(metric, calibration, choice.predictions), choice.target, choice.weights),
        max((one for one in _alone(context, choice) if math.isfinite(one)), default=math.nan),
        {name: score for name, score in others.items() if not math.isnan(score)},
    )
    found = outcome(context, calibration, average)
    if context.options.effort != MINIMAL:
        explain(context, choice, average, found)
    return _evidence(context, choice, scores, found), None if math.isnan(test) else context.shown(test)


def _alone(context: Context, choice: Choice) -> list[float]:
    """The score of each finalist alone on the rows that the ensemble was chosen by."""
    score = context.metric.score
    return [float(score(one.predictions, choice.target, choice.weights)) for one in choice.finalists]


def _evidence(context: Context, choice: Choice, scores: Scores, found: Outcome) -> Evidence:
    shown, said, label = context.shown, context.said, context.metric.label
    low, high = sorted((shown(scores.low), shown(scores.high)))
    ends = " to ".join(said(end) for end in sorted((scores.low, scores.high), key=shown))
    summary = f"{_named(choice)}: {label} {said(scores.test)} on {len(context.split.test):,} test rows, {ends} (95%)"
    if scores.best_simple is not None:
        summary += f"; {scores.best_simple} {said(scores.simple[scores.best_simple])}"
    own = [shown(one) for one in _alone(context, choice)]
    ranked = sorted(scores.simple.items(), key=lambda item: -item[1])
    return Evidence(
        "squeeze",
        "pass" if scores.wins else "warn",
        summary,
        explanation=" ".join([_explanation(context, choice, scores), *found.sentences]),
        actions=[*_actions(context, scores), *found.actions],
        measures={
            "test_score": shown(scores.test),
            "low": low,
            "high": high,
            "metric": label,
            "members": len(choice.shares),
            "networks": len(choice.model.members),
            "folds": choice.folds,
            "finalists": len(choice.finalists),
            "held_out_rows": len(choice.target),
            "held_out_score": shown(scores.held_out),
            "best_single_held_out": shown(scores.best_single),
            "optimism": None if math.isnan(choice.optimism) else context.shown_gap(choice.optimism),
            **found.measures,
            **{f"{name}.test_score": shown(value) for name, value in scores.simple.items()},
        },
        tables={
            f"Test rows, {label}": [
                {"model": name, label: rounded(shown(value))} for name, value in (("trainwell", scores.test), *ranked)
            ],
            "Members of the ensemble": [
                {
                    "member": choice.finalists[place].number,
                    "share": round(share, 3),
                    "networks": len(choice.finalists[place].networks),
                    "structure": choice.finalists[place].networks[0].member.structure.describe(),
                    f"{label} on rows not seen": rounded(own[place]),
                }
                for place, share in sorted(choice.shares.items(), key=lambda item: -item[1])
            ],
            **found.tables,
        },
        figures={"test": _test_figure(context, scores), **found.figures},
    )


def interval(context: Context, predictions: np.ndarray) -> tuple[float, float]:
    """Ends of the 95% interval of the score: its 2.5% and 97.5% quantiles over resamples of the test rows, or of their groups,
    with replacement.

    Draws that have no score are left out and counted in the diary; NaN where none has.
    """
    rows = len(predictions)
    size = min(rows, max(LEAST_RESAMPLED, MOST_RESAMPLED // max(1, predictions.shape[1] // 10)))
    generator = np.random.default_rng([context.options.seed, 6])
    draws = int(min(RESAMPLES, max(FEWEST_RESAMPLES, calls_of_metric(context, size))))
    picks = drawn(rows, draws, size, context.groups_of(context.split.test), generator)
    scores = resampled(predictions, context.test.target, picks, context.metric, context.test.weights)
    targets = context.test.target[picks]
    varied = targets.min(axis=1) < targets.max(axis=1)  # AUC and R2 mean nothing on rows whose targets are all the same
    scores = scores[varied] if varied.any() else scores
    measured = scores[~np.isnan(scores)]
    if len(measured) < len(scores):
        left_out = f"{len(scores) - len(measured)} of {len(scores)} draws of the test rows are left out of the interval"
        context.log.note("squeeze", f"{left_out}: the metric {context.metric.name!r} gives no score for them.")
    if not len(measured):
        return math.nan, math.nan
    scores = measured
    low, high = np.quantile(scores, (0.025, 0.975))
    if size == rows:
        return float(low), float(high)
    centre = float(np.median(scores))  # smaller resamples scatter more than the rows would
    shrink = (size / rows) ** 0.5
    return centre + (float(low) - centre) * shrink, centre + (float(high) - centre) * shrink


def _named(choice: Choice) -> str:
    """``"ensemble of 4, each of 5 networks"``."""
    if len(choice.model.members) == 1:
        return "one network"
    if choice.folds > 1 and len(choice.shares) == 1:
        return f"one configuration, {choice.folds} networks"
    each = f", each of {choice.folds} networks" if choice.folds > 1 else ""
    return f"ensemble of {len(choice.shares)}{each}"


def _explanation(context: Context, choice: Choice, scores: Scores) -> str:
    said, label, networks = context.said, context.metric.label, len(choice.model.members)
    low, high = sorted((scores.low, scores.high), key=context.shown)
    if choice.folds > 1:
        how = (
            f"The {len(choice.finalists)} finalists of the search were trained anew until every one of {len(choice.target):,} "
            f"rows had been held out once, {choice.folds} networks each; the final model is the average of {networks} of them, "
            f"those of {len(choice.shares)} finalist{'s' if len(choice.shares) > 1 else ''} chosen by the rows that each "
            "network had not been trained on"
        )
    else:
        what = "one network" if networks == 1 else f"the average of {networks} networks"
        how = f"The final model is {what}, chosen by the validation rows"
    words = (
        f"{how}: {label} {said(scores.held_out)} there, where the best single one has {said(scores.best_single)}. "
        f"{_flattered(context, choice)}On {len(context.split.test):,} test rows that no choice has seen it scores {label} "
        f"{said(scores.test)}; the 95% interval, from drawing the test rows again and again, is {said(low)} to {said(high)}. "
    )
    if scores.best_simple is None:
        return words + "No simple model was measured."
    other = said(scores.simple[scores.best_simple])
    if scores.wins:
        return words + f"The best simple model, {scores.best_simple}, scores {other} on the same rows."
    return words + f"The simple model {scores.best_simple} does better on the same rows, {other}."


def _flattered(context: Context, choice: Choice) -> str:
    if math.isnan(choice.optimism):
        return ""
    gap = context.said_gap(max(0.0, choice.optimism))
    return f"Choosing this ensemble flatters this figure by about {gap}; what the search chose before is not in that. "


def _actions(context: Context, scores: Scores) -> list[str]:
    actions = []
    if not scores.wins:
        actions.append(f"{scores.best_simple} is simpler and better here: prefer it, or give more time (--time-limit).")
    if scores.held_out > scores.high:
        actions.append(
            "The score on the rows it was chosen by lies above the interval of the test score: choosing flattered it."
        )
    limit = context.options.time_limit
    longer = [
        name for name, effort in EFFORTS.items() if limit is not None and effort.seconds is not None and effort.seconds > limit
    ]
    if longer:
        actions.append(f"{MORE_TIME}: --effort {longer[0]} is the next step.")
    return actions


def _test_figure(context: Context, scores: Scores) -> Figure:
    named = {"trainwell": scores.test, **scores.simple}
    bars = Series("test rows", list(named), [rounded(context.shown(value)) for value in named.values()])
    return Figure("bars", "Test score", "", context.metric.label, (bars,), "All scored once, on the same rows.")
