"""The column to predict: which task it poses, its classes, and the rows that can be learnt from."""

from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainwell.data import cells, dates
from trainwell.data.arrow_arrays import numpy_of
from trainwell.data.roles import Column, Note, count_distinct, level_counts, unreadable_note
from trainwell.data.tables import Table
from trainwell.errors import InputError, NothingToLearn, listed, nearest

Task = Literal["binary", "multiclass", "regression"]
TASKS = ("binary", "multiclass", "regression")

# All chosen.
NUMBER_CLASSES = 20  # a number with more values than this is a quantity
NUMBER_CLASS_ROWS = 20  # and so is one whose values come fewer times than this on average
MOST_NAMED = 20  # classes that are dropped, each in a sentence of its own
CLASS_ROWS = 3  # one row each to train, validate and test
MOST_CLASSES = 1000


class Target(NamedTuple):
    """What was found out about the target."""

    column: Column
    task: Task
    classes: tuple[str, ...]
    notes: tuple[Note, ...]


def infer_target(table: Table, name: str, task: Task | None) -> Target:
    """Task, classes and notes.

    Two different values make it binary; text makes it multiclass; so do whole numbers with at most 20 values that come 20 times
    each on average; other numbers make it regression.
    """
    column = table.column(name)
    missing = int(cells.missing_mask(column).sum())
    if missing == table.rows:
        raise InputError(f"the target {name!r} is missing in every row of {table.source}; there is nothing to learn.")
    if pa.types.is_nested(column.type):
        raise InputError(
            f"the target {name!r} holds cells of the type {column.type} in {table.source}; allowed are numbers and classes."
        )
    if cells.is_date(column) or (dates.date_style(column) and not cells.number_style(column)):
        raise InputError(f"the target {name!r} holds dates; allowed are numbers and classes (a duration in days is a number).")
    style = cells.number_style(column)
    notes = [_missing_note(name, missing)] if missing else []
    chosen = task or _task(name, column, style, notes)
    if chosen == "regression":
        return _regression(table, name, style, task, notes)
    counts = level_counts(column)
    if style is not None and not cells.is_category(column):
        no_values, more = _no_values(table, name, style, task)
        missing += sum(counts.pop(label) for label in no_values)
        notes += more
    return _classification(name, counts, chosen, missing, notes, table.rows)


def class_indices(column: pa.ChunkedArray, classes: tuple[str, ...]) -> np.ndarray:
    """The class of every row as an int32, -1 where there is none or another."""
    found = pc.index_in(cells.labels(column), value_set=pa.array(classes, pa.string()))
    return np.asarray(numpy_of(found.fill_null(-1)), np.int32)


def _no_values(table: Table, name: str, style: str, task: Task | None) -> tuple[set[str], list[Note]]:
    """(labels of a target of numbers that are no value of it, what is said of them): infinite ones; and what is no number,
    unless the numbers alone are no two classes, or more classes were asked for."""
    column = table.column(name)
    read = cells.numbers(column, style)
    words = read.unreadable & (task != "multiclass" and count_distinct(read.values) >= 2)
    notes = _dropped(table, name, words, "no number", " (task multiclass takes them as classes)" * (task is None))
    notes += _dropped(table, name, read.infinite, "infinite or too large")
    labels = cells.labels(column).filter(pa.array(words | read.infinite))
    return set(pc.unique(labels).to_pylist()), notes


def _dropped(table: Table, name: str, found: np.ndarray, what: str, more: str = "") -> list[Note]:
    notes = unreadable_note(table, name, found, what)
    return [Note(note.column, note.message.replace("treated as missing", "dropped" + more)) for note in notes]


def _task(name: str, column: pa.ChunkedArray, style: str | None, notes: list[Note]) -> Task:
    if style is None or cells.is_category(column):
        return "binary" if len(level_counts(column)) == 2 else "multiclass"
    read = cells.numbers(column, style)
    values = read.values[np.isfinite(read.values)]
    distinct = count_distinct(values)
    if distinct <= 2:
        return "binary"
    if distinct <= NUMBER_CLASSES and len(values) >= NUMBER_CLASS_ROWS * distinct and (values == np.floor(values)).all():
        notes.append(
            Note(name, f"{name} holds {distinct} whole numbers: taken as classes (task regression takes them as a number).")
        )
        return "multiclass"
    return "regression"


def _regression(table: Table, name: str, style: str | None, task: Task | None, notes: list[Note]) -> Target:
    read = cells.numbers(table.column(name), style or "plain")
    if style is None:
        position = int(np.argmax(read.unreadable))
        raise InputError(
            f"the target {name!r} is no number in row {table.row_name(position)} ({str(table.column(name)[position])!r}); "
            f"regression needs numbers, allowed tasks for classes are 'binary' and 'multiclass'."
        )
    distinct = count_distinct(read.values)
    if distinct < 2:
        only = f"has one value only, {read.values[np.isfinite(read.values)][0]:g}," if distinct else "holds no finite number"
        raise NothingToLearn(f"the target {name!r} {only} in {table.source}; there is nothing to learn.")
    for found, what in ((read.unreadable, "no number"), (read.infinite, "infinite or too large")):
        notes += _dropped(table, name, found, what)
    missing = int(np.isnan(read.values).sum())
    return Target(Column(name, "target", style=style, missing=missing, distinct=distinct), "regression", (), tuple(notes))


def _classification(name: str, counts: dict[str, int], task: Task, missing: int, notes: list[Note], rows: int) -> Target:
    kept = {label: count for label, count in counts.items() if count >= CLASS_ROWS}
    _check_classes(name, counts, kept, rows - missing, task)
    notes += _rare_notes(name, {label: count for label, count in counts.items() if label not in kept})
    if task == "multiclass" and len(kept) == 2:
        task = "binary"
    classes = _sorted(kept)
    if task == "binary":
        notes.append(Note(name, f"{name}: the positive class is {classes[1]!r} (the class that sorts last)."))
    return Target(Column(name, "target", missing=missing, distinct=len(counts), levels=classes), task, classes, tuple(notes))


def _rare_notes(name: str, rare: dict[str, int]) -> list[Note]:
    """A note for each class of too few rows; of many for the first, and how many more there are."""
    notes = [
        Note(
            name,
            f"class {label!r} of {name} has {count} row{'s' if count > 1 else ''}, too few to train and test on: dropped.",
        )
        for label, count in list(rare.items())[:MOST_NAMED]
    ]
    if more := list(rare.values())[MOST_NAMED:]:
        rows = f"{len(more):,} more class{'es' if len(more) > 1 else ''} of {name} with {sum(more):,} rows in all"
        notes.append(Note(name, f"{rows} {'are' if len(more) > 1 else 'is'} as rare: dropped."))
    return notes


def _check_classes(name: str, counts: dict[str, int], kept: dict[str, int], rows: int, task: Task) -> None:
    if not counts:
        raise NothingToLearn(f"the target {name!r} holds no finite number; there is nothing to learn.")
    if len(counts) == 1:
        raise NothingToLearn(f"the target {name!r} has one class only, {next(iter(counts))!r}; there is nothing to learn.")
    if len(counts) > MOST_CLASSES or (len(counts) > max(2, 0.5 * rows)):
        raise InputError(
            f"the target {name!r} has {len(counts):,} classes in {rows:,} rows; allowed are {MOST_CLASSES:,}, "
            "and fewer than half the rows (is another column meant?)."
        )
    if len(kept) < 2:
        rare = min(counts, key=lambda label: counts[label])
        raise InputError(
            f"class {rare!r} of the target {name!r} has {counts[rare]} row{'s' if counts[rare] > 1 else ''}; "
            f"at least two classes need {CLASS_ROWS} rows each."
        )
    if task == "binary" and len(kept) > 2:
        raise InputError(f"the task 'binary' needs two classes, but {name!r} has {len(kept)}: {listed(_sorted(kept))}.")


def _sorted(labels: dict[str, int]) -> tuple[str, ...]:
    """Numbers by size, text by letter."""
    try:
        return tuple(sorted(labels, key=float))
    except ValueError:
        return tuple(sorted(labels))


def _missing_note(name: str, missing: int) -> Note:
    rows = f"{missing:,} rows have" if missing > 1 else "1 row has"
    return Note(name, f"{rows} no {name}: dropped.")


def check_task(task: str | None) -> None:
    if task is not None and task not in TASKS:
        raise InputError(f"the task is {task!r}{nearest(task, TASKS) or ','} allowed is one of {listed(TASKS)}.")
