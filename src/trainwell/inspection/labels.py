"""Rows whose target the other rows contradict.

Each row is predicted by those trees of a forest that were not trained on it. A class is suspect where the model gives it less,
and another class more, than these classes get on average in the rows that carry them; a number where its residual is far beyond
what residuals usually are.

Source: Northcutt, Jiang & Chuang (2021), "Confident learning" (its "confident joint"; ranked by self-confidence, section 3.2).
"""

from dataclasses import dataclass

import numpy as np

from trainwell.inspection.inspected import Inspected
from trainwell.inspection.quick_models import filled, forest
from trainwell.inspection.remarks import Remark

FEWEST_ROWS = 50  # chosen: of fewer, nothing can be said of single rows
FAR = 8.0  # chosen: residuals this many times the median one; a normal distribution has 1 in 10 million beyond
FARTHEST = 1e6  # chosen: farther is said no more
SURE = 0.9  # chosen: what the model must give to another class for its row to be worth a look
MOST_ROWS = 4000  # chosen: rows that are judged
SMALLEST_LEAF = {"regression": 2, "binary": 2, "multiclass": 1}  # chosen
BLOCKS = 10  # chosen: of rows of which about as much is expected
SHOWN = 10  # chosen: rows to look at


@dataclass(frozen=True)
class Suspect:
    """One row: its position in the table, its class or number, the expected one, and how sure that is.

    ``strength`` is the probability of the expected class, or how many times the median residual the row's own is.
    """

    row: int
    given: float
    expected: float
    strength: float


@dataclass(frozen=True)
class Labels:
    """The suspect rows, the most suspect first, as many as are worth showing; how many there are; among how many."""

    suspects: tuple[Suspect, ...]
    count: int
    rows: int


def find(inspected: Inspected, seed: int) -> Labels | None:
    """The suspect rows among these; None where there are too few to judge any."""
    counts = np.unique(inspected.target, return_counts=True)[1]
    classes = inspected.task != "regression"
    if len(inspected.rows) < FEWEST_ROWS or not inspected.names or len(counts) < 2 or (classes and counts.min() < 2):
        return None
    model = forest(inspected.task, seed, out_of_bag=True, smallest_leaf=SMALLEST_LEAF[inspected.task])
    model.fit(filled(inspected.values), inspected.target)
    if classes:
        return _classes(inspected, model.oob_decision_function_, model.classes_)
    return _numbers(inspected, model.oob_prediction_)


def _classes(inspected: Inspected, chances: np.ndarray, classes: np.ndarray) -> Labels:
    chances = np.nan_to_num(chances, nan=0.0)
    given = np.searchsorted(classes, inspected.target)
    usual = np.array([chances[given == place, place].mean() for place in range(len(classes))])
    own = chances[np.arange(len(given)), given]
    confident = np.where(chances >= usual, chances, 0.0)
    other = confident.argmax(axis=1)
    sure = confident.max(axis=1)
    suspect = np.flatnonzero((other != given) & (sure >= SURE) & (own < usual[given]))
    ranked = suspect[np.argsort(own[suspect], kind="stable")]
    found = [
        Suspect(int(inspected.rows[row]), float(classes[given[row]]), float(classes[other[row]]), float(sure[row]))
        for row in ranked[:SHOWN]
    ]
    return Labels(tuple(found), len(suspect), len(given))


def _numbers(inspected: Inspected, expected: np.ndarray) -> Labels:
    residual = np.abs(inspected.target - expected)
    with np.errstate(over="ignore"):
        times = np.minimum(residual / _usual(residual, expected), FARTHEST)
    suspect = np.flatnonzero(times >= FAR)
    ranked = suspect[np.argsort(-times[suspect], kind="stable")]
    found = [
        Suspect(int(inspected.rows[row]), float(inspected.target[row]), float(expected[row]), float(times[row]))
        for row in ranked[:SHOWN]
    ]
    return Labels(tuple(found), len(suspect), len(residual))


def _usual(residual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The median residual among rows of which about as much is expected: large numbers err by more. Never less than a tenth of
    that of all rows, so that a stretch that is predicted perfectly makes no row suspect."""
    blocks = np.array_split(np.argsort(expected, kind="stable"), max(1, min(BLOCKS, len(expected) // FEWEST_ROWS)))
    found = np.empty(len(residual))
    least = float(np.median(residual)) / 10
    for block in blocks:
        found[block] = max(float(np.median(residual[block])), least)
    return np.where(found > 0, found, np.inf)


def remarks(found: Labels | None, task: str) -> list[Remark]:
    """A note where some rows are suspect."""
    if found is None or not found.count:
        return []
    rows = "1 row has" if found.count == 1 else f"{found.count:,} rows have"
    what = "a class that rows like them do not have" if task != "regression" else "a target far from that of rows like them"
    return [
        Remark(
            "suspected labels",
            (),
            "note",
            f"{rows} {what}, of {found.rows:,} looked at.",
            "Read the rows under 'Rows whose target deserves a second look': wrong labels cost more than any setting gains.",
            found.count / found.rows,
        )
    ]
