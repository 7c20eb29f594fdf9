"""What a column is for: number, category, date; or text, identifier, constant, which do not reach the network."""

import re
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainwell.data import cells, dates
from trainwell.data.tables import Table

Role = Literal["numeric", "category", "date", "text", "identifier", "constant", "ignored", "target", "group", "time"]
FEATURES = ("numeric", "category", "date")  # the roles that reach the network

# All chosen. They decide what is ignored, and every ignored column is told to the user, who can overrule it.
IDENTIFIER_SHARE = 0.5  # more different texts than half the rows: too few rows a level to learn from
IDENTIFIER_ROWS = 20  # in fewer rows, numbers that run in sequence are no evidence
TEXT_WORDS = 5  # a category is a name, seldom five words long
TEXT_SHARE = 0.2  # and its levels come again
LEVELS_KEPT = 1000  # more levels than this are counted, not listed, in the schema

_ID_WORDS = {"id", "uid", "udi", "uuid", "guid", "ids", "rowid", "index", "idx", "rownames", "unnamed", "nr"}


class Note(NamedTuple):
    """Something noticed, inferred or ignored: the column (None for the whole table) and one plain sentence."""

    column: str | None
    message: str


@dataclass(frozen=True)
class Column:
    """One column of a table as the rest of the program sees it.

    Parameters
    ----------
    name : as in the table.
    role : what the column is for.
    why : why it has this role, where that is not plain.
    style : how its numbers or dates are written (`cells.number_style`, `dates.date_style`).
    missing : cells that are empty, unreadable or infinite.
    distinct : different values among the others.
    levels : of a category, the commonest first; None where they are more than 1,000.
    """

    name: str
    role: Role
    why: str = ""
    style: str = ""
    missing: int = 0
    distinct: int = 0
    levels: tuple[str, ...] | None = None


def infer_role(table: Table, name: str, forced: Literal["numeric", "category", None] = None) -> tuple[Column, list[Note]]:
    """The column's role, and what was noticed on the way."""
    column = table.column(name)
    missing = int(cells.missing_mask(column).sum())
    if not (cells.is_text(column) or cells.is_number(column) or cells.is_date(column) or cells.is_category(column)):
        if missing < table.rows:
            return _left_out(name, "ignored", f"its cells are of the type {column.type}", missing)
        return _left_out(name, "ignored", "every cell is missing", missing)
    if missing == table.rows:
        return _left_out(name, "ignored", "every cell is missing", missing)
    if forced == "category" or (cells.is_category(column) and forced is None):
        return _category(name, column, missing, forced)
    if style := cells.number_style(column):
        return _numeric(table, name, style, forced)
    if written := dates.date_style(column):
        return _date(table, name, written)
    if forced == "numeric":
        return _numeric(table, name, "plain", forced)
    return _text(name, column, missing)


def unreadable_note(table: Table, name: str, found: np.ndarray, what: str) -> list[Note]:
    """How many cells are not what the column holds, with the first of them."""
    if not found.any():
        return []
    count, position = int(found.sum()), int(np.argmax(found))
    cell, row = str(table.column(name)[position].as_py())[:40], table.row_name(position)
    many = f"{count:,} cells of {name!r} are" if count > 1 else f"1 cell of {name!r} is"
    return [Note(name, f"{many} {what} (for example {cell!r} in row {row}): treated as missing.")]


def _numeric(table: Table, name: str, style: str, forced: str | None) -> tuple[Column, list[Note]]:
    column = table.column(name)
    read = cells.numbers(column, style)
    missing = int(np.isnan(read.values).sum())
    notes = unreadable_note(table, name, read.unreadable, "no number") + unreadable_note(
        table, name, read.infinite, "infinite or too large"
    )
    if missing == table.rows:
        column_made, more = _left_out(name, "ignored", "no cell holds a finite number", missing)
        return column_made, notes + more
    whole = pa.types.is_integer(column.type)  # a float64 does not tell those beyond 2^53 apart
    distinct = len(pc.unique(column.drop_null())) if whole else count_distinct(read.values)
    if distinct == 1 and not missing:
        column_made, more = _left_out(name, "constant", f"it is {_first(column)!r} in every row", missing, distinct)
        return column_made, notes + more
    if forced is None and (why := _numbers_identify(name, read.values, distinct)):
        return _left_out(name, "identifier", why, missing, distinct)
    if style != "plain":
        notes.append(Note(name, f"{name} holds numbers written like {_first(column)!r}: read as such."))
    return Column(name, "numeric", style=style, missing=missing, distinct=distinct), notes


def _numbers_identify(name: str, values: np.ndarray, distinct: int) -> str:
    """Why whole numbers, all different and none missing, number the rows; empty where they measure something."""
    rows = len(values)
    if distinct < rows or rows < IDENTIFIER_ROWS or not (values == np.floor(values)).all():
        return ""
    if values.max() - values.min() == rows - 1:
        return "whole numbers in sequence, one for each row"
    return "a different whole number in each row and a name that says so" if has_id_name(name) else ""


def has_id_name(name: str) -> bool:
    """Whether a name says identifier: ``customer_id``, ``PassengerId``, ``id``, but not ``paid``."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return any(word.lower() in _ID_WORDS for word in words)


def _date(table: Table, name: str, style: str) -> tuple[Column, list[Note]]:
    column = table.column(name)
    read = dates.seconds(column, style)
    missing = int(np.isnan(read.values).sum())
    distinct = count_distinct(read.values)
    notes = unreadable_note(table, name, read.unreadable, "no date")
    if distinct == 1 and not missing:
        return _left_out(name, "constant", f"it is {_first(column)!r} in every row", missing, distinct)
    if dates.is_ambiguous(column, style):
        notes.append(Note(name, f"{name} reads as {style}, but day and month could be exchanged: write dates as 2024-12-31."))
    return Column(name, "date", style=style, missing=missing, distinct=distinct), notes


def _text(name: str, column: pa.ChunkedArray, missing: int) -> tuple[Column, list[Note]]:
    filled = column.drop_null()
    rows, texts = len(filled), pc.unique(filled)
    distinct = len(texts)
    if distinct > TEXT_SHARE * rows and cells.words_per_cell(texts) >= TEXT_WORDS:
        return _left_out(name, "text", "free text", missing, distinct)
    if rows >= IDENTIFIER_ROWS and (distinct == rows or distinct > IDENTIFIER_SHARE * rows):
        why = f"{distinct:,} different values in {rows:,} rows"
        return _left_out(name, "identifier", why, missing, distinct)
    return _category(name, column, missing, None)


def _category(name: str, column: pa.ChunkedArray, missing: int, forced: str | None) -> tuple[Column, list[Note]]:
    levels = level_counts(column)
    if len(levels) == 1 and not missing:
        return _left_out(name, "constant", f"it is {next(iter(levels))!r} in every row", missing, 1)
    why = "named as a category" if forced else ""
    notes = []
    if len(levels) > LEVELS_KEPT:
        notes.append(
            Note(name, f"{name} has {len(levels):,} categories: the commonest are told apart, the rest share one place.")
        )
    kept = tuple(levels) if len(levels) <= LEVELS_KEPT else None
    return Column(name, "category", why, missing=missing, distinct=len(levels), levels=kept), notes


def level_counts(column: pa.ChunkedArray) -> dict[str, int]:
    """Every label with its number of rows, the commonest first, equals in the order of their text."""
    counted = pc.value_counts(cells.labels(column).drop_null())
    pairs = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))


def count_distinct(values: np.ndarray) -> int:
    return int(pc.count_distinct(pa.array(values[np.isfinite(values)])).as_py())


def _first(column: pa.ChunkedArray) -> Any:
    return str(column.drop_null()[0].as_py())


_LOOKS = {
    "identifier": "looks like an identifier",
    "text": "is free text",
    "constant": "is constant",
    "ignored": "is of no use",
}


def _left_out(name: str, role: Role, why: str, missing: int, distinct: int = 0) -> tuple[Column, list[Note]]:
    reason = "" if role == "text" else f" ({why})"
    return Column(name, role, why, missing=missing, distinct=distinct), [Note(name, f"{name} {_LOOKS[role]}{reason}: ignored.")]
