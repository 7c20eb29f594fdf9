"""The counter's bits are uniform and unrelated between places, keys, steps and members; tolerances are standard errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainwell import random_bits

MANY = 1 << 18
words = st.integers(0, 2**32 - 1)
draw = jax.jit(random_bits.bits, static_argnums=1)
fold_of = jax.jit(random_bits.fold)


def bit_matrix(values) -> np.ndarray:
    """(values, 32) of zeros and ones."""
    return (np.asarray(values)[:, None] >> np.arange(32, dtype=np.uint32)) & 1


@pytest.mark.parametrize("key", [0, 1, 2**31, 2**32 - 1])
def test_every_bit_is_one_half_of_the_time(key):
    shares = bit_matrix(draw(np.uint32(key), (MANY,))).mean(axis=0)
    assert np.abs(shares - 0.5).max() < 5 * 0.5 / MANY**0.5


def test_uniform_numbers_fill_the_unit_interval_evenly():
    values = np.asarray(random_bits.uniform(np.uint32(5), (MANY,)))
    assert values.min() >= 0
    assert values.max() < 1
    counts, _ = np.histogram(values, bins=256, range=(0, 1))
    chi_squared = ((counts - MANY / 256) ** 2 / (MANY / 256)).sum()
    assert abs(chi_squared - 255) < 5 * (2 * 255) ** 0.5
    assert np.all(values * 2**24 == np.floor(values * 2**24))


def test_neighbours_in_one_stream_are_not_correlated():
    values = np.asarray(random_bits.uniform(np.uint32(9), (MANY,)))
    for distance in (1, 2, 3, 8, 64, 256):
        assert abs(np.corrcoef(values[:-distance], values[distance:])[0, 1]) < 5 / MANY**0.5


def test_streams_of_related_keys_are_not_correlated_and_none_is_another_shifted():
    streams = {
        key: np.asarray(random_bits.uniform(np.uint32(key), (1 << 16,))) for key in (7, 8, 9, 7 + 256, 7 + 2**16, 2**31 + 7)
    }
    first = streams.pop(7)
    for other in streams.values():
        for shift in (0, 1, 2, 256):
            assert abs(np.corrcoef(first[shift:], other[: len(other) - shift])[0, 1]) < 5 / 2**8
            assert abs(np.corrcoef(other[shift:], first[: len(other) - shift])[0, 1]) < 5 / 2**8
        assert np.isin(first, other).mean() < 0.02  # 2^16 of 2^24 values: about 0.4% meet by chance


def test_keys_folded_from_steps_layers_and_members_are_all_different_and_unrelated():
    keys = jax.vmap(lambda member: jax.vmap(lambda step: fold_of(member, step))(jnp.arange(1000)))(
        jnp.arange(100, dtype=jnp.uint32)
    )
    assert len(np.unique(keys)) > 100_000 - 10  # about one pair in 2^32 meets by chance
    values = np.asarray(jax.vmap(lambda key: random_bits.uniform(key, (64,)))(keys[:, :40].ravel()))
    correlations = np.corrcoef(values[:500])[np.triu_indices(500, 1)]
    assert abs(correlations.std() - 1 / 64**0.5) < 0.005
    assert abs(correlations.mean()) < 5 / 64**0.5 / len(correlations) ** 0.5


def test_flipping_one_bit_of_the_key_or_the_place_flips_half_the_bits_of_the_result():
    values = np.random.default_rng(0).integers(0, 2**32, 2000, dtype=np.uint32)
    for bit in range(32):
        changed = np.asarray(random_bits.mix(values) ^ random_bits.mix(values ^ np.uint32(1 << bit)))
        assert abs(bit_matrix(changed).mean() - 0.5) < 0.02


@settings(max_examples=30)
@given(words, words)
def test_mix_is_one_to_one_and_folds_of_different_numbers_differ(one, other):
    mixed = [int(random_bits.mix(jnp.uint32(word))) for word in (one, other)]
    assert (mixed[0] == mixed[1]) == (one == other)
    folded = [int(fold_of(jnp.uint32(3), jnp.uint32(number))) for number in (one, other)]
    assert (folded[0] == folded[1]) == (one == other)


@settings(max_examples=20)
@given(words, st.sampled_from([(6,), (2, 3), (3, 2), (1, 6)]))
def test_the_same_key_gives_the_same_numbers_in_every_shape_and_under_vmap(key, shape):
    plain = np.asarray(draw(np.uint32(key), (6,)))
    np.testing.assert_array_equal(np.asarray(draw(np.uint32(key), shape)).ravel(), plain)
    mapped = jax.vmap(lambda key: random_bits.bits(key, (6,)))(jnp.array([key, key], jnp.uint32))
    np.testing.assert_array_equal(mapped, [plain, plain])


def test_normal_numbers_have_the_moments_and_tails_of_a_normal_and_are_finite():
    values = np.asarray(random_bits.normal(np.uint32(3), (MANY,)), float)
    assert np.isfinite(values).all()
    error = 1 / MANY**0.5
    assert abs(values.mean()) < 5 * error
    assert abs(values.var() - 1) < 5 * 2**0.5 * error
    assert abs((values**3).mean()) < 5 * 15**0.5 * error
    assert abs((values**4).mean() - 3) < 5 * 96**0.5 * error
    assert abs((np.abs(values) > 3).mean() - 0.0027) < 5 * (0.0027 / MANY) ** 0.5


def test_nearly_normal_numbers_have_the_moments_that_are_told_of_them_and_a_smooth_density():
    values = np.asarray(random_bits.nearly_normal(np.uint32(3), (MANY,)), float)
    error = 1 / MANY**0.5
    assert abs(values.mean()) < 5 * error
    assert abs(values.var() - 1) < 5 * 2**0.5 * error
    assert abs((values**3).mean()) < 5 * 15**0.5 * error
    assert abs((values**4).mean() - (3 - 0.116)) < 5 * 96**0.5 * error
    assert 3.5 < np.abs(values).max() < 4.41
    shares, edges = np.histogram(values, bins=24, range=(-3, 3))
    middles = (edges[1:] + edges[:-1]) / 2
    normal = MANY * 0.25 * np.exp(-(middles**2) / 2) / (2 * np.pi) ** 0.5
    assert np.abs(shares - normal).max() < 0.03 * normal.max()


def test_a_key_for_jax_draws_what_jax_promises():
    key = random_bits.jax_key(11)
    first, second = jax.random.split(key)
    a, b = (np.asarray(jax.random.normal(one, (1 << 16,))) for one in (first, second))
    assert abs(a.mean()) < 5 / 2**8
    assert abs(a.std() - 1) < 5 / 2**8
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / 2**8
    uniform = np.asarray(jax.random.uniform(jax.random.fold_in(key, 3), (1 << 16,), minval=-2, maxval=4))
    assert uniform.min() >= -2
    assert uniform.max() < 4
    assert abs(uniform.mean() - 1) < 5 * 6 / 12**0.5 / 2**8
    order = np.asarray(jax.random.permutation(key, 1000))
    assert sorted(order) == list(range(1000))
    assert abs(np.corrcoef(order, np.arange(1000))[0, 1]) < 5 / 1000**0.5


@pytest.mark.parametrize(("width", "kind"), [(8, jnp.uint8), (16, jnp.uint16), (32, jnp.uint32)])
def test_a_key_for_jax_gives_words_of_every_width(width, kind):
    values = np.asarray(jax.random.bits(random_bits.jax_key(4), (1 << 14,), kind))
    assert values.dtype == kind
    assert abs(values.mean() / 2**width - 0.5) < 5 * 0.2887 / 2**7


def test_words_of_64_bits_have_two_unrelated_halves():
    with jax.enable_x64(True):
        values = np.asarray(jax.random.bits(random_bits.jax_key(4), (1 << 14,), jnp.uint64))
    high, low = values >> np.uint64(32), values & np.uint64(2**32 - 1)
    assert abs(np.corrcoef(high.astype(float), low.astype(float))[0, 1]) < 5 / 2**7


def test_keys_for_jax_of_other_seeds_are_unlike():
    drawn = [np.asarray(jax.random.normal(random_bits.jax_key(seed), (1 << 12,))) for seed in (0, 1, 2**31)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(drawn[one], drawn[other])[0, 1]) < 5 / 2**6
