"""Where the finished model errs: its worst mistakes as rows to look at, and its score in each subgroup."""

import numpy as np

from trainwell.data.encoders import Embedded, Measurement, Switches, TwoNumbers
from trainwell.data.reading import read_column
from trainwell.errors import listed
from trainwell.explain.subgroups import Subgroup, subgroups
from trainwell.explain.worst_rows import Mistake, worst_of_classes, worst_of_numbers
from trainwell.population.metrics import CLASSES, Metric
from trainwell.population.own_metric import calls_back
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Cell, Figure, Series, free_name
from trainwell.recipe.final_scores import resampled, score_of_some
from trainwell.recipe.squeeze.measured import Measured
from trainwell.recipe.squeeze.outcome import Outcome, own_unit
from trainwell.words import number, shortened

CELLS_SHOWN, LETTERS = 6, 40  # chosen: features beside a row, and letters of a cell
SURE = 0.95  # chosen: a mistake with a higher probability is a sure one
MOST_LEVELS = 12  # chosen: of a category whose subgroups are scored
RELATIVE = ("auc", "average_precision", "r2")  # scores that a subgroup lowers by being one: see `trainwell.explain.subgroups`
BEYOND_CHANCE = 3.0  # standard deviations, chosen
WHOLE = 1e15  # chosen: below it a float that is a whole number is shown as one
POINTS = 1000  # chosen: what a figure can show


def add_mistakes(context: Context, measured: Measured, found: Outcome) -> None:
    """The worst rows with their most important cells, and whether the mistakes are as many as the probabilities say."""
    target = context.test.target
    if context.task == "regression":
        predicted, truth = (own_unit(context, values) for values in (measured.average[:, 0], target))
        worst = worst_of_numbers(predicted, truth)
        found.sentences.append(_said_of_errors(predicted - truth))
        found.figures["errors"] = _errors_figure(context, predicted, truth)
    else:
        probabilities = measured.choice.model.calibration.applied(measured.average)
        predicted, truth = probabilities, target
        worst = worst_of_classes(probabilities, target)
        _sure_mistakes(probabilities, target, found)
    if worst:
        names = found.importance or tuple(column.name for column in context.encoder.columns)
        found.tables["The worst mistakes: test rows to look at"] = [
            _row(context, one, predicted, truth, names[:CELLS_SHOWN]) for one in worst
        ]
        found.actions.append(
            "Look at the worst mistakes: a wrong label, a cell that means something else, or a feature that is missing."
        )


def _row(context: Context, one: Mistake, predicted: np.ndarray, truth: np.ndarray, names: tuple[str, ...]) -> dict[str, Cell]:
    position = int(context.split.test[one.place])
    row: dict[str, Cell] = {"row": context.table.row_name(position)}
    if context.task == "regression":
        row |= {"true": float(f"{truth[one.place]:.5g}"), "predicted": float(f"{predicted[one.place]:.5g}")}
    else:
        classes, own = context.schema.classes, predicted[one.place]
        likeliest = int(own[0] > 0.5) if len(own) == 1 else int(own.argmax())
        row |= {"true": classes[int(truth[one.place])], "likeliest": classes[likeliest]}
        row["probability of the true one"] = float(f"{one.probability:.3g}")
    for name in names:
        row[free_name(row, name)] = _short(_cell(context, name, position))
    return row


def _cell(context: Context, name: str, position: int) -> object:
    """A cell as the table has it; of a column of numbers as a number."""
    cell = context.table.column(name)[position].as_py()
    column = next(one for one in context.encoder.columns if one.name == name)
    if isinstance(column, Measurement | TwoNumbers) and isinstance(cell, str):
        value = float(read_column(column, context.table.take(np.array([position])), part=True).values[0])
        return value if np.isfinite(value) else cell
    return cell


def _short(cell: object) -> Cell:
    if cell is None or isinstance(cell, int):
        return cell
    if isinstance(cell, float):
        if not np.isfinite(cell):
            return None
        return int(cell) if cell.is_integer() and abs(cell) < WHOLE else float(f"{cell:.6g}")
    return shortened(str(cell), LETTERS)


def _sure_mistakes(probabilities: np.ndarray, target: np.ndarray, found: Outcome) -> None:
    """How many rows were called with more than 95% and wrongly, and how many would be were the probabilities true."""
    both = np.hstack([1 - probabilities, probabilities]) if probabilities.shape[1] == 1 else probabilities
    likeliest = both.max(axis=1).astype(np.float64)
    sure = likeliest > SURE
    wrong = int((both.argmax(axis=1)[sure] != target[sure]).sum())
    expected = float((1 - likeliest[sure]).sum())
    found.measures |= {"sure_rows": int(sure.sum()), "sure_mistakes": wrong, "sure_mistakes_expected": round(expected, 2)}
    if not sure.any():
        return
    spread = float(np.sqrt((likeliest[sure] * (1 - likeliest[sure])).sum()))
    beyond = wrong > expected + BEYOND_CHANCE * max(spread, 1.0)
    found.sentences.append(
        f"Of {int(sure.sum()):,} test rows that it is more than {SURE:.0%} sure of, {wrong:,} are wrong; were its "
        f"probabilities true, about {expected:.0f} would be{': it is too sure, or labels are wrong' if beyond else ''}."
    )
    if beyond:
        found.actions.append(
            f"{wrong} sure mistakes are more than the {expected:.0f} that the probabilities allow: check these labels."
        )


def _said_of_errors(errors: np.ndarray) -> str:
    ordered = np.sort(errors**2)[::-1]
    tenth = ordered[: max(1, len(ordered) // 10)].sum() / max(float(ordered.sum()), 1e-300)
    off = np.median(np.abs(errors))
    return (
        f"Half of the test rows are off by less than {number(float(off))}; the worst tenth of them makes {tenth:.0%} of the "
        "squared error."
    )


def _errors_figure(context: Context, predicted: np.ndarray, truth: np.ndarray) -> Figure:
    some = np.random.default_rng(context.options.seed).permutation(len(truth))[:POINTS]
    x, y = ([float(f"{value:.5g}") for value in values] for values in (predicted[some], (truth - predicted)[some]))
    caption = (
        "Errors should scatter evenly around 0 wherever the prediction lies: a slope or a bend is something that the model "
        "missed, a funnel says that it is less sure there."
    )
    name = context.schema.target
    return Figure(
        "points", "Errors against predictions", f"predicted {name}", "true - predicted", (Series("test rows", x, y),), caption
    )


def add_subgroups(context: Context, measured: Measured, found: Outcome) -> None:
    """The score of every level of every category of few levels, for those who must know whom the model serves badly."""
    metric, target, predictions = context.metric, context.test.target, measured.predictions
    if calls_back(metric):
        context.log.note("squeeze", "Scores by subgroup are not measured: the metric is a function that cannot be compiled.")
        return
    weights = context.test.weights
    features, levels = _levels(context)
    predicted, true, what = _compared(context, measured)
    groups = subgroups(
        features, levels, target, predicted, true,
        lambda rows: score_of_some(metric, predictions[rows], target[rows], None if weights is None else weights[rows]),
        lambda picks: resampled(predictions, target, picks, metric, weights),
        all_rows=measured.score, classes=context.task != "regression", weights=weights, seed=context.options.seed,
        passed=measured.passed,
    )  # fmt: skip
    if not groups:
        return
    found.tables["Scores by subgroup"] = [_group_row(context, one, what) for one in groups]
    worse, off = [one for one in groups if one.worse], [one for one in groups if one.off]
    found.measures |= {"subgroups": len(groups), "subgroups_worse": len(worse), "subgroups_off": len(off)}
    if off:
        first = max(off, key=lambda one: abs(one.predicted - one.true))
        found.sentences.append(
            f"In {len(off)} of {len(groups)} subgroups its predictions are off on average by more than chance, most for "
            f"{first.feature} = {first.level} ({what[0]} {number(first.predicted)}, {what[1]} {number(first.true)})."
        )
        found.actions.append(
            f"Do not rely on the predictions for {listed([f'{one.feature} = {one.level}' for one in off], 4)} as they are: "
            "they are off on average there. More such rows, or a model of their own, would help."
        )
    else:
        found.sentences.append(f"In none of {len(groups)} subgroups are its predictions off on average by more than chance.")
    if worse and metric.kind not in RELATIVE:
        worst = min(worse, key=lambda one: one.score)
        found.actions.append(
            f"The model does worse for {worst.feature} = {worst.level} ({metric.label} {context.said(worst.score)}, "
            f"{worst.rows:,} test rows): decide whether it may be used there, or gather more of such rows."
        )


def _compared(context: Context, measured: Measured) -> tuple[np.ndarray, np.ndarray, tuple[str, str]]:
    """(what was predicted, what came true, what the means of both are called)."""
    target = context.test.target
    if context.task == "regression":
        name = context.schema.target
        return own_unit(context, measured.average[:, 0]), own_unit(context, target), (f"mean predicted {name}", f"mean {name}")
    probabilities = measured.choice.model.calibration.applied(measured.average).astype(np.float64)
    if context.task == "binary":
        name = context.schema.classes[1]
        return probabilities[:, 0], (target == 1).astype(float), (f"mean probability of {name}", f"share of {name}")
    right = probabilities.argmax(axis=1) == target
    return probabilities.max(axis=1), right.astype(float), ("mean probability of the likeliest", "share that is right")


def _levels(context: Context) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]]]:
    table, features, levels = context.table.take(context.split.test), {}, {}
    for column in context.encoder.columns:
        if isinstance(column, Switches | Embedded) and len(column.levels) <= MOST_LEVELS:
            features[column.name] = np.asarray(read_column(column, table, part=True).values)
            levels[column.name] = column.levels
        elif isinstance(column, TwoNumbers):
            values = np.asarray(read_column(column, table, part=True).values)
            features[column.name] = np.where(values == column.low, 1, np.where(values == column.high, 2, 0))
            levels[column.name] = (f"{column.low:g}", f"{column.high:g}")
    return features, levels


def possible(metric: Metric, low: float, high: float) -> tuple[float, float]:
    """An interval that was made as wide to both sides, without what no score of the metric can be."""
    if metric.perfect is not None:
        high = min(high, metric.perfect)
    if metric.sign > 0 and metric.perfect is not None and metric.tasks[0] in CLASSES:
        low = max(low, 0.0)
    return low, high


def _group_row(context: Context, one: Subgroup, what: tuple[str, str]) -> dict[str, Cell]:
    ends = sorted(context.shown(end) for end in possible(context.metric, one.low, one.high))
    lower = "harder to predict" if context.metric.kind in RELATIVE else "worse"
    return {
        "subgroup": f"{one.feature} = {one.level}",
        "test rows": one.rows,
        context.metric.label: float(f"{context.shown(one.score):.4g}"),
        "95% from": float(f"{ends[0]:.4g}"),
        "95% to": float(f"{ends[1]:.4g}"),
        what[0]: float(f"{one.predicted:.4g}"),
        what[1]: float(f"{one.true:.4g}"),
        "beyond chance": ", ".join([lower] * one.worse + ["off"] * one.off),
    }
