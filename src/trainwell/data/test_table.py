"""A table whose test rows were given as another table: both as one, and which rows are the test."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainwell.data.tables import Table
from trainwell.errors import InputError, listed, nearest


def joined(table: Table, test: Table) -> tuple[Table, np.ndarray]:
    """(the rows of ``table`` and below them those of ``test``, true for each of the latter).

    The columns are those of ``table``; others of ``test`` are passed over. A column that is numbers in one and text in the
    other is taken as text, as if both had been one file.

    Raises
    ------
    InputError : ``test`` has no rows, or lacks columns of ``table``; all of them are named.
    """
    if not test.rows:
        raise InputError(f"{test.source} has no rows to test on.")
    missing = [
        f"{name!r}{nearest(name, set(test.columns) - set(table.columns))}" for name in table.columns if name not in test.columns
    ]
    if missing:
        what = "a column" if len(missing) == 1 else f"{len(missing)} columns"
        named = listed(missing, 10)
        raise InputError(f"{test.source} lacks {what} of {table.source}: {named}" + ("" if named.endswith("?") else "."))
    columns = {name: _below(table.column(name), test.column(name)) for name in table.columns}
    numbers = [_numbers(part) for part in (table, test)]
    whole = replace(
        table,
        frame=pa.table(columns),
        notes=(*table.notes, *(note for note in test.notes if note not in table.notes)),
        row_numbers=np.concatenate(numbers),
    )
    return whole, np.arange(whole.rows) >= table.rows


def _numbers(table: Table) -> np.ndarray:
    return np.arange(table.rows) + table.first_row if table.row_numbers is None else table.row_numbers


def _below(first: pa.ChunkedArray, second: pa.ChunkedArray) -> pa.ChunkedArray:
    if first.type != second.type:
        first, second = (_plain(part) for part in (first, second))
    if first.type != second.type:
        both = pa.int64(), pa.float64()
        wanted = pa.float64() if {first.type, second.type} <= set(both) else pa.string()
        first, second = (pc.cast(part, wanted) for part in (first, second))
    return pa.chunked_array([*first.chunks, *second.chunks], first.type)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without a dictionary, and numbers as wide as they come."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return pc.cast(column, kind.value_type)
    if pa.types.is_integer(kind):
        return pc.cast(column, pa.int64())
    if pa.types.is_floating(kind):
        return pc.cast(column, pa.float64())
    return pc.cast(column, pa.string()) if pa.types.is_large_string(kind) else column
