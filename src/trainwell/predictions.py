"""Predictions for a file, written as a file: whole or not at all, in the order of the rows, some rows in memory at a time."""

import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from trainwell.cores import available_cores
from trainwell.errors import InputError, listed, nearest
from trainwell.files import whole_file
from trainwell.predictions_written import Writer, writer_for

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from trainwell.data.tables import Table
    from trainwell.model import Model

SUFFIXES = (".csv", ".parquet")
STDOUT = "-"
CHUNK = 65_536  # chosen: rows at a time; of 20 columns some ten megabytes
LEAST_READ = 1024  # chosen: rows that are read at a time at least, so that a few cells do not stand for their column

Made = TypeVar("Made")


def predict_file(
    model: "Model", path: Path, out: str, keep: Iterable[str] = (), interval: float | None = None, chunk: int = CHUNK
) -> int:
    """Write the predictions of a file's rows as `write_predictions` does, whatever the size of the file.

    Parameters
    ----------
    path : of a table as `trainwell.data.tables.read_table` takes it.
    chunk : rows in memory at a time, for each core and one more.
    others : as of `write_predictions`.
    """
    from trainwell.data.pieces import part_of, pieces
    from trainwell.data.tables import read_table

    check_out(out)
    check_chunk(chunk)
    if out != STDOUT and path.exists() and Path(out).exists() and path.samefile(out):
        raise InputError(f"The output {out!r} is the table to predict itself, which it would replace: name another file.")
    keep = list(keep)

    def predicted(load: Callable[[], "Table"], first: bool) -> "list[pa.Table]":
        table = load()
        parts = [part_of(table, start, chunk) for start in range(0, table.rows, chunk)]
        if first and len(parts) > 1:  # a cell says little of its column, the first rows of a file much
            model.encoder.check(table)
        return [prediction_table(model, part, keep, interval, part=not first or len(parts) > 1) for part in parts]

    found = pieces(path, model.encoder.unsigned, max(chunk, LEAST_READ))
    jobs = (partial(predicted, load, not number) for number, load in enumerate(found))
    tables = (table for tables in ahead(jobs, available_cores()) for table in tables)
    first = next(tables, None)
    if first is None:  # lines, but none with cells
        read_table(path)  # says so
        raise InputError(f"{path} has no rows.")
    return _write(chain([first], tables), out)


def write_predictions(model: "Model", table: "Table", out: str, keep: Iterable[str] = (), interval: float | None = None) -> int:
    """Write ``prediction`` and, for classes, ``probability_<class>`` of every row; returns how many rows there are.

    Parameters
    ----------
    model : the model to ask.
    table : the rows to predict.
    out : a path ending in .csv or .parquet, or ``"-"`` for CSV on standard output.
    keep : columns of the table to copy in front of the predictions.
    interval : level of the interval around numbers that ``low`` and ``high`` are the ends of.
    """
    check_out(out)
    return _write(iter([prediction_table(model, table, keep, interval)]), out)


def _write(tables: "Iterator[pa.Table]", out: str) -> int:
    first = next(tables)  # what is wrong with the table is said before a file is opened
    if out == STDOUT:
        rows = _written(writer_for(out, sys.stdout.buffer), first, tables)
        sys.stdout.flush()
        return rows
    with output_file(Path(out)) as file:
        return _written(writer_for(out, file), first, tables)


def _written(writer: Writer, first: "pa.Table", others: "Iterator[pa.Table]") -> int:
    rows = int(first.num_rows)
    writer.write(first)
    for table in others:
        writer.write(table)
        rows += int(table.num_rows)
    writer.close()
    return rows


def ahead(jobs: Iterable[Callable[[], Made]], workers: int) -> Iterator[Made]:
    """What the jobs return, in their order; each core has one under way and one more is waiting, so that few are in memory."""
    with ThreadPoolExecutor(workers, thread_name_prefix="rows") as threads:
        under_way: deque[Future[Made]] = deque()
        try:
            for job in jobs:
                under_way.append(threads.submit(job))
                if len(under_way) > workers:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()


def prediction_table(
    model: "Model", table: "Table", keep: Iterable[str] = (), interval: float | None = None, part: bool = False
) -> "pa.Table":
    """The kept columns, ``prediction``, and one ``probability_<class>`` for each class, or ``low`` and ``high``, in the order
    of the rows; ``part`` as of `Model.outputs`."""
    import numpy as np
    import pyarrow as pa

    if interval is not None:
        model.interval(np.zeros(0), interval)  # what cannot be said is refused before anything is predicted
    columns: dict[str, Any] = {}
    for name in keep:
        if name not in table.columns:
            raise InputError(
                f"--keep {name!r}: {table.source} has no such column{nearest(name, table.columns) or ','}"
                f" its columns are {listed(table.columns)}."
            )
        columns[name] = table.column(name)
    made = predicted_columns(model, model.outputs(table, part=True) if part else model.outputs(table), interval)
    if clash := [name for name in columns if name in made]:
        raise InputError(f"--keep {clash[0]!r}: the predictions have a column of this name themselves.")
    return pa.table({**columns, **made})


def predicted_columns(model: "Model", outputs: "np.ndarray", interval: float | None = None) -> "dict[str, pa.Array]":
    """``prediction`` and, for classes, ``probability_<class>``, or ``low`` and ``high``, from what the model put out."""
    import numpy as np

    from trainwell.data.arrow_arrays import of_numbers, of_texts

    labels = model.labels(outputs)
    made: dict[str, Any] = {}
    if model.classes:
        places = {name: place for place, name in enumerate(model.classes)}
        numbers = np.fromiter((places[label] for label in labels), np.int32, len(labels))
        made["prediction"] = of_texts(model.classes).take(of_numbers(numbers))
        probabilities = model.probabilities(outputs).astype(np.float32)
        made |= {f"probability_{name}": of_numbers(probabilities[:, place]) for name, place in places.items()}
    else:
        made["prediction"] = of_numbers(labels)
    if interval is not None:
        made |= {name: of_numbers(end) for name, end in zip(("low", "high"), model.interval(labels, interval).T, strict=True)}
    return made


@contextmanager
def cell_notes() -> Iterator[dict[str, None]]:
    """The notes on cells that were not as in training, each kind told once: filled when the block ends."""
    from trainwell.model import CellWarning

    notes: dict[str, None] = {}
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always", CellWarning)
        yield notes
    kinds: dict[tuple[str | None, str], tuple[str, int]] = {}
    for note in noticed:
        text, column = str(note.message), getattr(note.message, "column", None)
        said = "".join(letter for letter in text.partition("(for example")[0] if not letter.isdigit() and letter != ",")
        kind = (column, said)
        first, count = kinds.get(kind, (text, 0))
        kinds[kind] = (first, count + 1)
    for first, count in kinds.values():
        notes[first if count == 1 else f"{first} So it is in {count - 1:,} more parts of the file."] = None


def check_chunk(chunk: int) -> None:
    if not 1 <= chunk <= 10_000_000:
        raise InputError(f"--chunk is {chunk:,}, allowed are 1 to 10,000,000 rows.")


def check_out(out: str) -> None:
    """`InputError` for a path that nothing can be written to, before any work is done."""
    if out == STDOUT:
        return
    path = Path(out)
    if not out.endswith(SUFFIXES):
        raise InputError(f"The output is {out!r}; it must end in .csv or .parquet, or be - for standard output.")
    if path.is_dir():
        raise InputError(f"The output {out!r} is a folder; name a file in it, such as {str(path / 'predictions.csv')!r}.")
    if not path.parent.is_dir():
        raise InputError(f"The output {out!r} cannot be written: there is no folder {str(path.parent)!r}.")


@contextmanager
def output_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of ``path`` only when all of it was written; `InputError` where that fails."""
    try:
        with whole_file(path) as file:
            yield file
    except OSError as error:
        raise InputError(f"The output {str(path)!r} cannot be written: {error.strerror or error}.") from None
