"""An exported model reads raw cells and predicts what its model does, whatever the columns and networks; or is not written."""

import dataclasses
import importlib.metadata
import json
import subprocess
import sys
import textwrap

import numpy as np
import onnxruntime
import pytest

import made_models
from trainwell.data.dates import STYLES
from trainwell.data.tables import read_table
from trainwell.errors import InputError
from trainwell.export import write
from trainwell.export.certificate import LIMIT, certificate
from trainwell.export.rows import drawn, feed
from trainwell.recipe.run import fit
from trainwell.techniques.activations import ACTIVATIONS

# Few models with many structures each: a network of an ensemble that differs makes the ensemble differ.
ENSEMBLES = {
    "activations": ("binary", [{"activation": name} for name in ACTIVATIONS]),
    "norms": (
        "binary",
        [
            {"batch_norm": batch, "weight_norm": weight, "dropout": dropout, "numeric_embedding": "none"}
            for batch, weight, dropout in (
                ("before", "none", "none"), ("after", "none", "course"), ("none", "plain", "inverted"),
                ("none", "centered", "course"), ("before", "centered", "none"), ("after", "plain", "none"),
            )
        ],
    ),
    "ways in": (
        "multiclass",
        [
            {"numeric_scaling": scaling, "numeric_embedding": embedding}
            for scaling in ("robust", "quantile")
            for embedding in ("none", "periodic", "piecewise_linear")
        ]
        + [{"input_scaling": "learned"}],
    ),
    "depths": (
        "multiclass",
        [{"widths": ()}, {"widths": (), "dropout": "course"}, {"widths": (8,) * 6, "batch_norm": "after"}, {"adapters": 3}],
    ),
    "numbers": ("regression", [{}, {"logarithm": (-4.0, 0.3, 0.5, 2.5)}, {"widths": ()}]),
}  # fmt: skip


def difference(model, tables, level=None) -> float:
    return certificate(model, level, write.exported(model, level), tables)["largest_difference"]


@pytest.mark.parametrize("name", ENSEMBLES)
def test_every_structure_predicts_the_same(name):
    task, structures = ENSEMBLES[name]
    model = made_models.model(task, *structures)
    tables = {"drawn": drawn(model.encoder), "new": read_table(made_models.columns(task, 300, seed=9))}
    level = 0.9 if task == "regression" else None
    assert difference(model, tables, level) <= LIMIT


def test_dates_of_every_style_are_read_with_their_times_zones_and_mistakes():
    table = made_models.columns("binary", styles=tuple(STYLES))
    model = made_models.model("binary", {"numeric_embedding": "none"}, table=table)
    assert {column.style for column in model.encoder.columns if column.kind == "date"} >= set(STYLES)
    rows = drawn(model.encoder, 1500, seed=4)
    assert difference(model, {"drawn": rows}) <= LIMIT
    cells = {name: [None] * 8 for name in STYLES} | {
        "year-month-day": ["2024-02-29", "2023-02-29", "2000-02-29T23:59:60Z", "1900-02-29", "1969-12-31 01:02-0130",
                           "2024-06-01T10:20:30.75+02:00", "2024-01-01 24:00", "NaT"],
        "year/month/day": ["2024/2/9 3:30 PM", "2024/2/9 12:05am", "2024/2/9 12:05 pM", "2024/2/9 13:30 PM", "2024/2/9 0:30 AM",
                           "2024/02/09 11:59:59.5AM", "2024/2/9 13:30", "2024/2/9"],
        "day Mon year": ["5 Jan 2024 3:30 PM", "5 Jan 2024 12:30 AM", "5 Jan 2024 15:30", *[None] * 5],
        "Mon day, year": ["Jan 5, 2024 3:30 PM", "Aug 5, 2024 12:30am", "Aug 5, 2024 15:30", *[None] * 5],
        "day-Mon-year": ["1-JAN-2024", "31-Apr-2024", "3-feb-1999 4:05", "3-xyz-2000", "NA", None, "30-Sep-2021", "1-Oct-2021"],
    }  # fmt: skip
    others = {name: column[:8] for name, column in table.items() if name not in STYLES}
    zones = {name: [None] * 8 for name in STYLES} | {
        "year-month-day": ["2024-01-05 10:30:00+00", "2024-01-05 10:30:00.123456-05", "2024-01-05 10:30:00 UTC",
                           "2024-01-05", "2024-01-05T10:30:00 UTC", "2024-01-05T10:30 +0530", "2024-01-05 10:30 -01:30",
                           "2024-01-05T10:30+0005"],
    }  # fmt: skip
    for given in (cells, zones):
        assert difference(model, {"calendar": read_table({**others, **given})}) <= LIMIT


@pytest.fixture(scope="module")
def binary():
    return made_models.model("binary")


@pytest.fixture
def folder(binary, tmp_path):
    return binary.save(tmp_path / "model")


def test_the_certificate_is_beside_the_file_and_says_what_was_checked(folder, binary, tmp_path):
    found = write.export(folder, tmp_path / "model.onnx")
    assert json.loads((tmp_path / "model.onnx.json").read_text()) == found
    assert found["largest_difference"] <= found["limit"] == 1e-5
    assert found["rows"] == {"rows drawn over the ranges of the columns": 2000}
    assert found["inputs"]["amount"] == "number"
    assert found["inputs"]["town"] == found["inputs"]["year-month-day"] == "text"
    assert found["outputs"] == ["label", "probabilities"]
    assert found["model_sha256"] == json.loads((folder / "model.json").read_text())["sha256"]
    assert set(found["versions"]) == {"python", "trainwell", "onnx", "onnxruntime", "numpy"}


def test_the_version_of_onnxruntime_is_known_under_any_name_of_its_distribution(folder, tmp_path, monkeypatch):
    known = importlib.metadata.version

    def of_a_gpu(name: str) -> str:
        if name == "onnxruntime":
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(importlib.metadata, "version", of_a_gpu)
    assert write.export(folder, tmp_path / "model.onnx")["versions"]["onnxruntime"] == onnxruntime.__version__


def test_it_is_checked_on_the_rows_of_the_run_s_table_where_that_is_at_hand(tmp_path):
    import pyarrow as pa
    import pyarrow.csv

    table = tmp_path / "table.csv"
    pyarrow.csv.write_csv(pa.table(made_models.columns("binary", 120)), str(table))
    fit(table, "y", out=tmp_path / "run", effort="minimal", keep_going=True, cores=1, report=False)
    assert write.export(tmp_path / "run", tmp_path / "model.onnx")["rows"][f"rows of {table}"] == 120
    table.unlink()
    assert len(write.export(tmp_path / "run", tmp_path / "model.onnx")["rows"]) == 1


ALONE = """
    import sys

    class Nothing:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in ("trainwell", "jax", "sklearn", "scipy", "pandas", "pyarrow", "onnx", "torch"):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Nothing())
    import json
    import numpy, onnxruntime
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    rows = json.loads(sys.stdin.read())
    kinds = {one.name: numpy.float64 if one.type == "tensor(double)" else object for one in session.get_inputs()}
    label, probabilities = session.run(None, {name: numpy.array(rows[name], kind)[:, None] for name, kind in kinds.items()})
    print(json.dumps([label.tolist(), probabilities.tolist()]))
"""


def test_the_file_alone_predicts_from_raw_cells_where_only_onnxruntime_is_installed(folder, binary, tmp_path):
    write.export(folder, tmp_path / "model.onnx")
    table = made_models.columns("binary", 40, seed=7)
    table["price"] = [float(price.replace(",", "")) for price in table["price"]]  # a number is given as one
    numbers = ("amount", "price", "size", "rate")
    raw = {
        name: [float("nan") if cell is None else cell for cell in cells]
        if name in numbers
        else [cell or "NA" for cell in cells]
        for name, cells in table.items()
    }
    words = [sys.executable, "-I", "-c", textwrap.dedent(ALONE), str(tmp_path / "model.onnx")]
    said = subprocess.run(words, input=json.dumps(raw), capture_output=True, text=True, check=True).stdout
    label, probabilities = json.loads(said)
    np.testing.assert_allclose(probabilities, binary.predict_proba(table), atol=1e-5)
    assert label == binary.predict(table).tolist()
    assert len(set(label)) == 2


def test_a_row_alone_reads_as_among_others_and_a_whole_number_of_a_category_in_every_spelling(binary):
    session = onnxruntime.InferenceSession(write.exported(binary), providers=["CPUExecutionProvider"])
    table = made_models.columns("binary", 3, seed=5)
    row = {name: cells[:1] for name, cells in table.items()}
    fed = feed(read_table(row, unsigned=binary.encoder.unsigned), binary.encoder)
    expected = session.run(None, fed)[1]
    np.testing.assert_allclose(expected, binary.predict_proba(row), atol=1e-6)
    fed["code"] = np.array([[f"{row['code'][0]}.0"]], dtype=object)
    np.testing.assert_array_equal(session.run(None, fed)[1], expected)


def test_a_boolean_of_a_category_is_read_in_every_spelling():
    table = made_models.columns("binary", 200, seed=6)
    table["flag"] = [str(flag == "on").lower() for flag in table["flag"]]
    model = made_models.model("binary", {"numeric_embedding": "none"}, table=table)
    others = [
        {**table, "flag": [flag.upper() for flag in table["flag"]]},
        {**table, "flag": [f == "true" for f in table["flag"]]},
    ]
    assert difference(model, {str(place): read_table(other) for place, other in enumerate(others)}) <= LIMIT
    for other in others:
        found = [model.encoder.transform(read_table(one), with_target=False).numeric for one in (table, other)]
        np.testing.assert_array_equal(*found)


def test_a_model_that_predicts_otherwise_is_not_exported_and_nothing_is_left(binary, folder, tmp_path, monkeypatch):
    other = dataclasses.replace(binary, calibration=dataclasses.replace(binary.calibration, temperature=1.6001))
    content = write.exported(other)
    monkeypatch.setattr(write, "exported", lambda model, level: content)
    with pytest.raises(
        InputError, match=r"^The exported model differs from its model by \S+ on rows drawn .*nothing was written\.$"
    ):
        write.export(folder, tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_another_decision_is_not_exported_either(binary):
    content = write.exported(dataclasses.replace(binary, calibration=dataclasses.replace(binary.calibration, threshold=0.6)))
    with pytest.raises(
        InputError, match=r"^The exported model says another class in [\d,]+ of 2,000 rows: nothing was written\.$"
    ):
        certificate(binary, None, content, {"drawn": drawn(binary.encoder)})


def test_intervals_go_with_numbers_and_a_level_that_is_none_is_refused(tmp_path):
    model = made_models.model("regression", {})
    model.save(tmp_path / "model")
    found = write.export(tmp_path / "model", tmp_path / "model.onnx", 0.8)
    assert (found["outputs"], found["interval"]) == (["prediction", "low", "high"], 0.8)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    new = made_models.columns("regression", 50, seed=2)
    value, low, high = session.run(None, feed(read_table(new, unsigned=model.encoder.unsigned), model.encoder))
    float32 = 1e-6 * np.abs(value).max()  # of which a value near 0 is a difference
    np.testing.assert_allclose(value, model.predict(new), rtol=1e-5, atol=float32)
    np.testing.assert_allclose(np.column_stack([low, high]), model.predict_interval(new, 0.8), rtol=1e-4, atol=float32)
    with pytest.raises(InputError, match=r"^interval is 1.5, allowed are shares between 0 and 1"):
        write.export(tmp_path / "model", tmp_path / "other.onnx", 1.5)


def test_a_column_called_as_an_output_keeps_its_name():
    table = made_models.columns("binary")
    table = {"label" if name == "flag" else name: cells for name, cells in table.items()}
    model = made_models.model("binary", {}, table=table)
    session = onnxruntime.InferenceSession(write.exported(model), providers=["CPUExecutionProvider"])
    assert "label" in {one.name for one in session.get_inputs()}
    assert [one.name for one in session.get_outputs()] == ["label_", "probabilities"]


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("model.txt", "The output '{out}'; it must end in .onnx."),
        ("nowhere/model.onnx", "The output '{out}' cannot be written: there is no folder '{parent}'."),
    ],
)
def test_an_output_that_cannot_be_is_said_before_any_work(tmp_path, out, said):
    path = tmp_path / out
    with pytest.raises(InputError) as refused:
        write.export(tmp_path / "no model at all", path)
    assert str(refused.value).replace("is '", "'", 1) == said.format(out=path, parent=path.parent)


def test_without_the_extra_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        InputError, match=r"^Exporting needs onnxruntime, which is not installed: pip install 'trainwell\[export\]'\.$"
    ):
        write.export(tmp_path, tmp_path / "model.onnx")
