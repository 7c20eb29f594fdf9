"""Predictions as the bytes of an answer: JSON, CSV or an Arrow stream."""

import io
import json
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.csv

from trainwell.serving.bodies import ARROW, CSV, JSON


def write(columns: dict[str, pa.Array], notes: Sequence[str], kind: str) -> bytes:
    """The predicted columns as a body of this media type; notes are in JSON alone, tables have no place for them."""
    return _json(columns, notes) if kind == JSON else _TABLES[kind](pa.table(columns))


def _json(columns: dict[str, pa.Array], notes: Sequence[str]) -> bytes:
    cells = [column.to_pylist() for column in columns.values()]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)]
    return json.dumps({"predictions": rows, "notes": list(notes)}, allow_nan=False, separators=(",", ":")).encode()


def _csv(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pyarrow.csv.write_csv(table, sink, pyarrow.csv.WriteOptions(quoting_style="needed"))
    return sink.getvalue()


def _arrow(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


_TABLES: dict[str, Callable[[pa.Table], bytes]] = {CSV: _csv, ARROW: _arrow}
MEDIA_TYPES = (JSON, CSV, ARROW)


def chosen(accept: str, same: str) -> str:
    """The media type of an answer: the first that ``Accept`` names and that is written here, else that of the request.

    >>> chosen("text/csv;q=0.9, */*", "application/json"), chosen("*/*", "text/csv")
    ('text/csv', 'text/csv')
    """
    named = (part.split(";")[0].strip().lower() for part in accept.split(","))
    return next((kind for kind in named if kind in MEDIA_TYPES), same)
