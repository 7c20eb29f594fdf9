"""A table's file in pieces of few rows, in order: whatever the size of the file, only some pieces are in memory.

A piece reads as the same rows do in the whole table: what a cell is follows from the columns' training, never from the other
cells. Compressed text and text in two bytes a letter are read whole and handed on in pieces.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from trainwell.data.csv_parts import open_csv
from trainwell.data.csv_text import check_names
from trainwell.data.parquet_parts import ParquetParts, open_parquet
from trainwell.data.parts import Frame, PartedFile
from trainwell.data.tables import Table, check_file, cleaned, is_parquet, read_table

Load = Callable[[], Table]


def pieces(path: Path, unsigned: Collection[str], rows: int, columns: Collection[str] | None = None) -> Iterator[Load]:
    """Calls that each read the next rows of a file.

    Parameters
    ----------
    path : of a .csv, .tsv, .txt (each also .gz) or .parquet file.
    unsigned : columns in which a minus alone is a missing cell; in all others it is a value.
    rows : how many at most, of a Parquet file; of a text file as many as a few megabytes hold.
    columns : those that are needed, of which the file may lack some; all when left out.
    """
    file = _open(path, rows)
    if file is None or not file.rows:
        whole = read_table(path, unsigned=unsigned)  # which also says what is wrong with it
        for first in range(0, whole.rows, rows):
            yield partial(part_of, whole, first, rows)
        return
    check_names(list(file.columns), str(path))
    wanted = None if columns is None else [name for name in file.columns if name in columns]
    for part in range(file.parts):
        for frame in file.frames(part, wanted):
            yield partial(_read, file, frame, unsigned)


def part_of(table: Table, first: int, rows: int) -> Table:
    """Rows that follow each other."""
    own = table.frame.slice(first, rows)
    numbers = table.first_row + np.arange(first, first + own.num_rows) if table.row_numbers is None else table.row_numbers
    return replace(table, frame=own, row_numbers=numbers if table.row_numbers is None else numbers[first : first + rows])


def _open(path: Path, rows: int) -> PartedFile | None:
    check_file(path)
    if not is_parquet(path):
        return open_csv(path)
    file: ParquetParts = open_parquet(path)
    return replace(file, batch_rows=rows)


def _read(file: PartedFile, frame: Frame, unsigned: Collection[str]) -> Table:
    loaded = frame.load()
    columns = {
        name: cleaned(column, name not in unsigned) for name, column in zip(loaded.column_names, loaded.columns, strict=True)
    }
    numbers = file.first_row + np.arange(frame.first, frame.first + loaded.num_rows)
    return Table(pa.table(columns), file.path.stem, str(file.path), row_numbers=numbers)
