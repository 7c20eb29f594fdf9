"""Writes the golden models of the format that this trainwell writes: run once, when a format is released, never again for it.

    python -m golden.make   (in the folder tests)

Each folder holds a small model of every kind of column, some rows, and what was predicted for them then. The models of
formats 1 and 2 were written by the versions of trainwell that had these formats, with the same program.
"""

import json
import warnings
from pathlib import Path

import made_models
from trainwell.model_file import FORMAT

HERE = Path(__file__).parent
ROWS = 8
STRUCTURES = (
    {"widths": (6,), "numeric_embedding": "none", "batch_norm": "before"},
    {"widths": (4, 4), "activation": "gelu", "numeric_embedding": "piecewise_linear", "weight_norm": "plain"},
)


def write(task: str, folder: Path) -> None:
    """A model with its rows and predictions."""
    warnings.simplefilter("ignore")  # of cells that no training row had
    table = {name: cells[:60] for name, cells in made_models.columns(task).items() if name not in ("size", "code")}
    rows = {name: cells[:ROWS] for name, cells in made_models.columns(task, ROWS, seed=5).items() if name in table}
    model = made_models.model(task, *STRUCTURES, table=table)
    model.save(folder)
    said = {"predict": model.predict(rows).tolist()}
    if task != "regression":
        said["predict_proba"] = model.predict_proba(rows).tolist()
    elif model.calibration.intervals is not None:
        said["predict_interval"] = model.predict_interval(rows, 0.9).tolist()
    (folder / "expected.json").write_text(json.dumps({"rows": rows, **said}))


if __name__ == "__main__":
    for task in ("binary", "multiclass", "regression"):
        write(task, HERE / f"format_{FORMAT}" / task)
