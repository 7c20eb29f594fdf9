"""Rows to train on, to choose by, and to test on once: at random, by class, by group or by time.

A split is drawn from its seed alone. Rows are positions (from 0) in the table whose unusable rows were taken out
(`schema.usable_rows`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainwell.data.schema import MINIMUM_ROWS, Schema, group_values, target_values, time_values
from trainwell.data.tables import Table
from trainwell.errors import InputError, listed

Kind = Literal["random", "stratified", "group", "time"]
PARTS = ("train", "validation", "test")
TEST_SHARE = 0.2  # chosen
FOLDS = 5  # chosen: the rows that are not for the test are validated on in as many turns
MANY_ROWS, FOLDS_OF_MANY = 10_000, 10  # chosen: of so many a tenth is enough to choose by, and more are left to train on
DRAWS = 50  # chosen: draws of the groups, of which the one nearest to the wished shares is taken


@dataclass(frozen=True)
class Split:
    """Three disjoint sets of row positions (int64, ascending) that together are all rows."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    kind: Kind

    def save(self, path: str | Path) -> None:
        """Write Parquet with the columns ``row`` and ``part``."""
        import pyarrow.parquet

        part = np.empty(sum(len(getattr(self, name)) for name in PARTS), np.int8)
        for number, name in enumerate(PARTS):
            part[getattr(self, name)] = number
        coded = pa.DictionaryArray.from_arrays(pa.array(part), pa.array(PARTS))
        table = pa.table({"row": np.arange(len(part)), "part": coded})
        pyarrow.parquet.write_table(table.replace_schema_metadata({"kind": self.kind}), path)

    @classmethod
    def load(cls, path: str | Path) -> "Split":
        """Read what `save` wrote; an `InputError` where it is not that."""
        import pyarrow.parquet

        try:
            table = pyarrow.parquet.read_table(path)
            rows = table["row"].to_numpy()
            part = np.asarray(pc.index_in(table["part"].cast(pa.string()), value_set=pa.array(PARTS)).fill_null(-1))
            kind = (table.schema.metadata or {})[b"kind"].decode()
        except (OSError, KeyError, pa.ArrowException):
            raise InputError(f"{path} is no split: it needs the columns 'row' and 'part' and to be whole.") from None
        complete = np.array_equal(rows, np.arange(len(rows))) and (part >= 0).all()
        if not complete or kind not in ("random", "stratified", "group", "time"):
            raise InputError(f"{path} is no split: every row from 0 on must be in one of {', '.join(PARTS)}.")
        return _split(part, kind)


def split_table(table: Table, schema: Schema, *, seed: int, test_rows: np.ndarray | None = None) -> Split:
    """`make_split` with the target, the groups and the times of a table of usable rows.

    Of ``test_rows`` (rows,), true where a row was given to test on, the others are cut in two.
    """
    target = target_values(table, schema)
    groups, times = group_values(table, schema), time_values(table, schema)
    copies = table.copies
    cut_in = partial(make_split, task=schema.task, seed=seed, classes=schema.classes)
    if test_rows is None or not test_rows.any():
        share = (1 - TEST_SHARE) / folds_of(round((1 - TEST_SHARE) * len(target)))
        return cut_in(target, groups=groups, times=times, copies=copies, validation_share=share)
    own = np.flatnonzero(~test_rows)
    groups, times, copies = (None if values is None else values[own] for values in (groups, times, copies))
    share = 1 / folds_of(len(own))
    cut = cut_in(target[own], groups=groups, times=times, copies=copies, test_share=0.0, validation_share=share)
    return Split(own[cut.train], own[cut.validation], np.flatnonzero(test_rows), cut.kind)


def folds_of(rows: int) -> int:
    """How many parts the rows that are not for the test are validated on in."""
    return FOLDS if rows < MANY_ROWS else FOLDS_OF_MANY


def make_split(
    target: np.ndarray,
    task: str,
    *,
    seed: int,
    groups: np.ndarray | None = None,
    times: np.ndarray | None = None,
    copies: np.ndarray | None = None,
    test_share: float = TEST_SHARE,
    validation_share: float = (1 - TEST_SHARE) / FOLDS,
    classes: Sequence[str] = (),
) -> Split:
    """Cut the rows in three.

    Parameters
    ----------
    target : (rows,) class indices, or numbers for regression.
    task : ``"regression"`` draws at random; else every class is cut by the same shares, with at least one row in each part.
    seed : the only source of chance; any whole number from 0.
    groups : (rows,) whatever tells the groups apart; no group is in two parts.
    times : (rows,) numbers; the latest rows are the test, those before them the validation. Equal times stay together.
    copies : (rows,) equal for copies of a row, which stay together where rows are drawn at random or by class; groups and times
        keep them together by themselves.
    test_share, validation_share : of all rows, the second above 0, together below 1; without a test share the cut is in two.
    classes : what the class indices stand for, to be said where one is missing.

    Raises
    ------
    InputError : too few rows, groups or times, or a class that would be missing from the training rows.
    """
    target = np.asarray(target)
    _check(target, test_share, validation_share, groups, times)
    random, shares = np.random.default_rng(seed), (test_share, validation_share)
    if times is not None:
        kind: Kind = "time"
        part = _cut_blocks(-ranks(times), shares)
    elif groups is not None:
        kind = "group"
        part = _by_group(ranks(groups), target, task, random, shares)
    elif task == "regression":
        kind = "random"
        part = _at_random(len(target), copies, random, shares)
    else:
        kind = "stratified"
        part = _by_class(target, copies, random, shares)
    split = _split(part, kind)
    if task != "regression":
        _check_classes(target, split, classes)
    return split


def _split(part: np.ndarray, kind: Kind) -> Split:
    train, validation, test = (np.flatnonzero(part == number) for number in range(len(PARTS)))
    return Split(train, validation, test, kind)


def _cut(order: np.ndarray, rows: int, shares: tuple[float, float]) -> np.ndarray:
    """0 train, 1 validation, 2 test for every row; the first of the order are the test, at least one row in each part.

    The validation rows are rounded down, so that the training rows can be dealt into folds as large (`folds.deal`).
    """
    least = 1 if shares[0] else 0
    test, validation = round(shares[0] * len(order)), int(shares[1] * len(order) + 1e-9)
    validation = max(1, min(validation, len(order) - test - 1))
    test = max(least, min(test, len(order) - validation - 1))
    part = np.zeros(rows, np.int8)
    part[order[:test]] = 2
    part[order[test : test + validation]] = 1
    return part


def _at_random(rows: int, copies: np.ndarray | None, random: np.random.Generator, shares: tuple[float, float]) -> np.ndarray:
    """0 train, 1 validation, 2 test for every row, those that are copies of one another together."""
    if copies is None:
        return _cut(random.permutation(rows), rows, shares)
    number = ranks(copies)
    return _cut_blocks(random.permutation(int(number.max()) + 1)[number], shares)


def _by_class(
    target: np.ndarray, copies: np.ndarray | None, random: np.random.Generator, shares: tuple[float, float]
) -> np.ndarray:
    part = np.zeros(len(target), np.int8)
    for label in np.unique(target):
        rows = np.flatnonzero(target == label)
        if len(rows) < (3 if shares[0] else 2):
            raise InputError(f"class {label} has {len(rows)} row{'s' if len(rows) > 1 else ''}; {_needed(shares[0])}.")
        if copies is None:
            part += _cut(random.permutation(rows), len(target), shares)
        else:
            part[rows] = _at_random(len(rows), copies[rows], random, shares)
    return part


def _cut_blocks(block: np.ndarray, shares: tuple[float, float]) -> np.ndarray:
    """Whole blocks (equal numbers): the lowest to the test until it has its share, then to the validation; the rest trains."""
    numbers, block, sizes = np.unique(block, return_inverse=True, return_counts=True)
    middle = (np.cumsum(sizes) - sizes / 2) / len(block)  # a block goes where its middle row goes
    part = np.where(middle < shares[0], 2, np.where(middle < sum(shares), 1, 0)).astype(np.int8)
    first = 1 if shares[0] else 0  # the place of the first block that is not for the test
    part[:first], part[-1] = 2, 0
    if not (part == 1).any():
        part[first if len(numbers) > first + 1 else 0] = 1
        part[first + 1 :][part[first + 1 :] == 2] = 0
    return part[block]


def _by_group(
    groups: np.ndarray, target: np.ndarray, task: str, random: np.random.Generator, shares: tuple[float, float]
) -> np.ndarray:
    """The draw of groups that comes nearest to the wished shares, among those that keep every class in training and, if that
    can be, two in each other part: rows of one class measure nothing."""
    size = int(groups.max()) + 1
    classes = 0 if task == "regression" else len(np.unique(target))
    held_out = [number for number, share in ((1, shares[1]), (2, shares[0])) if share and classes > 1]

    def miss(part: np.ndarray) -> float:
        lost = classes - len(np.unique(target[part == 0])) if classes else 0
        alone = sum(len(np.unique(target[part == number])) < 2 for number in held_out)
        missed = max(abs((part == 2).mean() - shares[0]), abs((part == 1).mean() - shares[1]))
        return float(4 * lost + alone + missed)  # a class lost to training counts more than all else together

    return best_draw((_cut_blocks(random.permutation(size)[groups], shares) for _ in range(DRAWS)), miss)


def best_draw(draws: Any, miss: Callable[[np.ndarray], float]) -> np.ndarray:
    """The first of the draws that misses what was wished by less than a hundredth, else the one that misses it least."""
    best, least = None, np.inf
    for part in draws:
        missed = miss(part)
        if missed < least:
            best, least = part, missed
        if least < 0.01:
            break
    assert best is not None
    return best


def ranks(values: np.ndarray) -> np.ndarray:
    """Whole numbers from 0 in the order of the values, equal ones for equal values."""
    return np.unique(values, return_inverse=True)[1]


def _check(
    target: np.ndarray, test_share: float, validation_share: float, groups: np.ndarray | None, times: np.ndarray | None
) -> None:
    if not 0 <= test_share < 1:
        raise InputError(f"test_share is {test_share}, allowed is a share of the rows from 0 on and below 1.")
    if not 0 < validation_share < 1:
        raise InputError(f"validation_share is {validation_share}, allowed is a share of the rows above 0 and below 1.")
    if test_share + validation_share >= 1:
        raise InputError(f"test_share {test_share} and validation_share {validation_share} leave no rows to train on.")
    if len(target) < MINIMUM_ROWS:
        parts = "three" if test_share else "two"
        raise InputError(f"{len(target)} rows are too few to split in {parts}; at least {MINIMUM_ROWS} are needed.")
    for what, values in (("groups", groups), ("times", times)):
        if values is None:
            continue
        if len(values) != len(target):
            raise InputError(f"there are {len(values)} {what} for {len(target)} rows.")
        if (distinct := len(np.unique(values))) < (3 if test_share else 2):
            raise InputError(f"there are {distinct} different {what}; {_needed(test_share, ' by them')}.")


def _needed(test_share: float, how: str = "") -> str:
    if test_share:
        return f"a split{how} needs 3, one each to train, validate and test"
    return f"a split{how} needs 2, one each to train and validate"


def _check_classes(target: np.ndarray, split: Split, classes: Sequence[str]) -> None:
    lost = np.setdiff1d(target, target[split.train])
    named = listed([classes[i] for i in lost], 5) if classes else "index " + ", ".join(map(str, lost[:5]))
    if len(lost):
        raise InputError(
            f"a split by {split.kind} leaves no training row of {len(lost)} class{'es' if len(lost) > 1 else ''} "
            f"({named}); leave {split.kind} out or take another column."
        )
