"""Tables of predictions onto a file, one after the other, as CSV or as Parquet."""

import csv
import io
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:
    import pyarrow as pa


class Writer(Protocol):
    """What takes tables with the same columns."""

    def write(self, table: "pa.Table") -> None: ...
    def close(self) -> None: ...


def writer_for(out: str, file: BinaryIO) -> Writer:
    """The writer for a name of an output; everything but .parquet is CSV."""
    return ParquetWriter(file) if out.endswith(".parquet") else CsvWriter(file)


class CsvWriter:
    """CSV with quotes only where a cell needs them, and numbers as short as they can be said exactly."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.named = False

    def write(self, table: "pa.Table") -> None:
        import pyarrow as pa
        import pyarrow.csv

        if not self.named:
            self.file.write(_rows([table.column_names]))
            self.named = True
        text = pa.table(
            {name: column.cast(pa.string()) for name, column in zip(table.column_names, table.columns, strict=True)}
        )
        sink = io.BytesIO()
        try:
            pyarrow.csv.write_csv(text, sink, pyarrow.csv.WriteOptions(include_header=False, quoting_style="none"))
            self.file.write(sink.getvalue())
        except pa.ArrowInvalid:  # some cell needs quotes
            self.file.write(_rows(zip(*(column.to_pylist() for column in text.columns), strict=True)))

    def close(self) -> None:
        pass


def _rows(rows: Any) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


class ParquetWriter:
    """A row group for each table."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.writer: Any = None

    def write(self, table: "pa.Table") -> None:
        from pyarrow import parquet

        if self.writer is None:
            self.writer = parquet.ParquetWriter(self.file, table.schema)
        self.writer.write_table(table)

    def close(self) -> None:
        self.writer.close()
