"""Features that say the same as another feature, cell by cell."""

from dataclasses import replace
from hashlib import blake2b

import numpy as np

from trainwell.data import cells, dates
from trainwell.data.roles import FEATURES, Column, Note
from trainwell.data.tables import Table


def without_copies(table: Table, columns: list[Column]) -> tuple[list[Column], list[Note]]:
    """Features that repeat an earlier feature cell by cell are ignored."""
    seen: dict[bytes, str] = {}
    notes = []
    for position, column in enumerate(columns):
        if column.role not in FEATURES:
            continue
        first = seen.setdefault(_fingerprint(table, column), column.name)
        if first != column.name:
            columns[position] = replace(column, role="ignored", why=f"repeats {first}")
            notes.append(Note(column.name, f"{column.name} repeats {first} in every row: ignored."))
    return columns, notes


def _fingerprint(table: Table, column: Column) -> bytes:
    cells_of = table.column(column.name)
    if column.role == "category":
        coded = cells.labels(cells_of).combine_chunks().dictionary_encode()
        content = [np.asarray(coded.indices.fill_null(-1)).tobytes(), "\0".join(coded.dictionary.to_pylist()).encode()]
    elif column.role == "date":
        content = [dates.seconds(cells_of, column.style).values.tobytes()]
    else:
        content = [cells.numbers(cells_of, column.style).values.tobytes()]
    digest = blake2b(column.role.encode())
    for part in content:
        digest.update(part)
    return digest.digest()
