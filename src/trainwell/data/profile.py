"""What a person should see of a table before anything is trained: plain numbers, column by column."""

from typing import Any

import numpy as np

from trainwell.data import cells, dates
from trainwell.data.roles import Column, level_counts
from trainwell.data.schema import Schema, target_values, usable_rows
from trainwell.data.tables import Table

TOP_LEVELS = 10
QUANTILES = {"minimum": 0.0, "lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75, "maximum": 1.0}
HISTOGRAM_BINS = 20
SMALL = 1e-290  # chosen: a bin's width among numbers above stays a float64
SAME = 1e-12  # chosen: of the size; numbers so close do not fill more bins than one


def profile(table: Table, schema: Schema) -> dict[str, Any]:
    """Rows, the target and every column, as a dict that JSON can hold.

    Returns
    -------
    dict with ``name``, ``source``, ``rows``, ``usable_rows``, ``task``, ``target`` (counts of the classes, or quantiles) and
    ``columns``: one dict each with name, role, why, missing and distinct (of all rows of the file), missing_share (of the rows
    of ``table``); and quantiles, mean, standard deviation
    and histogram of numbers, first and last of dates, the commonest levels of categories with their counts.
    """
    return {
        "name": table.name,
        "source": table.source,
        "rows": table.rows,
        "usable_rows": len(usable_rows(table, schema)),
        "task": schema.task,
        "target": _target(table, schema),
        "columns": [_column(table, column) for column in schema.columns],
    }


def _target(table: Table, schema: Schema) -> dict[str, Any]:
    values = target_values(table.take(usable_rows(table, schema)), schema)
    if schema.task == "regression":
        return {"name": schema.target, **_spread(values)}
    counts = np.bincount(values, minlength=len(schema.classes))
    classes = {label: int(count) for label, count in zip(schema.classes, counts, strict=True)}
    return {"name": schema.target, "classes": classes, "shares": {label: n / len(values) for label, n in classes.items()}}


def _column(table: Table, column: Column) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": column.name,
        "role": column.role,
        "why": column.why,
        "missing": column.missing,
        "missing_share": 0.0,
        "distinct": column.distinct,
    }
    cells_of = table.column(column.name)
    absent = cells.missing_mask(cells_of)
    if column.role == "numeric":
        values = cells.numbers(cells_of, column.style).values
        absent = np.isnan(values)
        made |= _spread(values)
    elif column.role == "date":
        values = dates.seconds(cells_of, column.style).values
        absent = np.isnan(values)
        made |= _range(values)
    elif column.role == "category":
        made["levels"] = dict(list(level_counts(cells_of).items())[:TOP_LEVELS])
    return made | {"missing_share": float(np.mean(absent))}


def _spread(values: np.ndarray) -> dict[str, Any]:
    values = values[np.isfinite(values)]
    if not len(values):  # all that was known stood in rows that cannot be used
        return {}
    size = np.abs(values).max()
    unit = size if 0 < size < SMALL else 1.0
    values = values / unit
    apart = np.ptp(values)
    counts, edges = np.histogram(values, bins=1 if 0 < apart < SAME * size / unit else HISTOGRAM_BINS)
    return {
        "quantiles": {name: float(np.quantile(values, at) * unit) for name, at in QUANTILES.items()},
        "mean": float(values.mean() * unit),
        "standard_deviation": float(values.std() * unit),
        "histogram": {"edges": (edges * unit).tolist(), "counts": counts.tolist()},
    }


def _range(values: np.ndarray) -> dict[str, Any]:
    if np.isnan(values).all():
        return {}
    first, last = (np.datetime64(int(pick(values)), "s") for pick in (np.nanmin, np.nanmax))
    return {"first": str(first), "last": str(last)}
