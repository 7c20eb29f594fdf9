"""Which features the finished model reads, and what each does to its predictions: tables, figures and sentences."""

import numpy as np

from trainwell.data.encoders import Embedded, Switches, TwoNumbers
from trainwell.data.reading import read_column
from trainwell.errors import listed
from trainwell.explain.columns import places
from trainwell.explain.partial_dependence import Dependence, labels, partial_dependence, values_of
from trainwell.explain.permutation import Importance, permutation_importance
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Cell, Figure, Series
from trainwell.recipe.final_scores import scorer
from trainwell.recipe.squeeze.measured import Measured
from trainwell.recipe.squeeze.outcome import Outcome

MOST_ROWS, FEWEST_ROWS, MOST_SHUFFLES = 1000, 200, 5  # chosen: a shuffle of 1,000 rows tells an importance to about a tenth
MOST_PREDICTED = 400_000  # chosen: rows predicted for it; a few seconds for ten networks
MOST_FEATURES = 1000  # chosen: beyond which each would be seen by too few rows
FEW_SHUFFLES = 3  # chosen: of fewer the networks tell better how sure an importance is
SHOWN = 20  # chosen: features in the figure
DRAWN = 5  # chosen: features whose effect is drawn
ROWS_AVERAGED = 300  # chosen: over which an effect is averaged; its mean is then known to a twentieth of its spread
CLASSES_DRAWN = 4  # chosen: of many classes those that change most


def add_importance(context: Context, measured: Measured, found: Outcome) -> None:
    """What the score loses where a feature is shuffled."""
    features = places(context.encoder)
    if not features or len(features) > MOST_FEATURES:
        return
    count = min(len(context.test.target), max(FEWEST_ROWS, min(MOST_ROWS, MOST_PREDICTED // len(features))))
    shuffles = max(1, min(MOST_SHUFFLES, MOST_PREDICTED // (len(features) * count)))
    some = np.sort(np.random.default_rng(context.options.seed).permutation(len(context.test.target))[:count])
    rows = context.test.take(some)
    if rows.target.min() == rows.target.max():
        return
    scores = scorer(context.metric, measured.choice.model.calibration, rows.target, rows.weights)
    importance = permutation_importance(
        measured.networks, measured.shares, rows, features, scores,
        shuffles=shuffles, together=measured.together, seed=context.options.seed, passed=measured.passed,
    )  # fmt: skip
    if len(importance) < len(features):
        context.log.note("squeeze", f"The time sufficed for the importance of {len(importance)} of {len(features)} features.")
    if not importance:
        return
    found.importance = tuple(importance)
    found.figures["importance"] = _importance_figure(context, importance, count)
    found.tables["What the model reads"] = [_row(context, name, one) for name, one in list(importance.items())[:SHOWN]]
    found.measures["most_important"] = next(iter(importance))
    found.sentences.append(_said_of_importance(context, importance))


def _row(context: Context, name: str, one: Importance) -> dict[str, Cell]:
    """A feature's importance, and between which values it lies for networks by themselves, where there are several."""
    row: dict[str, Cell] = {"feature": name, f"{context.metric.label} worse by": context.rounded_gap(one.loss)}
    if len(one.networks) > 1:
        least, most = (context.rounded_gap(float(end)) for end in (one.networks.min(), one.networks.max()))
        row |= {"networks, least": least, "networks, most": most}
    return row


def clearly_read(one: Importance) -> bool:
    """Whether shuffling a feature costs more than the shuffles differ, in the ensemble, or in nearly every network."""
    spread = one.shuffles if len(one.shuffles) >= FEW_SHUFFLES else one.networks
    error = spread.std() / len(spread) ** 0.5
    return one.loss > 2 * error and one.loss > 0 and float((one.networks > 0).mean()) >= 0.8


def _said_of_importance(context: Context, importance: dict[str, Importance]) -> str:
    top = [(name, one) for name, one in list(importance.items())[:3] if one.loss > 0]
    label = context.metric.label
    if not top:
        return f"Shuffling any one feature makes the {label} no worse: the model knows from several at once, or from none."
    named = ", ".join(f"{name} ({context.said_gap(one.loss)})" for name, one in top)
    unread = [name for name, one in importance.items() if not clearly_read(one)]
    words = f"What it reads most, by how much worse the {label} is when the feature is shuffled: {named}."
    if unread and len(unread) < len(importance):
        words += f" {len(unread)} of {len(importance)} features are worth nothing that could be told from chance."
    return words


def _importance_figure(context: Context, importance: dict[str, Importance], rows: int) -> Figure:
    best = dict(list(importance.items())[:SHOWN])
    gap = context.rounded_gap
    networks = len(next(iter(best.values())).networks)
    series = [
        Series("the ensemble" if networks > 1 else "the network", [gap(one.loss) for one in best.values()], list(best), True)
    ]
    if networks > 1:
        points_x = [gap(float(value)) for one in best.values() for value in one.networks]
        series.insert(0, Series("each network", points_x, [name for name, one in best.items() for _ in one.networks]))
    whole = f"the whole ensemble, and each of {networks} networks by itself" if networks > 1 else "the whole model"
    caption = (
        f"What the score on {rows:,} test rows loses when a feature is taken from other rows: {whole}. Features that say the "
        "same share their importance."
    )
    return Figure("points", "What the model reads", f"{context.metric.label} worse by", "", series, caption)


def add_dependence(context: Context, measured: Measured, found: Outcome) -> None:
    """What the most important features do to the prediction, averaged over some test rows."""
    every = places(context.encoder)
    columns = {column.name: column for column in context.encoder.columns}
    count = min(ROWS_AVERAGED, len(context.test.target))
    some = np.sort(np.random.default_rng(context.options.seed).permutation(len(context.test.target))[:count])
    rows, table = context.test.take(some), context.table.take(context.split.train[:2000])
    left_out = []
    for number, name in enumerate(found.importance[:DRAWN], start=1):
        column = columns[name]
        values = values_of(column, read_column(column, table, part=True))
        if len(values) < 2:
            continue
        curve = partial_dependence(
            measured.networks, measured.shares, rows, column, every[name], values,
            together=measured.together, passed=measured.passed,
        )  # fmt: skip
        if curve is None:
            left_out.append(name)
            continue
        level = isinstance(column, Switches | Embedded | TwoNumbers)
        found.figures[f"effect_{number}"] = _effect_figure(context, name, labels(column, values), curve, level)
    if left_out:
        context.log.note("squeeze", f"No time was left to draw what {listed(left_out)} does (--time-limit gives more).")


def _effect_figure(context: Context, name: str, x: list, curve: Dependence, level: bool) -> Figure:
    """A line for each class that is drawn, the networks behind it; points where the feature has levels."""
    outputs = _drawn_outputs(curve)
    series = []
    for output in outputs:
        whole = "the ensemble" if len(curve.networks) > 1 else "the network"
        own = whole if len(outputs) == 1 else context.schema.classes[output]
        if len(outputs) == 1 and len(curve.networks) > 1:
            many_x: list[Cell] = []
            many_y: list[Cell] = []
            for one in curve.networks[:, :, output]:
                many_x += [*x, None]
                many_y += [*_shown(context, one), None]
            series.append(Series("each network", many_x, many_y))
        series.append(Series(own, x, _shown(context, curve.average[:, output]), emphasis=True))
    target = context.schema.target
    what = f"mean predicted {target}" if context.task == "regression" else "mean probability"
    if context.task == "binary":
        what += f" of {context.schema.classes[1]}"
    caption = (
        "The mean prediction when the feature is set to each value in every row, all others as they are. Where the networks "
        "part, the shape is not known."
        if len(outputs) == 1
        else "The mean probability of the classes that change most, when the feature is set to each value in every row."
    )
    return Figure("points" if level else "lines", f"What {name} does", name, what, series, caption)


def _drawn_outputs(curve: Dependence) -> list[int]:
    changes = np.ptp(curve.average, axis=0)
    return sorted(int(place) for place in np.argsort(-changes, kind="stable")[:CLASSES_DRAWN])


def _shown(context: Context, values: np.ndarray) -> list[Cell]:
    if context.task == "regression":
        values = values.astype(np.float64) * context.encoder.target_scale + context.encoder.target_mean
    return [float(f"{value:.5g}") for value in values]
