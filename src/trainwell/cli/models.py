"""What is done with a model: predict, export, say what it is."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from trainwell import words
from trainwell.cli.app import app


@app.command(usage="Usage: trainwell predict RUN FILE -o OUT [OPTIONS]")
def predict(
    run: Path,
    file: Path,
    /,
    *,
    out: Annotated[str, Parameter(name=["--out", "-o"], allow_leading_hyphen=True)],
    keep: list[str] | None = None,
    interval: float | None = None,
    chunk: int | None = None,
) -> None:
    """Predict the rows of a table with the model of a run.

    Parameters
    ----------
    run
        The run folder, or a model folder.
    file
        The table to predict; it needs the columns that the model was trained on, others do no harm.
    out
        Where to write: a .csv or .parquet file, or - for CSV on standard output.
    keep
        A column to copy in front of the predictions; may be given several times.
    interval
        For numbers: add columns low and high of the interval that holds the truth with this probability, such as 0.9.
    chunk
        How many rows to hold in memory at a time; 65,536 when left out.
    """
    from trainwell.predictions import CHUNK, cell_notes, check_chunk, check_out, predict_file

    check_out(out)
    chunk = CHUNK if chunk is None else chunk
    check_chunk(chunk)
    if interval is not None:
        from trainwell.calibration.intervals import check_level

        check_level(interval)

    from trainwell.model import load

    with cell_notes() as notes:
        rows = predict_file(load(run), file, out, keep or (), interval, chunk)
    for note in notes:
        print(f"note: {words.printable(note)}", file=sys.stderr)
    if out != "-":
        print(f"{words.counted(rows, 'prediction')} in {out}")


@app.command(usage="Usage: trainwell export RUN -o MODEL.onnx [OPTIONS]")
def export(run: Path, /, *, out: Annotated[Path, Parameter(name=["--out", "-o"])], interval: float | None = None) -> None:
    """Write the model of a run as one ONNX file that reads raw cells, once it was checked to predict the same.

    Parameters
    ----------
    run
        The run folder, or a model folder.
    out
        Where to write: a .onnx file. Its certificate goes beside it, with .json behind the name.
    interval
        For numbers: the probability with which low and high hold the truth; 0.9 when left out.
    """
    from trainwell.export.write import export as export_model

    found = export_model(run, out, interval)
    rows = sum(found["rows"].values())
    print(f"{out}: differs by at most {found['largest_difference']:.1e} on {rows:,} rows; certificate in {out}.json")


@app.command
def info(run: Path, /) -> None:
    """Say what a model is: what it predicts, from what data, how good it is, its networks, versions and columns.

    Parameters
    ----------
    run
        The run folder, or a model folder.
    """
    from trainwell.info import describe

    print(describe(run))
