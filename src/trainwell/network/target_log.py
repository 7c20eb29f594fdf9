"""A number learned as its logarithm: the loss sees logarithms, all else sees the number.

    learned    u = (log(max(y - floor, g)) - mean) / spread
    predicted  y = floor + exp(min(mean + spread u, most))

y is the standardized target; g, `LEAST`, is the smallest distance from the floor of any training row. Where errors are shares
of the target rather than amounts (prices, counts, durations), its logarithms have even errors and no long tail.

What is turned back is no mean. The mean of logarithms is the logarithm of the geometric mean, which lies below the mean: a
network that learns logarithms by the squared error predicts about the median. That is what the absolute error asks for; R2 and
RMSE ask for the mean and may lose by it. So it is never taken for granted, see `trainwell.recipe.overfit.target_transform`.

Source: Box & Cox (1964), "An analysis of transformations", with lambda = 0 and a shift (their equation 2).
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

LEAST = 0.01  # chosen: standard deviations from the floor to the smallest training row, at least; two digits of a usual count
FARTHEST = 100.0  # chosen: at most; from farther off a logarithm is a straight line, and float32 has too few digits for it
BEYOND = 3.0  # chosen: no prediction is farther from the floor than so many times the farthest training row


class Logarithm(NamedTuple):
    """What it takes, in units of the standardized target; a network that learns the number itself has ``()`` instead.

    Parameters
    ----------
    floor : what the logarithm's argument is counted from.
    mean, spread : of the logarithms of the training rows.
    most : the largest logarithm that is turned back.
    """

    floor: float
    mean: float
    spread: float
    most: float


def fit_logarithm(target: np.ndarray, zero: float) -> Logarithm:
    """The logarithm for these training rows.

    The floor is the target's own zero where all rows lie clearly above it, and else a little below the smallest.

    Parameters
    ----------
    target : (rows,) standardized.
    zero : where 0 in the target's own unit lies in this one.

    Examples
    --------
    >>> fit_logarithm(np.array([-1.0, 0.0, 1.0]), zero=-2.0).floor  # 1, 2 and 3 in a unit of 1
    -2.0
    >>> fit_logarithm(np.array([-1.0, 0.0, 1.0]), zero=-1.0).floor  # 0, 1 and 2
    -1.01
    """
    values = np.asarray(target, np.float64)
    floor = float(np.clip(zero, values.min() - FARTHEST, values.min() - LEAST))
    logarithms = np.log(values - floor)
    spread = float(logarithms.std())
    return Logarithm(floor, float(logarithms.mean()), spread or 1.0, float(logarithms.max() + np.log(BEYOND)))


def learned(target: Float[Array, " rows"], logarithm: tuple[float, ...]) -> Any:
    """The target (rows,) as the loss sees it."""
    if not logarithm:
        return target
    floor, mean, spread, _ = logarithm
    return (jnp.log(jnp.maximum(target - floor, LEAST)) - mean) / spread


def predicted(outputs: Float[Array, "rows outputs"], logarithm: tuple[float, ...]) -> Any:
    """Outputs turned back to the standardized target."""
    if not logarithm:
        return outputs
    floor, mean, spread, most = logarithm
    return floor + jnp.exp(jnp.minimum(mean + spread * outputs, most))
