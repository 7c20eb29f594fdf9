"""Without JAX a network predicts what it predicts with it, whatever its structure, from the same names and shapes."""

import re
from dataclasses import replace

import numpy as np
import pytest

from made_models import weights_of
from small_networks import TASKS
from trainwell.inference import ensemble
from trainwell.inference.architecture import Architecture
from trainwell.inference.folded import apart, fold
from trainwell.network.forward import forward, shapes
from trainwell.network.structure import Structure, resolve
from trainwell.population.metrics import predictions_of
from trainwell.techniques.activations import ACTIVATIONS

BASE = Structure(
    numeric=5, continuous=3, cardinalities=(12, 40), outputs=1, loss="binary_cross_entropy", widths=(16, 8), dropout="none"
)
STRUCTURES = {
    **{name: replace(BASE, activation=name) for name in ACTIVATIONS},
    **{
        f"{scaling} {embedding}": replace(BASE, numeric_scaling=scaling, numeric_embedding=embedding)
        for scaling in ("robust", "quantile")
        for embedding in ("none", "periodic", "piecewise_linear")
    },
    **{
        f"norm {batch}, weights {weight}, dropout {dropout}": replace(
            BASE, batch_norm=batch, weight_norm=weight, dropout=dropout, numeric_embedding="none"
        )
        for batch, weight, dropout in (
            ("before", "none", "inverted"),
            ("before", "plain", "course"),
            ("before", "centered", "none"),
            ("after", "none", "course"),
            ("after", "plain", "none"),
            ("after", "centered", "inverted"),
            ("none", "plain", "inverted"),
            ("none", "centered", "course"),
            ("none", "none", "course"),
        )
    },
    "scaled": replace(BASE, input_scaling="learned", weight_norm="plain"),
    "scaled, linear": replace(BASE, input_scaling="learned", widths=()),
    "linear": replace(BASE, widths=()),
    "linear with dropout": replace(BASE, widths=(), dropout="course"),
    "no numbers": replace(BASE, numeric=0, continuous=0),
    "switches alone": replace(BASE, numeric=2, continuous=0, cardinalities=()),
    "numbers alone": replace(BASE, cardinalities=(), numeric=3),
    "deep": replace(BASE, widths=(8,) * 6, batch_norm="after", dropout="course"),
    "classes": replace(BASE, outputs=4, loss="cross_entropy"),
    "number": replace(BASE, loss="squared_error"),
    "adapters": replace(BASE, adapters=3, input_scaling="learned"),
    "adapters, classes": replace(BASE, adapters=2, outputs=4, loss="cross_entropy", dropout="course", activation="tanh"),
    "adapters, logarithm": replace(BASE, adapters=4, loss="squared_error", logarithm=(-2.0, 0.3, 1.2, 1.5)),
    "logarithm": replace(BASE, loss="squared_error", logarithm=(-2.0, 0.3, 1.2, 1.5)),
}
TASK_OF = {loss: task for task, loss in TASKS.items()}


def rows_of(structure: Structure, rows: int = 700) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(1)
    numeric = chance.uniform(-3, 3, (rows, structure.numeric)).astype(np.float32)
    levels = [chance.integers(0, size, rows) for size in structure.cardinalities]
    return numeric, np.array(levels, np.int32).T.reshape(rows, len(levels))


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_network_predicts_the_same_as_with_jax(name):
    structure = STRUCTURES[name]
    settings, weights, statistics = weights_of(structure)
    numeric, categories = rows_of(structure)
    outputs, _, _ = forward(weights, statistics, numeric, categories, structure, settings)
    task = TASK_OF[structure.loss]
    expected = np.asarray(predictions_of(outputs, task, structure.logarithm))
    networks = apart(Architecture.of(structure.to_json(), settings), weights, statistics)
    assert len(networks) == structure.copies
    found = ensemble.average(networks, [1 / len(networks)] * len(networks), task, numeric, categories)
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("sign", [np.positive, np.abs], ids=["no numbers", "endless"])
@pytest.mark.parametrize("name", ["relu", "classes", "number", "logarithm"])
def test_weights_so_large_that_rows_overflow_predict_numbers_all_the_same(name, sign):
    structure = STRUCTURES[name]
    settings, weights, statistics = weights_of(structure)
    wild = {key: sign(np.asarray(value) * (1e20 if key.startswith("layer") else 1)) for key, value in weights.items()}
    folded = fold(Architecture.of(structure.to_json(), settings), wild, statistics)
    found = ensemble.average([folded], [1.0], TASK_OF[structure.loss], *rows_of(structure))
    assert np.isfinite(found).all()
    if TASK_OF[structure.loss] == "multiclass":
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", STRUCTURES)
def test_names_and_shapes_are_those_of_the_network(name):
    structure = STRUCTURES[name]
    assert Architecture.of(structure.to_json(), resolve(structure)).shapes() == shapes(structure)


def test_a_row_s_bits_do_not_depend_on_how_many_cores_there_are(monkeypatch):
    settings, weights, statistics = weights_of(BASE)
    folded = fold(Architecture.of(BASE.to_json(), settings), weights, statistics)
    numeric, categories = rows_of(BASE, 5000)
    several = ensemble.average([folded, folded], [0.25, 0.75], "binary", numeric, categories)
    monkeypatch.setattr(ensemble, "ONE_THREAD", 10**9)
    np.testing.assert_array_equal(ensemble.average([folded, folded], [0.25, 0.75], "binary", numeric, categories), several)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"activation": "sliu"}, "activation is 'sliu'"),
        ({"widths": [10**9]}, "widths is (1000000000,)"),
        ({"widths": [8] * 65}, "its sizes do not go together"),
        ({"numeric": True}, "numeric is True"),
        ({"continuous": 6}, "its sizes do not go together"),
        ({"cardinalities": [0]}, "cardinalities is (0,)"),
        ({"logarithm": [1.0]}, "logarithm is (1.0,)"),
        ({"outputs": 0}, "its sizes do not go together"),
        ({"adapters": -1}, "adapters is -1"),
        ({"adapters": 10**6}, "adapters is 1000000"),
        ({"adapters": 2, "widths": []}, "there are adapters that do not go with its layers"),
        ({"adapters": 2, "weight_norm": "plain"}, "there are adapters that do not go with its layers"),
    ],
)
def test_a_description_that_cannot_be_is_refused_with_what_is_wrong(change, said):
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        Architecture.of({**BASE.to_json(), **change}, resolve(BASE))
    assert str(refused.value) == said
