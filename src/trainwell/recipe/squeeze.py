"""Stage 6, squeeze: an ensemble of the best, and one score on rows that nothing else has seen.

The members are chosen greedily by the validation rows. The test rows are scored once, when nothing is left to choose, with a
confidence interval from resampling them; the simple models of stage 2 are scored on the same rows.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from trainwell.calibration.calibrate import Calibration, calibrate
from trainwell.calibration.thresholds import costs_of, recentred
from trainwell.model import Model, ensemble_members
from trainwell.population.member import Training
from trainwell.population.metrics import Metric
from trainwell.population.own_metric import calls_back
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Evidence, Figure, Series
from trainwell.recipe.outcome import Outcome, outcome
from trainwell.search.ensemble import MOST_CANDIDATES, greedy

RESAMPLES = 400  # chosen: of the test rows; enough for the ends of a 95% interval
MOST_RESAMPLED = 20_000  # chosen: rows of one resample; more only make it slower
LONG = 300.0  # seconds, chosen: a time limit from which on no more time is advised


def build(context: Context, trainings: Sequence[Training]) -> Model:
    """The ensemble that does best on the validation rows, as a model; not yet scored on the test rows."""
    sound = [t for t in trainings if t.sound and np.isfinite(t.score)]
    candidates = sorted(sound, key=lambda t: (-t.rank, t.member.number))[:MOST_CANDIDATES]
    rows = context.validation
    predictions = context.population().predict(candidates, rows.numeric, rows.categories)
    ranks = np.array([t.rank for t in candidates])
    shares = greedy(predictions, rows.target, ranks, context.metric)
    average = np.sum([share * predictions[place] for place, share in shares.items()], axis=0)
    members, calibration = ensemble_members(shares, candidates), calibrated(context, average, rows.target)
    return Model(context.encoder, members, context.metric.name, calibration=calibration)


def calibrated(context: Context, average: np.ndarray, target: np.ndarray) -> Calibration:
    """Temperature, threshold and intervals from the ensemble's average (rows, outputs) for rows it was not trained on."""
    costs = costs_of(context.options.cost, context.task)
    name, scale = context.metric.name, context.encoder.target_scale
    return calibrate(average, target, context.task, metric=name, costs=costs, scale=scale)


def final(metric: Metric, calibration: Calibration, average: np.ndarray) -> np.ndarray:
    """The networks' average as it is scored: calibrated, and where decisions are scored with the threshold moved to 1/2."""
    applied = calibration.applied(average)
    return recentred(applied, calibration.threshold) if metric.decided is not None else applied


class Scores(NamedTuple):
    """Scores, larger is better, of the ensemble and of what it is compared with."""

    test: float
    low: float
    high: float
    validation: float
    best_single: float
    simple: dict[str, float]

    @property
    def best_simple(self) -> str | None:
        return max(self.simple, key=lambda name: self.simple[name], default=None)

    @property
    def wins(self) -> bool:
        return self.best_simple is None or self.test >= self.simple[self.best_simple]


def squeeze(
    context: Context, model: Model, trainings: Sequence[Training], simple: dict[str, np.ndarray]
) -> tuple[Evidence, float]:
    """(evidence, test score as a person reads it). The only place where test rows are looked at."""
    score = context.metric.final
    on_test, on_validation = (model.average(rows.numeric, rows.categories) for rows in (context.test, context.validation))
    predictions, target = final(context.metric, model.calibration, on_test), context.test.target
    scores = Scores(
        float(score(predictions, target)),
        *interval(context, predictions),
        float(score(final(context.metric, model.calibration, on_validation), context.validation.target)),
        max(training.score for training in trainings if training.sound),
        {name: float(score(guess, target)) for name, guess in simple.items()},
    )
    found = outcome(context, model.calibration, on_test)
    return _evidence(context, model, trainings, scores, found), context.shown(scores.test)


def _evidence(context: Context, model: Model, trainings: Sequence[Training], scores: Scores, found: Outcome) -> Evidence:
    shown, said, label = context.shown, context.said, context.metric.label
    low, high = sorted((shown(scores.low), shown(scores.high)))
    ends = " to ".join(said(end) for end in sorted((scores.low, scores.high), key=shown))
    members = f"ensemble of {len(model.members)}" if len(model.members) > 1 else "one network"
    summary = f"{members}: {label} {said(scores.test)} on {len(context.split.test):,} test rows, {ends} (95%)"
    if scores.best_simple is not None:
        summary += f"; {scores.best_simple} {said(scores.simple[scores.best_simple])}"
    own = {training.member.number: shown(training.score) for training in trainings}
    ranked = sorted(scores.simple.items(), key=lambda item: -item[1])
    return Evidence(
        "squeeze",
        "pass" if scores.wins else "warn",
        summary,
        explanation=" ".join([_explanation(context, len(model.members), scores), *found.sentences]),
        actions=[*_actions(context, scores), *found.actions],
        measures={
            "test_score": shown(scores.test),
            "low": low,
            "high": high,
            "metric": label,
            "members": len(model.members),
            "validation_score": shown(scores.validation),
            "best_single_validation": shown(scores.best_single),
            **found.measures,
            **{f"{name}.test_score": shown(value) for name, value in scores.simple.items()},
        },
        tables={
            f"Test rows, {label}": [
                {"model": name, label: round(shown(value), 4)} for name, value in (("trainwell", scores.test), *ranked)
            ],
            "Members of the ensemble": [
                {
                    "member": member.number,
                    "share": round(member.share, 3),
                    "structure": member.structure.describe(),
                    f"validation {label}": round(own[member.number], 4),
                }
                for member in sorted(model.members, key=lambda member: -member.share)
            ],
            **found.tables,
        },
        figures={"test": _test_figure(context, scores), **found.figures},
    )


def interval(context: Context, predictions: np.ndarray) -> tuple[float, float]:
    """Ends of the 95% interval of the score: its 2.5% and 97.5% quantiles over resamples of the test rows with replacement."""
    rows = len(predictions)
    size = min(rows, MOST_RESAMPLED)
    generator = np.random.default_rng([context.options.seed, 6])
    picks = generator.integers(0, rows, (RESAMPLES, size)).astype(np.int32)
    measure = _one_by_one if calls_back(context.metric) else _resampled
    scores = np.asarray(measure(predictions, context.test.target, picks, metric=context.metric))
    drawn = context.test.target[picks]
    varied = drawn.min(axis=1) < drawn.max(axis=1)  # AUC and R2 mean nothing on rows whose targets are all the same
    scores = scores[varied] if varied.any() else scores
    low, high = np.quantile(scores, (0.025, 0.975))
    if size == rows:
        return float(low), float(high)
    centre = float(np.median(scores))  # smaller resamples scatter more than the rows would
    shrink = (size / rows) ** 0.5
    return centre + (float(low) - centre) * shrink, centre + (float(high) - centre) * shrink


@partial(jax.jit, static_argnames="metric")
def _resampled(predictions, target, picks, metric: Metric):
    return jax.lax.map(lambda rows: metric.final(predictions[rows], target[rows]), picks)


def _one_by_one(predictions, target, picks, metric: Metric):
    return [metric.final(predictions[rows], target[rows]) for rows in picks]


def _explanation(context: Context, members: int, scores: Scores) -> str:
    said, label = context.said, context.metric.label
    low, high = sorted((scores.low, scores.high), key=context.shown)
    words = (
        f"The final model is {'one network' if members == 1 else f'the average of {members} networks'}, chosen by the "
        f"validation rows: {said(scores.validation)} there, where the best single network has {said(scores.best_single)}. On "
        f"{len(context.split.test):,} test rows that no choice has seen it scores {label} {said(scores.test)}; the 95% "
        f"interval, from drawing the test rows again and again, is {said(low)} to {said(high)}. "
    )
    if scores.best_simple is None:
        return words + "No simple model was measured."
    other = said(scores.simple[scores.best_simple])
    if scores.wins:
        return words + f"The best simple model, {scores.best_simple}, scores {other} on the same rows."
    return words + f"The simple model {scores.best_simple} does better on the same rows, {other}."


def _actions(context: Context, scores: Scores) -> list[str]:
    actions = []
    if not scores.wins:
        actions.append(f"{scores.best_simple} is simpler and better here: prefer it, or give more time (--time-limit).")
    if scores.validation > scores.high:
        actions.append("The validation score lies above the interval of the test score: choosing among many flattered it.")
    if context.options.time_limit is not None and context.options.time_limit < LONG:
        actions.append("More time buys more networks: --time-limit 5m is the next step.")
    return actions


def _test_figure(context: Context, scores: Scores) -> Figure:
    named = {"trainwell": scores.test, **scores.simple}
    bars = Series("test rows", list(named), [round(context.shown(value), 4) for value in named.values()])
    return Figure("bars", "Test score", "", context.metric.label, (bars,), "All scored once, on the same rows.")
