"""What the finished model does on the test rows, beside its score: are its probabilities true, what do its decisions cost, do
its intervals hold the truth? Tables, figures and sentences for the last stage."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from trainwell.calibration.calibrate import Calibration
from trainwell.calibration.intervals import LEVEL, coverage
from trainwell.calibration.reliability import Reliability, reliability
from trainwell.calibration.temperature import log_loss
from trainwell.calibration.thresholds import HALF, THRESHOLDED, Confusion, Costs, above, confusion, costs_of
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Cell, Figure, Series
from trainwell.words import number, rounded

MOST_CLASSES_DRAWN, MOST_POINTS = 40, 1000  # chosen: what a figure can show
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)  # chosen: of the intervals in the report
SURE = 3.0  # standard errors, chosen: coverage that lies so far below its level is no accident


@dataclass
class Outcome:
    """Parts of the evidence, gathered; ``importance`` names the features that the model reads, the most important first."""

    sentences: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    measures: dict[str, Cell] = field(default_factory=dict)
    tables: dict[str, Sequence[dict[str, Cell]]] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    importance: tuple[str, ...] = ()


def outcome(context: Context, calibration: Calibration, average: np.ndarray) -> Outcome:
    """Everything to say of the networks' average (rows, outputs) for the test rows."""
    found = Outcome()
    if context.task == "regression":
        _intervals(context, calibration, average, found)
        found.figures["residuals"] = _residuals(context, average)
        return found
    predictions = calibration.applied(average)
    _probabilities(context, calibration, average, predictions, found)
    if context.task == "binary":
        _decisions(context, calibration.threshold, predictions[:, 0], found)
    if len(context.schema.classes) <= MOST_CLASSES_DRAWN:
        found.figures["confusion"] = _confusion_figure(context, calibration.threshold, predictions)
    return found


def _probabilities(
    context: Context, calibration: Calibration, average: np.ndarray, predictions: np.ndarray, found: Outcome
) -> None:
    target, weights = context.test.target, context.test.weights
    steps = {"as the networks give them": average}
    if calibration.temperature != 1:
        steps[f"at temperature {calibration.temperature:.2f}"] = predictions
    curves = {name: reliability(given, target, weights) for name, given in steps.items()}
    losses = {name: log_loss(given, target, weights=weights) for name, given in steps.items()}
    found.tables["Are the probabilities true?"] = [
        {"probabilities": name, "calibration error": rounded(curves[name].error), "log loss": rounded(losses[name])}
        for name in steps
    ]
    first, last = next(iter(steps)), list(steps)[-1]
    found.measures |= {
        "temperature": calibration.temperature,
        "calibration_error_before": curves[first].error,
        "calibration_error": curves[last].error,
        "log_loss_before": losses[first],
        "log_loss": losses[last],
    }
    found.figures["reliability"] = _reliability_figure(context, curves)
    said = f"On average a probability is {100 * curves[last].error:.1f} percentage points off"
    if calibration.temperature == 1:
        found.sentences.append(f"{said}; no temperature made those of rows not seen better, so they are left as they are.")
    else:
        found.sentences.append(
            f"{said}, after a temperature of {calibration.temperature:.2f} fitted on rows not seen "
            f"({100 * curves[first].error:.1f} before)."
        )


def _reliability_figure(context: Context, curves: dict[str, Reliability]) -> Figure:
    classes = context.schema.classes
    what = f"probability of {classes[1]}" if context.task == "binary" else "probability of the likeliest class"
    series = [Series("perfect", [0, 1], [0, 1])]
    for name, curve in curves.items():
        points = (_short(curve.predicted), _short(curve.true))
        series.append(Series(name, *points, emphasis=True))
    caption = "Test rows in 15 bins of equal size. On the diagonal, what is called 80% sure comes true in 80% of the rows."
    return Figure("lines", "Are the probabilities true?", what, "share that came true", series, caption)


def _decisions(context: Context, threshold: float, probability: np.ndarray, found: Outcome) -> None:
    """What the threshold does, against 1/2 and against calling every row the same."""
    costs = costs_of(context.options.cost, context.task)
    found.measures["threshold"] = threshold
    if costs is None and context.metric.kind not in THRESHOLDED:
        return
    negative, positive = context.schema.classes
    named = compared(probability, context.test.target == 1, threshold, (negative, positive), context.test.weights)
    title = "What mistakes cost on the test rows" if costs else "What the threshold does on the test rows"
    lines = named[:1] + named[2:] if threshold == HALF else named
    found.tables[title] = [_decision_row(name, one, costs) for name, one in lines]
    ours, half, *same = (one for _, one in named)
    if costs is None:
        name, label = context.metric.name, context.metric.label
        found.sentences.append(
            f"{positive} is predicted where its probability is above {threshold:.3g}, where {label} was highest on "
            f"rows not seen: {getattr(ours, name):.3f} on the test rows, {getattr(half, name):.3f} with a threshold of 0.5."
        )
        return
    found.measures |= {"cost": float(ours.cost(costs)), "cost_at_half": float(half.cost(costs))}
    least = min(float(one.cost(costs)) for one in same)
    found.sentences.append(
        f"{positive} is predicted where its probability is above {threshold:.3g}, where mistakes (fp {costs.fp:g}, fn "
        f"{costs.fn:g}) cost least on rows not seen: {number(float(ours.cost(costs)))} a test row, "
        f"{number(float(half.cost(costs)))} with a threshold of 0.5, {number(least)} for calling every row the same."
    )
    if float(ours.cost(costs)) > least:
        found.actions.append("With these costs, calling every test row the same is cheaper than the model's decisions.")


def compared(
    probability: np.ndarray,
    truth: np.ndarray,
    threshold: float,
    classes: tuple[str, str],
    weights: np.ndarray | None = None,
) -> list[tuple[str, Confusion]]:
    """Four ways to decide, each with what it does: at the threshold, at 1/2, every row positive, every row negative.

    A list, because the names of the first two are the same where the threshold is 1/2.
    """
    negative, positive = classes
    ways = (
        (f"threshold {threshold:.3g}", threshold),
        ("threshold 0.5", HALF),
        (f"all {positive}", -math.inf),
        (f"all {negative}", math.inf),
    )
    return [(name, confusion(probability, truth, value, weights)) for name, value in ways]


def _decision_row(name: str, one: Confusion, costs: Costs | None) -> dict[str, Cell]:
    counts: dict[str, Cell] = {"false positives": _count(one.fp), "false negatives": _count(one.fn)}
    if costs is not None:
        mean = float(one.cost(costs))
        total = float(costs.fp * one.fp + costs.fn * one.fn)
        return {"decision": name, **counts, "cost of a row": float(f"{mean:.4g}"), "cost of all": float(f"{total:.6g}")}
    f1, balanced = float(one.f1), float(one.balanced_accuracy)
    return {"decision": name, **counts, "F1": round(f1, 4), "balanced accuracy": round(balanced, 4)}


def _count(rows: np.ndarray) -> int | float:
    """Rows; of weighted rows their weight."""
    return int(rows) if float(rows).is_integer() else float(f"{float(rows):.5g}")


def _confusion_figure(context: Context, threshold: float, predictions: np.ndarray) -> Figure:
    classes = context.schema.classes
    two = predictions.shape[1] == 1
    guess = above(predictions[:, 0], threshold).astype(int) if two else predictions.argmax(axis=1)
    weights = context.test.weights
    counts = np.zeros((len(classes), len(classes)), int if weights is None else float)
    np.add.at(counts, (context.test.target, guess), 1 if weights is None else weights)
    rows = tuple(Series(name, list(classes), [_count(one) for one in row]) for name, row in zip(classes, counts, strict=True))
    caption = "Rows are the true classes, columns the predicted ones"
    caption += "" if weights is None else ", counted by their weights"
    caption += f"; {classes[1]} is predicted above {threshold:.3g}." if two and threshold != HALF else "."
    return Figure("heatmap", "Which class is taken for which", "predicted", "true", rows, caption)


def _intervals(context: Context, calibration: Calibration, average: np.ndarray, found: Outcome) -> None:
    intervals = calibration.intervals
    levels = [level for level in LEVELS if intervals is not None and level <= intervals.highest_level]
    if intervals is None or LEVEL not in levels:
        found.sentences.append("The validation rows are too few for an interval of 90% around the predictions.")
        return
    truth, predicted = (own_unit(context, values) for values in (context.test.target, average[:, 0]))
    widths = {level: intervals.half_width(predicted, level) for level in levels}
    weights = context.test.weights
    held = {level: coverage(truth, predicted, width, weights) for level, width in widths.items()}
    mean = float(np.average(widths[LEVEL], weights=weights))
    found.measures |= {"interval_90_half_width": mean, "interval_90_held": held[LEVEL]}
    found.tables["Do the intervals hold the truth?"] = [
        {
            "level": f"{level:.0%}",
            "test rows within": f"{held[level]:.1%}",
            "on average ±": float(f"{np.average(widths[level], weights=weights):.4g}"),
            "narrowest ±": float(f"{widths[level].min():.4g}"),
            "widest ±": float(f"{widths[level].max():.4g}"),
        }
        for level in levels
    ]
    found.figures["coverage"] = _coverage_figure({level: held[level] for level in levels})
    found.sentences.append(
        f"An interval of 90% is the prediction ± {number(mean)} on average, from the errors on rows not seen; it holds the "
        f"truth of {held[LEVEL]:.1%} of the test rows."
    )
    if held[LEVEL] < LEVEL - SURE * math.sqrt(LEVEL * (1 - LEVEL) / _rows_worth(len(truth), weights)):
        found.actions.append(
            "The intervals hold the truth less often than they say: the test rows are unlike the others. Do not rely on them."
        )


def _rows_worth(rows: int, weights: np.ndarray | None) -> float:
    """As many rows of equal weight would tell as much (Kish, 1965, "Survey sampling")."""
    return rows if weights is None else float(weights.sum() ** 2 / (weights**2).sum())


def _coverage_figure(held: dict[float, float]) -> Figure:
    percents = [100 * level for level in held]
    return Figure(
        "lines",
        "Do the intervals hold the truth?",
        "level of the interval in %",
        "test rows within in %",
        (
            Series("as it should be", percents, percents),
            Series("measured", percents, [round(100 * share, 2) for share in held.values()], emphasis=True),
        ),
        "On the line, an interval of 90% holds the truth of 90% of the test rows.",
    )


def own_unit(context: Context, values: np.ndarray) -> np.ndarray:
    """Scaled values of the target in its own unit."""
    return values.astype(np.float64) * context.encoder.target_scale + context.encoder.target_mean


def _residuals(context: Context, predictions: np.ndarray) -> Figure:
    some = np.random.default_rng(context.options.seed).permutation(len(predictions))[:MOST_POINTS]
    true, guess = (own_unit(context, values[some]).tolist() for values in (context.test.target, predictions[:, 0]))
    points = Series("test rows", [float(f"{x:.5g}") for x in true], [float(f"{y:.5g}") for y in guess])
    name = context.schema.target
    return Figure(
        "points", "Predicted against true", f"true {name}", f"predicted {name}", (points,), "On the diagonal is right."
    )


def _short(values: np.ndarray) -> list[float]:
    return [float(f"{value:.4g}") for value in values]
