"""Trainings come back from a file bit by bit, able to go on or as they were let go; a damaged file is said to be one."""

import json
from dataclasses import replace

import jax
import numpy as np
import optax
import pytest
from safetensors.numpy import load_file, save_file

from small_networks import bits, member, population, rows, structure, train
from trainwell.errors import InputError
from trainwell.population import checkpoint
from trainwell.population.history import Curves
from trainwell.population.signals import Signals
from trainwell.techniques.optimizers import OPTIMIZERS


@pytest.fixture
def file(trained, tmp_path):
    path = tmp_path / "members" / "tune.safetensors"
    checkpoint.save([*trained[:3], member(90, structure())], path)
    return path


def test_members_come_back_with_their_best_weights_curves_and_scores(file, trained):
    back = checkpoint.load(file)
    for one, before in zip(back, trained[:3], strict=False):
        assert (one.member, one.curves) == (before.member, before.curves)
        assert (one.score, one.stopped, one.failed) == (before.score, before.stopped, before.failed)
        assert int(one.state.step) == int(before.state.step)
        assert int(one.state.key) == int(before.state.key)
        assert set(one.state.best_weights) == set(before.state.best_weights)
        for name, weight in before.state.best_weights.items():
            np.testing.assert_array_equal(one.state.best_weights[name], weight)
    assert (back[3].member.number, back[3].state, back[3].epochs) == (90, None, 0)
    new, own = rows(number=9, seed=4), population()
    np.testing.assert_array_equal(
        own.predict(back[:3], new.numeric, new.categories), own.predict(trained[:3], new.numeric, new.categories)
    )


def test_values_that_are_no_numbers_come_back_too(tmp_path):
    own = structure("regression", optimizer="gradient_descent")
    wild = member(1, own)
    wild.member.settings["gradient_descent.learning_rate"] = 1e6
    failed = train([wild], 5, of=population("regression"))
    checkpoint.save(failed, tmp_path / "failed")
    (back,) = checkpoint.load(tmp_path / "failed")
    np.testing.assert_array_equal(back.curves.training_loss, failed[0].curves.training_loss)
    assert (back.failed, back.score) == (True, -np.inf)


def test_a_network_of_an_optax_transformation_comes_back_to_predict(tmp_path):
    own = population()
    trainings = [t.let_go() for t in train([member(0, structure(optimizer=optax.sgd(0.1)))], 2, of=own)]
    checkpoint.save(trainings, tmp_path / "custom")
    back, new = checkpoint.load(tmp_path / "custom"), rows(number=9)
    np.testing.assert_array_equal(
        own.predict(back, new.numeric, new.categories), own.predict(trainings, new.numeric, new.categories)
    )


IN_HALVES = optax.chain(optax.clip(1.0), optax.adam(0.01, mu_dtype="bfloat16"))
STRUCTURES = [
    *(structure(optimizer=name) for name in OPTIMIZERS),
    structure(batch_norm="before", schedule="reduce_on_plateau"),
    structure("multiclass", weight_norm="plain", widths=(4, 4), numeric_embedding="periodic"),
    structure(numeric_scaling="quantile", numeric_embedding="piecewise_linear", weight_averaging="exponential"),
    structure(optimizer=IN_HALVES),
    structure(optimizer=optax.sgd(0.1, momentum=0.9, accumulator_dtype="float8_e4m3b11fnuz")),  # the file has no name for it
    structure(optimizer=optax.inject_hyperparams(optax.lion)(learning_rate=0.01)),
]


@pytest.mark.parametrize("own", STRUCTURES, ids=lambda own: own.optimizer if isinstance(own.optimizer, str) else "optax")
def test_any_bits_come_back_in_the_state_of_any_network(own, tmp_path):
    """Random bits hold every kind of number: negative zero, subnormal numbers, infinity, NaN of any payload."""
    chance = np.random.default_rng(7)

    def anything(like):
        value = np.frombuffer(chance.bytes(like.dtype.itemsize * like.size), like.dtype).reshape(like.shape).copy()
        if like.dtype == bool:
            return chance.random(like.shape) < 0.5
        if value.size > 4 and like.dtype == np.float32:
            value.ravel()[:4] = np.array([0x80000000, 0x7F800001, 0xFFC12345, 1], np.uint32).view(np.float32)
        return value

    odd = tuple(np.array([1.5, -0.0, np.nan, np.inf]).tolist())
    signals = tuple((epoch, dict.fromkeys(Signals._fields, odd)) for epoch in (2, 4))
    states = [jax.tree.map(anything, checkpoint._begun(own)) for _ in range(2)]
    before = [
        replace(member(number, own), state=state, curves=Curves(odd, odd, odd, odd, signals))
        for number, state in enumerate(states)
    ]
    checkpoint.save(before, tmp_path / "wave", {"rung": 1})
    after = checkpoint.load(tmp_path / "wave", known=[own])
    assert [bits(training) for training in after] == [bits(training) for training in before]
    assert [training.member for training in after] == [training.member for training in before]
    assert jax.tree.structure(after[0].state) == jax.tree.structure(before[0].state)
    assert checkpoint.notes_of(tmp_path / "wave") == {"rung": 1}


def test_trainings_that_were_written_in_the_middle_come_to_the_same_bits(trained, tmp_path):
    every_kind = structure(
        optimizer=IN_HALVES, batch_norm="before", batch_norm_test="population", schedule="reduce_on_plateau",
        weight_averaging="exponential",
    )  # fmt: skip
    half = [*trained[:3], *train([member(number, every_kind) for number in (20, 21)], 6)]
    checkpoint.save(half, tmp_path / "half")
    resumed = train(checkpoint.load(tmp_path / "half", known=[every_kind]), 10)
    straight_on = train(half, 10)
    assert {training.epochs for training in straight_on} == {10}
    assert [bits(training) for training in resumed] == [bits(training) for training in straight_on]


def test_the_names_in_the_file_can_be_read(trained, tmp_path):
    checkpoint.save([trained[3], trained[4].let_go()], tmp_path / "some")
    names = set(load_file(tmp_path / "some"))
    assert {"3/weights/layer1.weight", "3/moments/mean", "3/stopping/best", "3/step", "3/key", "3/failed"} < names
    assert {"3/best_weights/output.bias", "3/curves/validation_score", "3/signals/gradient_norm"} < names
    assert "4/best_weights/output.bias" in names
    assert not {name for name in names if name.startswith(("4/weights", "4/moments"))}


def test_a_network_of_an_optax_transformation_goes_on_only_with_it(tmp_path):
    given = [structure(optimizer=optax.adam(rate)) for rate in (0.1, 0.2)]
    state = jax.tree.map(lambda like: np.zeros(like.shape, like.dtype), checkpoint._begun(given[0]))
    checkpoint.save([replace(member(5, given[0]), state=state)], tmp_path / "custom")
    for known, fit in (((), "0 of the 0"), (given, "2 of the 2"), ([structure()], "0 of the 1")):
        with pytest.raises(InputError) as refused:
            checkpoint.load(tmp_path / "custom", known=known)
        assert str(refused.value) == (
            "member 5 trains with an optax transformation, which no file can hold: "
            f"give the structure that has it ({fit} that are given fit)."
        )


def damaged(file, change) -> str:
    change(file)
    with pytest.raises(InputError) as refused:
        checkpoint.load(file)
    return str(refused.value)


def test_a_damaged_file_gets_one_sentence(file):
    content = file.read_bytes()
    for change in (
        lambda path: path.write_bytes(content[: len(content) // 2]),
        lambda path: path.write_bytes(b"no tensors"),
        lambda path: path.unlink(),
    ):
        said = damaged(file, change)
        assert said.startswith(f"{file} is damaged (")
        assert said.endswith("): remove it, and the run makes again what was in it.")
        assert "\n" not in said


@pytest.mark.parametrize(
    "text", ["", "[", "[]", "{}", '{"trainings": {}}', '{"trainings": [{}]}', '{"trainings": [{"number": 1}]}']
)
def test_tensors_without_a_description_that_fits_get_one_sentence(file, text):
    tensors = load_file(file)
    assert "is damaged (" in damaged(file, lambda path: save_file(tensors, path, metadata={"checkpoint": text}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: tensors.pop("0/moments/mean"), "its tensors are not those of its network, see 'moments/mean'"),
        (lambda tensors: tensors.update({"0/more": np.zeros(1)}), "its tensors are not those of its network, see 'more'"),
        (lambda t: t.update({"0/signals/epoch": np.arange(3)}), "its signals are not of as many epochs as it says"),
        (lambda tensors: tensors.update({"0/step": np.zeros(2, np.int32)}), "step is int32 of (2,), not int32 of ()"),
        (lambda tensors: tensors.update({"0/key": np.array(1, np.int32)}), "key is int32 of (), not uint32 of ()"),
    ],
)
def test_tensors_of_another_network_get_one_sentence(file, change, said):
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as opened:
        metadata = opened.metadata()
    tensors = load_file(file)
    change(tensors)
    assert f"is damaged ({said}): " in damaged(file, lambda path: save_file(tensors, path, metadata=metadata))


def test_notes_that_are_none_get_one_sentence(file):
    tensors = load_file(file)
    save_file(tensors, file, metadata={"checkpoint": '{"trainings": [], "notes": []}'})
    with pytest.raises(InputError, match=r"is damaged \(its notes are a list, not a dict\): remove it"):
        checkpoint.notes_of(file)


def test_a_description_of_another_network_gets_one_sentence(file):
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as opened:
        described = json.loads(opened.metadata()["checkpoint"])
    described["trainings"][0]["structure"]["activation"] = "rleu"
    tensors = load_file(file)
    said = damaged(file, lambda path: save_file(tensors, path, metadata={"checkpoint": json.dumps(described)}))
    assert "did you mean 'relu'" in said


def test_the_old_file_stays_until_the_new_one_is_whole(file, trained, tmp_path):
    before = file.read_bytes()
    with pytest.raises(AttributeError):
        checkpoint.save([trained[0], "no training"], file)
    assert file.read_bytes() == before
    (tmp_path / "a file").write_text("")
    with pytest.raises(OSError, match="a file"):
        checkpoint.save(trained[:1], tmp_path / "a file" / "members" / "tune.safetensors")
