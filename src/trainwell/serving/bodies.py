"""The body of a request to a table of rows: JSON, CSV or an Arrow stream, checked against what the model was trained on."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from trainwell.data import cells, csv_text, dates
from trainwell.data.encoders import ColumnEncoder, Date, Embedded, Switches
from trainwell.data.tables import Table, read_table
from trainwell.errors import InputError, listed, nearest
from trainwell.model import Model
from trainwell.serving.arrow_body import read_arrow
from trainwell.serving.columns import allowed, is_category, may_be_missing, row_model, rows_model
from trainwell.serving.limits import Limits, RequestError, too_many_rows

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
BODY = "the body"  # where a table from another place has its path
NO_ROWS = f'{BODY} is not {{"rows": [{{...}}, ...]}} with at least one row, each a mapping of column to cell.'
SHOWN = 40  # letters of a cell in a message


class Reader:
    """Reads bodies for one model; `read` raises `RequestError` with the sentence that the client gets."""

    def __init__(self, model: Model, limits: Limits):
        self.model, self.limits = model, limits
        self.columns: dict[str, ColumnEncoder] = {column.name: column for column in model.encoder.columns}
        self.known = {column.name for column in model.schema.columns}
        self.unused = self.known - set(self.columns)
        self.row = row_model(model)
        self.rows = rows_model(self.row, limits.rows)
        self._fields = {field.alias: name for name, field in self.row.model_fields.items()}
        self._ways: dict[str, Callable[[bytes], Table]] = {JSON: self._json, CSV: self._csv, ARROW: self._arrow}

    def read(self, body: bytes, content_type: str) -> Table:
        """The rows of a body, cells cleaned: every column that the model needs, each cell readable."""
        try:
            table = self._ways[content_type](body)
            if table.rows > self.limits.rows:
                raise too_many_rows(table.rows, self.limits)
            for column in self.columns.values():
                _check_cells(column, table)
        except RequestError:
            raise
        except InputError as mistake:
            raise RequestError(422, str(mistake)) from None
        return table

    def rows_of(self, body: bytes) -> list[BaseModel]:
        """The rows of a body of JSON, before their cells are read: those of several bodies may be read together.

        They are counted before anything of them is checked, and the checks end at the first row that is wrong.
        """
        try:
            found = from_json(body)
        except ValueError as error:
            raise RequestError(422, f"{BODY} is no JSON: {error}.") from None
        if not isinstance(found, dict) or set(found) != {"rows"} or not isinstance(found["rows"], list):
            raise RequestError(422, NO_ROWS)
        if len(found["rows"]) > self.limits.rows:
            raise too_many_rows(len(found["rows"]), self.limits)
        for number, row in enumerate(found["rows"], start=1):
            if not isinstance(row, dict):
                break  # which is said below
            if len(row) > len(self.known):
                raise RequestError(422, self._unknown(number, next(name for name in row if name not in self.known)))
            for name in self.unused & row.keys():  # which may hold anything of any size
                del row[name]
        try:
            return self.rows.model_validate(found).rows  # type: ignore[attr-defined]
        except ValidationError as error:
            raise RequestError(422, self._sentence(error)) from None

    def table_of(self, rows: list[BaseModel]) -> Table:
        """Rows of JSON, cells cleaned and each readable."""
        columns = {name: self._cells(column, rows) for name, column in self.columns.items()}
        table = replace(self._table(columns), first_row=1)
        for column in self.columns.values():
            if isinstance(column, Date):  # of numbers the form of the body has said all
                _check_cells(column, table)
        return table

    def _json(self, body: bytes) -> Table:
        return self.table_of(self.rows_of(body))

    def _cells(self, column: ColumnEncoder, rows: list[BaseModel]) -> pa.ChunkedArray:
        values = [getattr(row, self._fields[column.name]) for row in rows]
        if is_category(column):
            values = [None if value is None else str(value) for value in values]
        kind = pa.string() if is_category(column) or isinstance(column, Date) else pa.float64()
        return pa.chunked_array([pa.array(values, kind)])

    def _csv(self, body: bytes) -> Table:
        data, _ = csv_text.as_utf8(Path(BODY), body)
        data = data.lstrip(b"\r\n")
        if not data.strip():
            raise InputError(f"{BODY} is empty; a table needs a line of column names and rows below it.")
        if not data.strip().count(b"\n"):
            raise InputError(f"{BODY} has no rows.")
        dialect = csv_text.sniff(data, header=True)
        data = csv_text.repaired(data, dialect)
        names = csv_text.names_of(data, dialect)
        return self._of_frame(csv_text.parse(Path(BODY), data, dialect, names, 0), first_row=2)

    def _arrow(self, body: bytes) -> Table:
        return self._of_frame(read_arrow(body, self.limits), first_row=1)

    def _of_frame(self, frame: pa.Table, first_row: int) -> Table:
        csv_text.check_names(frame.column_names, BODY)
        if not frame.num_rows:
            raise InputError(f"{BODY} has no rows.")
        given = set(frame.column_names)
        lacking = [name for name in self.columns if name not in given]
        unknown = [name for name in frame.column_names if name not in self.known]
        if lacking:
            raise InputError(f"{BODY} lacks {_named(lacking)}{_near(lacking, unknown)}")
        if unknown:
            raise InputError(f"{BODY} has {_named(unknown)}, which the model does not know{_near(unknown, self.known)}")
        columns = {name: frame.column(name) for name in self.columns}
        return replace(self._table(columns), first_row=first_row)

    def _table(self, columns: dict[str, pa.ChunkedArray]) -> Table:
        """Cells cleaned as those of training were, whatever rows are beside them."""
        return replace(read_table(columns, unsigned=self.model.encoder.unsigned), source=BODY)

    def _sentence(self, error: ValidationError) -> str:
        """The first thing that is wrong with the rows of a body of JSON, as one sentence."""
        first = error.errors(include_url=False, include_context=False)[0]
        kind, place = first["type"], first["loc"]
        if len(place) < 3:
            return NO_ROWS
        row, name = f"row {int(place[1]) + 1}", str(place[2])
        if kind == "missing":
            return f"{row} lacks {_named([name])}{_near([name], set(first['input']) - self.known)}"
        if kind == "extra_forbidden":
            return self._unknown(int(place[1]) + 1, name)
        return f"{row}: {name!r} is {_shown(first['input'])}, allowed is {allowed(self.columns[name])}."

    def _unknown(self, row: int, name: str) -> str:
        return f"row {row} has {_named([name])}, which the model does not know{_near([name], self.known)}"


def _check_cells(column: ColumnEncoder, table: Table) -> None:
    """Each cell holds what the column held in training, and is missing only where that has a meaning."""
    cells_of = table.column(column.name)
    if isinstance(column, Switches | Embedded):
        return
    if isinstance(column, Date):
        wrong = dates.seconds(cells_of, column.style).unreadable
    else:
        _, unreadable, infinite = cells.numbers(cells_of, column.style)
        wrong = unreadable | infinite
    if not may_be_missing(column):
        wrong = wrong | cells.missing_mask(cells_of)
    if wrong.any():
        position = int(np.argmax(wrong))
        cell = _shown(cells_of[position].as_py())
        raise InputError(f"row {table.row_name(position)}: {column.name!r} is {cell}, allowed is {allowed(column)}.")


def _named(names: list[str]) -> str:
    return f"the column {names[0]!r}" if len(names) == 1 else f"the columns {listed(names)}"


def _near(names: list[str], others: Iterable[str]) -> str:
    """The end of the sentence: the nearest right spelling of a name that is alone, or a full stop."""
    return (nearest(names[0], others) if len(names) == 1 else "") or "."


def _shown(cell: Any) -> str:
    text = "null" if cell is None else repr(cell)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
