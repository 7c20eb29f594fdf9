"""Whether the rows to test on are like those to train on: can a model tell them apart, and by which columns?

Source: Lopez-Paz & Oquab (2017), "Revisiting classifier two-sample tests"; the statistic here is the area under the ROC curve,
on rows that the classifier was not trained on.
"""

from dataclasses import dataclass

import numpy as np

from trainwell.inspection.inspected import Inspected
from trainwell.inspection.leaks import alone
from trainwell.inspection.quick_models import filled, forest, score
from trainwell.inspection.remarks import Remark, quoted

DRIFT = 0.7  # chosen: AUC; adult's two files measure 0.49 to 0.50, bike sharing's last fifth in time 1.00
COLUMN_DRIFT = 0.6  # chosen: AUC of one column
MOST_ROWS = 2000  # chosen: of each side
FEWEST_ROWS = 20  # chosen: of each side
STANDARD_ERRORS = 4.0  # chosen: above 1/2


@dataclass(frozen=True)
class Drift:
    """The classifier's AUC, and the AUC of each column by itself, the largest first."""

    auc: float
    columns: dict[str, float]
    rows: int
    alarm: bool


def find(train: Inspected, test: Inspected, seed: int) -> Drift | None:
    """How far the rows of two parts can be told apart by their features; None where one has too few."""
    train, test = train.some(MOST_ROWS, seed), test.some(MOST_ROWS, seed)
    least = min(len(train.rows), len(test.rows))
    if least < FEWEST_ROWS or not train.names:
        return None
    side = np.repeat([0, 1], [len(train.rows), len(test.rows)]).astype(np.int32)
    both = Inspected(
        train.names, np.vstack([train.values, test.values]), train.categorical, side, "binary", np.arange(len(side))
    )
    apart = alone(both, "AUC", seed).scores
    places = np.array([place for place, name in enumerate(both.names) if name in apart][:200], int)
    if not len(places):
        return None
    model = forest("binary", seed, out_of_bag=True, smallest_leaf=3).fit(filled(both.values[:, places]), side)
    auc = score(side, np.nan_to_num(model.oob_decision_function_[:, 1], nan=0.5), "binary")
    chance = STANDARD_ERRORS * np.sqrt(1 / (6 * least))  # of an AUC of 1/2 with two equal sides: Hanley & McNeil (1982)
    return Drift(auc, apart, len(side), bool(auc >= max(DRIFT, 0.5 + chance)))


def remarks(found: Drift | None, why: str) -> list[Remark]:
    """A warning where the rows are easily told apart."""
    if found is None or not found.alarm:
        return []
    names = [name for name, auc in found.columns.items() if auc >= COLUMN_DRIFT][:5]
    by = f", most of all by {quoted(names)}" if names else ""
    return [
        Remark(
            "drift",
            tuple(names),
            "warn",
            f"The test rows ({why}) are unlike the training rows: a model tells them apart with AUC {found.auc:.2f}{by}.",
            f"Ask whether {quoted(names) if names else 'these columns'} will be as in the test rows when you predict; leave "
            "out what only says when or where a row was taken.",
            found.auc,
            DRIFT,
        )
    ]
