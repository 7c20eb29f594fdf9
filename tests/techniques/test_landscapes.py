"""The test surfaces are what they are known for: flat at their minimum, and shaped as their names say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trainwell.hyperparameter import defaults
from trainwell.techniques.landscapes import LANDSCAPES, path
from trainwell.techniques.optimizers import ADAMW, OPTIMIZERS


def height_of(name):
    settings = defaults(LANDSCAPES[name].hyperparameters)
    return lambda point: LANDSCAPES[name].height(point, **settings)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", [name for name in LANDSCAPES if name != "saddle"])
def test_the_minimum_is_zero_flat_and_below_every_other_point(name):
    height, minimum = height_of(name), jnp.array(LANDSCAPES[name].minimum)
    grid = jnp.linspace(-LANDSCAPES[name].reach, LANDSCAPES[name].reach, 101)
    heights = jax.vmap(lambda x: jax.vmap(lambda y: height(jnp.array([x, y])))(grid))(grid)
    assert float(height(minimum)) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(jax.grad(height)(minimum), 0, atol=1e-9)
    assert bool(jnp.all(jnp.linalg.eigvalsh(jax.hessian(height)(minimum)) > 0))
    assert float(heights.min()) >= -1e-12


@pytest.mark.usefixtures("float64")
def test_the_saddle_is_flat_with_one_way_down_and_the_furrow_has_its_condition_number():
    eigenvalues = jnp.linalg.eigvalsh(jax.hessian(height_of("saddle"))(jnp.zeros(2)))
    np.testing.assert_allclose(jax.grad(height_of("saddle"))(jnp.zeros(2)), 0)
    assert eigenvalues.tolist() == [-2, 2]
    furrow = LANDSCAPES["quadratic_furrow"].height
    eigenvalues = jnp.linalg.eigvalsh(jax.hessian(lambda point: furrow(point, condition=400.0))(jnp.ones(2)))
    assert float(eigenvalues[1] / eigenvalues[0]) == pytest.approx(400)


@pytest.mark.usefixtures("float64")
def test_known_values_of_the_classical_surfaces():
    assert float(height_of("beale")(jnp.array([1.0, 1.0]))) == pytest.approx(1.5**2 + 2.25**2 + 2.625**2)
    assert float(height_of("rosenbrock")(jnp.array([-1.2, 1.0]))) == pytest.approx(24.2)
    assert float(height_of("rastrigin")(jnp.array([0.5, 0.0]))) == pytest.approx(20.25)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("name", "rate", "steps"), [("beale", 0.05, 2000), ("rosenbrock", 0.05, 4000)])
def test_adam_finds_the_minimum_of_the_bent_valleys_from_their_start(name, rate, steps):
    optimizer = OPTIMIZERS["adam"]
    settings = {**defaults(optimizer.hyperparameters), "learning_rate": rate}
    points = path(height_of(name), jnp.array(LANDSCAPES[name].start), optimizer.init, optimizer.update, steps, **settings)
    assert points.shape == (steps + 1, 2)
    np.testing.assert_array_equal(points[0], LANDSCAPES[name].start)
    np.testing.assert_allclose(points[-1], LANDSCAPES[name].minimum, atol=1e-3)


@pytest.mark.usefixtures("float64")
def test_the_path_of_an_optimizer_that_decays_weights_ends_before_the_minimum():
    settings = {**defaults(ADAMW.hyperparameters), "learning_rate": 0.05, "weight_decay": 0.05}
    points = path(height_of("beale"), jnp.array([1.0, 1.0]), ADAMW.init, ADAMW.update, 2000, **settings)
    end, minimum = np.asarray(points[-1]), np.asarray(LANDSCAPES["beale"].minimum)
    assert np.linalg.norm(end) < np.linalg.norm(minimum) - 0.05
    assert np.linalg.norm(end - minimum) < 1


@pytest.mark.usefixtures("float64")
def test_gradient_descent_stays_in_the_nearest_of_rastrigins_minima():
    descend = OPTIMIZERS["gradient_descent"]
    start = jnp.array(LANDSCAPES["rastrigin"].start)
    end = path(height_of("rastrigin"), start, descend.init, descend.update, 500, learning_rate=0.002)[-1]
    np.testing.assert_allclose(end, jnp.round(start), atol=0.02)
