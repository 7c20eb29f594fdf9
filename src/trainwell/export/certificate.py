"""What an exported model was found to differ by from the one it was made of, on which rows, and with which versions."""

from __future__ import annotations

import hashlib
import platform
import warnings
from importlib import import_module
from typing import Any

import numpy as np

from trainwell.data.tables import Table
from trainwell.errors import InputError
from trainwell.export.rows import feed
from trainwell.model import Model

LIMIT = 1e-5  # of a probability; of a number in standard deviations of the target, or of itself where it is farther out
LIBRARIES = ("trainwell", "onnx", "onnxruntime", "numpy")  # modules: a distribution may have another name (onnxruntime-gpu)
FORMAT = 1


def certificate(model: Model, level: float | None, content: bytes, tables: dict[str, Table]) -> dict[str, Any]:
    """The certificate of an exported model, as plain data.

    Parameters
    ----------
    level : of the intervals in the file.
    content : the exported file.
    tables : the rows to check it on, by what they are.

    Raises
    ------
    InputError : some prediction differs by more than the limit, or onnxruntime cannot run the file.
    """
    import onnxruntime

    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        differences = {name: _difference(model, session, level, table) for name, table in tables.items()}
    except InputError:
        raise
    except Exception as problem:  # onnxruntime's own kinds of errors
        raise InputError(f"The exported model cannot be run by onnxruntime: {str(problem).splitlines()[0][:200]}.") from None
    largest = max(differences.values())
    if not largest <= LIMIT:
        where = max(differences, key=lambda name: differences[name])
        raise InputError(
            f"The exported model differs from its model by {largest:.2g} on {where}, allowed is {LIMIT:g}: nothing was written."
        )
    return {
        "format": FORMAT,
        "largest_difference": largest,
        "limit": LIMIT,
        "unit": "standard deviations of the target" if model.schema.task == "regression" else "probability",
        "rows": {name: table.rows for name, table in tables.items()},
        "task": model.schema.task,
        "inputs": {one.name: "number" if one.type == "tensor(double)" else "text" for one in session.get_inputs()},
        "outputs": [one.name for one in session.get_outputs()],
        "classes": list(model.classes),
        "interval": level,
        "onnx_sha256": hashlib.sha256(content).hexdigest(),
        "model_sha256": model.fingerprint(),
        "versions": {"python": platform.python_version(), **{name: import_module(name).__version__ for name in LIBRARIES}},
    }


def _difference(model: Model, session: Any, level: float | None, table: Table) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = model.outputs(table)
    found = session.run(None, feed(table, model.encoder))
    if model.classes:
        _check_labels(model, expected, found[0])
        return float(np.abs(found[1] - model.probabilities(expected)).max())
    scale = model.encoder.target_scale
    value = model.labels(expected)
    unit = np.maximum(scale, np.abs(value - model.encoder.target_mean))
    wanted = [value] if level is None else [value, *model.interval(value, level).T]
    return max(float((np.abs(one - other) / unit).max()) for one, other in zip(found, wanted, strict=True))


def _check_labels(model: Model, expected: np.ndarray, labels: np.ndarray) -> None:
    """Rows that are on one side of the decision by more than the limit must have the same label."""
    if expected.shape[1] == 1:
        sure = np.abs(expected[:, 0] - model.calibration.threshold) > LIMIT
    else:
        ordered = np.sort(expected, axis=1)
        sure = ordered[:, -1] - ordered[:, -2] > 2 * LIMIT
    if wrong := int((sure & (labels != model.labels(expected))).sum()):
        raise InputError(f"The exported model says another class in {wrong:,} of {len(labels):,} rows: nothing was written.")
