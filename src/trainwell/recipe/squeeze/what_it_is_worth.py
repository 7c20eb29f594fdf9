"""What the order of the rows is worth to somebody who acts on it, and what more networks buy."""

import numpy as np

from trainwell.calibration.thresholds import Costs, costs_of
from trainwell.explain.ensemble_size import EnsembleGain, ensemble_gain
from trainwell.explain.gains import Gains, cost_curve, cumulative_gain, thinned
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Cell, Figure, Series
from trainwell.recipe.final_scores import scorer
from trainwell.recipe.squeeze.measured import Measured
from trainwell.recipe.squeeze.outcome import Outcome

ACTED_ON = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5)  # chosen: shares of the rows in the table
TOLD = 0.1  # chosen: the share that the sentence speaks of
RATIOS = (1.0, 5.0, 20.0)  # chosen: how many times dearer a missed positive is, where nobody said
MOST_ROWS = 4000  # chosen: rows by which the gain of more networks is measured


def add_gains(context: Context, measured: Measured, found: Outcome) -> None:
    """Cumulative gain, lift and cost, for two classes."""
    if context.task != "binary":
        return
    probability = measured.choice.model.calibration.applied(measured.average)[:, 0].astype(np.float64)
    positive = context.test.target == 1
    if not positive.any() or positive.all():
        return
    weights, name = context.test.weights, context.schema.classes[1]
    gains, base = cumulative_gain(probability, positive, weights), float(np.average(positive, weights=weights))
    found.figures["gain"] = _gain_figure(gains, base, name)
    found.figures["lift"] = _lift_figure(gains, base, name)
    found.figures["cost"] = _cost_figure(context, probability, positive, measured.choice.model.calibration.threshold)
    found.tables["Acting on the likeliest rows"] = [_acted_row(gains, share, base, name) for share in ACTED_ON]
    share, lift = gains.at(TOLD), gains.at(TOLD) / TOLD
    found.measures |= {"gain_at_10_percent": share, "lift_at_10_percent": lift}
    found.sentences.append(
        f"Of the {TOLD:.0%} of the test rows with the highest probability, {lift * base:.0%} are {name}, {lift:.1f} times as "
        f"many as among all; they hold {share:.0%} of all {name}."
    )


def _acted_row(gains: Gains, share: float, base: float, name: str) -> dict[str, Cell]:
    found = gains.at(share)
    return {
        "likeliest rows": f"{share:.0%}",
        f"of all {name} found": f"{found:.1%}",
        f"of these rows are {name}": f"{found / share * base:.1%}",
        "times as many as at random": round(found / share, 2),
    }


def _gain_figure(gains: Gains, base: float, name: str) -> Figure:
    drawn = thinned(gains)
    return Figure(
        "lines",
        "Cumulative gain",
        "share of the rows acted on, likeliest first, in %",
        f"share of all {name} found in %",
        (
            Series("at random", [0, 100], [0, 100]),
            Series("a perfect order", [0, round(100 * base, 3), 100], [0, 100, 100]),
            Series("the model", _percents(drawn.share), _percents(drawn.gain), emphasis=True),
        ),
        f"How many of all {name} are found by acting on some of the rows, those with the highest probability first.",
    )


def _lift_figure(gains: Gains, base: float, name: str) -> Figure:
    drawn = thinned(gains)
    return Figure(
        "lines",
        "Lift",
        "share of the rows acted on, likeliest first, in %",
        f"times as many {name} as at random",
        (
            Series("at random", [1, 100], [1, 1]),
            Series(
                "a perfect order", _percents(drawn.share[1:]), [float(f"{min(1 / base, 1 / s):.4g}") for s in drawn.share[1:]]
            ),
            Series("the model", _percents(drawn.share[1:]), [float(f"{one:.4g}") for one in drawn.lift[1:]], emphasis=True),
        ),
        f"How much richer in {name} the likeliest rows are than rows drawn at random.",
    )


def _cost_figure(context: Context, probability: np.ndarray, positive: np.ndarray, threshold: float) -> Figure:
    given = costs_of(context.options.cost, context.task)
    asked = [given] if given is not None else [Costs(1.0, ratio) for ratio in RATIOS]
    series = []
    for costs in asked:
        thresholds, cost = cost_curve(probability, positive, costs, context.test.weights)
        base = float(np.average(positive, weights=context.test.weights))
        same = min(costs.fp * (1 - base), costs.fn * base)
        name = f"missed {context.schema.classes[1]} {costs.fn / costs.fp:g}x as dear"
        series.append(
            Series(
                name, [float(f"{one:.4g}") for one in thresholds], [float(f"{one:.4g}") for one in cost / same], emphasis=True
            )
        )
    series.append(Series("calling every row the same", [0, 1], [1, 1]))
    caption = "What mistakes cost at each threshold, as a share of what calling every row the same costs: below 1 is worth it."
    caption += (
        f" The model decides at {threshold:.3g}, chosen on rows not seen."
        if given is not None
        else " The dearer a missed one, the lower the best threshold; --cost fp=1,fn=5 has it chosen."
    )
    return Figure("lines", "What a threshold costs", "threshold", "cost", series, caption)


def _percents(shares: np.ndarray) -> list[float]:
    return [round(100 * float(share), 2) for share in shares]


def add_ensemble_gain(context: Context, measured: Measured, found: Outcome) -> None:
    """The score of averages of ever more of the chosen networks, on the rows that they were chosen by."""
    choice = measured.choice
    chosen = sorted(choice.shares, key=lambda place: (-choice.shares[place], place))
    some = np.sort(np.random.default_rng(context.options.seed).permutation(len(choice.target))[:MOST_ROWS])
    predictions = np.stack([choice.finalists[place].predictions[some] for place in chosen])
    target = choice.target[some]
    if target.min() == target.max():
        return
    weights = None if choice.weights is None else choice.weights[some]
    scores = scorer(context.metric, choice.model.calibration, target, weights, compiled=False)
    curve = ensemble_gain(predictions, scores, context.options.seed)
    if curve is None:
        return
    gain = float(curve.mean[-1] - curve.mean[0])
    found.measures |= {
        "ensemble_gain": context.shown_gap(gain),
        "more_members_gain": context.shown_gap(curve.more()),
    }
    told = (
        f"Averaging {len(chosen)} configurations is worth {context.said_gap(gain)} {context.metric.label} over one; "
        f"twice as many would add about {context.said_gap(curve.more())}."
    )
    found.figures["ensemble"] = _ensemble_figure(context, curve, choice.folds, told)


def _ensemble_figure(context: Context, curve: EnsembleGain, folds: int, told: str) -> Figure:
    sizes = curve.sizes.tolist()
    each = f", each of {folds} networks" if folds > 1 else ""

    def shown(values: np.ndarray) -> list[Cell]:
        return [float(f"{context.shown(float(value)):.5g}") for value in values]

    return Figure(
        "lines",
        "What more networks buy",
        f"configurations averaged{each}",
        context.metric.label,
        (
            Series("the worst draw", sizes, shown(curve.low)),
            Series("the best draw", sizes, shown(curve.high)),
            Series("mean", sizes, shown(curve.mean), emphasis=True),
        ),
        f"Scores of averages of some of the chosen networks, drawn at random, on rows that none of them was trained on. {told}",
    )
