"""A table whose test rows were given as another table: both as one, and which rows are the test."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainwell.data import cells
from trainwell.data.roles import Note
from trainwell.data.schema import MINIMUM_ROWS, Schema, group_values, time_values
from trainwell.data.tables import Table
from trainwell.errors import InputError, nearest


def joined(table: Table, test: Table, ignored: Collection[str] = ()) -> tuple[Table, np.ndarray]:
    """(the rows of ``table`` and below them those of ``test``, true for each of the latter).

    The columns are those of ``table``; others of ``test`` are passed over. A column that is numbers in one and text in the
    other is taken as text, as if both had been one file. Rows keep the numbers that they have in their own file. Columns that
    tell nothing, the ``ignored`` ones and those of one value, may be left out of ``test``.

    Raises
    ------
    InputError : ``test`` has no rows, lacks columns of ``table`` (all of them are named), or holds cells of another kind.
    """
    if not test.rows:
        raise InputError(f"{test.source} has no rows to test on.")
    test = _with_columns_that_tell_nothing(table, test, ignored)
    _check_columns(table, test)
    of_test = np.arange(table.rows + test.rows) >= table.rows
    whole = replace(
        table,
        frame=pa.table({name: _below(name, table, test) for name in table.columns}),
        notes=(*table.notes, *(f"{test.source}: {note}" for note in test.notes)),
        row_numbers=np.concatenate([_numbers(table), _numbers(test)]),
        other=test.source,
        of_other=of_test,
    )
    return whole, of_test


def check_test_rows(table: Table, of_test: np.ndarray, schema: Schema) -> None:
    """`InputError` where rows that were given to test on, or those that are left to train on, cannot serve for that.

    Parameters
    ----------
    table : the usable rows of what `joined` gave.
    of_test : true for each test row.
    schema : of all of them.
    """
    own, given = int((~of_test).sum()), int(of_test.sum())
    if not given:
        known = f"a {schema.target} that can be learnt" + (f" and a {schema.time}" if schema.time else "")
        raise InputError(f"{table.other} has no row with {known}: there is nothing to test on.")
    if own < MINIMUM_ROWS:
        raise InputError(
            f"{table.source} has {own} row{'s' if own > 1 else ''} with a target; at least {MINIMUM_ROWS} are needed to train."
        )
    if not schema.classes:
        return
    codes = np.asarray(pc.index_in(cells.labels(table.column(schema.target)), value_set=pa.array(schema.classes)).to_numpy())
    counts = np.bincount(codes[~of_test], minlength=len(schema.classes))
    for label, count in zip(schema.classes, counts, strict=True):
        if count < 2:
            rows = "1 row" if count else "no row"
            raise InputError(
                f"class {label!r} of {schema.target!r} has {rows} in {table.source} but others in {table.other}; "
                f"at least 2 are needed, one each to train and validate."
            )
    if len(np.unique(codes[of_test])) < 2:
        only = schema.classes[int(codes[of_test][0])]
        raise InputError(
            f"{table.other} has rows of one class only, {only!r} in {schema.target!r}, which measure nothing: "
            "give test rows of two classes at least."
        )


def notes_of_test(table: Table, of_test: np.ndarray, schema: Schema) -> list[Note]:
    """What a person should know of the given test rows; the parameters are those of `check_test_rows`."""
    notes = [Note(None, f"{int(of_test.sum()):,} rows of {table.other} are the test rows; they train and choose nothing.")]
    groups, times = group_values(table, schema), time_values(table, schema)
    if groups is not None:
        both = np.intersect1d(groups[of_test], groups[~of_test])
        if len(both):
            words = "1 value of it is" if len(both) == 1 else f"{len(both):,} values of it are"
            told = f"{words} in {table.other} and in {table.source}: the test says less of new groups than of these."
            notes.append(Note(schema.group, f"{schema.group}: {told}"))
    if times is not None:
        early = int((times[of_test] <= times[~of_test].max()).sum())
        if early:
            words = "1 row is" if early == 1 else f"{early:,} rows are"
            told = f"{words} not later than the last of {table.source}: the test says less of what is to come."
            notes.append(Note(schema.time, f"{schema.time}: of {table.other} {told}"))
    return notes


def _with_columns_that_tell_nothing(table: Table, test: Table, ignored: Collection[str]) -> Table:
    """``test`` with the columns of ``table`` that it lacks and nobody reads: ignored ones empty, constant ones as they are."""
    made, present = {}, {*test.columns}
    for name in table.columns:
        column = table.column(name)
        if name in present:
            continue
        if name in ignored:
            made[name] = pa.nulls(test.rows, column.type)
        elif _is_constant(column):
            made[name] = column.take(pa.array([0] * test.rows, pa.int64()))
    return replace(test, frame=pa.table({**{name: test.column(name) for name in test.columns}, **made})) if made else test


def _is_constant(column: pa.ChunkedArray) -> bool:
    alike = len(column) > 1 and not pa.types.is_nested(column.type) and not column.null_count
    return alike and len(pc.unique(column)) == 1


def _check_columns(table: Table, test: Table) -> None:
    present = {*test.columns}
    others = present - {*table.columns}
    missing = [name for name in table.columns if name not in present]
    if not missing:
        return
    what = "a column" if len(missing) == 1 else f"{len(missing)} columns"
    named = "; ".join(f"{name!r}{nearest(name, others)}" for name in missing[:10])
    more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
    end = "" if (named + more).endswith("?") else "."
    raise InputError(f"{test.source} lacks {what} of {table.source}: {named}{more}{end}")


def _numbers(table: Table) -> np.ndarray:
    return np.arange(table.rows) + table.first_row if table.row_numbers is None else table.row_numbers


def _below(name: str, table: Table, test: Table) -> pa.ChunkedArray:
    """A column of both tables."""
    first, second = table.column(name), test.column(name)
    if pa.types.is_dictionary(first.type) or pa.types.is_dictionary(second.type):  # categories, whatever they look like
        labels = [cells.labels(part) for part in (first, second)]
        return pa.chunked_array([*labels[0].chunks, *labels[1].chunks], pa.string()).dictionary_encode()
    parts = [_wide(part) for part in (first, second)]
    wanted = _common([part.type for part in parts])
    try:
        cast = [_text(part) if wanted == pa.string() else pc.cast(part, wanted) for part in parts]
    except pa.ArrowException:
        raise InputError(
            f"column {name!r} holds cells of the type {second.type} in {test.source}, "
            f"but {table.source} holds {first.type} there."
        ) from None
    return pa.chunked_array([*cast[0].chunks, *cast[1].chunks], wanted)


def _common(kinds: list[pa.DataType]) -> pa.DataType:
    """A type that holds the cells of both."""
    first, second = kinds
    if pa.types.is_null(first) or pa.types.is_null(second) or first == second:
        return second if pa.types.is_null(first) else first
    numbers = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds)
    if numbers and pa.uint64() not in kinds:  # which float64 does not hold
        return pa.float64()
    if all(pa.types.is_timestamp(kind) for kind in kinds) and first.tz == second.tz:
        return pa.timestamp("us", first.tz)
    return pa.string()


def _wide(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whole numbers as wide as they come."""
    narrow = pa.types.is_integer(column.type) and column.type != pa.uint64()
    return pc.cast(column, pa.int64()) if narrow else column


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers as a spreadsheet writes them (1, not 1.0), missing ones missing."""
    return cells.labels(column) if pa.types.is_floating(column.type) else pc.cast(column, pa.string())
