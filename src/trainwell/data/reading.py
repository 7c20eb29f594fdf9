"""Cells of a table's column, read in the way that the training column was read."""

from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainwell.data import cells, dates
from trainwell.data.arrow_arrays import numpy_of, of_levels
from trainwell.data.encoders import ColumnEncoder, Date, Embedded, Read, Switches
from trainwell.data.roles import Note, unreadable_note
from trainwell.data.tables import Table
from trainwell.errors import InputError

BYTES = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)


def read_column(column: ColumnEncoder, table: Table, part: bool = False) -> Read:
    """The cells of a table's column in the way that the training column was read, and notes on those that do not fit.

    `InputError` where none of them reads, but for a ``part`` of a table."""
    cells_of = table.column(column.name)
    if isinstance(column, Switches | Embedded):
        return _read_levels(column, table)
    if isinstance(column, Date):
        values, unreadable = dates.seconds(cells_of, column.style)
        what, notes = "date", []
    else:
        values, unreadable, infinite = cells.numbers(cells_of, column.style)
        what, notes = "number", unreadable_note(table, column.name, infinite, "infinite or too large")
    missing = np.isnan(values)
    if unreadable.any() and missing.all() and not part:
        _nothing_read(table, column.name, unreadable, what)
    notes += unreadable_note(table, column.name, unreadable, f"no {what}")
    return Read(values, missing, notes + _missing_notes(column, missing))


def _read_levels(column: Switches | Embedded, table: Table) -> Read:
    cells_of = table.column(column.name)
    if pa.types.is_nested(cells_of.type) or any(is_bytes(cells_of.type) for is_bytes in BYTES):
        raise InputError(
            f"column {column.name!r} of {table.source} holds cells of the type {cells_of.type}, "
            "but it held categories in training."
        )
    texts = cells.labels(cells_of)
    missing = numpy_of(pc.is_null(texts))
    words, numbers = _known(column.levels)
    found = np.asarray(numpy_of(pc.index_in(texts, value_set=of_levels(words)).fill_null(-1)), np.int32)
    values = numbers[found + 1]
    notes = _missing_notes(column, missing)
    unseen = (values == 0) & ~missing
    if unseen.any():
        position = int(np.argmax(unseen))
        cell, row, count = texts[position].as_py(), table.row_name(position), int(unseen.sum())
        many = f"{count:,} cells of {column.name!r} hold" if count > 1 else f"1 cell of {column.name!r} holds"
        message = f"{many} a category that training rows had seldom or never (for example {cell!r} in row {row}): "
        notes.append(Note(column.name, message + "treated as unknown."))
    return Read(values, missing, notes)


@lru_cache(maxsize=1024)  # as `of_levels`
def _known(levels: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray]:
    """(every text that is a level, behind 0 for none the number of the level that it is): a boolean is true in any spelling."""
    others = cells.spellings(levels)
    numbers = [*range(len(levels) + 1), *(levels.index(level) + 1 for level in others.values())]
    return (*levels, *others), np.array(numbers, np.int32)


def _nothing_read(table: Table, name: str, unreadable: np.ndarray, what: str) -> None:
    position = int(np.argmax(unreadable))
    cell, row = str(table.column(name)[position].as_py())[:40], table.row_name(position)
    raise InputError(
        f"column {name!r} of {table.source} holds no {what} in any row (for example {cell!r} in row {row}), "
        f"but it held {what}s in training."
    )


def _missing_notes(column: ColumnEncoder, missing: np.ndarray) -> list[Note]:
    if column.missing or not missing.any():
        return []
    instead = "no level" if isinstance(column, Switches) else "the middle of the training rows"
    count = int(missing.sum())
    return [Note(column.name, f"{count:,} missing in {column.name!r}, none in training rows: {instead} is used.")]
