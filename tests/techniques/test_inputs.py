"""How numbers and categories enter: ranks beside scikit-learn's, bins that fill one by one, finite whatever the column."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.preprocessing import QuantileTransformer

from trainwell.techniques import inputs

RANDOM = np.random.default_rng(0)
encoded = st.floats(-3, 3, width=32, allow_subnormal=False)  # XLA takes those for 0
smooth = st.lists(encoded, min_size=1, max_size=60)
of_few_values = st.lists(st.sampled_from([-2.5, 0.0, 0.125, 3.0]), min_size=1, max_size=60)
columns = smooth | of_few_values
several = settings(max_examples=60)
TAILS = RANDOM.standard_cauchy(2000)
COLUMNS = {
    "smooth": RANDOM.normal(size=2000),
    "rounded": RANDOM.exponential(size=2000).round(1),
    "four values": np.repeat([-1.0, 0.5, 0.75, 3.0], [100, 900, 700, 300]),
    "heavy-tailed": TAILS / np.sqrt(1 + (TAILS / 3) ** 2),  # as robust scaling clips it
}


def as_column(numbers) -> jax.Array:
    return jnp.asarray(np.asarray(numbers, np.float32)[None])


def placed(numbers, at) -> np.ndarray:
    """Where some numbers lie, scaled by the quantiles of a column."""
    return np.asarray(inputs.quantile_scaling(as_column(at), inputs.fit_ranks(as_column(numbers))))[0]


@pytest.mark.parametrize("name", COLUMNS)
def test_inside_the_range_ranks_are_those_of_scikit_learn(name):
    column = COLUMNS[name].astype(np.float32)
    new = np.concatenate([column, RANDOM.uniform(column.min(), column.max(), 500)]).astype(np.float32)
    inside = (new > column.min()) & (new < column.max())
    theirs = QuantileTransformer(n_quantiles=inputs.RANKED_BY + 1, subsample=None).fit(column[:, None])
    ours = inputs.ranks(as_column(new), inputs.fit_ranks(as_column(column)))[0]
    np.testing.assert_allclose(ours[inside], theirs.transform(new[:, None])[inside, 0], atol=2e-5)


@pytest.mark.parametrize("name", COLUMNS)
def test_and_drawn_out_to_a_bell_they_are_too_up_to_the_end_that_is_set(name):
    column = COLUMNS[name].astype(np.float32)
    inside = (column > column.min()) & (column < column.max())
    theirs = QuantileTransformer(n_quantiles=inputs.RANKED_BY + 1, subsample=None, output_distribution="normal")
    expected = np.clip(theirs.fit_transform(column[:, None])[:, 0], -inputs.FARTHEST, inputs.FARTHEST)
    np.testing.assert_allclose(placed(column, column)[inside], expected[inside], atol=2e-3)


def test_a_smooth_column_of_any_shape_becomes_a_bell():
    for column in (COLUMNS["smooth"], COLUMNS["heavy-tailed"], RANDOM.uniform(-3, 3, 2000)):
        assert stats.kstest(placed(column, column), "norm").statistic < 0.02


def test_numbers_beyond_the_training_rows_lie_where_these_end():
    column = COLUMNS["smooth"]
    np.testing.assert_allclose(placed(column, [-1e9, column.min(), column.max(), 1e9]), [-3, -3, 3, 3], atol=1e-3)


def test_many_equal_numbers_lie_in_the_middle_of_their_ranks_also_at_an_end():
    column = np.repeat([0.0, 1.0], [60, 40])
    np.testing.assert_allclose(placed(column, [0.0, 1.0]), stats.norm.ppf([0.3, 0.8]), atol=0.03)
    assert placed(np.full(50, 0.1), [0.1]) == 0, "a constant is in the middle"


@several
@given(columns, smooth)
def test_a_rank_rises_with_its_number_and_is_finite_whatever_the_column(column, new):
    found = placed(column, sorted(new))
    assert np.isfinite(found).all()
    assert (np.abs(found) <= inputs.FARTHEST + 1e-5).all()
    assert (np.diff(found) >= -1e-6).all()


@several
@given(columns, smooth)
def test_what_a_network_learns_by_is_finite_too(column, new):
    fitted, edges = inputs.fit_ranks(as_column(column)), inputs.draw_edges(jax.random.key(0), as_column(column))
    for function, by in ((inputs.quantile_scaling, fitted), (inputs.piecewise_linear, edges)):
        slopes = jax.grad(lambda x, function=function, by=by: function(x, by).sum())(as_column(new))
        assert np.isfinite(slopes).all()


@several
@given(columns, st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20))
def test_quantiles_are_those_of_numpy(column, levels):
    found = inputs.quantiles(as_column(column), jnp.asarray(levels, jnp.float32))[0]
    expected = np.quantile(np.asarray(column, np.float64), np.asarray(levels, np.float32))
    np.testing.assert_allclose(found, expected, atol=1e-4)  # 60 rows at most: a level's float32 is off by 4e-6 of a row


@several
@given(encoded, st.integers(1, 60))
def test_every_quantile_of_a_constant_is_the_constant_to_the_last_bit(value, rows):
    found = np.asarray(inputs.fit_ranks(as_column([value] * rows)))
    np.testing.assert_array_equal(found, np.float32(value))


@several
@given(columns, st.integers(0, 99))
def test_edges_rise_from_the_smallest_to_the_largest_row(column, seed):
    edges = np.asarray(inputs.draw_edges(jax.random.key(seed), as_column(column)))[0]
    assert edges.shape == (inputs.BINS + 1,)
    assert (np.diff(edges) >= 0).all()
    assert (edges[0], edges[-1]) == (np.float32(min(column)), np.float32(max(column)))


def test_every_network_draws_edges_of_its_own_not_more_than_half_a_bin_away():
    column = np.linspace(0, 1, 4001)
    drawn = np.array([inputs.draw_edges(jax.random.key(seed), as_column(column))[0] for seed in range(200)])
    inner = drawn[:, 1:-1] * inputs.BINS - np.arange(1, inputs.BINS)
    assert (np.abs(inner) <= 0.5 + 1e-3).all()
    assert len(np.unique(inner)) > 2900
    spread = (1 / 12) ** 0.5  # of a uniform number
    np.testing.assert_allclose(inner.mean(axis=0), 0, atol=5 * spread / 200**0.5)


@several
@given(columns, smooth)
def test_bins_fill_one_after_another_from_0_to_1(column, new):
    edges = inputs.draw_edges(jax.random.key(1), as_column(column))
    found = np.asarray(inputs.piecewise_linear(as_column(new), edges))
    assert found.shape == (inputs.BINS, len(new))
    assert ((found >= 0) & (found <= 1)).all()
    wide = np.diff(np.asarray(edges)[0]) > inputs.NARROWEST
    for lower, upper in zip(found[wide][:-1], found[wide][1:], strict=True):
        assert (np.isclose(lower, 1, atol=1e-5) | (upper == 0)).all()


@several
@given(smooth)
def test_a_number_within_the_edges_can_be_told_from_its_bins(new):
    edges = inputs.draw_edges(jax.random.key(2), as_column(COLUMNS["smooth"]))
    found, numbers = np.asarray(inputs.piecewise_linear(as_column(new), edges)), np.asarray(new)
    lowest, highest = np.asarray(edges)[0, [0, -1]]
    told = lowest + (found * np.diff(np.asarray(edges)[0])[:, None]).sum(axis=0)
    np.testing.assert_allclose(told, np.clip(numbers, lowest, highest), atol=1e-4)


def test_a_column_has_its_bins_beside_each_other_and_no_part_in_another_ones():
    edges = jnp.asarray([np.linspace(0, 1, inputs.BINS + 1), np.linspace(10, 20, inputs.BINS + 1)], jnp.float32)
    found = inputs.piecewise_linear(jnp.array([[1.0], [10.0]]), edges)
    np.testing.assert_array_equal(found[:, 0], [1] * inputs.BINS + [0] * inputs.BINS)


def test_the_cosines_of_a_number_are_added_to_the_number_itself():
    weights = inputs.draw_periodic(jax.random.key(0), 2, 0.5)
    x = jnp.asarray(RANDOM.normal(size=(2, 9)), jnp.float32)
    found = np.asarray(inputs.periodic(x, **weights))
    np.testing.assert_array_equal(found[:2], x)
    turns = np.asarray(weights["frequency"])[1, :, None] * np.asarray(x)[1] + np.asarray(weights["phase"])[1, :, None]
    expected = np.asarray(weights["projection"])[1].T @ np.cos(2 * np.pi * turns)
    np.testing.assert_allclose(found[2 + inputs.EXTRA :], expected, atol=1e-4)


@pytest.mark.usefixtures("float64")
def test_a_learned_factor_is_its_own_inputs_alone_in_value_and_slope():
    x, amounts = RANDOM.normal(size=(3, 8)), np.array([-1 / 6, 0.0, 0.25])
    found = inputs.learned_scaling(jnp.asarray(x), jnp.asarray(amounts))
    np.testing.assert_allclose(found, x * np.array([[0.0], [1.0], [2.5]]), rtol=1e-12, atol=1e-12)
    of_amounts, of_inputs = jax.grad(lambda a, x: inputs.learned_scaling(x, a).sum(), (0, 1))(
        jnp.asarray(amounts), jnp.asarray(x)
    )
    np.testing.assert_allclose(of_amounts, 6 * x.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(of_inputs, np.repeat([[0.0], [1.0], [2.5]], 8, axis=1), rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("float64")
def test_a_category_is_its_row_of_the_table_and_only_levels_that_are_there_learn():
    vectors, levels = RANDOM.normal(size=(5, 3)), np.array([4, 0, 4, 2])
    found = inputs.category(jnp.asarray(levels), jnp.asarray(vectors))
    np.testing.assert_array_equal(found, (np.eye(5)[levels] @ vectors).T)
    slopes = RANDOM.normal(size=(3, 4))
    learned = jax.grad(lambda v: (inputs.category(jnp.asarray(levels), v) * slopes).sum())(jnp.asarray(vectors))
    np.testing.assert_allclose(learned, np.eye(5)[levels].T @ slopes.T, rtol=1e-12, atol=1e-15)


def test_a_level_that_nothing_trained_says_nothing_and_the_others_start_about_of_unit_length():
    drawn = np.stack([inputs.draw_category(jax.random.key(seed), 20) for seed in range(200)])
    assert drawn.shape == (200, 20, inputs.category_width(20))
    assert not drawn[:, 0].any()
    squares = (drawn[:, 1:] ** 2).sum(axis=2)
    deviation = (2 / drawn.shape[2] / squares.size) ** 0.5  # of a mean of chi-square numbers over their width
    np.testing.assert_allclose(squares.mean(), 1, atol=5 * deviation)
