"""``trainwell export``: the file and its certificate, both or neither."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainwell import __version__
from trainwell.calibration.intervals import LEVEL
from trainwell.errors import InputError
from trainwell.export.certificate import certificate
from trainwell.export.graph import need_onnx
from trainwell.export.outputs import whole
from trainwell.export.rows import drawn, table_of_run
from trainwell.files import whole_file
from trainwell.model import Model, load

SUFFIX = ".onnx"
LARGEST = 2_000_000_000  # bytes: what one ONNX file can hold


def export(run: str | Path, out: str | Path, interval: float | None = None) -> dict[str, Any]:
    """Write a run's model as ONNX, once it predicts the same, and beside it the certificate; returns the certificate.

    Parameters
    ----------
    run : the folder of a run, or of a model.
    out : a path ending in .onnx; the certificate has the same name with .json behind it.
    interval : level of the intervals, for numbers; 0.9 where the model has that one, when left out.

    Raises
    ------
    InputError : something is in the way, or the exported model differs by more than 1e-5; then nothing is written.
    """
    out = Path(out)
    check_out(out)
    need_onnx()
    model = load(run)
    level = _level(model, interval)
    numbers = sum(value.size for member in model.members for value in member.weights.values())
    if 4 * numbers > LARGEST:
        raise InputError(f"The model has {numbers:,} weights, more than the {LARGEST:,} bytes that one ONNX file can hold.")
    content = exported(model, level)
    tables = {"rows drawn over the ranges of the columns": drawn(model.encoder)}
    if (own := table_of_run(Path(run), model.encoder)) is not None:
        tables[f"rows of {own.source}"] = own
    found = certificate(model, level, content, tables)
    try:
        with whole_file(Path(f"{out}.json")) as text, whole_file(out) as file:
            file.write(content)  # the file that was opened last takes its place first
            text.write(json.dumps(found, indent=1).encode())
    except OSError as error:
        raise InputError(f"The output {str(out)!r} cannot be written: {error.strerror}.") from None
    return found


def exported(model: Model, level: float | None = None) -> bytes:
    """The model as an ONNX file."""
    from onnx import checker

    try:
        graph = whole(model, level).model(
            {
                "trainwell": __version__,
                "task": model.schema.task,
                "target": model.schema.target,
                "classes": json.dumps(list(model.classes)),
                "interval": json.dumps(level),
            }
        )
    except checker.ValidationError as problem:
        raise InputError(f"The model cannot be written as ONNX: {str(problem).splitlines()[0][:200]}.") from None
    return bytes(graph.SerializeToString())


def _level(model: Model, interval: float | None) -> float | None:
    if interval is not None:
        model.interval(model.labels(_nothing()) if model.classes else _nothing()[:, 0], interval)  # refuses what it has not
        return interval
    intervals = model.calibration.intervals
    return LEVEL if intervals is not None and intervals.levels and intervals.levels[-1] >= LEVEL else None


def _nothing() -> Any:
    import numpy as np

    return np.zeros((0, 1))


def check_out(out: Path) -> None:
    """`InputError` for a path that nothing can be written to, before any work is done."""
    if out.suffix != SUFFIX:
        raise InputError(f"The output is {str(out)!r}; it must end in {SUFFIX}.")
    if out.is_dir():
        raise InputError(f"The output {str(out)!r} is a folder; name a file in it, such as {str(out / 'model.onnx')!r}.")
    if not out.parent.is_dir():
        raise InputError(f"The output {str(out)!r} cannot be written: there is no folder {str(out.parent)!r}.")
