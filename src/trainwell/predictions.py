"""Predictions for a file, written as a file: whole or not at all, in the order of the rows."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from trainwell.errors import InputError, listed, nearest
from trainwell.files import whole_file

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from trainwell.data.tables import Table
    from trainwell.model import Model

SUFFIXES = (".csv", ".parquet")
STDOUT = "-"
ROWS_AT_ONCE = 65536  # chosen: rows turned into text at a time


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
    predictions = prediction_table(model, table, keep, interval)
    if out == STDOUT:
        _write_csv(predictions, sys.stdout.buffer)
        sys.stdout.flush()
    else:
        with output_file(Path(out)) as file:
            (_write_parquet if out.endswith(".parquet") else _write_csv)(predictions, file)
    return int(predictions.num_rows)


def prediction_table(model: "Model", table: "Table", keep: Iterable[str] = (), interval: float | None = None) -> "pa.Table":
    """The kept columns, ``prediction``, and one ``probability_<class>`` for each class, or ``low`` and ``high``, in the order
    of the rows."""
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
    made = predicted_columns(model, model.outputs(table), interval)
    if clash := [name for name in columns if name in made]:
        raise InputError(f"--keep {clash[0]!r}: the predictions have a column of this name themselves.")
    return pa.table({**columns, **made})


def predicted_columns(model: "Model", outputs: "np.ndarray", interval: float | None = None) -> dict[str, Any]:
    """``prediction`` and, for classes, ``probability_<class>``, or ``low`` and ``high``, from what the model put out."""
    import numpy as np

    made: dict[str, Any] = {"prediction": model.labels(outputs)}
    if model.classes:
        probabilities = model.probabilities(outputs)
        made |= {f"probability_{name}": probabilities[:, place].astype(np.float32) for place, name in enumerate(model.classes)}
    if interval is not None:
        made |= dict(zip(("low", "high"), model.interval(made["prediction"], interval).T, strict=True))
    return made


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
        raise InputError(f"The output {str(path)!r} cannot be written: {error.strerror}.") from None


def _write_csv(predictions: "pa.Table", file: BinaryIO) -> None:
    """CSV with quotes only where a cell needs them, and numbers as short as they can be said exactly."""
    import csv
    import io

    import pyarrow as pa

    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(predictions.column_names)
    for batch in predictions.to_batches(max_chunksize=ROWS_AT_ONCE):
        writer.writerows(zip(*(column.cast(pa.string()).to_pylist() for column in batch.columns), strict=True))
    text.detach()


def _write_parquet(predictions: "pa.Table", file: BinaryIO) -> None:
    from pyarrow import parquet

    parquet.write_table(predictions, file)
