"""One network: how it starts, how rows pass through it, and what its parts do on the way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from small_networks import rows, structure
from trainwell.network import embeddings, first_pass
from trainwell.network.dense import MEASURE, TEST, Mode
from trainwell.network.forward import decays, embed, forward, init, layer_names, shapes
from trainwell.network.structure import Structure, resolve
from trainwell.population import update
from trainwell.techniques import inputs
from trainwell.techniques.initializers import dropout_adjusted

DATA = rows(number=256)
PRIOR = np.array([0.3], np.float32)


def made(own, seed=1, **chosen):
    settings = resolve(own, {name.replace("__", "."): value for name, value in chosen.items()})
    weights, statistics = init(jnp.uint32(seed), own, settings, PRIOR)
    awake = weights | {"output.weight": jnp.full_like(weights["output.weight"], 0.5)}
    return settings, awake, statistics


def passed(own, mode=TEST, data=DATA, **chosen):
    settings, weights, statistics = made(own, **chosen)
    return forward(weights, statistics, jnp.asarray(data.numeric), jnp.asarray(data.categories), own, settings, mode)


@pytest.mark.parametrize("weight_norm", ["none", "plain", "centered"])
@pytest.mark.parametrize("batch_norm", ["none", "before"])
def test_the_untrained_network_predicts_the_prior_for_every_row(weight_norm, batch_norm):
    own = structure(weight_norm=weight_norm, batch_norm=batch_norm, numeric_embedding="periodic")
    settings = resolve(own)
    weights, statistics = init(jnp.uint32(1), own, settings, PRIOR)
    outputs, _, _ = forward(weights, statistics, DATA.numeric, DATA.categories, own, settings)
    np.testing.assert_array_equal(outputs, np.full((256, 1), PRIOR[0], np.float32))


def test_names_and_shapes_are_known_without_computing():
    own = structure(widths=(8, 5), batch_norm="after", weight_norm="plain", numeric_embedding="periodic")
    weights, statistics = init(jnp.uint32(0), own, resolve(own), PRIOR)
    assert shapes(own) == ({n: w.shape for n, w in weights.items()}, {n: s.shape for n, s in statistics.items()})
    assert weights["layer1.weight"].shape == (8, 4 + 3 * 3 + 2)
    assert layer_names(own) == ["layer1", "layer2"]
    assert own.entering == 4 + 3 * 3 + 2


def test_a_linear_model_is_a_network_without_hidden_layers():
    outputs, _, hidden = passed(structure(widths=()))
    assert (outputs.shape, hidden) == ((256, 1), [])


def test_rows_do_not_touch_each_other_at_test_time_and_do_in_a_batch_that_is_normalized():
    own = structure(batch_norm="before")
    settings, weights, statistics = made(own)

    def first(numeric, mode):
        return forward(weights, statistics, numeric, DATA.categories[:8], own, settings, mode)[0][0, 0]

    at_test, in_training = (
        jax.grad(first)(jnp.asarray(DATA.numeric[:8]), mode) for mode in (TEST, Mode(training=True, key=jnp.uint32(0)))
    )
    assert np.abs(at_test[1:]).max() == 0 < np.abs(at_test[0]).max()
    assert np.abs(in_training[1:]).max() > 0


@pytest.mark.parametrize("chosen", [{"noises": ("input",)}, {"noises": ("weight",)}, {"noises": ("activation",)}, {}])
def test_noise_and_dropout_are_off_at_test_time_and_of_the_key_in_training(chosen):
    own = structure(**chosen)
    strength = {f"{chosen['noises'][0]}_noise__standard_deviation": 0.5} if chosen else {"dropout__rate": 0.5}
    quiet, again = (passed(own, **strength)[0] for _ in range(2))
    first, same, other = (passed(own, Mode(training=True, key=jnp.uint32(key)), **strength)[0] for key in (1, 1, 2))
    np.testing.assert_array_equal(quiet, again)
    np.testing.assert_array_equal(first, same)
    assert not np.allclose(first, quiet)
    assert not np.allclose(first, other)
    np.testing.assert_array_equal(passed(own)[0], quiet)  # the strength does not matter at test time


def test_input_noise_leaves_switches_alone():
    own = structure(noises=("input",))
    settings, weights, _ = made(own, input_noise__standard_deviation=0.5)
    seen = embed(weights, DATA.numeric, DATA.categories, own, settings, Mode(training=True, key=jnp.uint32(1)))
    np.testing.assert_array_equal(seen[3], DATA.numeric[:, 3])
    assert abs(float((seen[:3] - DATA.numeric[:, :3].T).std()) - 0.5) < 5 * 0.5 / (2 * 768) ** 0.5


def test_both_forms_of_dropout_keep_the_expectation_and_drop_the_share():
    for form in ("inverted", "course"):
        own = structure(dropout=form, activation="relu", widths=(64,))
        units = passed(own, dropout__rate=0.3)[2][0]
        dropped = [passed(own, Mode(training=True, key=jnp.uint32(key)), dropout__rate=0.3)[2][0] for key in range(30)]
        reference = passed(own)[2][0]
        positive = np.asarray(reference) > 0
        share = np.mean([(np.asarray(one) == 0)[positive].mean() for one in dropped])
        assert abs(share - 0.3) < 5 * (0.21 / (30 * positive.sum())) ** 0.5
        assert float(np.mean(dropped)) == pytest.approx(float(units.mean()), rel=0.02)


def test_masks_differ_between_layers():
    own = structure(widths=(32, 32), activation="sigmoid")
    _, _, hidden = passed(own, Mode(training=True, key=jnp.uint32(3)), dropout__rate=0.5)
    first, second = (np.asarray(units == 0).ravel() for units in hidden)
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / first.size**0.5


def test_weight_decay_acts_on_matrices_alone():
    own = structure(batch_norm="before", weight_norm="plain", numeric_embedding="periodic")
    weights, _ = init(jnp.uint32(0), own, resolve(own), PRIOR)
    assert {name for name in weights if decays(name)} >= {"layer1.weight", "output.weight", "numeric.projection"}
    plain = {name for name in weights if not name.endswith(".gain")}
    assert {name for name in plain if decays(name, plain)} == {"layer1.weight", "output.weight", "numeric.projection"}


def test_with_weight_normalization_the_lengths_decay_and_not_the_directions():
    own = structure(weight_norm="plain", decay="l2")
    weights, _ = init(jnp.uint32(0), own, resolve(own), PRIOR)
    assert {name for name in weights if decays(name, weights)} == {"layer1.gain", "output.gain"}
    settings = {**resolve(own), "weight_decay.rate": 0.5}
    nothing = {name: jnp.zeros_like(weight) for name, weight in weights.items()}
    pulled = update.shaped(nothing, weights, jnp.int32(1), jnp.uint32(0), own, settings)
    np.testing.assert_allclose(pulled["layer1.gain"], 0.5 * weights["layer1.gain"])
    assert not np.asarray(pulled["layer1.weight"]).any()


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_he_weights_before_a_leaky_relu_are_as_small_as_its_slope_asks(slope):
    own = structure(widths=(400, 400), activation="leaky_relu", initializer="he_normal")
    weights, _ = init(jnp.uint32(0), own, resolve(own, {"leaky_relu.slope": slope}), PRIOR)
    expected = (2 / ((1 + slope**2) * 400)) ** 0.5
    assert float(weights["layer2.weight"].std()) == pytest.approx(expected, rel=0.02)


def test_the_cosine_of_turns_is_a_cosine():
    turns = np.linspace(-40, 40, 100_001)
    found = inputs.cosine_of_turns(jnp.asarray(turns, jnp.float32))
    np.testing.assert_allclose(found, np.cos(2 * np.pi * turns.astype(np.float32).astype(float)), atol=2e-6)
    slope = jax.vmap(jax.grad(inputs.cosine_of_turns))(jnp.asarray(turns[::100], jnp.float32))
    expected = -2 * np.pi * np.sin(2 * np.pi * turns[::100].astype(np.float32).astype(float))
    np.testing.assert_allclose(slope, expected, atol=2e-4)


def test_categories_are_looked_up_and_their_vectors_are_about_of_unit_length():
    own = Structure(numeric=0, continuous=0, cardinalities=(1000, 3), outputs=1, loss="binary_cross_entropy")
    weights = embeddings.init(jax.random.key(0), own, resolve(own))
    assert (inputs.category_width(1000), inputs.category_width(3)) == (16, 2)
    first, second = embeddings.categories(weights, jnp.array([[7, 2], [0, 0]]))
    np.testing.assert_array_equal(first.T, weights["category0.embedding"][jnp.array([7, 0])])
    np.testing.assert_array_equal(second.T, weights["category1.embedding"][jnp.array([2, 0])])
    lengths = jnp.linalg.norm(weights["category0.embedding"], axis=1)
    assert abs(float(lengths.mean()) - 1) < 0.05


def test_dropout_adjusted_weights_take_the_members_rate_and_the_networks_activation():
    own = structure(initializer="dropout_adjusted", activation="tanh", widths=(16,))
    square, slope = dropout_adjusted.mean_squares(jnp.tanh)
    for rate in (0.0, 0.5):
        _, weights, _ = made(own, dropout__rate=rate)
        lengths = jnp.linalg.norm(weights["layer1.weight"], axis=1)
        np.testing.assert_allclose(lengths, (square / (1 - rate) + (1 - rate) * slope) ** -0.5, rtol=1e-4)


def preactivations(own, settings, weights, statistics):
    """Of the real network, layer by layer, taken from the units before a linear activation."""
    return forward(weights, statistics, DATA.numeric, DATA.categories, own, settings, MEASURE)[2]


def after_first_pass(own, **chosen):
    settings, weights, statistics = made(own, **chosen)
    key = jax.random.key(0)
    new = jax.jit(lambda weights: first_pass.rescaled(key, weights, statistics, DATA.numeric, DATA.categories, own, settings))
    return settings, weights, new(weights), statistics


@pytest.mark.parametrize("weight_norm", ["none", "centered"])
def test_lsuv_brings_every_hidden_layer_of_the_real_network_to_unit_variance(weight_norm):
    own = structure(
        widths=(16, 12), activation="identity", first_pass="lsuv", weight_norm=weight_norm, numeric_embedding="periodic"
    )
    settings, before, after, statistics = after_first_pass(own, lsuv__tolerance=0.01)
    for units in preactivations(own, settings, after, statistics):
        assert float(units.var()) == pytest.approx(1, abs=0.011)
    np.testing.assert_array_equal(before["output.weight"], after["output.weight"])
    assert set(before) == set(after)


def test_lsuv_serves_layers_that_are_normalized_too():
    own = structure(widths=(16, 12), first_pass="lsuv", batch_norm="before", dropout="none")
    _, _, after, _ = after_first_pass(own)
    assert all(np.isfinite(weight).all() for weight in after.values())


def test_the_data_dependent_pass_gives_every_unit_mean_0_and_each_layer_a_common_scale():
    own = structure(widths=(16,), activation="identity", first_pass="data_dependent")
    settings, _, after, statistics = after_first_pass(own)
    (units,) = preactivations(own, settings, after, statistics)
    np.testing.assert_allclose(units.mean(axis=1), 0, atol=1e-4)
    np.testing.assert_allclose(units.std(axis=1), 1, rtol=1e-3)


def test_weights_that_no_first_pass_was_chosen_for_stay_as_they_were_drawn():
    own = structure()
    weights, _ = init(jnp.uint32(5), own, resolve(own), PRIOR)
    again, _ = init(jnp.uint32(5), own, resolve(own), PRIOR)
    for name, weight in weights.items():
        np.testing.assert_array_equal(weight, again[name])
