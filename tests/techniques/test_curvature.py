"""Curvature without the Hessian is the curvature of the Hessian, and the verdict on a known place is the known one."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from trainwell.errors import InputError
from trainwell.hyperparameter import defaults
from trainwell.techniques import curvature
from trainwell.techniques.landscapes import LANDSCAPES

KEY = jax.random.key(7)
ROWS = np.random.default_rng(0).normal(size=(30, 4))


def surface(name):
    settings = defaults(LANDSCAPES[name].hyperparameters)
    return partial(LANDSCAPES[name].height, **settings)


def quadratic(eigenvalues, seed=0):
    """A quadratic with these eigenvalues, turned at random."""
    turned, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(eigenvalues),) * 2))
    matrix = jnp.asarray(turned * np.asarray(eigenvalues) @ turned.T)
    return lambda weights: weights @ matrix @ weights / 2


def network(weights):
    hidden = jnp.tanh(ROWS @ weights["first"] + weights["bias"])
    return jnp.mean((hidden @ weights["last"] - np.sin(ROWS[:, 0])) ** 2)


def network_weights(seed=0):
    draw = np.random.default_rng(seed).normal
    return {"first": jnp.asarray(draw(size=(4, 5))), "bias": jnp.asarray(draw(size=5)), "last": jnp.asarray(draw(size=5))}


def hessian(f, weights):
    flat, unravel = ravel_pytree(weights)
    return jax.jit(jax.hessian(lambda point: f(unravel(point))))(flat)


def compiled(function, f, weights, **counts):
    return jax.jit(lambda at: function(f, at, KEY, **counts))(weights)


PLACES = {
    "a random quadratic": lambda: (quadratic(np.random.default_rng(1).normal(size=40)), jnp.ones(40)),
    "repeated eigenvalues": lambda: (quadratic([3.0] * 4 + [-1.0] * 4), jnp.ones(8)),
    "a tanh network": lambda: (network, network_weights()),
    "the furrow": lambda: (surface("quadratic_furrow"), jnp.array([0.3, -0.2])),
    "the saddle": lambda: (surface("saddle"), jnp.zeros(2)),
    "Rosenbrock's start": lambda: (surface("rosenbrock"), jnp.array([-1.2, 1.0])),
    "Rosenbrock's minimum": lambda: (surface("rosenbrock"), jnp.array([1.0, 1.0])),
    "no curvature": lambda: (jnp.sum, jnp.ones(5)),
    "one weight": lambda: (lambda weight: -(weight**2), jnp.asarray(0.5)),
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("place", PLACES)
def test_the_ends_of_the_spectrum_are_those_of_the_whole_hessian(place):
    f, weights = PLACES[place]()
    exact = np.linalg.eigvalsh(hessian(f, weights))
    ends = compiled(curvature.extreme_eigenvalues, f, weights)
    np.testing.assert_allclose([ends.lowest, ends.highest], exact[[0, -1]], rtol=1e-10, atol=1e-10)
    assert max(ends.lowest_error, ends.highest_error) <= 1e-10 * np.abs(exact).max()


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("place", ["repeated eigenvalues", "a tanh network", "no curvature", "one weight"])
def test_with_as_many_steps_as_weights_lanczos_has_every_eigenvalue_and_an_orthonormal_basis(place):
    f, weights = PLACES[place]()
    whole = np.asarray(hessian(f, weights))
    small = compiled(curvature.lanczos, f, weights, steps=len(whole) + 5)
    tridiagonal = np.diag(small.diagonal) + np.diag(small.off_diagonal, 1) + np.diag(small.off_diagonal, -1)
    basis, atol = np.asarray(small.basis), 1e-12 * np.abs(whole).max() * len(whole)
    np.testing.assert_allclose(basis @ basis.T, np.eye(len(whole)), atol=1e-12)
    np.testing.assert_allclose(basis @ whole @ basis.T, tridiagonal, atol=atol)
    np.testing.assert_allclose(np.linalg.eigvalsh(tridiagonal), np.linalg.eigvalsh(whole), atol=atol)


@pytest.mark.usefixtures("float64")
def test_the_hessian_vector_product_is_the_hessian_times_the_vector():
    weights, vector = network_weights(0), network_weights(1)
    product = curvature.hessian_vector_product(network, weights, vector)
    assert jax.tree.structure(product) == jax.tree.structure(weights)
    expected = hessian(network, weights) @ ravel_pytree(vector)[0]
    np.testing.assert_allclose(ravel_pytree(product)[0], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("steps", [1, 5, 30])
def test_with_few_steps_the_ends_are_inside_the_spectrum_and_within_their_errors_of_an_eigenvalue(steps):
    exact = np.linspace(-1, 1, 199) ** 3 * 10
    ends = compiled(curvature.extreme_eigenvalues, quadratic(exact), jnp.ones(199), steps=steps)
    assert exact[0] - 1e-9 <= ends.lowest <= ends.highest <= exact[-1] + 1e-9
    assert np.abs(exact - ends.lowest).min() <= ends.lowest_error + 1e-9
    assert np.abs(exact - ends.highest).min() <= ends.highest_error + 1e-9
    if steps == 30:
        np.testing.assert_allclose([ends.lowest, ends.highest], exact[[0, -1]], rtol=1e-3)
        assert 0 < ends.lowest_error < 0.5


@pytest.mark.usefixtures("float64")
def test_the_spectral_density_is_a_density_whose_mean_is_the_mean_eigenvalue():
    exact, probes = np.random.default_rng(2).gamma(1.0, size=120), 40
    found = compiled(curvature.spectral_density, quadratic(exact), jnp.ones(120), probes=probes, steps=25)
    assert found.nodes.shape == found.weights.shape == (probes, 25)
    assert float(found.weights.sum()) == pytest.approx(1, abs=1e-12)
    assert bool(jnp.all(found.weights >= 0))
    assert np.trapezoid(found.density, found.grid) == pytest.approx(1, abs=1e-5)
    of_each_probe = np.asarray(probes * jnp.sum(found.nodes * found.weights, axis=1))
    standard_error = of_each_probe.std(ddof=1) / np.sqrt(probes)
    assert abs(of_each_probe.mean() - exact.mean()) < 4 * standard_error
    assert standard_error < 0.05
    second = float(jnp.sum(found.nodes**2 * found.weights))
    assert second == pytest.approx(np.mean(exact**2), rel=0.15)
    assert np.trapezoid(found.density * found.grid, found.grid) == pytest.approx(of_each_probe.mean(), rel=1e-4)


@pytest.mark.usefixtures("float64")
def test_the_density_has_its_outlier_where_the_outlier_is():
    found = compiled(curvature.spectral_density, quadratic([0.1] * 49 + [5.0]), jnp.ones(50), probes=200, steps=4)
    above = found.grid > 2.5
    assert np.trapezoid(jnp.where(above, found.density, 0), found.grid) == pytest.approx(1 / 50, abs=0.01)
    assert float(found.grid[jnp.argmax(jnp.where(above, found.density, 0))]) == pytest.approx(5, abs=0.05)


@pytest.mark.usefixtures("float64")
def test_a_spectrum_of_one_value_still_has_a_curve_around_it():
    def of(value):
        return curvature.spectral_density(lambda w: value * jnp.sum(w**2) / 2, jnp.ones(6), KEY, probes=3, steps=4)

    values = jnp.array([0.0, 3.0, -2e6])
    found = jax.jit(jax.vmap(of))(values)
    np.testing.assert_allclose(np.trapezoid(found.density, found.grid), 1, atol=1e-5)
    highest = found.grid[jnp.arange(3), jnp.argmax(found.density, axis=1)]
    np.testing.assert_allclose(highest, values, rtol=1e-2, atol=1e-2)


@pytest.mark.usefixtures("float64")
def test_the_condition_number_is_that_of_the_valley_and_infinite_where_there_is_none():
    def of(eigenvalues):
        return curvature.condition_number(lambda w: jnp.sum(eigenvalues * w**2) / 2, jnp.zeros(2), KEY)

    pairs = jnp.array([[2.0, 8.0], [1e5, 1e-3], [3.0, 3.0], [0.0, 1.0], [-1.0, 1.0], [-2.0, -1.0], [0.0, 0.0]])
    np.testing.assert_allclose(jax.jit(jax.vmap(of))(pairs), [4, 1e8, 1, *[np.inf] * 4], rtol=1e-6)


VERDICTS = {
    "a saddle": ("saddle", lambda: (surface("saddle"), jnp.zeros(2))),
    "one way down of many": ("saddle", lambda: (quadratic([-0.1, *[1.0] * 30]), jnp.zeros(31))),
    "the bottom of a bowl": ("minimum", lambda: (quadratic([1.0, 2.0, 3.0]), jnp.zeros(3))),
    "a constant": ("plateau", lambda: (lambda weights: 3.0, jnp.ones(4))),
    "a saturated sigmoid": ("plateau", lambda: (lambda weights: jax.nn.sigmoid(weights.sum()), jnp.full(3, -6.0))),
    "the furrow's bottom": ("furrow", lambda: (surface("quadratic_furrow"), jnp.zeros(2))),
    "Rosenbrock's minimum": ("furrow", lambda: (surface("rosenbrock"), jnp.array([1.0, 1.0]))),
    "a valley without an end": ("furrow", lambda: (quadratic([0.0, 1.0]), jnp.zeros(2))),
    "Rosenbrock's start": ("slope", lambda: (surface("rosenbrock"), jnp.array([-1.2, 1.0]))),
    "a straight line": ("slope", lambda: (lambda weights: weights.sum(), jnp.ones(3))),
}


@pytest.mark.parametrize("place", VERDICTS)
def test_the_verdict_on_a_known_place_in_single_precision(place):
    kind, make = VERDICTS[place]
    found = curvature.landscape(*make(), KEY)
    assert found.kind == kind
    assert found.says.startswith(("A long furrow" if kind == "furrow" else f"A {kind}") + ": ")
    assert found.says.endswith(".")
    assert all(isinstance(number, float) for number in found[1:5])


@pytest.mark.usefixtures("float64")
def test_the_verdict_carries_its_numbers_and_says_them():
    found = curvature.landscape(surface("quadratic_furrow"), jnp.zeros(2), KEY)
    assert found[:1] + found[1:5] == ("furrow", 0.0, pytest.approx(1), pytest.approx(100), pytest.approx(100))
    assert found.says == (
        "A long furrow: the gradient is nearly zero, and the valley is 100 times as steep across as along (limit 50)."
    )
    flat = curvature.judge(curvature.Curvature(*jnp.array([0.0, 0.0, 1.0, jnp.inf])))
    assert "the valley is steep across and flat along" in flat.says
    slope = curvature.judge(curvature.Curvature(*jnp.array([2.0, -2.0, 2.0, jnp.inf])))
    assert slope.says == "A slope: the gradient norm of 2 is above 0.001, so there is still a way down along it."


@pytest.mark.usefixtures("float64")
def test_the_limits_can_be_given():
    judge = partial(curvature.landscape, surface("quadratic_furrow"), jnp.array([1.0, 0.0]), KEY)
    assert judge(gradient_limit=2.0).kind == "furrow"
    assert judge(gradient_limit=2.0, condition_limit=200.0).kind == "minimum"
    assert judge(gradient_limit=2.0, flat_limit=200.0).kind == "plateau"


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "compute",
    [
        lambda weights, key: curvature.measure(network, weights, key, steps=8),
        lambda weights, key: curvature.spectral_density(network, weights, key, probes=2, steps=6),
    ],
    ids=["measure", "spectral_density"],
)
def test_jitted_and_beside_neighbours_the_numbers_are_the_same(compute):
    members, keys = [network_weights(seed) for seed in range(3)], jax.random.split(KEY, 3)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    alone, together = compute(members[1], keys[1]), jax.jit(jax.vmap(compute))(stacked, keys)
    for by_itself, beside in zip(alone, together, strict=True):
        np.testing.assert_allclose(beside[1], by_itself, rtol=1e-8, atol=1e-8)
    assert not np.allclose(together[0][0], alone[0])


@pytest.mark.usefixtures("float64")
def test_the_error_is_what_the_hessian_makes_of_the_ritz_vector_beside_itself():
    f, weights = quadratic(np.linspace(-1, 2, 50) ** 3), jnp.ones(50)
    ends, small = curvature.extreme_eigenvalues(f, weights, KEY, steps=6), curvature.lanczos(f, weights, KEY, steps=6)
    tridiagonal = np.diag(small.diagonal) + np.diag(small.off_diagonal, 1) + np.diag(small.off_diagonal, -1)
    values, vectors = np.linalg.eigh(tridiagonal)
    ritz_vectors = np.asarray(small.basis).T @ vectors
    beside = np.linalg.norm(np.asarray(hessian(f, weights)) @ ritz_vectors - ritz_vectors * values, axis=0)
    np.testing.assert_allclose([ends.lowest_error, ends.highest_error], beside[[0, -1]], rtol=1e-6)


def test_in_single_precision_the_basis_stays_orthonormal_and_the_ends_are_right():
    exact = np.concatenate([np.linspace(-1e-3, 1e-3, 190), np.geomspace(1, 1e3, 10)])
    f = quadratic(exact)
    small = compiled(curvature.lanczos, f, jnp.ones(200), steps=60)
    np.testing.assert_allclose(small.basis @ small.basis.T, np.eye(60), atol=1e-5)
    tridiagonal = np.diag(small.diagonal) + np.diag(small.off_diagonal, 1) + np.diag(small.off_diagonal, -1)
    assert np.linalg.eigvalsh(tridiagonal)[-1] == pytest.approx(1e3, rel=1e-5)


WEIGHTS = jnp.ones(3)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: curvature.lanczos(lambda w: w**2, WEIGHTS, KEY, steps=3),
            "The function must give one real number, but it gives float32[3].",
        ),
        (
            lambda: curvature.landscape(lambda w: (w.sum(), w), WEIGHTS, KEY),
            "The function must give one real number, but it gives float32[], float32[3].",
        ),
        (
            lambda: curvature.measure(lambda w: jnp.argmax(w), WEIGHTS, KEY),
            "The function must give one real number, but it gives int32[].",
        ),
        (
            lambda: curvature.extreme_eigenvalues(lambda w: None, WEIGHTS, KEY),
            "The function must give one real number, but it gives nothing.",
        ),
        (lambda: curvature.landscape(lambda w: 0.0, {}, KEY), "There are no weights; curvature needs at least one."),
        (lambda: curvature.lanczos(jnp.sum, jnp.ones((0, 3)), KEY), "There are no weights; curvature needs at least one."),
        (lambda: curvature.lanczos(jnp.sum, jnp.arange(3), KEY), "The weights must be real numbers, but some are int32."),
        (lambda: curvature.lanczos(jnp.sum, WEIGHTS, KEY, steps=0), "steps is 0; it must be 1 or more."),
        (lambda: curvature.condition_number(jnp.sum, WEIGHTS, KEY, -1), "steps is -1; it must be 1 or more."),
        (lambda: curvature.spectral_density(jnp.sum, WEIGHTS, KEY, probes=0), "probes is 0; it must be 1 or more."),
        (
            lambda: curvature.hessian_vector_product(jnp.sum, WEIGHTS, jnp.ones(2)),
            "The vector has the shapes [(2,)], but the weights have [(3,)].",
        ),
        (
            lambda: curvature.landscape(lambda w: jnp.sqrt(w).sum(), jnp.zeros(3), KEY),
            "The gradient norm at these weights is inf; the landscape is read from finite numbers only.",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(InputError) as refusal:
        call()
    assert str(refusal.value) == sentence
