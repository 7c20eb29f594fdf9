"""A Parquet file, one row group after the other, in batches of few rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from trainwell.data.csv_text import check_names
from trainwell.data.parts import Frame
from trainwell.errors import InputError

BATCH_ROWS = 65_536  # chosen: rows in memory at a time
BUFFER_BYTES = 1 << 20  # chosen: of a column that are read at a time, so that a large row group is never held whole


@dataclass(frozen=True)
class ParquetParts:
    """A Parquet file; its parts are its row groups.

    Parameters
    ----------
    path : of the file.
    columns : their names.
    group_rows : rows of each row group.
    bytes_held : bytes of all cells, decompressed.
    batch_rows : rows in memory at a time.
    """

    path: Path
    columns: tuple[str, ...]
    group_rows: tuple[int, ...]
    bytes_held: int
    first_row: int = 1
    notes: tuple[str, ...] = ()
    batch_rows: int = BATCH_ROWS

    @property
    def rows(self) -> int:
        return sum(self.group_rows)

    @property
    def parts(self) -> int:
        return len(self.group_rows)

    def part_rows(self, part: int) -> int:
        return self.group_rows[part]

    def frames(self, part: int, columns: Sequence[str] | None = None) -> Iterator[Frame]:
        """The rows of a row group, in order."""
        import pyarrow.parquet

        first = sum(self.group_rows[:part])
        try:
            with pyarrow.parquet.ParquetFile(self.path, buffer_size=BUFFER_BYTES, pre_buffer=False) as file:
                for batch in file.iter_batches(self.batch_rows, row_groups=[part], columns=columns):
                    batch.validate(full=True)  # or text that is none is met later
                    yield Frame(first, partial(pa.Table.from_batches, [batch]))
                    first += batch.num_rows
        except (pa.ArrowException, OSError) as problem:
            raise damaged(self.path, problem) from None


def open_parquet(path: Path) -> ParquetParts:
    """The file; `InputError` where it is damaged or two columns share a name."""
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            found, names = file.metadata, file.schema_arrow.names
    except (pa.ArrowException, OSError) as problem:
        raise damaged(path, problem) from None
    check_names(names, str(path))
    groups = [found.row_group(number) for number in range(found.num_row_groups)]
    rows, held = (tuple(getattr(group, name) for group in groups) for name in ("num_rows", "total_byte_size"))
    return ParquetParts(path, tuple(names), rows, sum(held))


def damaged(path: Path, problem: Exception) -> InputError:
    """What Arrow could not read, as one sentence; of a page or footer that is not whole it says so as an `OSError`."""
    if isinstance(problem, OSError) and problem.errno is not None:
        return InputError(f"{path} cannot be read: {problem.strerror}.")
    return InputError(f"{path} is not a Parquet file or is damaged ({_first_line(problem)}).")


def _first_line(problem: Exception) -> str:
    return (str(problem).splitlines() or ["no more is said"])[0][:100].rstrip(".")
