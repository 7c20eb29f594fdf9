"""Trainings come back from a file as they were let go; a damaged file is said to be one."""

import json

import numpy as np
import optax
import pytest
from safetensors.numpy import load_file, save_file

from small_networks import member, population, rows, structure, train
from trainwell.errors import InputError
from trainwell.population import checkpoint


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
    trainings = train([member(0, structure(optimizer=optax.sgd(0.1)))], 2, of=own)
    checkpoint.save(trainings, tmp_path / "custom")
    back, new = checkpoint.load(tmp_path / "custom"), rows(number=9)
    np.testing.assert_array_equal(
        own.predict(back, new.numeric, new.categories), own.predict(trainings, new.numeric, new.categories)
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
        assert said.endswith("): remove it, and the run begins that stage again.")
        assert "\n" not in said


@pytest.mark.parametrize("text", ["", "[", "{}", "[{}]", '[{"number": 1}]'])
def test_tensors_without_a_description_that_fits_get_one_sentence(file, text):
    tensors = load_file(file)
    assert "is damaged (" in damaged(file, lambda path: save_file(tensors, path, metadata={"trainings": text}))


def test_a_description_of_another_network_gets_one_sentence(file):
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as opened:
        described = json.loads(opened.metadata()["trainings"])
    described[0]["structure"]["activation"] = "rleu"
    tensors = load_file(file)
    said = damaged(file, lambda path: save_file(tensors, path, metadata={"trainings": json.dumps(described)}))
    assert "did you mean 'relu'" in said


def test_the_old_file_stays_until_the_new_one_is_whole(file, trained, tmp_path):
    before = file.read_bytes()
    with pytest.raises(AttributeError):
        checkpoint.save([trained[0], "no training"], file)
    assert file.read_bytes() == before
    (tmp_path / "a file").write_text("")
    with pytest.raises(OSError, match="a file"):
        checkpoint.save(trained[:1], tmp_path / "a file" / "members" / "tune.safetensors")
