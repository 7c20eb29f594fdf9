"""How one network takes numbers: scaled, then embedded; what is fitted to the table, and what is learned."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from small_networks import rows, structure
from trainwell.errors import InputError
from trainwell.network import embeddings
from trainwell.network.dense import Mode
from trainwell.network.forward import decays, embed, init, shapes
from trainwell.network.structure import CHOICES, Structure, hyperparameters_of, resolve
from trainwell.techniques import inputs

DATA = rows(number=256)
PRIOR = np.zeros(1, np.float32)
WAYS = [(scaling, way) for scaling in CHOICES["numeric_scaling"].options for way in CHOICES["numeric_embedding"].options]


def made(own: Structure, **chosen: float):
    settings = resolve(own, {name.replace("__", "."): value for name, value in chosen.items()})
    return settings, init(jnp.uint32(1), own, settings, PRIOR)[0]


def fitted(own: Structure, **chosen: float):
    settings, weights = made(own, **chosen)
    return settings, weights | embeddings.fitted(jax.random.key(5), jnp.asarray(DATA.numeric), own)


def seen(own: Structure, weights, settings, mode=None) -> np.ndarray:
    """What reaches the first layer."""
    more = () if mode is None else (mode,)
    return np.asarray(embed(weights, jnp.asarray(DATA.numeric), jnp.asarray(DATA.categories), own, settings, *more))


@pytest.mark.parametrize(("scaling", "way"), WAYS)
def test_names_shapes_and_the_width_of_what_enters_are_known_without_computing(scaling, way):
    own = structure(numeric_scaling=scaling, numeric_embedding=way)
    settings, weights = fitted(own)
    assert shapes(own)[0] == {name: weight.shape for name, weight in weights.items()}
    assert seen(own, weights, settings).shape == (own.entering, 256)
    assert own.entering == 1 + 3 * {"none": 1, "periodic": 4, "piecewise_linear": 16}[way] + 2
    wanted = {"numeric.quantiles": scaling == "quantile", "numeric.edges": way == "piecewise_linear"}
    unlearned = {name for name in weights if not embeddings.learned(name)}
    assert unlearned == {name for name, chosen in wanted.items() if chosen}
    assert embeddings.fits_table(own) == bool(unlearned)
    assert {name for name in weights if decays(name)} <= {"layer1.weight", "output.weight", "numeric.projection"}


@pytest.mark.parametrize(("scaling", "way"), WAYS)
def test_a_network_without_measurements_has_none_of_it(scaling, way):
    chosen = {"numeric_scaling": scaling, "numeric_embedding": way}
    own = Structure(numeric=2, continuous=0, cardinalities=(), outputs=1, loss="binary_cross_entropy", **chosen)
    assert not embeddings.fits_table(own)
    assert not [name for name in shapes(own)[0] if name.startswith("numeric.")]
    assert own.entering == 2
    assert own.describe() == "256-256 silu, batch 256"


def test_robust_scaling_is_the_default_and_leaves_numbers_as_they_were_encoded():
    own = structure()
    assert own.numeric_scaling == "robust"
    settings, weights = made(own)
    np.testing.assert_array_equal(seen(own, weights, settings)[:4], DATA.numeric.T)


def test_numbers_are_ranked_among_the_training_rows_and_switches_stay_as_they_are():
    own = structure(numeric_scaling="quantile")
    settings, weights = fitted(own)
    entering = seen(own, weights, settings)
    expected = inputs.quantile_scaling(jnp.asarray(DATA.numeric[:, :3].T), weights["numeric.quantiles"])
    np.testing.assert_allclose(entering[:3], expected, atol=1e-6)
    np.testing.assert_array_equal(entering[3], DATA.numeric[:, 3])
    for one, before in zip(entering[:3], DATA.numeric[:, :3].T, strict=True):
        np.testing.assert_array_equal(np.argsort(one, kind="stable"), np.argsort(before, kind="stable"))


def test_numbers_are_scaled_before_they_are_embedded_and_edges_lie_among_the_scaled():
    own = structure(numeric_scaling="quantile", numeric_embedding="piecewise_linear")
    settings, weights = fitted(own)
    scaled = inputs.quantile_scaling(jnp.asarray(DATA.numeric[:, :3].T), weights["numeric.quantiles"])
    expected = inputs.piecewise_linear(scaled, weights["numeric.edges"])
    np.testing.assert_allclose(seen(own, weights, settings)[: 3 * inputs.BINS], expected, atol=1e-5)
    np.testing.assert_allclose(weights["numeric.edges"][:, 0], scaled.min(axis=1), atol=1e-6)
    np.testing.assert_allclose(weights["numeric.edges"][:, -1], scaled.max(axis=1), atol=1e-6)


def test_noise_on_the_inputs_is_in_the_units_of_the_scaled_number():
    own = structure(numeric_scaling="quantile", noises=("input",))
    settings, weights = fitted(own, input_noise__standard_deviation=0.5)
    quiet, noisy = (seen(own, weights, settings, mode) for mode in (Mode(), Mode(training=True, key=jnp.uint32(1))))
    assert abs((noisy - quiet)[:3].std() - 0.5) < 5 * 0.5 / (2 * 768) ** 0.5
    np.testing.assert_array_equal(noisy[3:], quiet[3:])


def test_no_number_of_a_member_belongs_to_ranks_or_bins():
    plain = set(hyperparameters_of(structure()))
    assert set(hyperparameters_of(structure(numeric_scaling="quantile", numeric_embedding="piecewise_linear"))) == plain


def test_a_line_says_how_numbers_enter():
    own = structure(numeric_scaling="quantile", numeric_embedding="piecewise_linear")
    assert own.describe() == "8 silu, quantile-scaled, piecewise linear, no input scaling, batch 16"


def test_a_network_that_was_described_before_there_was_a_choice_of_scaling_is_robustly_scaled():
    own = structure(numeric_embedding="periodic")
    described = own.to_json()
    del described["numeric_scaling"]
    assert Structure.from_json(described) == own
    assert Structure.from_json({**described, "numeric_scaling": "quantile"}).numeric_scaling == "quantile"
    with pytest.raises(InputError, match=r"^numeric_scaling is 'quantil', did you mean 'quantile'\? allowed is one of"):
        Structure.from_json({**described, "numeric_scaling": "quantil"})
