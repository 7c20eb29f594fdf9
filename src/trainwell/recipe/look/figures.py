"""Figures of the stage look."""

from collections.abc import Iterable

import numpy as np

from trainwell.inspection.inspect import Inspection
from trainwell.inspection.remarks import MOST_LETTERS, short
from trainwell.recipe.context import Context
from trainwell.recipe.evidence import Figure, Series
from trainwell.words import told_apart

MOST_BARS = 20  # chosen: what a figure can name


def figures(context: Context, found: Inspection) -> dict[str, Figure]:
    """Every figure for which something was measured, by its name."""
    made = {
        "target": _target(context),
        "alone": _alone(found),
        "random_against_apart": _compared(found),
        "missing": _missing(found),
        "correlations": _correlations(found),
        "drift": _drift(found),
    }
    return {name: figure for name, figure in made.items() if figure is not None}


def _target(context: Context) -> Figure:
    name = short(context.schema.target)
    if context.task == "regression":
        values = context.train.target.astype(np.float64) * context.encoder.target_scale + context.encoder.target_mean
        counts, edges = np.histogram(values, bins=40)
        bars = Series("training rows", _apart(edges[:-1]), counts.tolist())
        caption = "Long tails and piles at the ends are worth a thought."
    else:
        counts = np.bincount(context.train.target, minlength=len(context.schema.classes))
        bars = Series("training rows", _names(context.schema.classes), counts.tolist())
        caption = "Rare classes are learned last and scored least."
    return Figure("bars", f"The target, {name}", name, "rows", (bars,), caption)


def _alone(found: Inspection) -> Figure | None:
    if not found.alone.scores:
        return None
    best = list(found.alone.scores.items())[:MOST_BARS]
    bars = Series("alone", _names(name for name, _ in best), [round(score, 4) for _, score in best])
    caption = (
        f"{found.alone.metric} of each feature by itself, on rows that it was not fitted on; 1 would be the target in disguise."
    )
    return Figure("bars", "What each feature tells alone", "feature", found.alone.metric, (bars,), caption)


def _compared(found: Inspection) -> Figure | None:
    if not found.compared:
        return None
    names = _names(one.column for one in found.compared)
    bars = (
        Series("random rows", names, [round(one.random, 4) for one in found.compared]),
        Series("groups or later rows", names, [round(one.apart, 4) for one in found.compared]),
    )
    caption = "Where the first bar is far longer, a random split promises what the model cannot keep."
    return Figure("bars", "How much a random split flatters", "column", found.compared[0].metric, bars, caption)


def _missing(found: Inspection) -> Figure | None:
    if not found.missing.shares:
        return None
    most = list(found.missing.shares.items())[:MOST_BARS]
    bars = Series("missing", _names(name for name, _ in most), [round(share, 4) for _, share in most])
    return Figure("bars", "Missing cells", "column", "share of the rows", (bars,), "The columns that miss most.")


def _correlations(found: Inspection) -> Figure | None:
    if found.correlations is None:
        return None
    names = _names(found.correlations.names)
    rows = tuple(
        Series(name, names, [round(value, 2) for value in row])
        for name, row in zip(names, found.correlations.matrix, strict=True)
    )
    caption = "Rank correlations, without their sign, among features of which some say nearly the same."
    return Figure("heatmap", "Features that say nearly the same", "", "", rows, caption)


def _drift(found: Inspection) -> Figure | None:
    if found.drift is None:
        return None
    most = list(found.drift.columns.items())[:MOST_BARS]
    bars = Series("AUC", _names(name for name, _ in most), [round(auc, 4) for _, auc in most])
    caption = (
        f"How well each column tells a test row from a training row; 0.5 is not at all. All together: {found.drift.auc:.2f}."
    )
    return Figure("bars", "Are the test rows like the training rows?", "column", "AUC", (bars,), caption)


def _names(names: Iterable[str]) -> list[str]:
    """Names that a figure can bear; two that begin alike stay two."""
    return list(told_apart(names, MOST_LETTERS).values())


def _apart(edges: np.ndarray) -> list[float]:
    """Edges with as few digits, four at least, as tell each from the others."""
    for digits in range(4, 17):
        places = [float(f"{edge:.{digits}g}") for edge in edges]
        if len(set(places)) == len(edges):
            return places
    return edges.tolist()
