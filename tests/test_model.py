"""A saved model predicts the same bits anywhere; whatever was done to its files gets one sentence; nothing is half written."""

import dataclasses
import hashlib
import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load, save

from small_networks import train
from trainwell import model as models
from trainwell.calibration.calibrate import Calibration
from trainwell.calibration.intervals import fit_intervals
from trainwell.data.encode import fit_encoder
from trainwell.data.schema import infer_schema
from trainwell.data.tables import read_table
from trainwell.errors import InputError
from trainwell.model import EnsembleMember, Model, ensemble_members
from trainwell.network.structure import Structure, resolve
from trainwell.population.cohort import Population
from trainwell.population.devices import pool
from trainwell.population.epoch import Data
from trainwell.population.member import Member, Training
from trainwell.population.step import Rows

ROWS = 120


def columns(task: str) -> dict[str, list]:
    chance = np.random.default_rng(0)
    size, weight = chance.normal(size=ROWS), chance.normal(size=ROWS)
    town = chance.choice(list("abcdefghijkl"), ROWS)
    signal = size + (town < "e")
    target = {"binary": np.where(signal > 0.5, "yes", "no"), "multiclass": np.digitize(signal, [-0.3, 0.8]).astype(str)}
    return {
        "size": size.tolist(),
        "weight": weight.tolist(),
        "town": town.tolist(),
        "y": (target[task] if task in target else 100 + 20 * signal).tolist(),
    }


def made(task: str, **chosen: str) -> Model:
    table = read_table(columns(task))
    schema, _ = infer_schema(table, "y", task=task)
    everything = np.arange(ROWS)
    encoder = fit_encoder(table, schema, everything)
    arrays = encoder.transform(table)
    rows = Rows(arrays.numeric, arrays.categories, arrays.target)
    outputs = 3 if task == "multiclass" else 1
    own = Structure(
        numeric=len(encoder.numeric_names),
        continuous=encoder.continuous,
        cardinalities=encoder.cardinalities,
        outputs=outputs,
        loss={"binary": "binary_cross_entropy", "multiclass": "cross_entropy", "regression": "squared_error"}[task],
        widths=(6,),
        batch_size=32,
        batch_norm="before",
        **chosen,
    )
    metric = {"binary": "auc", "multiclass": "accuracy", "regression": "r2"}[task]
    population = Population(Data(rows, rows), task, metric, np.zeros(outputs, np.float32), 0, pool(1))
    trainings = train([Training(Member(number, own, resolve(own))) for number in (4, 9)], 3, of=population)
    return Model(encoder, ensemble_members({1: 0.75, 0: 0.25}, trainings), metric, 0.5)


@pytest.fixture(scope="module")
def binary():
    return made("binary")


@pytest.fixture
def folder(binary, tmp_path):
    return binary.save(tmp_path / "model")


def refused(folder) -> str:
    with pytest.raises(InputError) as error:
        models.load(folder)
    said = str(error.value)
    assert said.endswith(".")
    assert "\n" not in said
    return said


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_model_predicts_the_same_bits_after_its_folder_was_moved(task, tmp_path):
    model, new = made(task), columns(task)
    model.save(tmp_path / "model")
    shutil.move(tmp_path / "model", tmp_path / "elsewhere")
    back = models.load(tmp_path / "elsewhere")
    np.testing.assert_array_equal(back.predict(new), model.predict(new))
    assert (back.metric, back.test_score, back.classes) == (model.metric, 0.5, model.classes)
    if task == "regression":
        assert 60 < back.predict(new).mean() < 160  # in the target's own unit
        with pytest.raises(InputError, match=r"^'y' is a number: there are no class probabilities, use predict\.$"):
            back.predict_proba(new)
    else:
        probabilities = back.predict_proba(new)
        np.testing.assert_array_equal(probabilities, model.predict_proba(new))
        assert probabilities.shape == (ROWS, len(model.classes))
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_array_equal(np.array(model.classes)[probabilities.argmax(axis=1)], back.predict(new))


def test_quantiles_and_edges_are_saved_with_the_networks_that_have_them(tmp_path):
    model = made("binary", numeric_scaling="quantile", numeric_embedding="piecewise_linear")
    back = models.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(back.predict_proba(columns("binary")), model.predict_proba(columns("binary")))
    for one, before in zip(back.members, model.members, strict=True):
        assert one.structure == before.structure
        for name in ("numeric.quantiles", "numeric.edges"):
            np.testing.assert_array_equal(one.weights[name], before.weights[name])
            assert one.weights[name].shape[0] == 2


def test_a_model_that_was_saved_before_there_was_a_choice_of_scaling_is_robustly_scaled(folder, binary):
    described = json.loads((folder / "model.json").read_text())
    described["format"] = 2
    del described["sha256"]
    for member in described["members"]:
        del member["structure"]["numeric_scaling"]
    (folder / "model.json").write_text(json.dumps(described))
    back = models.load(folder)
    assert {member.structure.numeric_scaling for member in back.members} == {"robust"}
    np.testing.assert_array_equal(back.predict_proba(columns("binary")), binary.predict_proba(columns("binary")))


def test_the_ensemble_is_the_average_of_its_members_by_their_shares(binary):
    arrays = binary.encoder.transform(read_table(columns("binary")), with_target=False)
    alone = [
        Model(binary.encoder, (EnsembleMember(**{**vars(member), "share": 1.0}),), "auc").average(
            arrays.numeric, arrays.categories
        )
        for member in binary.members
    ]
    expected = sum(member.share * one for member, one in zip(binary.members, alone, strict=True))
    np.testing.assert_allclose(binary.average(arrays.numeric, arrays.categories), expected, rtol=1e-5)


def test_a_row_is_predicted_alike_alone_and_among_many_and_no_rows_give_none(binary):
    new = columns("binary")
    everything = binary.predict_proba(new)
    some = binary.predict_proba({name: values[:3] for name, values in new.items()})
    np.testing.assert_allclose(some, everything[:3], rtol=1e-5, atol=1e-6)
    nobody = read_table(new)
    assert binary.outputs(nobody.take(np.arange(0))).shape == (0, 1)


def test_a_run_folder_is_as_good_as_its_model_folder(folder, binary):
    assert models.load(folder.parent).members[0].number == binary.members[0].number
    assert models.load(str(folder)).members[0].share == 0.75


def test_a_folder_without_a_model_is_said_to_be_one(tmp_path):
    assert refused(tmp_path) == (
        f"{tmp_path} holds no model: it is neither a model folder nor the folder of a run that got that far."
    )
    assert "holds no model" in refused(tmp_path / "nowhere")


def test_weights_that_were_cut_changed_or_lost_are_refused(folder):
    path = folder / "weights.safetensors"
    content = path.read_bytes()
    said = f"{path} is damaged: it is not the file that model.json was written with."
    for other in (content[:-10], content[:-1] + bytes([content[-1] ^ 1]), b""):
        path.write_bytes(other)
        assert refused(folder) == said
    path.unlink()
    assert refused(folder) == f"{path} cannot be read: No such file or directory."


def change(folder, edit) -> None:
    content = json.loads((folder / "model.json").read_text())
    edit(content)
    (folder / "model.json").write_text(json.dumps(content))


def exchange_weights(folder, edit) -> None:
    """Other tensors, and the fingerprint made to fit, as somebody would who means to."""
    path = folder / "weights.safetensors"
    tensors = load(path.read_bytes())
    edit(tensors)
    path.write_bytes(save(tensors))
    fingerprint = hashlib.sha256(path.read_bytes()).hexdigest()
    change(folder, lambda content: content.update(weights_sha256=fingerprint))


TAMPERED = {
    "format": "x", "trainwell": 3, "metric": None, "test_score": "high", "weights_sha256": 7, "calibration": 1, "encoder": [],
    "members": {},
}  # fmt: skip


@pytest.mark.parametrize("field", TAMPERED)
def test_each_field_of_another_kind_or_missing_is_named(folder, field):
    before = (folder / "model.json").read_text()
    change(folder, lambda content: content.update({field: TAMPERED[field]}))
    assert refused(folder).startswith(f"{folder / 'model.json'} is damaged at {field}: ")
    (folder / "model.json").write_text(before)
    change(folder, lambda content: content.pop(field))
    assert refused(folder) == f"{folder / 'model.json'} is damaged at {field}: Field required."


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda one: one.update(share="half"), "is damaged at members.0.share: "),
        (lambda one: one.update(share=0.5), "the shares of its members do not add up to 1."),
        (lambda one: one.update(share=float("nan")), "the shares of its members do not add up to 1."),
        (lambda one: one.update(number=5), "does not hold the weights that member 5 needs."),
        (lambda one: one.update(more=1), "is damaged at members.0.more: "),
        (lambda one: one["settings"].pop("adam.beta1"), "the settings of member 9 are not those of its structure."),
        (lambda one: one["settings"].update({"adam.beta1": "x"}), "is damaged at members.0.settings.adam.beta1: "),
        (lambda one: one["structure"].pop("widths"), "a network's description has the fields "),
        (lambda one: one["structure"].update(widths=[7]), "does not hold the weights that member 9 needs."),
        (lambda one: one["structure"].update(widths=["x"]), "which is not of the kind it must be."),
        (lambda one: one["structure"].update(widths=[10**9]), "allowed are up to 64 layers of 1 to 8192 units."),
        (lambda one: one["structure"].update(activation="sliu"), "activation is 'sliu', did you mean 'silu'? allowed"),
        (lambda one: one["structure"].update(batch_norm="none"), "member 9"),
        (lambda one: one["structure"].update(outputs=3), "member 9 is not a network for its columns."),
        (lambda one: one["structure"].update(numeric=7), "member 9 is not a network for its columns."),
        (lambda one: one["structure"].update(numeric=10**12), "a network of 1000000000000 numbers, "),
        (lambda one: one["structure"].update(cardinalities=[-4]), "categories of (-4,) levels and 1 outputs cannot be made."),
        (lambda one: one["settings"].update({"adam.beta1": 3.0}), "adam.beta1 is 3, allowed is 0 to 0.999."),
        (lambda one: one.update(number=4), "two of its members have the same number."),
    ],
)  # fmt: skip
def test_a_tampered_member_is_refused_with_what_does_not_fit(folder, edit, said):
    change(folder, lambda content: edit(content["members"][0]))
    assert said in refused(folder)


def test_a_model_without_members_or_text_that_is_no_json_is_refused(folder):
    change(folder, lambda content: content.update(members=[]))
    assert "do not add up to 1" in refused(folder)
    for text in ("", "{", "[]", "3", '"text"', "\xff"):
        (folder / "model.json").write_text(text, encoding="latin-1")
        assert refused(folder).startswith(f"{folder / 'model.json'} is damaged")


def test_a_model_of_a_newer_trainwell_says_which_one_to_use(folder):
    change(folder, lambda content: content.update(format=9, trainwell="3.1", something_new=1))
    assert refused(folder) == (
        f"{folder / 'model.json'} has format 9, this trainwell reads up to 3: use trainwell 3.1 or later."
    )


@pytest.mark.parametrize(
    "edit",
    [
        lambda tensors: tensors.pop("9/weights/output.bias"),
        lambda tensors: tensors.update({"9/weights/output.bias": np.zeros(2, np.float32)}),
        lambda tensors: tensors.update({"9/weights/layer7.weight": np.zeros(2, np.float32)}),
    ],
)
def test_weights_of_other_names_or_shapes_are_refused_even_with_the_right_fingerprint(folder, edit):
    exchange_weights(folder, edit)
    assert refused(folder) == f"{folder / 'weights.safetensors'} does not hold the weights that member 9 needs."


@pytest.mark.parametrize("wrong", [np.full(1, np.nan, np.float32), np.zeros(1, np.int32)])
def test_weights_that_are_no_finite_floats_are_refused(folder, wrong):
    exchange_weights(folder, lambda tensors: tensors.update({"9/weights/output.bias": wrong}))
    assert refused(folder) == f"{folder / 'weights.safetensors'} holds values for member 9 that are no finite numbers."


def test_statistics_that_are_missing_are_refused(folder):
    exchange_weights(folder, lambda tensors: tensors.pop("4/statistics/layer1.mean"))
    assert refused(folder) == f"{folder / 'weights.safetensors'} does not hold the statistics that member 4 needs."


def test_nothing_is_half_written_where_saving_fails(binary, tmp_path):
    (tmp_path / "a file").write_text("as before")
    with pytest.raises(OSError, match="a file"):
        binary.save(tmp_path / "a file" / "model")
    assert (tmp_path / "a file").read_text() == "as before"
    blocked = tmp_path / "model"
    (blocked / "model.json" / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match=r"model\.json"):
        binary.save(blocked)
    assert sorted(path.name for path in blocked.iterdir()) == ["model.json", "weights.safetensors"]
    assert "holds no model" in refused(blocked)


@pytest.fixture(scope="module")
def regression():
    return dataclasses.replace(
        made("regression"), calibration=Calibration(intervals=fit_intervals(np.zeros(40), np.arange(1.0, 41)))
    )


def test_temperature_threshold_and_intervals_are_stored_and_come_back(binary, regression, tmp_path):
    given = dataclasses.replace(binary, calibration=Calibration(temperature=1.75, threshold=0.125))
    given.save(tmp_path / "classes")
    back = models.load(tmp_path / "classes")
    assert back.calibration == given.calibration
    np.testing.assert_array_equal(back.predict_proba(columns("binary")), given.predict_proba(columns("binary")))
    regression.save(tmp_path / "numbers")
    assert models.load(tmp_path / "numbers").calibration == regression.calibration


def test_the_second_class_is_predicted_above_the_threshold_and_probabilities_are_at_the_temperature(binary):
    new = columns("binary")
    plain = binary.predict_proba(new)[:, 1]
    threshold = float(np.quantile(plain, 0.3))
    changed = dataclasses.replace(binary, calibration=Calibration(temperature=2.0, threshold=threshold))
    probability = changed.predict_proba(new)[:, 1]
    np.testing.assert_allclose(probability, 1 / (1 + np.sqrt((1 - plain) / plain)), rtol=1e-4)
    np.testing.assert_array_equal(changed.predict(new) == "yes", probability > threshold)
    assert (changed.predict(new) == "yes").sum() > (binary.predict(new) == "yes").sum()


def test_intervals_are_around_the_prediction_in_the_unit_of_the_target(regression):
    new = columns("regression")
    low, high = regression.predict_interval(new).T
    np.testing.assert_allclose((low + high) / 2, regression.predict(new))
    np.testing.assert_allclose(high - low, 2 * 37)  # the 37th of 40 residuals
    assert (regression.predict_interval(new, 0.5)[:, 0] > low).all()


def test_what_has_no_intervals_says_so(binary, regression):
    with pytest.raises(InputError, match=r"^'y' has classes: there are no intervals, use the probabilities\.$"):
        binary.predict_interval(columns("binary"))
    with pytest.raises(InputError, match=r"^The model was saved without intervals: train it anew to have them\.$"):
        dataclasses.replace(regression, calibration=Calibration()).predict_interval(columns("regression"))
    with pytest.raises(InputError, match=r"^interval is 0.99, which needs 99 validation rows; the model was made with 40: "):
        regression.predict_interval(columns("regression"), 0.99)
    with pytest.raises(InputError, match=r"^interval is 1.5, allowed are shares between 0 and 1, such as 0.9 for 90%\.$"):
        regression.predict_interval(columns("regression"), 1.5)


@pytest.mark.parametrize(
    ("edit", "place"),
    [
        (lambda one: one.update(temperature=0.0), "calibration.temperature"),
        (lambda one: one.update(temperature=float("nan")), "calibration.temperature"),
        (lambda one: one.update(threshold=1.5), "calibration.threshold"),
        (lambda one: one.pop("threshold"), "calibration.threshold"),
        (lambda one: one.update(more=1), "calibration.more"),
        (lambda one: one["intervals"].update(rows=0), "calibration.intervals.rows"),
        (lambda one: one["intervals"]["half_widths"].update({"0.5": "wide"}), "calibration.intervals.half_widths.0.5"),
        (lambda one: one["intervals"]["half_widths"].update({"0.5": 1e9}), "calibration.intervals"),
        (lambda one: one["intervals"]["half_widths"].update({"most": 1e9}), "calibration.intervals"),
        (lambda one: one["intervals"]["half_widths"].update({"1.5": 1e9}), "calibration.intervals"),
        (lambda one: one["intervals"]["half_widths"].update({"0.01": -1.0}), "calibration.intervals"),
        (lambda one: one["intervals"]["half_widths"].update({"0.99": float("inf")}), "calibration.intervals"),
        (lambda one: one["intervals"].update(at=[1.0]), "calibration.intervals"),
        (lambda one: one["intervals"].update(at=[1.0, 0.0], errors=[1.0, 1.0]), "calibration.intervals"),
        (lambda one: one["intervals"].update(at=[0.0, 1.0], errors=[1.0, 0.0]), "calibration.intervals"),
        (lambda one: one["intervals"].update(at=[0.0, float("nan")], errors=[1.0, 1.0]), "calibration.intervals"),
    ],
)
def test_a_tampered_calibration_is_refused_with_its_place(regression, tmp_path, edit, place):
    folder = regression.save(tmp_path / "model")
    change(folder, lambda content: edit(content["calibration"]))
    assert refused(folder).startswith(f"{folder / 'model.json'} is damaged at {place}: ")
