"""The activations of `trainwell.techniques.activations` in NumPy, in place, on single precision.

In place, since on small blocks of rows every pass over the units counts: SiLU takes three of them, beside a matrix product.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from trainwell.techniques.constants import SELU_ALPHA, SELU_SCALE

Units = np.ndarray  # float32 (units, rows), changed in place
LARGE = np.float32(20.0)  # chosen: from here on mish(x) is x to the last digit of a float32


class Activation(NamedTuple):
    """What becomes of units, in place, given a scratch array of their shape; and the short names of the settings it takes."""

    apply: Callable[..., None]
    settings: tuple[str, ...] = ()


def _identity(x: Units, scratch: Units) -> None:
    pass


def _sigmoid(x: Units, scratch: Units) -> None:
    np.multiply(x, np.float32(0.5), out=x)
    np.tanh(x, out=x)
    np.multiply(x, np.float32(0.5), out=x)
    np.add(x, np.float32(0.5), out=x)


def _tanh(x: Units, scratch: Units) -> None:
    np.tanh(x, out=x)


def _relu(x: Units, scratch: Units) -> None:
    np.maximum(x, np.float32(0), out=x)


def _leaky_relu(x: Units, scratch: Units, slope: float) -> None:
    np.multiply(x, np.float32(slope), out=scratch)
    np.copyto(x, scratch, where=x <= 0)


def _elu(x: Units, scratch: Units, alpha: float) -> None:
    np.minimum(x, np.float32(0), out=scratch)
    np.expm1(scratch, out=scratch)
    np.multiply(scratch, np.float32(alpha), out=scratch)
    np.copyto(x, scratch, where=x <= 0)


def _selu(x: Units, scratch: Units) -> None:
    _elu(x, scratch, SELU_ALPHA)
    np.multiply(x, np.float32(SELU_SCALE), out=x)


def _gelu(x: Units, scratch: Units) -> None:
    from scipy.special import erf  # only networks that need it wait for it

    np.multiply(x, np.float32(0.5**0.5), out=scratch)
    erf(scratch, out=scratch)
    np.add(scratch, np.float32(1), out=scratch)
    np.multiply(scratch, np.float32(0.5), out=scratch)
    np.multiply(x, scratch, out=x)


def _silu(x: Units, scratch: Units) -> None:
    """x sigmoid(x) = h (1 + tanh h) with h = x / 2, which overflows nowhere."""
    np.multiply(x, np.float32(0.5), out=x)
    np.tanh(x, out=scratch)
    np.add(scratch, np.float32(1), out=scratch)
    np.multiply(x, scratch, out=x)


def _mish(x: Units, scratch: Units) -> None:
    """tanh(log(1 + e)) = (e^2 + 2 e) / (e^2 + 2 e + 2) with e = exp(x)."""
    np.minimum(x, LARGE, out=scratch)
    np.exp(scratch, out=scratch)
    share = scratch * (scratch + np.float32(2))
    np.divide(share, share + np.float32(2), out=scratch)
    np.multiply(x, scratch, out=x)


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(_identity),
    "sigmoid": Activation(_sigmoid),
    "tanh": Activation(_tanh),
    "relu": Activation(_relu),
    "leaky_relu": Activation(_leaky_relu, ("slope",)),
    "elu": Activation(_elu, ("alpha",)),
    "selu": Activation(_selu),
    "gelu": Activation(_gelu),
    "silu": Activation(_silu),
    "mish": Activation(_mish),
}
