"""Stage 6, squeeze: an ensemble of the best, and one score on rows that nothing else has seen.

The members are chosen greedily by the validation rows. The test rows are scored once, when nothing is left to choose, with a
confidence interval from resampling them; the simple models of stage 2 are scored on the same rows.
"""

from collections.abc import Sequence
from functools import partial

import jax
import numpy as np

from trainwell.model import Model, ensemble_members
from trainwell.population.cohort import Training
from trainwell.population.metrics import METRICS
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Evidence, Figure, Series
from trainwell.search.ensemble import greedy

RESAMPLES = 400  # chosen: of the test rows; enough for the ends of a 95% interval
MOST_RESAMPLED = 20_000  # chosen: rows of one resample; more only make it slower
CANDIDATES = 48  # chosen: the best members, whose predictions are compared


def build(context: Context, trainings: Sequence[Training]) -> Model:
    """The ensemble that does best on the validation rows, as a model; not yet scored on the test rows."""
    sound = [t for t in trainings if t.curves and not t.failed and np.isfinite(t.score)]
    candidates = sorted(sound, key=lambda t: (-t.score, t.member.number))[:CANDIDATES]
    rows = context.validation
    predictions = context.population().predict(candidates, rows.numeric, rows.categories)
    scores = np.array([t.score for t in candidates])
    shares = greedy(predictions, rows.target, scores, context.metric.name)
    return Model(context.encoder, ensemble_members(shares, candidates), context.metric.name)


def squeeze(
    context: Context, model: Model, trainings: Sequence[Training], simple: dict[str, np.ndarray]
) -> tuple[Evidence, float]:
    """(evidence, test score as a person reads it). The only place where test rows are looked at."""
    score = METRICS[context.metric.name].score
    rows = context.test
    predictions = model.average(rows.numeric, rows.categories)
    own = float(score(predictions, rows.target))
    low, high = interval(context, predictions)
    others = {name: float(score(guess, rows.target)) for name, guess in simple.items()}
    best_other = max(others, key=lambda name: others[name], default=None)
    validation = float(
        score(model.average(context.validation.numeric, context.validation.categories), context.validation.target)
    )
    single = max(t.score for t in trainings if t.curves and not t.failed)
    wins = best_other is None or own >= others[best_other]
    shown, label = context.shown, context.metric.label
    ends = sorted((shown(low), shown(high)))
    members = f"ensemble of {len(model.members)}" if len(model.members) > 1 else "one network"
    summary = f"{members}: {label} {shown(own):.4f} on {len(rows.numeric):,} test rows, {ends[0]:.4f}-{ends[1]:.4f} (95%)"
    if best_other is not None:
        summary += f"; {best_other} {shown(others[best_other]):.4f}"
    evidence = Evidence(
        "squeeze",
        "pass" if wins else "warn",
        summary,
        explanation=(
            f"The final model averages {len(model.members)} networks, chosen one after another because each raised the validation score: "
            f"{shown(validation):.4f}, the best single network has {shown(single):.4f}. On {len(rows.numeric):,} test rows that no choice has "
            f"seen it scores {label} {shown(own):.4f}; with other rows of the same kind it would lie between {ends[0]:.4f} and {ends[1]:.4f} "
            "in 95 of 100 cases. "
            + _against(context, own, others, best_other)
        ),
        actions=_actions(context, wins, best_other, own, validation),
        measures={"test_score": shown(own), "low": ends[0], "high": ends[1], "members": len(model.members), "metric": label,
                  "validation_score": shown(validation), "best_single_validation": shown(single)}
        | {f"{name}.test_score": shown(value) for name, value in others.items()},
        tables={
            f"Test rows, {label}": [{"model": "trainwell", label: round(shown(own), 4)}]
            + [{"model": name, label: round(shown(value), 4)} for name, value in sorted(others.items(), key=lambda item: -item[1])],
            "Members of the ensemble": [
                {"member": m.number, "share": round(m.share, 3), "structure": m.structure.describe(),
                 "validation " + label: round(shown(next(t.score for t in trainings if t.member.number == m.number)), 4)}
                for m in sorted(model.members, key=lambda m: -m.share)
            ],
        },
        figures={
            "test": Figure("bars", "Test score", "", label,
                           (Series("test rows", ["trainwell", *others], [round(shown(own), 4), *(round(shown(v), 4) for v in others.values())]),),
                           "All scored once, on the same rows."),
            **_errors_figure(context, predictions),
        },
    )  # fmt: skip
    return evidence, shown(own)


def interval(context: Context, predictions: np.ndarray) -> tuple[float, float]:
    """Ends of the 95% interval of the score: its 2.5% and 97.5% quantiles over resamples of the test rows with replacement."""
    rows = len(predictions)
    size = min(rows, MOST_RESAMPLED)
    generator = np.random.default_rng([context.options.seed, 6])
    picks = generator.integers(0, rows, (RESAMPLES, size)).astype(np.int32)
    scores = _resampled(predictions, context.test.target, picks, metric=context.metric.name)
    low, high = np.nanquantile(np.asarray(scores), (0.025, 0.975))
    if size == rows:
        return float(low), float(high)
    centre = float(np.nanmedian(np.asarray(scores)))  # smaller resamples scatter more than the rows would
    shrink = (size / rows) ** 0.5
    return centre + (float(low) - centre) * shrink, centre + (float(high) - centre) * shrink


@partial(jax.jit, static_argnames="metric")
def _resampled(predictions, target, picks, metric: str):
    return jax.lax.map(lambda rows: METRICS[metric].score(predictions[rows], target[rows]), picks)


def _against(context: Context, own: float, others: dict[str, float], best_other: str | None) -> str:
    if best_other is None:
        return "No simple model was measured."
    shown = context.shown
    if own >= others[best_other]:
        return f"The best simple model, {best_other}, scores {shown(others[best_other]):.4f} on the same rows."
    return f"The simple model {best_other} does better on the same rows, {shown(others[best_other]):.4f}: use that one, or read on."


def _actions(context: Context, wins: bool, best_other: str | None, own: float, validation: float) -> list[str]:
    actions = []
    if not wins:
        actions.append(f"{best_other} is simpler and better here: prefer it, or give the networks more time (--time-limit).")
    if validation - own > 0.03 * max(abs(validation), 1e-6):
        actions.append(
            "The test score is clearly below the validation score: the choice among many networks flattered the latter."
        )
    if context.options.trials is None and context.budget.seconds and context.options.time_limit < 300:
        actions.append("More time buys more networks: --time-limit 5m is the next step.")
    return actions


def _errors_figure(context: Context, predictions: np.ndarray) -> dict[str, Figure]:
    """Confusion of the classes, or predicted against true values, on the test rows."""
    target = context.test.target
    if context.task == "regression":
        some = np.random.default_rng(0).permutation(len(target))[:1000]
        mean, scale = context.encoder.target_mean, context.encoder.target_scale
        points = Series(
            "test rows",
            (target[some] * scale + mean).round(4).tolist(),
            (predictions[some, 0] * scale + mean).round(4).tolist(),
        )
        name = context.schema.target
        return {
            "residuals": Figure(
                "points", "Predicted against true", f"true {name}", f"predicted {name}", (points,), "On the diagonal is right."
            )
        }
    classes = context.schema.classes
    if len(classes) > 40:
        return {}
    guess = (predictions[:, 0] > 0.5).astype(int) if len(classes) == 2 else predictions.argmax(axis=1)
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (target, guess), 1)
    series = tuple(Series(f"{name}", list(classes), row.tolist()) for name, row in zip(classes, counts, strict=True))
    return {
        "confusion": Figure(
            "heatmap", "Which class is taken for which", "predicted", "true", series, "Rows are the true classes."
        )
    }
