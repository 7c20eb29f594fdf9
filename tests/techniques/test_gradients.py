"""Clipping equals PyTorch's and optax's; the noise has the variance of its equation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from trainwell.errors import InputError
from trainwell.techniques.gradients import add_noise, as_optax, clip_by_global_norm, clip_by_value, noise_standard_deviation

NUMBERS = np.random.default_rng(5)
TREE = {"weight": NUMBERS.normal(size=(3, 4)), "bias": NUMBERS.normal(size=4)}
LIMITS = [0.5, 2.0, 100.0]  # the last is longer than the gradient


def torch_clipped(clip, limit):
    parameters = [torch.nn.Parameter(torch.zeros(leaf.shape, dtype=torch.float64)) for leaf in TREE.values()]
    for parameter, leaf in zip(parameters, TREE.values(), strict=True):
        parameter.grad = torch.tensor(leaf)
    clip(parameters, limit)
    return [parameter.grad for parameter in parameters]


def assert_trees_close(ours, theirs, **tolerance):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


@pytest.mark.usefixtures("float64")
def test_each_member_is_clipped_to_its_own_global_norm():
    clipped = jax.vmap(clip_by_global_norm, in_axes=(None, 0))(jax.tree.map(jnp.asarray, TREE), jnp.array(LIMITS))
    for number, limit in enumerate(LIMITS):
        ours = [clipped[name][number] for name in TREE]
        optax_clip = optax.clip_by_global_norm(limit)
        exact, _ = optax_clip.update(TREE, optax_clip.init(TREE))
        assert_trees_close(ours, [exact[name] for name in TREE], rtol=1e-12)
        # PyTorch divides by the norm plus 1e-6
        assert_trees_close(ours, torch_clipped(torch.nn.utils.clip_grad_norm_, limit), rtol=1e-5)


@pytest.mark.usefixtures("float64")
def test_each_member_is_clipped_by_its_own_value():
    clipped = jax.vmap(clip_by_value, in_axes=(None, 0))(jax.tree.map(jnp.asarray, TREE), jnp.array(LIMITS))
    for number, limit in enumerate(LIMITS):
        ours = [clipped[name][number] for name in TREE]
        assert_trees_close(ours, torch_clipped(torch.nn.utils.clip_grad_value_, limit), rtol=1e-15)


def test_a_gradient_of_zero_stays_zero_and_a_broken_one_stays_visible():
    assert clip_by_global_norm(jnp.zeros(3), 1.0).tolist() == [0.0, 0.0, 0.0]
    assert bool(jnp.isnan(clip_by_global_norm(jnp.array([jnp.nan, 1.0]), 1.0)).all())


@pytest.mark.parametrize("step", [1, 10, 1000])
def test_the_noise_has_the_variance_of_its_equation_at_every_step(step):
    count, expected = 40_000, 0.3 / (1 + step) ** 0.55
    noise = add_noise({"weight": jnp.zeros(count)}, jnp.uint32(6), step, 0.3, 0.55)["weight"]
    assert float(noise_standard_deviation(step, 0.3, 0.55)) ** 2 == pytest.approx(expected, rel=1e-5)
    assert abs(float(noise.mean())) < 4 * (expected / count) ** 0.5
    assert abs(float(noise.var()) - expected) < 4 * expected * (2 / count) ** 0.5


def test_noise_differs_between_leaves_steps_and_keys_and_repeats_for_the_same():
    tree = {"weight": jnp.zeros(1000), "bias": jnp.zeros(1000)}
    noise = [add_noise(tree, jnp.uint32(key), step, 1.0, 0.0) for key, step in ((1, 1), (1, 2), (2, 1), (1, 1))]
    streams = [noise[0]["weight"], noise[0]["bias"], noise[1]["weight"], noise[2]["weight"]]
    correlation = np.corrcoef(np.stack(streams))
    assert np.abs(correlation - np.eye(4)).max() < 4 / 1000**0.5
    np.testing.assert_array_equal(noise[0]["weight"], noise[3]["weight"])


@pytest.mark.parametrize(
    ("name", "theirs"), [("clip_by_global_norm", optax.clip_by_global_norm(0.5)), ("clip_by_value", optax.clip(0.5))]
)
def test_the_optax_form_chains_like_the_one_in_optax(name, theirs):
    tree = {key: jnp.asarray(leaf, jnp.float32) for key, leaf in TREE.items()}
    chained = [optax.chain(clip, optax.sgd(0.1)) for clip in (as_optax(name, limit=0.5), theirs)]
    changes = [transformation.update(tree, transformation.init(tree))[0] for transformation in chained]
    assert_trees_close(*(jax.tree.leaves(change) for change in changes), rtol=1e-6)


def test_the_optax_form_of_the_noise_counts_its_steps():
    noise = as_optax("add_noise", seed=3, scale=1.0, decay=2.0)
    first, state = noise.update(jnp.zeros(1000), noise.init(jnp.zeros(1000)))
    second, _ = noise.update(jnp.zeros(1000), state)
    assert float(first.std()) == pytest.approx(1 / 2, rel=0.1)
    assert float(second.std()) == pytest.approx(1 / 3, rel=0.1)


def test_a_misspelt_name_gets_the_nearest():
    with pytest.raises(InputError, match="'clip_by_globl_norm', did you mean 'clip_by_global_norm'"):
        as_optax("clip_by_globl_norm")
