"""Any table (CSV, Parquet, data frame, arrays) as one thing: named Arrow columns of cleaned text, numbers, dates or categories.

Rows are counted as the user sees them: in a file the line of column names is row 1 and the first row below it row 2 (as a
spreadsheet shows it; a quoted cell over several lines is one row), without column names the first line is row 1; in a data
frame or array the first row is row 1.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainwell.data import cells
from trainwell.data.csv_text import check_names, read_csv
from trainwell.data.parquet_parts import damaged
from trainwell.errors import InputError, listed, nearest

SUFFIXES = (".gz", ".csv", ".tsv", ".txt", ".parquet", ".pq")


@dataclass(frozen=True)
class Table:
    """Rows and named columns, cells cleaned: text without blanks around it, null where something stands for missing.

    Parameters
    ----------
    frame : the columns.
    name : short name for messages and the run folder, e.g. ``"churn"``.
    source : the path, or ``"DataFrame"``, ``"array"``, ``"dict"``.
    notes : what was found out while reading, one plain sentence each.
    row_numbers : the number of each row as the user sees it; ``first_row`` and on when left out.
    first_row : the number of the first row as the user sees it.
    other, of_other : the source of rows that came from another table, and true for each of these rows.
    weights : how much each row counts (rows,), about 1 on average; None where all count the same.
    copies : (rows,) numbers that are equal for copies of one row; None where there are none.
    """

    frame: pa.Table
    name: str
    source: str
    notes: tuple[str, ...] = ()
    row_numbers: np.ndarray | None = None
    first_row: int = 1
    other: str = ""
    of_other: np.ndarray | None = None
    weights: np.ndarray | None = None
    copies: np.ndarray | None = None

    @property
    def rows(self) -> int:
        return int(self.frame.num_rows)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.frame.column_names)

    def column(self, name: str) -> pa.ChunkedArray:
        return self.frame.column(name)

    def take(self, rows: np.ndarray) -> Table:
        """The table of these rows (positions from 0), in this order."""
        rows = np.asarray(rows, np.int64)
        numbers = rows + self.first_row if self.row_numbers is None else self.row_numbers[rows]
        of_other = None if self.of_other is None else self.of_other[rows]
        weights, copies = (None if values is None else values[rows] for values in (self.weights, self.copies))
        frame = self.frame.take(pa.array(rows))
        return replace(self, frame=frame, row_numbers=numbers, of_other=of_other, weights=weights, copies=copies)

    def row_number(self, position: int) -> int:
        """The number of a row as the user sees it."""
        return int(self.first_row + position if self.row_numbers is None else self.row_numbers[position])

    def row_name(self, position: int) -> str:
        """The number of a row for messages, with its table where that is another."""
        other = self.of_other is not None and bool(self.of_other[position])
        return f"{self.row_number(position)}" + (f" of {self.other}" if other else "")


def read_table(
    source: Any, *, name: str | None = None, header: bool | None = None, unsigned: Collection[str] | None = None
) -> Table:
    """Read a table from wherever it is.

    Parameters
    ----------
    source : path of a .csv, .tsv, .txt (each also .gz) or .parquet file; a pandas, Polars or Arrow table, anything else that
        narwhals knows; a dict of columns; a 2-D NumPy array (its columns are called column_1, column_2, ...).
    name : name for messages and the run folder; from the file when left out.
    header : for text files, whether the first line names the columns; found out when left out.
    unsigned : columns in which a minus alone is a missing cell, in all others it is a value; found out when left out.

    Raises
    ------
    InputError : one sentence that says what cannot be read, where, and what is allowed.
    """
    if isinstance(source, Table):
        return source
    if isinstance(source, str | os.PathLike):
        return _read_file(Path(source), name, header, unsigned)
    if isinstance(source, np.ndarray):
        return _table(_array_columns(source), name or "array", "array", unsigned=unsigned)
    if isinstance(source, Mapping):
        return _table(_dict_columns(source), name or "dict", "dict", unsigned=unsigned)
    return _table(_frame_columns(source), name or "dataframe", "DataFrame", unsigned=unsigned)


def _read_file(path: Path, name: str | None, header: bool | None, unsigned: Collection[str] | None) -> Table:
    name = name or stem(path)
    try:
        check_file(path)
        if is_parquet(path):
            return _table(_parquet_columns(path), name, str(path), unsigned=unsigned)
        if _first_bytes(path) == b"PK\x03\x04":
            raise InputError(f"{path} is a zip or Excel file; save the table as CSV or Parquet and give that file.")
        frame, notes, first_row = read_csv(path, header)
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror or problem}.") from None
    return _table(dict_of(frame, str(path)), name, str(path), notes, first_row, unsigned)


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet, by its first bytes or its name."""
    return _first_bytes(path) == b"PAR1" or path.suffix in (".parquet", ".pq")


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def check_file(path: Path) -> None:
    """`InputError` for a path that is no file, one that cannot be read twice (a pipe, a device), or an empty one."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; give one CSV or Parquet file.")
    if not path.exists():
        folder = path.parent
        if not folder.is_dir():
            raise InputError(f"{path}: there is no folder {folder}.")
        near = nearest(path.name, (entry.name for entry in folder.iterdir()))
        raise InputError(f"{path}: there is no such file{near or '.'}")
    if not path.is_file():
        raise InputError(f"{path} is a pipe or a device and no file; save the table to a file and give that.")
    if not path.stat().st_size:
        raise InputError(f"{path} is empty; a table needs a line of column names and rows below it.")


def stem(path: Path) -> str:
    """The name of a file without the endings that say how it is written."""
    while path.suffix.lower() in SUFFIXES:
        path = path.with_suffix("")
    return path.name


def _parquet_columns(path: Path) -> dict[str, pa.ChunkedArray]:
    import pyarrow.parquet

    try:
        frame = pyarrow.parquet.ParquetFile(path).read()
        frame.validate(full=True)  # or text that is none is met later
    except (pa.ArrowException, OSError) as problem:
        raise damaged(path, problem) from None
    return dict_of(frame, str(path))


def dict_of(frame: pa.Table, source: str) -> dict[str, pa.ChunkedArray]:
    """The columns by name, once it is sure that every column has its own."""
    check_names(frame.column_names, source)
    return dict(zip(frame.column_names, frame.columns, strict=True))


def _array_columns(array: np.ndarray) -> dict[str, pa.ChunkedArray]:
    if array.ndim != 2:
        raise InputError(f"the array has shape {array.shape}; a table is a 2-D array of rows and columns.")
    return {f"column_{i}": _chunked(array[:, i - 1], f"column_{i}") for i in range(1, array.shape[1] + 1)}


def _dict_columns(columns: Mapping[Any, Any]) -> dict[str, pa.ChunkedArray]:
    check_names([str(name) for name in columns], "the dict")
    found = {str(name): _chunked(column, str(name)) for name, column in columns.items()}
    lengths = {name: len(column) for name, column in found.items()}
    if len(set(lengths.values())) > 1:
        shortest, longest = min(lengths, key=lambda name: lengths[name]), max(lengths, key=lambda name: lengths[name])
        raise InputError(
            f"the columns of the dict differ in length: {shortest!r} has {lengths[shortest]} rows, "
            f"{longest!r} {lengths[longest]}."
        )
    return found


def _frame_columns(source: Any) -> dict[str, pa.ChunkedArray]:
    import narwhals as nw
    from narwhals.exceptions import DuplicateError

    try:
        frame = nw.from_native(source, eager_only=True)
        check_names([str(name) for name in frame.columns], "the data frame")
        return {str(name): _series(frame[:, position], str(name)) for position, name in enumerate(frame.columns)}
    except DuplicateError:
        check_names([str(name) for name in source.columns], "the data frame")
        raise
    except TypeError:
        lazy = " (a lazy frame: call collect() first)" if "Lazy" in type(source).__name__ else ""
        raise InputError(
            f"a {type(source).__name__}{lazy} is no table; allowed are a path, a pandas, Polars or Arrow table, "
            "a dict of columns or a 2-D NumPy array."
        ) from None


def _series(series: Any, name: str) -> pa.ChunkedArray:
    if str(series.dtype) == "Object":
        return _chunked(series.to_list(), name)
    try:
        column = series.to_arrow()
    except (pa.ArrowException, TypeError, ValueError, OverflowError):  # pandas: text and numbers in one column
        return _chunked(series.to_list(), name)
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def _chunked(values: Any, name: str) -> pa.ChunkedArray:
    """A column of whatever sequence; cells of mixed types become their text."""
    if isinstance(values, pa.ChunkedArray):
        return values
    try:
        if isinstance(values, np.ndarray) and values.dtype.kind in "OUS":
            values = values.tolist()
        return pa.chunked_array([pa.array(values, from_pandas=True)])
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        pass  # mixed types, or whole numbers beyond 64 bits
    try:
        return pa.chunked_array([pa.array([_cell_text(value) for value in values], pa.string())])
    except (TypeError, ValueError, pa.ArrowException):
        raise InputError(f"column {name!r} is a {type(values).__name__}; a column is a sequence of cells.") from None


def _cell_text(value: Any) -> str | None:
    missing = value is None or value != value or str(value) in cells.MISSING  # NaN differs from itself
    return None if missing else str(value)


def sample_of(frame: pa.Table, path: Path, notes: tuple[str, ...], first_row: int, row_numbers: np.ndarray) -> Table:
    """Some rows from all over a file as a table, their cells cleaned."""
    return replace(_table(dict_of(frame, str(path)), stem(path), str(path), notes, first_row), row_numbers=row_numbers)


def part_of(frame: pa.Table, path: Path, sample: Table, row_numbers: np.ndarray) -> Table:
    """Some rows of a file, or none, cleaned as those of the sample were."""
    columns = {}
    for name, column in zip(frame.column_names, frame.columns, strict=True):
        known = sample.column(name)
        columns[name] = _clean(column, cells.is_text(known) and cells.has_plus(known))[0]
    return Table(pa.table(columns), stem(path), str(path), row_numbers=row_numbers)


def cleaned(column: pa.ChunkedArray, signs: bool) -> pa.ChunkedArray:
    """A column as every table has it; ``signs`` says whether a minus is a value of it rather than a missing cell."""
    return _clean(column, signs)[0]


def _table(
    columns: dict[str, pa.ChunkedArray],
    name: str,
    source: str,
    notes: tuple[str, ...] = (),
    first_row: int = 1,
    unsigned: Collection[str] | None = None,
) -> Table:
    if not columns:
        raise InputError(f"{source} has no columns.")
    kept: dict[str, pa.ChunkedArray] = {}
    found: dict[str, dict[str, int]] = {}
    for column_name, column in columns.items():
        kept[column_name], words = _clean(column, None if unsigned is None else column_name not in unsigned)
        for word, count in words.items():
            found.setdefault(word, {})[column_name] = count
    frame = pa.table(kept)
    if not frame.num_rows:
        raise InputError(f"{source} has column names ({listed(columns, most=4)}) but no rows.")
    return Table(frame, name, source, notes + tuple(_missing_note(word, found[word]) for word in found), None, first_row)


def _clean(column: pa.ChunkedArray, signs: bool | None = None) -> tuple[pa.ChunkedArray, dict[str, int]]:
    """One of few types: text, float64, int64, bool, timestamp, category; anything else as it is (and ignored later)."""
    kind = column.type
    if cells.is_category(column):
        return pa.chunked_array([cells.labels(column).combine_chunks()]).dictionary_encode(), {}
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        return column.cast(pa.float64()), {}
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("s")), {}
    if pa.types.is_duration(kind):
        return pc.divide(column.cast(pa.int64()).cast(pa.float64()), _per_second(kind.unit)), {}
    if pa.types.is_boolean(kind):
        return cells.labels(column), {}
    if pa.types.is_large_string(kind) or str(kind) == "string_view":
        column = column.cast(pa.string())
    return cells.clean(column, signs) if cells.is_text(column) else (column, {})


def _per_second(unit: str) -> float:
    return {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit]


def _missing_note(word: str, counts: dict[str, int]) -> str:
    kind = "blanks" if not word else f"{word!r}"
    places = [f"{count:,} in {name}" for name, count in list(counts.items())[:6]]
    rest = f" and more in {len(counts) - 6} other columns" if len(counts) > 6 else ""
    return f"missing cells: {kind} ({', '.join(places)}{rest})"
