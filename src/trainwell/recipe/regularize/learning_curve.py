"""The learning curve over the number of rows, and what twice as many would give.

A network with the best regularizer is trained on an eighth, a quarter, half and all of the training rows, several times each,
with the same steps: fewer rows are seen more often, so that all sizes run the same compiled program. All are scored on the same
validation rows. A power law through the scores says what comes next, see `trainwell.explain.power_law`.
"""

import dataclasses
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from trainwell.explain.power_law import FEWEST, Forecast, forecast
from trainwell.network.structure import Structure
from trainwell.population.member import Member, Training
from trainwell.recipe.context import SMALLEST, Context
from trainwell.recipe.evidence import Figure, Series

SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)  # chosen: halves, from what still says something
FEWEST_ROWS = 50  # chosen: of the smallest share
NETWORKS = 4  # chosen: of each share; their spread tells how sure the curve is
FEWEST_EPOCHS, BEYOND_BEST = 6, 2.0  # chosen: epochs, and times the best epoch of the network with all rows
SHARE_OF_TIME, LONG = 0.05, 30.0  # chosen: of the run's time at most, and seconds of a run that can spare it
OVER = 2.0  # chosen: times that share, from which on too few would be stopped early, and the others cut and their time lost
LARGE = 120.0  # chosen: seconds of a run from which on the chosen size is taken, in a shorter one the smallest


class LearningCurve(NamedTuple):
    """The network, rows of each size, scores (sizes, networks), NaN where one failed, and the forecast for twice the rows."""

    structure: Structure
    rows: np.ndarray
    scores: np.ndarray
    forecast: Forecast | None


def learning_curve(context: Context, structure: Structure, settings: dict[str, float], epochs: int) -> LearningCurve | None:
    """The curve of one network; None where rows or time are too few.

    Parameters
    ----------
    structure, settings : of the network.
    epochs : of each training.
    """
    limit, every = context.options.time_limit, len(context.split.train)
    if limit is not None and limit < LONG:
        return None
    own = context.within(SHARE_OF_TIME, beyond=True)
    counts = [count for share in SHARES if (count := int(share * every)) >= FEWEST_ROWS]
    if len(counts) < FEWEST or own.budget.passed:
        return None
    order = np.random.default_rng([context.options.seed, 1]).permutation(every)

    def scores(count: int) -> list[float]:
        tiled = context.train.take(np.resize(order[:count], every))
        members = [Member(number, structure, settings, "regularize") for number in range(NETWORKS)]
        trained = own.population(tiled, context.validation, told=False).train(
            [Training(one) for one in members], epochs, epochs, own.budget
        )
        return [t.score if t.sound and (t.stopped or t.epochs >= epochs) else np.nan for t in trained]

    with ThreadPoolExecutor(len(context.pool.devices)) as threads:
        found = np.array(list(threads.map(scores, counts)))
    whole = np.isfinite(found).any(axis=1)
    if whole.sum() < FEWEST or not whole[-1]:
        return None
    rows, found = np.array(counts)[whole], found[whole]
    ahead = forecast(rows, found, 2 * every, ceiling=context.metric.perfect, seed=context.options.seed)
    return LearningCurve(structure, rows, found, ahead)


def affordable(context: Context) -> float:
    """Seconds that one of the curve's networks may take: more, and they would be cut before they say anything."""
    seconds = math.inf if context.options.time_limit is None else context.options.time_limit
    return OVER * SHARE_OF_TIME * seconds / (len(SHARES) * NETWORKS)


def size(context: Context, structure: Structure) -> Structure:
    """The size that the curve is measured with: of the smallest a dozen networks train in a second or two."""
    limit = context.options.time_limit
    if "widths" in context.options.settings or limit is None or limit >= LARGE:
        return structure
    return dataclasses.replace(structure, widths=SMALLEST)


def said(context: Context, curve: LearningCurve) -> str:
    """Two sentences for somebody who can buy rows."""
    ahead, label = curve.forecast, context.metric.label
    means = np.nanmean(curve.scores, axis=1)
    words = (
        f"With {curve.rows[0]:,} of the training rows a network of {_widths(curve.structure)} scores {label} "
        f"{context.said(float(means[0]))}, with all "
        f"{curve.rows[-1]:,} {context.said(float(means[-1]))}."
    )
    if ahead is None:
        return words
    low, high = sorted((ahead.low, ahead.high))
    return (
        f"{words} Going on like this, twice the rows would gain about {context.said_gap(ahead.gain)} "
        f"({context.said_gap(low)} to {context.said_gap(high)}, 95% of the curves that may be true)."
    )


def _widths(structure: Structure) -> str:
    return "-".join(map(str, structure.widths)) or "no hidden layer"


def table(context: Context, curve: LearningCurve) -> Sequence[dict]:
    label = context.metric.label
    return [
        {
            "training rows": int(rows),
            f"mean {label}": float(f"{context.shown(float(np.nanmean(own))):.5g}"),
            "worst network": float(f"{context.shown(float(np.nanmin(own))):.5g}"),
            "best network": float(f"{context.shown(float(np.nanmax(own))):.5g}"),
        }
        for rows, own in zip(curve.rows, curve.scores, strict=True)
    ]


def figure(context: Context, curve: LearningCurve) -> Figure:
    """Every network as a point on a line of its own, the mean, and the fitted curve out to twice the rows with its interval."""

    def shown(values: np.ndarray) -> list:
        return [float(f"{context.shown(float(value)):.5g}") if np.isfinite(value) else None for value in values]

    rows = curve.rows.tolist()
    each_x = [x for _ in range(curve.scores.shape[1]) for x in (*rows, None)]
    each_y = [y for one in curve.scores.T for y in (*shown(one), None)]
    series = [
        Series("each network", each_x, each_y),
        Series("mean", rows, shown(np.nanmean(curve.scores, axis=1)), emphasis=True),
    ]
    ahead = curve.forecast
    if ahead is not None:
        along = np.geomspace(rows[0], ahead.rows, 24)
        now = float(ahead.curve.at(rows[-1]))
        ends = np.array([now + ahead.low, now + ahead.high])
        series.append(Series("power law", [int(x) for x in along], shown(ahead.curve.at(along)), emphasis=True))
        series.append(Series("95% of the forecast", [ahead.rows] * 2, shown(ends), emphasis=True))
    caption = (
        f"Validation scores of {curve.scores.shape[1]} networks for each number of training rows, one draw of rows. The curve "
        "a - b/n^c is drawn out to twice the rows; the forecast holds only for rows that are like these."
    )
    return Figure("lines", "What more rows would give", "training rows", context.metric.label, series, caption, log_x=True)
