"""All inspections of a table, in the order of their worth, as far as the time goes.

Rows that are kept for the final score are looked at by nothing but the search for duplicates and for drift. Of a large table a
part of the rows is inspected, drawn from the seed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from trainwell.data.encode import Arrays, Encoder
from trainwell.data.schema import Schema, target_values
from trainwell.data.split import Split
from trainwell.data.tables import Table
from trainwell.inspection import (
    as_the_network_sees_them,
    candidates,
    drift,
    duplicates,
    groups_and_time,
    labels,
    leaks,
    missing,
    outliers,
    parts_of_target,
    target,
)
from trainwell.inspection.as_the_network_sees_them import Tensors
from trainwell.inspection.drift import Drift
from trainwell.inspection.duplicates import Duplicates
from trainwell.inspection.groups_and_time import Compared
from trainwell.inspection.inspected import Inspected, read, some_rows
from trainwell.inspection.labels import Labels
from trainwell.inspection.leaks import Alone
from trainwell.inspection.missing import Missing
from trainwell.inspection.outliers import Correlations, Pair, Spread
from trainwell.inspection.quick_models import MOST_COLUMNS, SCORES
from trainwell.inspection.remarks import Remark

MOST_ROWS = 20_000  # chosen: more rows change no figure by more than a hundredth
MOST_CELLS = 20_000_000  # chosen: fewer rows of wide tables, 160 MB of numbers
MOST_GROUPS, MOST_CLOCKS = 3, 2  # chosen: columns that are compared, each at about half a second
ORDER = {"stop": 0, "warn": 1, "note": 2}


@dataclass(frozen=True)
class Subject:
    """What is inspected: the usable rows of a table, what was made of them, and whether the user gave the test rows."""

    table: Table
    schema: Schema
    split: Split
    encoder: Encoder
    arrays: Arrays
    seed: int = 0
    test_given: bool = False


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Parameters
    ----------
    remarks : everything worth saying, what stops a run first.
    rows, of_rows : how many rows were inspected, of how many that may be.
    duplicates, tensors, alone, missing, compared, drift, labels, spreads, pairs, correlations : each look's own.
    left_out : kinds of look for which no time was left.
    """

    remarks: tuple[Remark, ...]
    rows: int
    of_rows: int
    duplicates: Duplicates
    tensors: Tensors
    alone: Alone
    missing: Missing
    compared: tuple[Compared, ...] = ()
    drift: Drift | None = None
    labels: Labels | None = None
    spreads: tuple[Spread, ...] = ()
    pairs: tuple[Pair, ...] = ()
    correlations: Correlations | None = None
    left_out: tuple[str, ...] = field(default=())


def inspect(subject: Subject, left: Callable[[], float] = lambda: float("inf")) -> Inspection:
    """Inspect a table.

    Parameters
    ----------
    subject : the table.
    left : the seconds that are left; without any, the looks that fit models are left out.
    """
    schema, seed, task = subject.schema, subject.seed, subject.schema.task
    own = np.sort(np.concatenate([subject.split.train, subject.split.validation]))
    most = int(max(100, min(MOST_ROWS, MOST_CELLS // max(1, len(schema.features)))))
    inspected = read(subject.table, schema, own[some_rows(len(own), most, seed)])
    repeats = duplicates.find(subject.arrays, subject.split)
    gaps = missing.find(inspected)
    copies = leaks.copies_of_the_target(inspected)
    leaking = {name for remark in copies for name in remark.columns}
    parts = parts_of_target.parts_of_the_target(inspected.without(leaking))
    leaking |= {name for remark in parts if remark.weight == "stop" for name in remark.columns}
    alone = leaks.alone(inspected, SCORES[task], seed)
    remarks = [*copies, *parts, *leaks.suspects(alone, leaking), *duplicates.remarks(repeats, task)]
    remarks += target.remarks(target_values(subject.table.take(inspected.rows), schema), schema.classes)
    fair = [name for name in list(alone.scores)[: MOST_COLUMNS + len(leaking)] if name not in leaking]
    slow = _Slow(subject, own, inspected, set(fair[:MOST_COLUMNS]), left)
    compared, shift, suspects = slow.compared(), slow.drift(), slow.labels()
    spread, (alike, correlations) = slow.spreads(), slow.pairs()
    for one in compared:
        if (remark := groups_and_time.remark_of(one)) is not None:
            remarks.append(remark)
    remarks += drift.remarks(shift, slow.why_test) + labels.remarks(suspects, task)
    remarks += missing.remarks(gaps) + outliers.remarks(spread, alike)
    return Inspection(
        tuple(sorted(remarks, key=lambda remark: ORDER[remark.weight])),
        len(inspected.rows),
        len(own),
        repeats,
        as_the_network_sees_them.tensors(subject.table, subject.encoder, subject.arrays, subject.split.train),
        alone,
        gaps,
        tuple(compared),
        shift,
        suspects,
        tuple(spread),
        tuple(alike),
        correlations,
        tuple(slow.left_out),
    )


class _Slow:
    """The looks that fit models, each as long as time is left."""

    def __init__(self, subject: Subject, own: np.ndarray, inspected: Inspected, fair: set[str], left: Callable[[], float]):
        self.subject, self.own, self.left = subject, own, left
        self.inspected, self.fair = inspected, fair
        self.left_out: list[str] = []

    @property
    def why_test(self) -> str:
        return "the given ones" if self.subject.test_given else "the latest ones"

    def _has_time(self, what: str) -> bool:
        if self.left() > 0:
            return True
        if what not in self.left_out:
            self.left_out.append(what)
        return False

    def _only_fair(self, inspected: Inspected) -> Inspected:
        return inspected.without(set(inspected.names) - self.fair)

    def compared(self) -> list[Compared]:
        """Groups and clocks, but for those that the split goes by."""
        table, schema, seed = self.subject.table, self.subject.schema, self.subject.seed
        if not self.fair or not self._has_time("groups and time"):
            return []
        groups = candidates.groups(table, schema, self.inspected)
        taken = {candidate.name for candidate in groups} | {schema.time}
        clocks = candidates.different([one for one in candidates.clocks(table, schema) if one.name not in taken])
        found = []
        for candidate in [one for one in groups if one.name != schema.group][:MOST_GROUPS] + clocks[:MOST_CLOCKS]:
            if not self._has_time("groups and time"):
                break
            rows = groups_and_time.rows_to_compare(candidate, self.own, seed)
            part = self._only_fair(read(table, schema, rows))
            compared = groups_and_time.compare(part, candidate, seed)
            found += [] if compared is None else [compared]
        return found

    def drift(self) -> Drift | None:
        """Of test rows that were given, or that are the latest."""
        subject = self.subject
        if not (subject.test_given or subject.split.kind == "time") or not self._has_time("drift"):
            return None
        rows = subject.split.test[some_rows(len(subject.split.test), drift.MOST_ROWS, subject.seed)]
        both = read(subject.table, subject.schema, np.concatenate([rows, self.inspected.rows]))  # so that codes mean the same
        of_test = np.arange(len(both.rows)) < len(rows)
        return drift.find(both.take(np.flatnonzero(~of_test)), both.take(np.flatnonzero(of_test)), subject.seed)

    def labels(self) -> Labels | None:
        """Among some of the rows."""
        if not self.fair or not self._has_time("suspected labels"):
            return None
        return labels.find(self._only_fair(self.inspected.some(labels.MOST_ROWS, self.subject.seed)), self.subject.seed)

    def spreads(self) -> list[Spread]:
        return outliers.spreads(self.inspected) if self._has_time("outliers") else []

    def pairs(self) -> tuple[list[Pair], Correlations | None]:
        if not self._has_time("correlated columns"):
            return [], None
        return outliers.pairs(self.inspected.some(labels.MOST_ROWS, self.subject.seed))
