"""From X, y, weights and groups, as scikit-learn hands them over, to the table that the recipe takes.

Rows come in an order of their own, whatever order they were given in, and whole-number weights are repetitions: so a weight of
two, and the same row twice, give the same network to the last bit. Copies of a row stay together: torn between the rows that
train and those that measure, they would flatter every score. Weights that all rows share say nothing, and those of classes are
no repetitions.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from trainwell.data import cells, dates
from trainwell.data.schema import MINIMUM_ROWS
from trainwell.data.tables import Table, read_table
from trainwell.data.target import CLASS_ROWS

MOST_REPEATED = 10  # chosen: times as many rows that whole-number weights may make; beyond it weights stay weights
FEW_REPEATED = 1000  # chosen: rows that are never too many


def is_frame(X: Any) -> bool:
    """Whether it is a data frame with named columns (pandas, Polars, Arrow or another that narwhals knows)."""
    import narwhals as nw

    return not isinstance(X, np.ndarray | list | tuple) and nw.dependencies.is_into_dataframe(X)


def features(X: Any, names: tuple[str, ...] = (), unsigned: Collection[str] | None = None) -> Table:
    """A data frame, or an array whose columns are called x0, x1, ...; or other names, given in their order.

    ``unsigned`` are names of columns in which a minus alone is a missing cell; found out when left out.
    """
    given = _frame_names(X) if is_frame(X) else [f"x{place}" for place in range(X.shape[1])]
    if unsigned is not None:
        unsigned = {own for own, name in zip(given, names or given, strict=True) if name in unsigned}
    source = X if is_frame(X) else {name: X[:, place] for place, name in enumerate(given)}
    table = read_table(source, unsigned=unsigned)
    return replace(table, frame=table.frame.rename_columns(list(names))) if names else table


def _frame_names(X: Any) -> list[str]:
    import narwhals as nw

    return [str(name) for name in nw.from_native(X, eager_only=True).columns]


def own_name(wanted: str, table: Table) -> str:
    """A name that no column of the table has."""
    while wanted in table.columns:
        wanted += "_"
    return wanted


def with_column(table: Table, name: str, values: Any) -> Table:
    return replace(table, frame=table.frame.append_column(name, pa.chunked_array([pa.array(values, from_pandas=True)])))


def class_names(classes: np.ndarray) -> list[str]:
    """What the classes are called in the table: by themselves where that is plain text in the same order, else numbered.

    A table has 1, 1.0 and "1.0" as one label, "1", so the classes get the names that it gives them.
    """
    as_table = cells.labels(pa.chunked_array([pa.array([str(one).strip() for one in classes], pa.string())]))
    names = as_table.to_pylist()
    plain = not cells.missing_mask(cells.clean(as_table)[0]).any() and not dates.date_style(as_table)
    if plain and len(set(names)) == len(names) and _in_order(names):
        return names
    return [str(place) for place in range(len(classes))]


def _in_order(names: list[str]) -> bool:
    try:
        return sorted(names, key=float) == names
    except ValueError:
        return sorted(names) == names


def counted(
    table: Table, weights: np.ndarray | None, target: np.ndarray | None, class_weights: np.ndarray | None = None
) -> Table:
    """The table with rows in their own order and as much of each as its weight says.

    Parameters
    ----------
    table : all rows, target and groups included.
    weights : (rows,) from 0 on, or None.
    target : (rows,) class numbers, or None for a regression. Of a class too rare to train, validate and test on, and of a table
        that is too small as a whole, rows are repeated, and the copies share the weight.
    class_weights : (rows,) from 0 on, what the class of each row weighs, or None; these make no repetitions.
    """
    repeats, weights = _repeats(weights, table.rows)
    if class_weights is not None:
        repeats = repeats * (class_weights > 0)
        weights = class_weights if weights is None else weights * class_weights
    rows = np.repeat(np.arange(table.rows), repeats)
    keys = np.stack([_sortable(column)[rows].astype(np.float64) for column in table.frame.columns])
    order = np.lexsort(keys)
    rows, keys = rows[order], keys[:, order]
    same = _same_rows(keys, bool(repeats.max(initial=0) > 1), None if target is None else target[rows])
    copies = _copies(None if target is None else target[rows], len(rows))
    if copies.max(initial=1) > 1:
        weights = np.ones(table.rows) if weights is None else weights
    shared = None if weights is None else np.repeat(weights[rows] / copies, copies)
    taken = table.take(np.repeat(rows, copies))
    if same is not None and copies.max(initial=1) == 1:  # else there are too few rows to be kept together
        taken = replace(taken, copies=same)
    return taken if shared is None else replace(taken, weights=shared / shared.mean())


def _same_rows(keys: np.ndarray, repeated: bool, target: np.ndarray | None) -> np.ndarray | None:
    """(rows,) equal numbers for copies of a row; None where there are none.

    Equal rows of which no weight says that they are copies are taken for such as long as equal features always have the same
    target; else features have so few values that rows are equal by chance. Of a class too rare to be held out as wholes, and
    of a table that is, copies are rows of their own.

    Parameters
    ----------
    keys : (columns, rows) in their order, the target last.
    repeated : whether weights made copies.
    target : (rows,) class numbers, or None for a regression.
    """
    keys = np.where(np.isnan(keys), np.inf, keys)  # missing cells are equal
    differs = keys[:, 1:] != keys[:, :-1]
    alike = ~differs[:-1].any(axis=0)
    copies = alike & ~differs[-1]
    if not copies.any() or (not repeated and _clash(keys)):
        return None
    number = np.concatenate([[0], np.cumsum(~copies)])
    apart = np.zeros(len(number), bool)
    for label in [] if target is None else np.unique(target):
        own = target == label
        apart |= own & (len(np.unique(number[own])) < CLASS_ROWS)
    number = np.where(apart, number.max() + 1 + np.arange(len(number)), number)
    kept = len(np.unique(number))
    return number if MINIMUM_ROWS <= kept < len(number) else None


def _clash(keys: np.ndarray) -> bool:
    """Whether rows with equal features have different targets."""
    features = keys[:-1, np.lexsort(keys[:-1])] if len(keys) > 1 else np.zeros((1, keys.shape[1]))
    target = keys[-1, np.lexsort(keys[:-1])] if len(keys) > 1 else keys[-1]
    alike = ~(features[:, 1:] != features[:, :-1]).any(axis=0)
    return bool((alike & (target[1:] != target[:-1])).any())


def _repeats(weights: np.ndarray | None, rows: int) -> tuple[np.ndarray, np.ndarray | None]:
    """(how often each row is there, what each weighs): whole numbers that differ are repetitions where they are few."""
    if weights is None:
        return np.ones(rows, int), None
    if len(np.unique(weights[weights > 0])) == 1:
        return (weights > 0).astype(int), None
    whole = (weights == np.floor(weights)).all() and weights.sum() <= max(FEW_REPEATED, MOST_REPEATED * rows)
    if whole:
        return weights.astype(int), None
    return (weights > 0).astype(int), weights


def _copies(target: np.ndarray | None, rows: int) -> np.ndarray:
    """How many copies of each row it takes, so that rows can be held out."""
    copies = np.ones(rows, int)
    if target is not None:
        _, inverse, counts = np.unique(target, return_inverse=True, return_counts=True)
        copies = -(-CLASS_ROWS // counts)[inverse]
    return copies * -(-MINIMUM_ROWS // int(copies.sum()))


def _sortable(column: pa.ChunkedArray) -> np.ndarray:
    """Numbers that order the cells of a column, equal ones for equal cells."""
    if cells.is_number(column):
        return column.cast(pa.float64(), safe=False).to_numpy()
    if pa.types.is_nested(column.type):  # no feature, but part of the order all the same
        column = pa.chunked_array([pa.array([str(cell) for cell in column.to_pylist()])])
    coded = cells.labels(column).combine_chunks().dictionary_encode()
    rank = np.argsort(np.argsort(coded.dictionary.to_pylist()))
    return np.append(rank, -1)[np.asarray(coded.indices.fill_null(-1))]
