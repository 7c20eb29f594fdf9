"""What a table holds and what is asked of it: a role for every column, the target, the task, the classes."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from trainwell.data import cells, dates, json_state
from trainwell.data import groups as numbered
from trainwell.data.copies import without_copies
from trainwell.data.roles import FEATURES, Column, Note, Role, infer_role
from trainwell.data.tables import Table
from trainwell.data.target import Task, check_task, class_indices, infer_target
from trainwell.errors import InputError, listed, nearest

__all__ = [
    "Column",
    "Note",
    "Role",
    "Schema",
    "Task",
    "group_labels",
    "group_values",
    "infer_schema",
    "target_values",
    "time_values",
    "usable_rows",
]

MINIMUM_ROWS = 10  # chosen: six rows to train, two to validate, two to test


@dataclass(frozen=True)
class Schema:
    """Every column's role, and the question.

    Parameters
    ----------
    columns : all columns of the table, in its order.
    target : name of the column to predict.
    task : ``"binary"``, ``"multiclass"`` or ``"regression"``.
    classes : labels in the order of the class indices; of two, the last is the positive one. Empty for regression.
    """

    columns: tuple[Column, ...]
    target: str
    task: Task
    classes: tuple[str, ...] = ()

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  (pydantic's own spelling)

    def __post_init__(self) -> None:
        if [column.name for column in self.columns if column.role == "target"] != [self.target]:
            raise ValueError(f"no single column has the role of the target {self.target!r}")
        classes = len(set(self.classes))
        fits = {"binary": classes == 2, "multiclass": classes > 2, "regression": classes == 0}[self.task]
        if not fits or classes < len(self.classes):
            raise ValueError(f"{len(self.classes)} classes do not fit the task {self.task!r}")

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that reach the network."""
        return tuple(column for column in self.columns if column.role in FEATURES)

    @property
    def group(self) -> str | None:
        return next((column.name for column in self.columns if column.role == "group"), None)

    @property
    def time(self) -> str | None:
        return next((column.name for column in self.columns if column.role == "time"), None)

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def to_json(self) -> dict[str, Any]:
        return json_state.dump(self)

    @classmethod
    def from_json(cls, state: dict[str, Any] | str | bytes) -> "Schema":
        return json_state.load(cls, state, "the schema")


class Asked(NamedTuple):
    """What the user decided about the columns."""

    target: str
    ignore: tuple[str, ...]
    categories: tuple[str, ...]
    numbers: tuple[str, ...]
    group: str | None
    time: str | None


def infer_schema(
    table: Table,
    target: str | int,
    *,
    task: str | None = None,
    ignore: Iterable[str] = (),
    categories: Iterable[str] = (),
    numbers: Iterable[str] = (),
    group: str | None = None,
    time: str | None = None,
) -> tuple[Schema, tuple[Note, ...]]:
    """Look at every column and decide what it is for; each decision can be overruled.

    Parameters
    ----------
    table : as `read_table` gives it.
    target : name of the column to predict; or its position from 0, -1 being the last.
    task : ``"binary"``, ``"multiclass"`` or ``"regression"``; inferred when left out.
    ignore : columns that shall not reach the network.
    categories : columns whose values are names, though they look like numbers; whole numbers stay numbers unless named here.
    numbers : columns to keep as numbers, though they look like identifiers.
    group : column of which no value may be in two parts of the split.
    time : column by which the split puts the latest rows aside.

    Returns
    -------
    schema, notes : the decisions, and one sentence for everything that was noticed, inferred or ignored.

    Raises
    ------
    InputError : a column that is not there (with the nearest name), a target that cannot be learnt, no feature, too few rows.
    """
    check_task(task)
    _check_rows(table, table.rows)
    target = _target_name(table, target)
    asked = Asked(target, _names(ignore), _names(categories), _names(numbers), group, time)
    _check_asked(table, asked)
    found = infer_target(table, target, task)  # type: ignore[arg-type]
    inferred = [(found.column, []) if name == target else _infer_column(table, name, asked) for name in table.columns]
    columns, copies = without_copies(table, [column for column, _ in inferred])
    schema = Schema(tuple(columns), target, found.task, found.classes)
    _check_enough(table, schema)
    return schema, (*found.notes, *(note for _, notes in inferred for note in notes), *copies)


def usable_rows(table: Table, schema: Schema) -> np.ndarray:
    """Positions (int64) of the rows that can be learnt from: with a known class or a finite number, and with a time if used.

    The rows of a `Split` and of `fit_encoder` count in ``table.take(usable_rows(table, schema))``.
    """
    keep = _target_known(table, schema)
    if schema.time:
        keep = keep & np.isfinite(_times(table, schema.time, schema.column(schema.time).style))
    return np.flatnonzero(keep)


def target_values(table: Table, schema: Schema) -> np.ndarray:
    """The target of every row: int32 class index, or float64 number.

    Raises
    ------
    InputError : the column is not there, or a row has no target or an unknown class.
    """
    if schema.target not in table.columns:
        raise InputError(f"{table.source} has no column {schema.target!r}{nearest(schema.target, table.columns) or '.'}")
    known = _target_known(table, schema)
    if not known.all():
        position = int(np.argmin(known))
        cell = table.column(schema.target)[position].as_py()
        allowed = f"one of {listed(schema.classes)}" if schema.classes else "a finite number"
        raise InputError(f"{schema.target!r} in row {table.row_name(position)} is {cell!r}, allowed is {allowed}.")
    return _target(table, schema)


def group_values(table: Table, schema: Schema) -> np.ndarray | None:
    """A number for the group of every row, or None without groups; rows whose group is missing are one group."""
    if schema.group is None:
        return None
    return numbered.codes(group_labels(table, schema.column(schema.group)))


def group_labels(table: Table, column: Column) -> pa.ChunkedArray:
    """The name of the group of every row, null where it is missing."""
    return numbered.labels_of(cells.labels(table.column(column.name)), column.style)


def time_values(table: Table, schema: Schema) -> np.ndarray | None:
    """The time of every row as a float64, NaN where it is missing; None without a time column."""
    if schema.time is None:
        return None
    return _times(table, schema.time, schema.column(schema.time).style)


def _target(table: Table, schema: Schema) -> np.ndarray:
    column = table.column(schema.target)
    if schema.task == "regression":
        return cells.numbers(column, schema.column(schema.target).style).values
    return class_indices(column, schema.classes)


def _target_known(table: Table, schema: Schema) -> np.ndarray:
    values = _target(table, schema)
    return np.isfinite(values) if schema.task == "regression" else values >= 0


def _times(table: Table, name: str, style: str) -> np.ndarray:
    column = table.column(name)
    return dates.seconds(column, style).values if style in (*dates.STYLES, "timestamp") else cells.numbers(column, style).values


def _time_column(table: Table, name: str) -> tuple[Column, list[Note]]:
    column = table.column(name)
    style = cells.number_style(column) or dates.date_style(column)
    if style is None:
        cell = column.drop_null()[0].as_py() if column.null_count < table.rows else None
        raise InputError(
            f"the time column {name!r} holds neither numbers nor dates (for example {cell!r}); write dates as 2024-12-31."
        )
    missing = int(np.isnan(_times(table, name, style)).sum())
    rows = f"{missing:,} rows have" if missing > 1 else "1 row has"
    notes = [Note(name, f"{rows} no {name} to split by: dropped.")] if missing else []
    return Column(name, "time", "named as the time", style, missing), notes


def _group_column(table: Table, name: str) -> tuple[Column, list[Note]]:
    kind = table.column(name).type
    if pa.types.is_nested(kind):
        raise InputError(f"the group column {name!r} holds cells of the type {kind}; allowed are text, numbers and dates.")
    column, _ = infer_role(table, name)
    column = replace(column, role="group", why="named as the group", levels=None)
    names = numbered.before_number(cells.labels(table.column(name))) if cells.is_text(table.column(name)) else None
    if names is None:
        return column, []
    first = str(table.column(name).drop_null()[0].as_py())
    said = f"every {name} is another, but of the form {first!r}: a group is what stands before the last number."
    return replace(column, style=numbered.PREFIX), [Note(name, said)]


def _target_name(table: Table, target: str | int) -> str:
    if isinstance(target, int):
        if not -len(table.columns) <= target < len(table.columns):
            raise InputError(
                f"the target is column {target}, but {table.source} has {len(table.columns)} columns (0 is the first)."
            )
        return table.columns[target]
    if target not in table.columns:
        hint = nearest(target, table.columns) or f"; its columns are {listed(table.columns)}."
        raise InputError(f"{table.source} has no column {target!r} to predict{hint}")
    return target


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _infer_column(table: Table, name: str, asked: Asked) -> tuple[Column, list[Note]]:
    if name in asked.ignore:
        return Column(name, "ignored", "named in ignore"), []
    if name == asked.time:
        return _time_column(table, name)
    if name == asked.group:
        return _group_column(table, name)
    return infer_role(table, name, "category" if name in asked.categories else "numeric" if name in asked.numbers else None)


def _check_asked(table: Table, asked: Asked) -> None:
    if asked.group and asked.time:
        raise InputError("group and time are both given; a split is either by group or by time, leave one out.")
    taken = {asked.target: "the target"}
    for option, names in zip(asked._fields[1:], asked[1:], strict=True):
        for name in _names(names or ()):
            if name not in table.columns:
                raise InputError(f"{option} names {name!r}, which {table.source} has not{nearest(name, table.columns) or '.'}")
            if name in taken:
                raise InputError(f"{option} names {name!r}, which is {taken[name]} already.")
            taken[name] = f"named in {option}"


def _check_enough(table: Table, schema: Schema) -> None:
    if not schema.features:
        left = [f"{column.name} ({column.role})" for column in schema.columns if column.name != schema.target]
        others = f"left out are {listed(left)}" if left else "it has no other column"
        raise InputError(f"{table.source} has no column to learn {schema.target!r} from; {others}.")
    _check_rows(table, len(usable_rows(table, schema)), " with a target")


def _check_rows(table: Table, rows: int, which: str = "") -> None:
    if rows < MINIMUM_ROWS:
        what = "row" if rows == 1 else "rows"
        raise InputError(f"{table.source} has {rows} {what}{which}; at least {MINIMUM_ROWS} are needed to train and test.")
