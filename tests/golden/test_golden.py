"""A model that any released version wrote is loaded, and predicts what it predicted then."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from trainwell import model as models
from trainwell.model_file import FORMAT

HERE = Path(__file__).parent
TASKS = ("binary", "multiclass", "regression")


def test_there_are_models_of_every_format():
    found = {path.relative_to(HERE).as_posix() for path in HERE.glob("format_*/*")}
    assert found == {f"format_{number}/{task}" for number in range(1, FORMAT + 1) for task in TASKS}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("number", range(1, FORMAT + 1))
def test_a_model_predicts_what_it_predicted_when_it_was_written(number, task):
    folder = HERE / f"format_{number}" / task
    assert json.loads((folder / "model.json").read_text())["format"] == number
    then = json.loads((folder / "expected.json").read_text())
    rows, model = then.pop("rows"), models.load(folder)
    assert {column.kind for column in model.encoder.columns} >= {"measurement", "switches", "embedded", "date", "two numbers"}
    assert any(None in cells for cells in rows.values())
    warnings.simplefilter("ignore", models.CellWarning)
    assert set(then) >= ({"predict"} if task == "regression" else {"predict", "predict_proba"})
    for name, expected in then.items():
        found = getattr(model, name)(rows)
        if name == "predict" and task != "regression":
            assert found.tolist() == expected
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert len({member.structure for member in model.members}) == 2  # also what only training reads is understood
