"""Dropout keeps the right share, independently everywhere, and both forms have the same expectation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trainwell import random_bits
from trainwell.techniques.regularizers import dropout

COUNT = 200_000
RATES = [0.0, 0.3, 0.9]


def four_errors(probability, count=COUNT):
    return 4 * (probability * (1 - probability) / count) ** 0.5


def test_each_member_keeps_its_own_share_within_four_standard_errors():
    masks = jax.vmap(lambda rate: dropout.kept(jnp.uint32(1), (COUNT,), rate))(jnp.array(RATES))
    for mask, rate in zip(masks, RATES, strict=True):
        assert abs(float(mask.mean()) - (1 - rate)) <= four_errors(rate)


@pytest.mark.parametrize("rate", RATES)
def test_both_forms_have_in_training_the_expectation_that_they_have_at_test(rate):
    x, key = 1 + jnp.arange(COUNT, dtype=jnp.float32) / COUNT, jnp.uint32(2)
    error = 4 * (rate / (1 - rate) * float(jnp.mean(x**2)) / COUNT) ** 0.5 + 1e-5
    assert abs(float(dropout.inverted(x, key, rate).mean() - x.mean())) <= error
    at_test = dropout.course(x, key, rate, training=False)
    assert abs(float(dropout.course(x, key, rate, training=True).mean() - at_test.mean())) <= (1 - rate) * error + 1e-5
    np.testing.assert_allclose(at_test, (1 - rate) * x, rtol=1e-6)


def test_the_two_forms_drop_the_same_units_and_differ_by_keep():
    x = jax.random.normal(jax.random.key(0), (100, 10))
    inverted = dropout.inverted(x, jnp.uint32(3), 0.75)
    np.testing.assert_allclose(inverted * 0.25, dropout.course(x, jnp.uint32(3), 0.75, training=True), rtol=1e-6)


def test_no_unit_is_touched_at_rate_0():
    x = jax.random.normal(jax.random.key(0), (1000,))
    np.testing.assert_array_equal(dropout.inverted(x, jnp.uint32(4), 0.0), x)


def test_the_gradient_passes_through_kept_units_only():
    x, key = jnp.ones(1000), jnp.uint32(5)
    gradient = jax.grad(lambda x: dropout.inverted(x, key, 0.5).sum())(x)
    np.testing.assert_array_equal(gradient, jnp.where(dropout.kept(key, (1000,), 0.5), 2.0, 0.0))


def test_masks_are_independent_between_members_layers_and_steps():
    keys = [
        random_bits.fold(random_bits.fold(random_bits.fold(jnp.uint32(7), member), step), layer)
        for member in range(3)
        for step in range(3)
        for layer in range(3)
    ]
    masks = np.stack([dropout.kept(key, (COUNT // 10,), 0.5) for key in keys])
    correlation = np.corrcoef(masks) - np.eye(len(keys))
    assert np.abs(correlation).max() < 4.5 / (COUNT // 10) ** 0.5  # the largest of 351 pairs


@pytest.mark.parametrize("key", [0, 1, 2**31, 2**32 - 1])
def test_the_bits_are_uniform_and_serially_uncorrelated(key):
    uniform = np.asarray(random_bits.uniform(jnp.uint32(key), (COUNT,)), np.float64)
    counts, _ = np.histogram(uniform, bins=64, range=(0, 1))
    chi_square = ((counts - COUNT / 64) ** 2 / (COUNT / 64)).sum()
    assert abs(chi_square - 63) < 4.5 * (2 * 63) ** 0.5
    for lag in (1, 2, 3, 10, 64, 256, 1024):
        assert abs(np.corrcoef(uniform[:-lag], uniform[lag:])[0, 1]) < 4.5 / COUNT**0.5


@pytest.mark.parametrize("width", [16, 64, 128])
def test_every_bit_and_every_column_of_a_layer_is_fair(width):
    words = np.asarray(random_bits.bits(jnp.uint32(8), (COUNT // width, width)))
    ones = np.array([((words >> bit) & 1).mean() for bit in range(32)])
    assert np.abs(ones - 0.5).max() < 4.5 * 0.5 / words.size**0.5
    columns = (words >= 2**31).mean(axis=0)
    assert np.abs(columns - 0.5).max() < 4.5 * 0.5 / (COUNT // width) ** 0.5


def test_neighbouring_keys_give_unrelated_streams_at_every_shift():
    one, other = (np.asarray(random_bits.uniform(jnp.uint32(key), (20_000,)), np.float64) - 0.5 for key in (9, 10))
    shifts = np.fft.ifft(np.fft.fft(one) * np.conj(np.fft.fft(other))).real / (20_000 / 12)
    assert np.abs(shifts).max() < 5.5 / 20_000**0.5  # the largest of 20,000 shifts


def test_a_member_has_the_same_mask_whatever_its_neighbours():
    together = jax.vmap(lambda key, rate: dropout.kept(key, (50,), rate))(
        jnp.array([1, 2, 3], jnp.uint32), jnp.array([0.1, 0.5, 0.9])
    )
    np.testing.assert_array_equal(together[1], dropout.kept(jnp.uint32(2), (50,), 0.5))
