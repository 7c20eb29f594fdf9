"""Features of which several together are the target: addends of a sum, flags that each imply the target, pieces of a name.

sums    y - sum_j s_j x_j, s_j = +1 or -1, takes few values only; or y is an exact linear combination of some features
flags   each of two or more columns of two values has a value that implies the rare class, and together they cover it
pieces  each is the same in all rows of a class, and together they tell the classes apart
"""

from itertools import combinations, product

import numpy as np

from trainwell.inspection.inspected import Inspected
from trainwell.inspection.leaks import standardized, weight_of_parts
from trainwell.inspection.remarks import Remark, ignoring, quoted

MOST_ADDENDS = 3  # chosen: more are found only where the combination is exact
MOST_TRIED = 20  # chosen: numbers that may be addends, those most correlated with the target
REST_OF_SPREAD = 0.03  # chosen: of the target's variance that a sum leaves; taxis leave 0.010, other tables 0.23 and more
REST_OF_VALUES = 0.2  # chosen: of the number of the target's values that the rest takes; taxis 0.10, other tables 0.98 and more
ANOTHER_ADDEND = 0.75  # chosen: of the values of the rest, what must be left for one more addend to count
FEWEST_VALUES = 50  # chosen: of a target, else it takes few values whatever is taken away
EXACT = 1e-9  # chosen: of the target's variance, what rounding leaves of an exact combination
ROWS_A_NUMBER = 5  # chosen: rows for each number of a linear combination, else one is found in anything
RARE_CLASS = 0.2  # chosen: a class that flags stand for; machine failures are 3.4%
FLAG_ROWS = 10  # chosen: rows that a flag is seen in; 10 of 10 of a class of 20% come about by chance once in 10 million
COVERED = 0.9  # chosen: of the rare class by the flags together; the failure flags cover 0.97
CLASS_ROWS = 5  # chosen: rows of each class for pieces of its name


def parts_of_the_target(inspected: Inspected) -> list[Remark]:
    """Whatever of it is found."""
    if inspected.task == "regression":
        return addends(inspected)
    return flags(inspected) if inspected.task == "binary" else pieces(inspected)


def addends(inspected: Inspected) -> list[Remark]:
    """The fewest numbers that with their signs sum up to the target, or leave little of it; or an exact combination of many."""
    target = np.asarray(inspected.target, np.float64)
    places = _numbers(inspected)
    if len(target) < ROWS_A_NUMBER * (MOST_ADDENDS + 1) or not len(places):
        return []
    values = inspected.values[:, places]
    keep = np.isfinite(values).all(axis=1)
    values, target = values[keep], target[keep]
    if len(np.unique(target)) < FEWEST_VALUES:
        return []
    chosen = _best_sum(values, target)
    if chosen is not None:
        signs, rest = chosen
        names = [inspected.names[places[place]] for place in signs]
        return [_said_sum(inspected, names, list(signs.values()), rest)]
    columns = _exact_combination(values, target)
    return [_said_combination([inspected.names[places[place]] for place in columns], len(target))] if columns else []


def _numbers(inspected: Inspected) -> np.ndarray:
    """Numbers that are known in most rows, those most correlated with the target first, as many as are tried."""
    known = np.isfinite(inspected.values).mean(axis=0) > 0.9
    places = np.flatnonzero(~inspected.categorical & known)
    related = np.abs(standardized(inspected.values[:, places]).T @ standardized(inspected.target[:, None].astype(float)))[:, 0]
    return places[np.argsort(-related, kind="stable")[:MOST_TRIED]]


def _best_sum(values: np.ndarray, target: np.ndarray) -> tuple[dict[int, int], int] | None:
    """(sign by column, how many values the rest takes) of the smallest sum that leaves little."""
    together = np.cov(np.column_stack([target, values]), rowvar=False)
    most = REST_OF_VALUES * len(np.unique(target))
    smallest = _resolution(target)
    best: tuple[dict[int, int], int] | None = None
    for size in range(1, MOST_ADDENDS + 1):
        found = []
        for columns in combinations(range(values.shape[1]), size):
            for signs in product((1, -1), repeat=size):
                weights = np.zeros(len(together))
                weights[0] = 1.0
                weights[[column + 1 for column in columns]] = [-sign for sign in signs]
                left = weights @ together @ weights
                if left < REST_OF_SPREAD * together[0, 0]:
                    found.append((left, columns, signs))
        for _, columns, signs in sorted(found)[:50]:
            rest = target - values[:, list(columns)] @ np.array(signs, float)
            if (count := len(np.unique(np.round(rest / smallest)))) <= most:
                best, most = (dict(zip(columns, signs, strict=True)), count), ANOTHER_ADDEND * count
    return best


def _resolution(target: np.ndarray) -> float:
    """A step far below the finest difference that is written in the target, above what rounding makes."""
    steps = np.diff(np.unique(target))
    return max(float(steps.min()) / 2, float(np.abs(target).max()) * 1e-9)


def _exact_combination(values: np.ndarray, target: np.ndarray) -> list[int]:
    """The columns of an exact linear combination, none of them spare; empty where there is none."""
    if len(target) < ROWS_A_NUMBER * (values.shape[1] + 1):
        return []
    scaled, wanted = standardized(values), standardized(target[:, None])[:, 0]
    kept = [place for place in range(values.shape[1]) if scaled[:, place].any()]
    if not kept or not _is_exact(scaled[:, kept], wanted):
        return []
    for place in list(kept):
        fewer = [other for other in kept if other != place]
        if fewer and _is_exact(scaled[:, fewer], wanted):
            kept = fewer
    return kept


def _is_exact(values: np.ndarray, wanted: np.ndarray) -> bool:
    weights, *_ = np.linalg.lstsq(values, wanted, rcond=None)
    return bool(np.square(wanted - values @ weights).mean() < EXACT)


def _said_sum(inspected: Inspected, names: list[str], signs: list[int], rest: int) -> Remark:
    terms = [("- " if sign < 0 else "+ ") + quoted([name]) for name, sign in zip(names, signs, strict=True)]
    formula = " ".join(terms).removeprefix("+ ")
    left = "exactly" if rest == 1 else f"but for one of {rest} fixed amounts"
    return Remark(
        "parts of the target",
        tuple(names),
        weight_of_parts(inspected, names),
        f"{formula} is the target, {left}, in {len(inspected.rows):,} rows looked at.",
        f"Leave them out, for they are known only when the target is: {ignoring(names)}.",
        float(rest),
        None,
    )


def _said_combination(names: list[str], rows: int) -> Remark:
    return Remark(
        "parts of the target",
        tuple(names),
        "warn",
        f"The target is an exact linear combination of {quoted(names)} in {rows:,} rows looked at.",
        f"Leave out those that are known only when the target is ({ignoring(names)}); if all are known before, a linear "
        "model is all you need.",
    )


def flags(inspected: Inspected) -> list[Remark]:
    """Columns of two values of which one implies the rare class, that together cover it; and rare flags among them."""
    positive, values = inspected.target == _rarer(inspected.target), inspected.values
    if positive.mean() > RARE_CLASS or len(inspected.rows) < FLAG_ROWS:
        return []
    two = [place for place in range(values.shape[1]) if len(np.unique(values[:, place][np.isfinite(values[:, place])])) == 2]
    raised = {place: values[:, place] == _rarer(values[:, place][np.isfinite(values[:, place])]) for place in two}
    found = [place for place in two if raised[place].sum() >= FLAG_ROWS and positive[raised[place]].all()]
    if len(found) < 2:
        return []
    covered = float(np.logical_or.reduce([raised[place] for place in found])[positive].mean())
    if covered < COVERED:
        return []
    names = [inspected.names[place] for place in found]
    beside = _beside(found, {place for place in two if raised[place].mean() <= RARE_CLASS}, inspected.names)
    return [_said_flags(names, beside, covered)]


def _rarer(values: np.ndarray) -> float:
    levels, counts = np.unique(values, return_counts=True)
    return float(levels[counts.argmin()])


def _beside(found: list[int], rare: set[int], names: tuple[str, ...]) -> list[str]:
    """Rare flags in an unbroken run of columns with those that were found."""
    run = set(found)
    while more := {place for place in rare - run if place - 1 in run or place + 1 in run}:
        run |= more
    return [names[place] for place in sorted(run - set(found))]


def _said_flags(names: list[str], beside: list[str], covered: float) -> Remark:
    says = f"Each of {quoted(names)} implies the rare class wherever it is set, and together they cover {covered:.0%} of it."
    if beside:
        says += f" {quoted(beside)} stands among them as a flag of the same kind."
    return Remark(
        "parts of the target",
        (*names, *beside),
        "stop",
        says,
        f"Leave them out, for they are parts of the target: {ignoring([*names, *beside])}.",
        covered,
        COVERED,
    )


def pieces(inspected: Inspected) -> list[Remark]:
    """Features that are the same in all rows of a class: where together they tell all classes apart, they spell its name."""
    target = np.unique(inspected.target, return_inverse=True)[1]
    if np.bincount(target).min() < CLASS_ROWS:
        return []
    found: dict[int, np.ndarray] = {}
    for place in range(inspected.values.shape[1]):
        levels = _level_of_each_class(inspected.values[:, place], target)
        if levels is not None and len(np.unique(levels)) > 1:
            found[place] = levels
    if not found:
        return []
    names = [inspected.names[place] for place in found]
    spelled = len(np.unique(np.column_stack(list(found.values())), axis=0)) == target.max() + 1
    said = "together they spell it" if spelled else "together they tell some classes from others"
    return [
        Remark(
            "parts of the target",
            tuple(names),
            "stop" if spelled else "warn",
            f"{quoted(names)} {'is' if len(names) == 1 else 'are'} the same in all rows of a class; {said}.",
            f"Leave out what is known only when the class is: {ignoring(names)}.",
        )
    ]


def _level_of_each_class(values: np.ndarray, target: np.ndarray) -> np.ndarray | None:
    """The one value that a feature has in each class, or None where it has several in some class."""
    if not np.isfinite(values).all():
        return None
    first = np.unique(target, return_index=True)[1]
    levels = values[first]
    return levels if (levels[target] == values).all() else None
