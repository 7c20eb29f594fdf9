"""Figures of the search: every network across all settings, the curves with the halving visible, and what more networks buy."""

from collections.abc import Sequence

import numpy as np

from trainwell.explain.expected_best import expected_best, gain_of_doubling
from trainwell.population.member import Training
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Cell, Figure, Series

MOST_LINES = 120  # chosen: networks in one figure, the best and some of the others
MOST_POINTS = 40  # chosen: of one curve
FEWEST = 4  # chosen: networks of which a figure says something


def figures(context: Context, finished: Sequence[Training], names: Sequence[str]) -> dict[str, Figure]:
    """Those that there are networks enough for."""
    begun = [training for training in finished if training.sound and np.isfinite(training.score)]
    if len(begun) < FEWEST:
        return {}
    shown = _some(context, begun)
    found = {"halving": _halving(context, shown), "more_networks": _more(context, [training.score for training in begun])}
    return ({"parallel": _parallel(context, shown, names)} if names else {}) | found


def doubling(trainings: Sequence[Training]) -> float | None:
    """What twice as many networks would gain, see `trainwell.explain.expected_best`."""
    scores = [training.score for training in trainings if training.sound and np.isfinite(training.score)]
    return gain_of_doubling(scores) if len(scores) >= FEWEST else None


def _some(context: Context, begun: list[Training]) -> list[Training]:
    """All of a few; of many the best half of what can be shown, and others drawn."""
    if len(begun) <= MOST_LINES:
        return begun
    ranked = sorted(begun, key=lambda training: -training.rank)
    best, others = ranked[: MOST_LINES // 2], ranked[MOST_LINES // 2 :]
    drawn = np.random.default_rng(context.options.seed).permutation(len(others))[: MOST_LINES - len(best)]
    return sorted([*best, *(others[place] for place in drawn)], key=lambda training: training.member.number)


def _parallel(context: Context, trainings: Sequence[Training], names: Sequence[str]) -> Figure:
    """One axis for each setting and choice, the score last; an axis holds one value for each network."""
    numbers = [training.member.number for training in trainings]
    axes = [Series("network", numbers, [training.member.structure.describe() for training in trainings])]
    if len({training.member.structure for training in trainings}) < 2:
        axes = []
    for name in names:
        values = [training.member.settings.get(name) for training in trainings]
        axes.append(Series(name, numbers, [None if value is None else float(f"{value:.4g}") for value in values]))
    scores = [float(f"{context.shown(training.score):.5g}") for training in trainings]
    axes.append(Series(f"validation {context.metric.label}", numbers, scores, emphasis=True))
    caption = "One line for each network. A setting matters where the best lines come together, and does not where they spread."
    return Figure("parallel", "Settings and score", "", "", axes, caption)


def _halving(context: Context, trainings: Sequence[Training]) -> Figure:
    """Scores epoch by epoch, in three groups: left behind, trained to the end, the best."""
    best = max(trainings, key=lambda training: training.rank)
    whole = [t for t in trainings if (t.ended or t.stopped) and t is not best]
    behind = [t for t in trainings if t is not best and not (t.ended or t.stopped)]
    low = _lowest_shown(trainings)
    series = [
        _curves(context, name, own, low, loud)
        for name, own, loud in (("left behind", behind, False), ("trained to the end", whole, True), ("the best", [best], True))
        if own
    ]
    caption = (
        "The validation score of each network, epoch by epoch. Lines that end early were left behind at a rung, where only the "
        "better ones go on, or stopped by themselves."
    )
    return Figure("lines", "The search, epoch by epoch", "epoch", f"validation {context.metric.label}", series, caption)


def _lowest_shown(trainings: Sequence[Training]) -> float:
    """A floor that keeps a few wild epochs from flattening all curves."""
    every = np.concatenate([np.asarray(t.curves.validation_score, float) for t in trainings])
    lower, middle = np.quantile(every[np.isfinite(every)], (0.05, 0.5))
    return float(lower - 2 * (middle - lower))


def _curves(context: Context, name: str, trainings: Sequence[Training], low: float, loud: bool) -> Series:
    x: list[Cell] = []
    y: list[Cell] = []
    for training in trainings:
        scores = training.curves.validation_score
        kept = np.unique(np.round(np.linspace(0, len(scores) - 1, min(MOST_POINTS, len(scores)))).astype(int)).tolist()
        x += [*(epoch + 1 for epoch in kept), None]
        y += [*(float(f"{context.shown(scores[e]):.4g}") if scores[e] >= low else None for e in kept), None]
    return Series(name, x, y, emphasis=loud)


def _more(context: Context, scores: Sequence[float]) -> Figure:
    sizes = np.unique(np.round(np.geomspace(1, len(scores), 24)).astype(int))
    best = [float(f"{context.shown(value):.5g}") for value in expected_best(scores, sizes)]
    caption = (
        "The best validation score to be expected of so many of these networks: where the curve is flat, a longer search buys "
        "little. The best of many is flattered a little more than the best of few."
    )
    label = f"best validation {context.metric.label}"
    return Figure(
        "lines",
        "What a longer search buys",
        "networks",
        label,
        (Series("expected", sizes.tolist(), best),),
        caption,
        log_x=True,
    )
