"""Rows to check an exported model on: those of the run's table, and rows drawn over all that the columns can hold."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainwell.data import cells
from trainwell.data.dates import STYLES
from trainwell.data.encode import Encoder
from trainwell.data.encoders import Date, Embedded, Measurement, Switches, TwoNumbers
from trainwell.data.tables import Table, read_table
from trainwell.errors import InputError

ROWS = 2000  # chosen: of the table, and of those drawn: enough to meet every column's rare cells
MOST_BYTES = 500_000_000  # chosen: of a table that is read for it
RARE = 0.08  # chosen: share of the drawn cells that are missing, unseen or far out, of each
UNSEEN = "a level that no row had"
NO_DATES = ("", "soon", "2023-02-30", "31/31/2024", "2023-13-01", "NA")


def table_of_run(folder: Path, encoder: Encoder) -> Table | None:
    """Some rows of the table that the run was made from, where it still lies there and has the columns."""
    try:
        source = Path(json.loads((folder / "config.json").read_text(encoding="utf-8"))["source"])
        if not source.is_file() or source.stat().st_size > MOST_BYTES:
            return None
        table = read_table(source, unsigned=encoder.unsigned)
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return None
    if not {column.name for column in encoder.columns} <= set(table.columns):
        return None
    rows = np.random.default_rng(0).choice(table.rows, min(ROWS, table.rows), replace=False)
    return table.take(np.sort(rows))


def drawn(encoder: Encoder, rows: int = ROWS, seed: int = 0) -> Table:
    """Rows from the ranges that the encoders know, with missing, unseen and far-out cells."""
    chance = np.random.default_rng(seed)
    cells_of = {column.name: _cells(column, rows, chance) for column in encoder.columns}
    return read_table(cells_of, name="drawn", unsigned=encoder.unsigned)


def _cells(column: Any, rows: int, chance: np.random.Generator) -> list:
    if isinstance(column, Measurement | TwoNumbers):
        return _numbers(column, rows, chance).tolist()
    if isinstance(column, Switches | Embedded):
        known = list(column.levels) or [UNSEEN]
        found = [known[place] for place in chance.integers(0, len(known), rows)]
        return _replaced(found, ["", "NA", "?", UNSEEN], chance)
    style = "year-month-day" if column.style == "timestamp" else column.style
    begin = datetime(1970, 1, 1) + timedelta(seconds=min(max(column.first, -6e10), 2e11))
    days = chance.integers(-400, 4000, rows) * 86400.0 + chance.integers(0, 86400, rows)
    return _replaced([_written(begin + timedelta(seconds=float(day)), style, chance) for day in days], NO_DATES, chance)


def _numbers(column: Measurement | TwoNumbers, rows: int, chance: np.random.Generator) -> np.ndarray:
    if isinstance(column, TwoNumbers):
        span = column.high / 2 - column.low / 2
        found = np.where(chance.random(rows) < 0.5, column.low, column.high)
        far = chance.uniform(column.low - span, column.high, rows)
    else:
        spread = 1 / column.scaling.scale if column.scaling.scale else 1.0
        found = column.scaling.median + spread * chance.normal(size=rows)
        far = column.scaling.median + spread * chance.choice([-1e9, -40, 40, 1e9], rows)
    kind = chance.random(rows)
    return np.where(kind < RARE, np.nan, np.where(kind > 1 - RARE, far, found))


def _replaced(found: list[str], others: Any, chance: np.random.Generator) -> list[str]:
    kind, place = chance.random(len(found)), chance.integers(0, len(others), len(found))
    return [others[place[i]] if kind[i] < 2 * RARE else text for i, text in enumerate(found)]


def _written(day: datetime, style: str, chance: np.random.Generator) -> str:
    date = day.strftime(STYLES[style][1])
    clock = ("", "", day.strftime(" %H:%M"), day.strftime("T%H:%M:%S"), day.strftime(" %H:%M:%S.5"))
    zone = ("", "Z", "+02:00", "-0930") if style == "year-month-day" else ("",)
    time = clock[chance.integers(0, len(clock))]
    return date + (time + zone[chance.integers(0, len(zone))] if time else "")


def feed(table: Table, encoder: Encoder) -> dict[str, np.ndarray]:
    """A table's cells as the inputs of the exported model."""
    return {column.name: _input(table.column(column.name), column)[:, None] for column in encoder.columns}


def _input(column: pa.ChunkedArray, encoded: Any) -> np.ndarray:
    if isinstance(encoded, Measurement | TwoNumbers):
        return np.asarray(cells.numbers(column, encoded.style).values, np.float64)
    if isinstance(encoded, Date) and cells.is_date(column):
        column = pc.strftime(column.cast(pa.timestamp("s"), safe=False), format="%Y-%m-%dT%H:%M:%S")
    texts = column if isinstance(encoded, Date) and cells.is_text(column) else cells.labels(column)
    return np.array([text or "" for text in texts.to_pylist()], dtype=object)
