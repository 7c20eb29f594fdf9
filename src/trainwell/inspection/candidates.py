"""Columns that look like the name of a group of rows, or like a clock.

A group: whole numbers or labels, five or more, that come again, and that either stand in unbroken runs of rows, or are called
so (``subject``, ``unit_id``), or by which two or more other features are fixed (the age and the sex of a patient). Labels that
are all different but consist of a name and a number (``309_1``) are taken for their name.

A clock: dates; or whole numbers that number the rows in their order; or numbers in ascending order from the first row to the
last.
"""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from trainwell.data import cells, dates
from trainwell.data.groups import PREFIX, before_number
from trainwell.data.roles import Column, has_id_name
from trainwell.data.schema import Schema
from trainwell.data.tables import Table
from trainwell.inspection.inspected import Inspected
from trainwell.inspection.quick_models import filled
from trainwell.inspection.remarks import MOST_LETTERS

FEWEST_GROUPS = 5  # chosen: fewer cannot be held out by turns
ROWS_A_GROUP = 3.0  # chosen: fewer rows on average flatter little
UNBROKEN = 1.2  # chosen: runs of rows for each group; parkinsons and cmapss have 1, a shuffled column has hundreds
FIXED_FEATURES, FIXED_GROUPS = 2, 10  # chosen: one feature that follows from a column is a hierarchy, as a zone has a borough
CLOCK_VALUES = 20  # chosen: an ascending column of fewer is a table sorted by a category
MOST_FIXED = 200  # chosen: features that are looked at for that
SAME_ORDER = 0.99  # chosen: rank correlation of two clocks that are one
DATES = "it holds dates"
PART_OF_GROUPS = 0.5  # chosen: a feature fixed by a group that takes more values than this share of the groups says the same
_WORDS = {
    "subject",
    "patient",
    "person",
    "participant",
    "user",
    "customer",
    "client",
    "household",
    "family",
    "mouse",
    "animal",
    "unit",
    "engine",
    "machine",
    "device",
    "sensor",
    "session",
    "speaker",
    "group",
    "site",
}  # fmt: skip  (chosen: what data are taken from several times)
USED = ("numeric", "category", "identifier", "ignored", "group")


@dataclass(frozen=True)
class Candidate:
    """A column that may say which rows belong together, or which came first.

    Parameters
    ----------
    name : of the column.
    kind : ``"group"`` or ``"time"``.
    values : float64, one for each row of the table: a number for the group, or the time; NaN where it is missing.
    why : what makes it look so.
    """

    name: str
    kind: str
    values: np.ndarray
    why: str


def groups(table: Table, schema: Schema, inspected: Inspected) -> list[Candidate]:
    """Columns that look like groups.

    Parameters
    ----------
    table, schema : the usable rows in the order of the file.
    inspected : some of them, to see which features a group fixes.
    """
    features = filled(inspected.values[:, :MOST_FIXED])
    found = []
    for column in schema.columns:
        if column.role not in USED or not (read := _group_codes(table, column)):
            continue
        codes, told = read
        sizes = np.bincount(codes[codes >= 0])
        sizes = sizes[sizes > 0]
        if len(sizes) < FEWEST_GROUPS or sizes.sum() < ROWS_A_GROUP * len(sizes) or sizes.max() > 0.5 * len(codes):
            continue
        why = _why_group(column.name, codes, len(sizes)) or _fixing(codes[inspected.rows], features)
        if why or told:
            found.append(Candidate(column.name, "group", np.where(codes >= 0, codes, np.nan), told or why))
    return found


def different(clocks: list[Candidate]) -> list[Candidate]:
    """Clocks without those that order the rows as an earlier one does, dates first."""
    kept: list[Candidate] = []
    for clock in sorted(clocks, key=lambda clock: clock.why != DATES):
        if not any(_same_order(clock.values, other.values) for other in kept):
            kept.append(clock)
    return kept


def _same_order(first: np.ndarray, second: np.ndarray) -> bool:
    both = np.flatnonzero(np.isfinite(first) & np.isfinite(second))
    if len(both) < 3:
        return True
    ranks = [values[both].argsort(kind="stable").argsort(kind="stable").astype(float) for values in (first, second)]
    return bool(np.corrcoef(ranks[0], ranks[1])[0, 1] > SAME_ORDER)


def _group_codes(table: Table, column: Column) -> tuple[np.ndarray, str] | None:
    """(a whole number for the group of each row, -1 where missing; what was done to see it)."""
    cells_of = table.column(column.name)
    if column.role in ("ignored", "group") and not (cells.is_text(cells_of) or cells.is_number(cells_of)):
        return None
    style = column.style if column.role == "numeric" else None if column.role == "category" else cells.number_style(cells_of)
    if style:
        values = cells.numbers(cells_of, style).values
        known = np.isfinite(values)
        if not known.any() or not (values[known] == np.floor(values[known])).all():
            return None
        codes = np.full(len(values), -1)
        codes[known] = np.unique(values[known], return_inverse=True)[1]
        return codes, ""
    if column.role != "category" and dates.date_style(cells_of):
        return None
    labels = cells.labels(cells_of)
    told = ""
    if column.role == "identifier" or column.style == PREFIX:
        shortened = before_number(labels)
        if shortened is None:
            return None
        labels, told = shortened, "its values are a name and a number, and the names come again"
    coded = labels.combine_chunks().dictionary_encode()
    return np.asarray(pc.fill_null(coded.indices, -1), np.int64), told


def _why_group(name: str, codes: np.ndarray, groups: int) -> str:
    if 1 + int((codes[1:] != codes[:-1]).sum()) <= UNBROKEN * groups:
        return "rows with the same value stand together"
    words = set(re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name[:MOST_LETTERS]).lower()))
    return "its name says so" if has_id_name(name[:MOST_LETTERS]) or words & _WORDS else ""


def _fixing(codes: np.ndarray, features: np.ndarray) -> str:
    """Whether some features have one value in each group, and fewer values than there are groups."""
    groups = len(np.unique(codes))
    if groups < FIXED_GROUPS or len(codes) < ROWS_A_GROUP * groups:
        return ""
    order = np.argsort(codes, kind="stable")
    same = codes[order][1:] == codes[order][:-1]
    count = 0
    for values in features[order].T:
        fixed = not ((values[1:] != values[:-1]) & same).any()
        count += fixed and 2 <= len(np.unique(values)) <= PART_OF_GROUPS * groups
    return "other features never change within one of its values" if count >= FIXED_FEATURES else ""


def clocks(table: Table, schema: Schema) -> list[Candidate]:
    """Columns that look like a clock: dates, a running index, numbers that only ever grow; none where one splits already."""
    found: list[Candidate] = []
    if any(column.role == "time" for column in schema.columns):
        return found
    for column in schema.columns:
        if column.role == "target":
            continue
        cells_of = table.column(column.name)
        style = column.style if column.role == "date" else None
        if style is None and column.role in ("ignored", "identifier") and cells.number_style(cells_of) is None:
            style = dates.date_style(cells_of)
        if style:
            found.append(Candidate(column.name, "time", dates.seconds(cells_of, style).values, DATES))
        elif column.role not in ("constant", "category", "text", "group") and (
            number := column.style or cells.number_style(cells_of)
        ):
            values = cells.numbers(cells_of, number).values
            if np.isfinite(values).all() and (np.diff(values) >= 0).all() and len(np.unique(values)) >= CLOCK_VALUES:
                found.append(Candidate(column.name, "time", values, "it only grows from the first row to the last"))
    return found
