"""The tensors as the network is fed them: a few rows, what the table holds beside what becomes of it."""

from dataclasses import dataclass

import numpy as np

from trainwell.data.encode import Arrays, Encoder
from trainwell.data.encoders import Embedded
from trainwell.data.tables import Table

ROWS = 3  # chosen: enough to see, few enough to read
MOST_INPUTS = 300  # chosen: lines of the table; the rest is like them
LETTERS = 40  # chosen: of a cell


@dataclass(frozen=True)
class Input:
    """One input of the network: its name, the column it comes from, that column's cells and the numbers they became."""

    name: str
    column: str
    raw: tuple[str | None, ...]
    encoded: tuple[float, ...]


@dataclass(frozen=True)
class Tensors:
    """Some rows as the network sees them; ``row_names`` are their numbers in the table, ``left_out`` inputs are not listed."""

    inputs: tuple[Input, ...]
    row_names: tuple[str, ...]
    left_out: int


def tensors(table: Table, encoder: Encoder, arrays: Arrays, rows: np.ndarray) -> Tensors:
    """The first of these rows (positions in table and arrays alike)."""
    rows = rows[:ROWS]
    raw = {column.name: _cells(table, column.name, rows) for column in encoder.columns}
    continuous = [(name, column.name) for column in encoder.columns for name in column.continuous_names]
    switches = [(name, column.name) for column in encoder.columns for name in column.switch_names]
    embedded = [column.name for column in encoder.columns if isinstance(column, Embedded)]
    made = [
        Input(name, column, raw[column], tuple(float(value) for value in arrays.numeric[rows, place]))
        for place, (name, column) in enumerate([*continuous, *switches])
    ]
    made += [
        Input(f"{name} (level number)", name, raw[name], tuple(float(value) for value in arrays.categories[rows, place]))
        for place, name in enumerate(embedded)
    ]
    names = tuple(table.row_name(int(row)) for row in rows)
    return Tensors(tuple(made[:MOST_INPUTS]), names, max(0, len(made) - MOST_INPUTS))


def _cells(table: Table, name: str, rows: np.ndarray) -> tuple[str | None, ...]:
    found = [table.column(name)[int(row)].as_py() for row in rows]
    return tuple(None if cell is None else str(cell)[:LETTERS] for cell in found)
