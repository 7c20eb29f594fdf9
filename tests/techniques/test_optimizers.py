"""Every optimizer moves as its reference moves, whoever its neighbours are."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from trainwell.errors import InputError
from trainwell.hyperparameter import defaults
from trainwell.techniques.landscapes import path, quadratic_furrow, saddle
from trainwell.techniques.optimizers import ADAMW, OPTIMIZERS, as_optax

FAMILY = {**OPTIMIZERS, "adamw": ADAMW}
STEPS = 50
RATES = np.array([0.1, 0.01, 0.0007])  # three members, as unlike as can be
BETAS = np.array([0.0, 0.9, 0.99])
SQUARE_BETAS = np.array([0.999, 0.6, 0.95])
EPSILONS = np.array([1e-8, 1e-3, 1e-5])
ADAM = {"learning_rate": RATES, "beta1": BETAS, "beta2": SQUARE_BETAS, "epsilon": EPSILONS}
SETTINGS = {
    "gradient_descent": {"learning_rate": RATES},
    "momentum": {"learning_rate": RATES, "beta": BETAS},
    "classical_momentum": {"learning_rate": RATES, "beta": BETAS},
    "nesterov": {"learning_rate": RATES, "beta": BETAS},
    "rmsprop": {"learning_rate": RATES, "beta": SQUARE_BETAS, "epsilon": EPSILONS},
    "adam": ADAM,
    "adam_epsilon_inside": ADAM,
    "adam_uncorrected": ADAM,
    "adamw": {**ADAM, "weight_decay": np.array([0.5, 0.01, 0.0])},
}
START = np.random.default_rng(1).normal(size=(3, 4, 5))
CURVATURE = np.random.default_rng(2).uniform(0.1, 3, size=(4, 5))


def gradient_at(weight, step):
    """Of a bowl that is no quadratic, and shakes; the same lines serve NumPy and JAX."""
    numpy = jnp if isinstance(weight, jax.Array) else np
    return CURVATURE * weight + 0.2 * numpy.sin(weight) + 0.5 * numpy.cos(step * CURVATURE)


def trajectory(name, start, settings, steps=STEPS):
    """All members at once, (steps, members, ...)."""
    optimizer = FAMILY[name]

    def move(weight, state, step, settings):
        weights = (weight,) if name == "adamw" else ()
        change, state = optimizer.update(gradient_at(weight, step), state, step, *weights, **settings)
        return weight + change, state

    def advance(carry, step):
        weight, state = jax.vmap(move, in_axes=(0, 0, None, 0))(*carry, step, settings)
        return (weight, state), weight

    start = jnp.asarray(start)
    settings = {key: jnp.asarray(value) for key, value in settings.items()}
    return jax.lax.scan(advance, (start, jax.vmap(optimizer.init)(start)), jnp.arange(1, steps + 1))[1]


def by_torch(make):
    """The trajectory of one member under one of PyTorch's optimizers."""

    def run(start, **settings):
        weight = torch.nn.Parameter(torch.tensor(start))
        optimizer = make(weight, settings)
        for step in range(1, STEPS + 1):
            weight.grad = torch.tensor(gradient_at(weight.detach().numpy(), step))
            optimizer.step()
            yield weight.detach().numpy().copy()

    return run


def by_optax(make):
    def run(start, **settings):
        transformation, weight = make(settings), jnp.asarray(start)
        state = transformation.init(weight)
        for step in range(1, STEPS + 1):
            change, state = transformation.update(gradient_at(weight, step), state, weight)
            weight = weight + change
            yield weight

    return run


def averaged_momentum(start, learning_rate, beta):
    theta, m = start.copy(), np.zeros_like(start)
    for t in range(1, STEPS + 1):
        m = beta * m + (1 - beta) * gradient_at(theta, t)
        theta = theta - learning_rate * m
        yield theta


def uncorrected_adam(start, learning_rate, beta1, beta2, epsilon):
    theta, m, v = start.copy(), np.zeros_like(start), np.zeros_like(start)
    for t in range(1, STEPS + 1):
        g = gradient_at(theta, t)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        theta = theta - learning_rate * m / (np.sqrt(v) + epsilon)
        yield theta


def torch_sgd(weight, s, **options):
    return torch.optim.SGD([weight], lr=s["learning_rate"], momentum=s.get("beta", 0), **options)


def torch_rmsprop(weight, s):
    return torch.optim.RMSprop([weight], lr=s["learning_rate"], alpha=s["beta"], eps=s["epsilon"])


def torch_adam(weight, s):
    return torch.optim.Adam([weight], lr=s["learning_rate"], betas=(s["beta1"], s["beta2"]), eps=s["epsilon"])


def torch_adamw(weight, s):
    betas, decay = (s["beta1"], s["beta2"]), s["weight_decay"]
    return torch.optim.AdamW([weight], lr=s["learning_rate"], betas=betas, eps=s["epsilon"], weight_decay=decay)


def optax_epsilon_inside(s):
    return optax.adam(s["learning_rate"], s["beta1"], s["beta2"], eps=0.0, eps_root=s["epsilon"])


REFERENCES = {
    "gradient_descent": by_torch(torch_sgd),
    "momentum": averaged_momentum,
    "classical_momentum": by_torch(torch_sgd),
    "nesterov": by_torch(partial(torch_sgd, nesterov=True)),
    "rmsprop": by_torch(torch_rmsprop),
    "adam": by_torch(torch_adam),
    "adam_epsilon_inside": by_optax(optax_epsilon_inside),
    "adam_uncorrected": uncorrected_adam,
    "adamw": by_torch(torch_adamw),
}


def member(settings, number):
    return {key: float(value[number]) for key, value in settings.items()}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", FAMILY)
def test_three_unlike_members_move_as_the_reference_moves_each_alone(name):
    ours = trajectory(name, START, SETTINGS[name])
    for number in range(3):
        settings = member(SETTINGS[name], number)
        if name == "nesterov" and settings["beta"] == 0:  # PyTorch refuses Nesterov without momentum: it is plain descent
            expected = list(REFERENCES["gradient_descent"](START[number], learning_rate=settings["learning_rate"]))
        else:
            expected = list(REFERENCES[name](START[number], **settings))
        np.testing.assert_allclose(ours[:, number], np.stack(expected), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", FAMILY)
def test_a_member_is_the_same_to_the_last_bit_whatever_its_place_and_neighbours(name):
    def settings_of(numbers):
        return {key: value[list(numbers)].astype(np.float32) for key, value in SETTINGS[name].items()}

    start = START.astype(np.float32)
    together = trajectory(name, start, settings_of(range(3)))
    reordered = trajectory(name, start[[2, 1, 0]], settings_of([2, 1, 0]))
    np.testing.assert_array_equal(together, reordered[:, ::-1])


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", FAMILY)
def test_a_member_trained_in_company_is_the_same_as_trained_alone(name):
    together = trajectory(name, START, SETTINGS[name])
    for number in range(3):
        alone = trajectory(name, START[[number]], {key: value[[number]] for key, value in SETTINGS[name].items()})
        np.testing.assert_allclose(together[:, number], alone[:, 0], rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_change_and_state_keep_the_precision_of_the_gradient(name, dtype):
    weight = jnp.ones(3, dtype)
    weights = (weight,) if name == "adamw" else ()
    optimizer = FAMILY[name]
    change, state = optimizer.update(weight, optimizer.init(weight), 1, *weights, **defaults(optimizer.hyperparameters))
    assert {leaf.dtype for leaf in jax.tree.leaves((change, state))} == {jnp.dtype(dtype)}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_reaches_the_minimum_of_a_convex_quadratic(name):
    settings = {**defaults(OPTIMIZERS[name].hyperparameters), "learning_rate": 0.02}
    bowl = partial(quadratic_furrow, condition=10.0)
    visited = path(bowl, jnp.array([1.0, -1.0]), OPTIMIZERS[name].init, OPTIMIZERS[name].update, 2000, **settings)
    # RMSprop's steps do not shrink with the gradient: it ends in a cycle about as wide as half its learning rate
    assert jnp.abs(visited[-1]).max() < (0.02 if name == "rmsprop" else 1e-3)


def steps_down_the_furrow(name, condition, **settings):
    """Until the height is 1e-12 of the start's."""
    furrow = partial(quadratic_furrow, condition=condition)
    visited = path(furrow, jnp.ones(2), OPTIMIZERS[name].init, OPTIMIZERS[name].update, 40_000, **settings)
    below = jax.vmap(furrow)(visited) < 1e-12 * furrow(jnp.ones(2))
    return int(jnp.argmax(below))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("condition", [100.0, 900.0, 2500.0])
def test_momentum_is_faster_in_a_furrow_by_about_the_root_of_the_condition_number(condition):
    root = condition**0.5
    plain = steps_down_the_furrow("gradient_descent", condition, learning_rate=2 / (1 + condition))
    heavy = {"learning_rate": 4 / (1 + root) ** 2, "beta": ((root - 1) / (root + 1)) ** 2}
    with_momentum = steps_down_the_furrow("classical_momentum", condition, **heavy)
    assert 0.6 * root < plain / with_momentum < 1.2 * root


@pytest.mark.usefixtures("float64")
def test_gradient_descent_leaves_a_saddle_at_the_rate_that_theory_gives_and_the_others_faster():
    start = jnp.array([1.0, 1e-6])
    far = {}
    for name, optimizer in OPTIMIZERS.items():
        settings = {**defaults(optimizer.hyperparameters), "learning_rate": 0.01}
        far[name] = abs(float(path(saddle, start, optimizer.init, optimizer.update, 300, **settings)[-1, 1]))
    assert far["gradient_descent"] == pytest.approx(1e-6 * 1.02**300, rel=1e-9)
    assert all(far[name] > 100 * far["gradient_descent"] for name in OPTIMIZERS if name not in {"gradient_descent", "momentum"})


def test_averaged_momentum_is_the_classical_form_at_a_rate_one_minus_beta_as_large():
    beta = np.full(3, 0.9, np.float32)
    averaged = trajectory("momentum", START, {"learning_rate": RATES, "beta": beta})
    classical = trajectory("classical_momentum", START, {"learning_rate": RATES * (1 - beta), "beta": beta})
    np.testing.assert_allclose(averaged, classical, rtol=1e-3, atol=1e-5)


def test_the_mean_of_all_one_row_steps_is_the_step_on_the_full_batch():
    rows = jnp.asarray(np.random.default_rng(3).normal(size=(8, 2)))
    weight, descend = jnp.array([1.0, -2.0]), OPTIMIZERS["gradient_descent"].update
    loss_gradient = jax.grad(lambda weight, rows: jnp.mean((rows @ weight - 1) ** 2))
    singles = [descend(loss_gradient(weight, rows[i : i + 1]), (), 1, learning_rate=0.1)[0] for i in range(8)]
    full, _ = descend(loss_gradient(weight, rows), (), 1, learning_rate=0.1)
    np.testing.assert_allclose(np.mean(singles, axis=0), full, rtol=1e-5)


OPTAX = {
    "gradient_descent": lambda s: optax.sgd(s["learning_rate"]),
    "momentum": lambda s: optax.chain(optax.ema(s["beta"], debias=False), optax.scale(-s["learning_rate"])),
    "classical_momentum": lambda s: optax.sgd(s["learning_rate"], s["beta"]),
    "nesterov": lambda s: optax.sgd(s["learning_rate"], s["beta"], nesterov=True),
    "rmsprop": lambda s: optax.rmsprop(s["learning_rate"], s["beta"], s["epsilon"], eps_in_sqrt=False),
    "adam": lambda s: optax.adam(s["learning_rate"], s["beta1"], s["beta2"], s["epsilon"]),
    "adam_epsilon_inside": optax_epsilon_inside,
    "adamw": lambda s: optax.adamw(s["learning_rate"], s["beta1"], s["beta2"], s["epsilon"], weight_decay=s["weight_decay"]),
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", OPTAX)
def test_the_optax_form_is_exchangeable_with_the_one_in_optax(name):
    settings = member(SETTINGS[name], 1)
    weights = {"layer": [jnp.asarray(START[0]), jnp.asarray(START[1])], "bias": jnp.asarray(START[2])}

    def run(transformation):
        def move(carry, step):
            weights, state = carry
            gradients = jax.tree.map(lambda weight: gradient_at(weight, step), weights)
            changes, state = transformation.update(gradients, state, weights)
            return (optax.apply_updates(weights, changes), state), None

        return jax.lax.scan(move, (weights, transformation.init(weights)), jnp.arange(1, STEPS + 1))[0][0]

    ours, theirs = run(as_optax(name, **settings)), run(OPTAX[name](settings))
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_the_optax_form_takes_traced_settings():
    def first_step(rate):
        transformation = as_optax("adam", learning_rate=rate)
        return transformation.update(jnp.ones(2), transformation.init(jnp.ones(2)))[0]

    np.testing.assert_allclose(jax.vmap(first_step)(jnp.array([0.1, 0.5]))[:, 0], [-0.1, -0.5], rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("adm", {}, "There is no optimizer 'adm', did you mean 'adam'?"),
        ("adam", {"beta_1": 0.9}, "adam has no hyperparameter 'beta_1', did you mean 'beta1'?"),
        ("adam", {"learning_rate": 7}, "adam.learning_rate is 7, allowed is 1e-06 to 1."),
        ("momentum", {"beta": float("nan")}, "momentum.beta is nan, allowed is 0 to 0.999."),
        ("adam", {"beta2": "high"}, "adam.beta2 is 'high', which is not a number from 0.5 to 0.9999."),
    ],
)
def test_a_wrong_name_or_value_gets_one_sentence_with_what_is_right(name, settings, sentence):
    with pytest.raises(InputError) as refusal:
        as_optax(name, **settings)
    assert str(refusal.value).startswith(sentence)


def test_adamw_as_optax_says_that_it_needs_the_weights():
    transformation = as_optax("adamw")
    state = transformation.init({"w": jnp.ones(2)})
    with pytest.raises(InputError, match=r"^adamw decays the weights: give them to update as its third argument\.$"):
        transformation.update({"w": jnp.ones(2)}, state)
