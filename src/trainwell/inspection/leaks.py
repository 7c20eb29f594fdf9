"""What each feature tells of the target by itself, and which of them is the target in other words.

The score of a feature alone is that of binned means (of categories: of each level), learned on half of the rows and measured on
the other half. A near-perfect score is suspicious; a feature that is the target one to one, or the target in another unit, is
sure to be a copy.

Source of the checks: Kaufman, Rosset & Perlich (2012), "Leakage in data mining", section 4.1 (look at what predicts too well).
"""

from dataclasses import dataclass

import numpy as np

from trainwell.inspection.inspected import Inspected
from trainwell.inspection.quick_models import score
from trainwell.inspection.remarks import Remark, Weight, ignoring, short

LEAK = 0.995  # chosen: the strongest honest feature measured is 0.989 (the odor of mushrooms), every copy is 1
BINS = 64  # chosen: fine enough that a copy of a number scores 0.999
ROWS_A_BIN = 10  # chosen
MOST_SCORED = 1000  # chosen: of more features, those that are most correlated with the target are scored
FEWEST_ROWS = 20  # chosen: in fewer rows nothing is sure
SAME_UNIT = 1e-9  # chosen: share of the target's variance that rounding leaves of the same number in another unit
MOST_LEVELS = 1000  # chosen: of a feature that could name the classes in other words


@dataclass(frozen=True)
class Alone:
    """What the features tell by themselves, the most telling first.

    Parameters
    ----------
    scores : by feature: AUC, accuracy or R² on held-out rows.
    metric : which of them.
    left_out : features that were not scored.
    """

    scores: dict[str, float]
    metric: str
    left_out: int = 0


def alone(inspected: Inspected, metric: str, seed: int) -> Alone:
    """Every feature's own score; of very wide tables, of the features most correlated with the target."""
    rows = len(inspected.rows)
    if rows < FEWEST_ROWS or not inspected.names:
        return Alone({}, metric, len(inspected.names))
    half = np.random.default_rng(seed).permutation(rows)
    train, test = np.sort(half[: rows // 2]), np.sort(half[rows // 2 :])
    places = _most_correlated(inspected, MOST_SCORED)
    found = {inspected.names[place]: _score(inspected, place, train, test) for place in places}
    known = {name: value for name, value in found.items() if np.isfinite(value)}
    return Alone(dict(sorted(known.items(), key=lambda item: -item[1])), metric, len(inspected.names) - len(places))


def target_columns(inspected: Inspected) -> np.ndarray:
    """The target as numbers (rows, 1), or as one column of 0 and 1 a class (rows, classes)."""
    if inspected.task == "regression":
        return np.asarray(inspected.target, np.float64)[:, None]
    classes = np.unique(inspected.target)
    if len(classes) == 2:
        classes = classes[1:]
    return (inspected.target[:, None] == classes).astype(np.float64)


def _most_correlated(inspected: Inspected, most: int) -> np.ndarray:
    if len(inspected.names) <= most:
        return np.arange(len(inspected.names))
    values = standardized(inspected.values)
    found = np.abs(values.T @ standardized(target_columns(inspected))).max(axis=1)
    return np.sort(np.argsort(-found, kind="stable")[:most])


def standardized(values: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and standard deviation 1, with 0 for what is missing and for constants."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    scale = np.where(known, np.abs(values), 0.0).max(axis=0, initial=0.0)
    values = np.where(known, values, 0.0) / np.where(scale > 0, scale, 1.0)
    centred = np.where(known, values - values.sum(axis=0) / count, 0.0)
    spread = np.sqrt(np.square(centred).sum(axis=0) / count)
    return np.where(spread > 1e-12, centred / np.where(spread > 1e-12, spread, 1.0), 0.0)


def _score(inspected: Inspected, place: int, train: np.ndarray, test: np.ndarray) -> float:
    bins = binned(inspected.values[:, place], bool(inspected.categorical[place]), train)
    target, task = inspected.target, inspected.task
    if task == "multiclass":
        classes = int(target.max()) + 1
        counts = np.bincount(bins[train] * classes + target[train], minlength=(bins.max() + 1) * classes)
        usual = np.bincount(target[train], minlength=classes) / len(train)
        guess = (counts.reshape(-1, classes) + usual)[bins[test]].argmax(axis=1)
        return score(target[test], guess, task)
    numbers = target.astype(np.float64)
    size = np.bincount(bins[train], minlength=bins.max() + 1)
    total = np.bincount(bins[train], weights=numbers[train], minlength=len(size))
    guess = (total + numbers[train].mean()) / (size + 1)  # one row of the mean, so that an empty bin says nothing
    return score(target[test], guess[bins[test]], task)


def binned(values: np.ndarray, categorical: bool, train: np.ndarray) -> np.ndarray:
    """A bin for every row, 0 for what is missing: quantiles of the training rows, or the commonest levels."""
    most = int(max(2, min(BINS, len(train) // ROWS_A_BIN)))
    known = np.isfinite(values)
    if categorical:
        return np.where(known, np.minimum(np.nan_to_num(values), most - 1) + 1, 0).astype(np.int64)
    of_train = values[train][known[train]]
    if not len(of_train):
        return known.astype(np.int64)
    levels = np.unique(of_train)
    if len(levels) <= most:
        edges = (levels[1:] + levels[:-1]) / 2
    else:
        edges = np.unique(np.quantile(of_train, np.linspace(0, 1, most + 1)[1:-1]))
    return np.where(known, np.searchsorted(edges, np.nan_to_num(values), side="right") + 1, 0)


def suspects(found: Alone, copies: set[str]) -> list[Remark]:
    """Features that are no copy of the target and yet tell it almost entirely."""
    return [
        Remark(
            "tells the target alone",
            (name,),
            "warn",
            f"{short(name)!r} alone predicts the target with {found.metric} {value:.4f} on held-out rows.",
            f"Leave {short(name)!r} out ({ignoring([name])}) if it is not known when you predict: it tells the target.",
            value,
            LEAK,
        )
        for name, value in found.scores.items()
        if value >= LEAK and name not in copies
    ]


def copies_of_the_target(inspected: Inspected) -> list[Remark]:
    """Features that are the target one to one: as many values as classes, each with its own class; or the same number in
    another unit."""
    if len(inspected.rows) < FEWEST_ROWS or len(np.unique(inspected.target)) < 2:  # of one value everything constant is a copy
        return []
    same = _same_number if inspected.task == "regression" else _same_classes
    names = [name for place, name in enumerate(inspected.names) if same(inspected, place)]
    rows = f"{len(inspected.rows):,} rows looked at"
    return [
        Remark(
            "copy of the target",
            (name,),
            weight_of_parts(inspected, names),
            f"{short(name)!r} is the target in other words: one follows from the other in all {rows}.",
            f"Leave it out: {ignoring([name])}.",
            1.0,
            1.0,
        )
        for name in names
    ]


def weight_of_parts(inspected: Inspected, names: list[str]) -> Weight:
    """A run is stopped where something else is left to learn from; else there may be no more to it than an easy table."""
    return "stop" if set(inspected.names) - set(names) else "warn"


def _same_classes(inspected: Inspected, place: int) -> bool:
    values, target = inspected.values[:, place], inspected.target
    if not np.isfinite(values).all():
        return False
    levels, codes = np.unique(values, return_inverse=True)
    classes = len(np.unique(target))
    if len(levels) != classes:
        return False
    return len(np.unique(codes * (int(target.max()) + 1) + target)) == classes


def _same_number(inspected: Inspected, place: int) -> bool:
    """Whether all of the target's spread follows from a straight line."""
    values = inspected.values[:, place]
    if inspected.categorical[place] or not np.isfinite(values).all():
        return False
    both = standardized(np.column_stack([values, inspected.target]))
    return bool(both.any(axis=0).all() and 1 - np.square((both[:, 0] * both[:, 1]).mean()) < SAME_UNIT)
