"""Whatever is done to a model's files, it is refused in one sentence or is the same model; nothing large is allocated."""

import hashlib
import json
import shutil
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import made_models
from trainwell import model as models
from trainwell.errors import InputError
from trainwell.info import describe
from trainwell.model_file import fingerprint

QUICK = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def model():
    return made_models.model("binary", {"widths": (4,), "numeric_embedding": "none"})


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    return model.save(tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "model")


def refused(folder) -> str | None:
    """The sentence that a model is refused with; None where it is loaded, as the model that it was."""
    try:
        loaded = models.load(folder)
    except InputError as error:
        said = str(error)
        assert said.endswith((".", "?"))
        assert "\n" not in said
        return said
    written = json.loads((folder / "model.json").read_text())
    assert fingerprint(written) == written["sha256"] == loaded.fingerprint()
    return None


@QUICK
@given(
    name=st.sampled_from(["model.json", "weights.safetensors"]), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7)
)
def test_a_flipped_bit_is_refused_or_changes_nothing(saved, folder, name, place, bit):
    content = bytearray((saved / name).read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    (folder / name).write_bytes(content)
    said = refused(folder)
    assert said is not None or name == "model.json"
    (folder / name).write_bytes((saved / name).read_bytes())


@QUICK
@given(name=st.sampled_from(["model.json", "weights.safetensors"]), place=st.floats(0, 1, exclude_max=True))
def test_a_file_that_ends_early_is_refused(saved, folder, name, place):
    content = (saved / name).read_bytes()
    (folder / name).write_bytes(content[: int(place * len(content))])
    assert refused(folder) is not None
    (folder / name).write_bytes(content)


def with_header(folder, edit) -> None:
    """Another header in front of the numbers, and every fingerprint made to fit, as somebody would who means to."""
    path = folder / "weights.safetensors"
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    edited = edit(header)
    text = edited if isinstance(edited, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    sign(folder)


def sign(folder) -> None:
    described = json.loads((folder / "model.json").read_text())
    described["weights_sha256"] = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    described["sha256"] = fingerprint(described)
    (folder / "model.json").write_text(json.dumps(described))


FIRST = "0/weights/layer1.weight"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda header: header.update({"../x": header.pop(FIRST)}), "does not hold the weights that member 0 needs."),
        (lambda header: header.update({"../x": header[FIRST]}), "it holds '../x', which is no weight of its networks."),
        (lambda header: header.update({"/etc/x": header[FIRST]}), "it holds '/etc/x', which is no weight of its networks."),
        (lambda header: header[FIRST].update(shape=[1 << 40]), "does not hold the weights that member 0 needs."),
        (lambda header: header[FIRST].update(shape=[-1, 4]), "does not hold the weights that member 0 needs."),
        (lambda header: header[FIRST].update(dtype="F64"), "holds values for member 0 that are no finite numbers."),
        (lambda header: header[FIRST].update(data_offsets=[0, 1 << 50]), "its tensors do not lie one after the other."),
        (lambda header: header[FIRST].update(data_offsets=[-4, 0]), "its tensors do not lie one after the other."),
        (lambda header: header[FIRST].update(data_offsets="all"), "its header does not say where its tensors are."),
        (lambda header: header.update({FIRST: 7}), "does not hold the weights that member 0 needs."),
        (lambda header: b"[]", "its header names no tensors."),
        (lambda header: b"{", "its header is no JSON."),
        (lambda header: b"[" * 3000, "its header is no JSON."),
        (lambda header: b" " * 100_000 + b"{}", "for the networks of model.json"),
    ],
)  # fmt: skip
def test_a_header_that_does_not_fit_is_refused_even_with_the_right_fingerprints(folder, edit, said):
    with_header(folder, edit)
    assert said in (refused(folder) or "")


def test_a_header_longer_than_its_file_is_refused(folder):
    path = folder / "weights.safetensors"
    content = path.read_bytes()
    for length in (1 << 62, len(content)):
        path.write_bytes(length.to_bytes(8, "little") + content[8:])
        sign(folder)
        assert refused(folder) == f"{path} is damaged: its header is longer than the file."
    path.write_bytes(b"short")
    sign(folder)
    assert refused(folder) == f"{path} is damaged: its header is longer than the file."


def test_a_file_far_larger_than_its_networks_is_refused_before_it_is_read(folder):
    path = folder / "weights.safetensors"
    with path.open("r+b") as file:
        file.truncate(1 << 33)  # a hole: it takes no room on the disk
    tracemalloc.start()
    said = refused(folder)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert f"{path} is damaged: it has 8,589,934,592 bytes, for the networks of model.json" in (said or "")
    assert most < 20_000_000


def test_a_network_too_large_to_be_true_is_refused_before_its_weights_are_allocated(folder):
    described = json.loads((folder / "model.json").read_text())
    described["members"][0]["structure"]["widths"] = [8192] * 64
    described["sha256"] = fingerprint(described)
    (folder / "model.json").write_text(json.dumps(described))
    tracemalloc.start()
    assert refused(folder) == f"{folder / 'weights.safetensors'} does not hold the weights that member 0 needs."
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_a_description_larger_than_any_can_be_is_not_read(folder):
    path = folder / "model.json"
    with path.open("r+b") as file:
        file.truncate(1 << 29)
    assert refused(folder) == f"{path} is damaged: it has 536,870,912 bytes, allowed are 268,435,456."
    path.write_text("[" * 100_000)
    assert refused(folder) == f"{path} is damaged: its brackets are nested too deep."


def test_a_changed_number_is_found_though_it_could_be_one(folder):
    described = json.loads((folder / "model.json").read_text())
    described["calibration"]["threshold"] = 0.36
    (folder / "model.json").write_text(json.dumps(described))
    path = folder / "model.json"
    assert refused(folder) == f"{path} is damaged: it was changed after it was written (its fingerprint does not fit)."


def test_the_layout_of_the_text_does_not_matter(folder, model):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True))
    new = made_models.columns("binary", 20)
    np.testing.assert_array_equal(models.load(folder).predict_proba(new), model.predict_proba(new))


def test_loading_and_predicting_imports_neither_jax_nor_what_else_takes_long(saved):
    program = (
        "import sys, trainwell.model as m; from trainwell.data.tables import read_table\n"
        f"model = m.load({str(saved)!r})\n"
        "heavy = {'jax', 'optax', 'optuna', 'sklearn', 'scipy', 'pandas', 'narwhals', 'torch'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"


def test_info_says_what_a_model_is(folder):
    said = describe(folder)
    assert "binary" in said
    assert "'no', 'yes'" in said
    assert "format 3" in said
    assert "1 network" in said
    assert "amount" in said
    assert "embedded category, 20 levels" in said
    assert "temperature 1.6" in said
