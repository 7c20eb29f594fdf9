"""Every activation equals PyTorch's, in value and slope, also far out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from trainwell.techniques.activations import ACTIVATIONS
from trainwell.techniques.initializers import default_for

TORCH = {
    "identity": torch.nn.Identity(),
    "sigmoid": torch.nn.Sigmoid(),
    "tanh": torch.nn.Tanh(),
    "relu": torch.nn.ReLU(),
    "leaky_relu": lambda x, slope: torch.nn.functional.leaky_relu(x, slope),
    "elu": lambda x, alpha: torch.nn.functional.elu(x, alpha),
    "selu": torch.nn.SELU(),
    "gelu": torch.nn.GELU(),
    "silu": torch.nn.SiLU(),
    "mish": torch.nn.Mish(),
}
UNLIKE = {"leaky_relu": {"slope": [0.0, 0.01, 0.5]}, "elu": {"alpha": [0.1, 1.0, 3.0]}}
POINTS = np.concatenate([np.linspace(-8, 8, 321), [-1000.0, -100.0, -1e-6, 1e-6, 100.0, 1000.0]])


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_three_unlike_members_equal_pytorch_in_value_and_slope(name):
    function, unlike = ACTIVATIONS[name].function, UNLIKE.get(name, {})

    def both(settings):
        return jax.vmap(jax.value_and_grad(lambda x: function(x, **settings)))(jnp.asarray(POINTS))

    values, slopes = jax.vmap(both, axis_size=3)({key: jnp.array(value) for key, value in unlike.items()})
    for number in range(3):
        x = torch.tensor(POINTS, requires_grad=True)
        expected = TORCH[name](x, **{key: value[number] for key, value in unlike.items()})
        expected.sum().backward()
        np.testing.assert_allclose(values[number], expected.detach(), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(slopes[number], x.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_is_no_number_stays_visible(name):
    settings = {declared.name: declared.default for declared in ACTIVATIONS[name].hyperparameters}
    assert bool(jnp.isnan(ACTIVATIONS[name].function(jnp.array([jnp.nan]), **settings))[0])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_its_kind_and_its_default_initializer_agree(name):
    families = {"relu-like": ("he_normal", "lecun_normal"), "s-shaped": ("xavier_normal",), "linear": ("xavier_normal",)}
    assert default_for(name) in families[ACTIVATIONS[name].kind]
