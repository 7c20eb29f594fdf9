import jax
import pytest


@pytest.fixture
def float64():
    """JAX in double precision, so that a reference can be met to ten figures."""
    with jax.enable_x64(True):
        yield
