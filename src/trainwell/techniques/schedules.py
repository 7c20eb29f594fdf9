"""Schedules: what a learning rate (or dropout rate, or weight decay) is multiplied by as training goes on.

Each is a function of the progress, from 0 at the start of training to 1 at its planned end, and gives a factor, 1 where
the rate is at its full value. So one schedule fits any number of steps, and each member of a population can have its own.
`reduce_on_plateau` alone looks at the validation measure instead, between epochs.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from trainwell.hyperparameter import Hyperparameter

STEP = (
    Hyperparameter("every", default=0.25, low=0.01, high=1.0, search=(0.1, 0.5), meaning="share of training between two drops"),
    Hyperparameter("factor", default=0.5, low=0.01, high=1.0, search=(0.1, 0.7), meaning="what each drop multiplies by"),
)
EXPONENTIAL = (
    Hyperparameter("final", default=0.01, low=1e-6, high=1.0, scale="log", search=(1e-3, 0.3), meaning="factor at the end"),
)
INVERSE_TIME = (
    Hyperparameter(
        "decay", default=10.0, low=0.0, high=1e4, search=(1.0, 100.0), meaning="the factor at the end is 1 / (1 + decay)"
    ),
)
WARMUP = (
    Hyperparameter("share", default=0.05, low=1e-4, high=1.0, search=(0.01, 0.2), meaning="share of training spent rising"),
    Hyperparameter("start", default=0.01, low=0.0, high=1.0, search=(0.0, 0.3), meaning="factor at the start"),
)
COSINE = (
    Hyperparameter("final", default=0.0, low=0.0, high=1.0, search=(0.0, 0.1), meaning="factor at the end"),
)  # fmt: skip
FLAT_COSINE = (
    Hyperparameter("flat", default=0.5, low=0.0, high=0.999, search=(0.1, 0.8), meaning="share of training at the full rate"),
)
ONE_CYCLE = (
    Hyperparameter(
        "peak", default=0.3, low=0.01, high=0.99, search=(0.1, 0.5), meaning="progress at the full rate", source="PyTorch"
    ),
    Hyperparameter(
        "start", default=0.04, low=0.0, high=1.0, search=(0.01, 0.2), meaning="factor at the start", source="PyTorch"
    ),
    Hyperparameter("final", default=4e-6, low=0.0, high=1.0, search=(0.0, 0.01), meaning="factor at the end", source="PyTorch"),
)
REDUCE_ON_PLATEAU = (
    Hyperparameter(
        "patience", default=10, low=0, high=10_000, search=(2, 20), meaning="epochs without improvement borne", source="PyTorch"
    ),
    Hyperparameter(
        "factor", default=0.1, low=0.01, high=1.0, search=(0.1, 0.5), meaning="what each drop multiplies by", source="PyTorch"
    ),
    Hyperparameter(
        "min_delta",
        default=0.0,
        low=0.0,
        high=1e6,
        search=(0.0, 1e-3),
        meaning="least rise of the score that counts, as of early stopping",
    ),
    Hyperparameter("floor", default=0.0, low=0.0, high=1.0, search=(0.0, 0.01), meaning="least multiplier", source="PyTorch"),
)


def constant(progress):
    """Constant: the full rate throughout.

        1

    Use: to compare with, and where the learning rate is adapted otherwise.

    Source: Robbins & Monro (1951), whose proof needs a rate that falls, is why there are others.

    Examples
    --------
    >>> float(constant(0.5))
    1.0
    """
    return jnp.ones_like(progress, dtype=jnp.result_type(float))


def step(progress, *, every, factor):
    """Step: a drop at equal distances.

        factor^floor(progress / every)

    Use: where training is watched and drops are set where the loss stops falling; classical in image recognition.

    Source: Krizhevsky et al. (2012), section 5.

    Examples
    --------
    >>> float(step(0.6, every=0.25, factor=0.5))
    0.25
    """
    return factor ** jnp.floor(progress / every)


def exponential(progress, *, final):
    """Exponential: the same relative fall in every step.

        final^progress

    Use: a smooth fall over orders of magnitude; also, rising, for the learning-rate range test.

    Source: chosen parametrization of gamma^t, with gamma = final^(1/steps), as in PyTorch's ExponentialLR.

    Examples
    --------
    >>> f"{exponential(0.5, final=0.01):.2f}"
    '0.10'
    """
    return jnp.asarray(final) ** progress


def inverse_time(progress, *, decay):
    """Inverse time (1/t): fast at first, then ever slower.

        1 / (1 + decay progress)

    Use: for stochastic gradient descent on convex losses, where it is what theory asks for.

    Source: Robbins & Monro (1951); Bottou (2012), "Stochastic gradient descent tricks".

    Examples
    --------
    >>> float(inverse_time(1.0, decay=3.0))
    0.25
    """
    return 1 / (1 + decay * progress)


def warmup(progress, *, share, start):
    """Linear warm-up: from a small rate to the full one, then constant.

        min(1, start + (1 - start) progress / share)

    Use: with large learning rates, large batches or Adam's first, uncertain steps. In code of your own multiply it with any
    other schedule; the engine takes one.

    Source: Goyal et al. (2017), "Accurate, large minibatch SGD", section 2.2.

    Examples
    --------
    >>> [float(warmup(progress, share=0.5, start=0.0)) for progress in (0.0, 0.25, 0.75)]
    [0.0, 0.5, 1.0]
    """
    return jnp.minimum(1.0, start + (1 - start) * progress / share)


def cosine(progress, *, final):
    """Cosine: half a wave down from the full rate.

        final + (1 - final) (1 + cos(pi progress)) / 2

    Use: a good default when the length of training is known.

    Source: Loshchilov & Hutter (2017), "SGDR", equation 5, without restarts.

    Examples
    --------
    >>> f"{cosine(0.5, final=0.0):.2f}"
    '0.50'
    """
    return final + (1 - final) * (1 + jnp.cos(jnp.pi * progress)) / 2


def flat_cosine(progress, *, flat):
    """Flat, then cosine: the full rate for a share of training, then half a wave down to zero.

        (1 + cos(pi max(0, progress - flat) / (1 - flat))) / 2

    Use: for Adam-like optimizers; training can go on at the full rate until its end is decided.

    Source: fastai's fit_flat_cos.

    Examples
    --------
    >>> [f"{flat_cosine(progress, flat=0.5):.2f}" for progress in (0.25, 0.75, 1.0)]
    ['1.00', '0.50', '0.00']
    """
    return (1 + jnp.cos(jnp.pi * jnp.maximum(progress - flat, 0) / (1 - flat))) / 2


def one_cycle(progress, *, peak, start, final):
    """One cycle: half a wave up to the full rate, half a wave down to nearly nothing.

        up to the peak    start + (1 - start) (1 - cos(pi progress / peak)) / 2
        after it          final + (1 - final) (1 + cos(pi (progress - peak) / (1 - peak))) / 2

    Use: with a large learning rate, for short trainings; the large rate in the middle regularizes.

    Source: Smith & Topin (2018), "Super-convergence"; the waves as in PyTorch's OneCycleLR.

    Examples
    --------
    >>> [f"{one_cycle(progress, peak=0.5, start=0.0, final=0.0):.2f}" for progress in (0.0, 0.25, 0.5, 1.0)]
    ['0.00', '0.50', '1.00', '0.00']
    """
    rising = start + (1 - start) * (1 - jnp.cos(jnp.pi * progress / peak)) / 2
    falling = final + (1 - final) * (1 + jnp.cos(jnp.pi * (progress - peak) / (1 - peak))) / 2
    return jnp.where(progress < peak, rising, falling)


def coslog4(progress):
    """Coslog4: four waves, each twice as long as the one before, ending at zero.

        (1 - cos(2 pi log2(1 + 15 progress))) / 2

    Use: on tables with Adam, together with early stopping: every valley is a moment at which to stop.

    Source: Holzmueller et al. (2024), "Better by default" (RealMLP).

    Examples
    --------
    >>> f"{coslog4((2**0.5 - 1) / 15):.2f}"  # the first crest
    '1.00'
    """
    return (1 - jnp.cos(2 * jnp.pi * jnp.log2(1 + 15 * progress))) / 2


class Schedule(NamedTuple):
    """A factor on a rate as a function of the progress of training."""

    name: str
    multiplier: Callable[..., jax.Array]
    hyperparameters: tuple[Hyperparameter, ...] = ()


SCHEDULES: dict[str, Schedule] = {
    schedule.name: schedule
    for schedule in (
        Schedule("constant", constant),
        Schedule("step", step, STEP),
        Schedule("exponential", exponential, EXPONENTIAL),
        Schedule("inverse_time", inverse_time, INVERSE_TIME),
        Schedule("warmup", warmup, WARMUP),
        Schedule("cosine", cosine, COSINE),
        Schedule("flat_cosine", flat_cosine, FLAT_COSINE),
        Schedule("one_cycle", one_cycle, ONE_CYCLE),
        Schedule("coslog4", coslog4),
    )
}


class Plateau(NamedTuple):
    best: jax.Array  # best score so far, minus infinity before the first
    waited: jax.Array  # epochs since the best or since the last drop
    multiplier: jax.Array


def plateau_init() -> Plateau:
    """The state of `reduce_on_plateau` before the first epoch: the full rate.

    Examples
    --------
    >>> float(plateau_init().multiplier)
    1.0
    """
    return Plateau(jnp.full((), -jnp.inf, float), jnp.zeros((), jnp.int32), jnp.ones(()))


def reduce_on_plateau(state: Plateau, score, *, patience, factor, min_delta, floor) -> Plateau:
    """Reduce on plateau: a drop when the validation measure has not improved for more than `patience` epochs.

        multiplier <- max(floor, factor multiplier) when waited > patience, and waited <- 0

    Use: when the length of training is not known beforehand. `score` is larger for better; NaN is no improvement.

    Source: PyTorch's and Keras' ReduceLROnPlateau.

    Examples
    --------
    >>> state = plateau_init()
    >>> for score in (0.7, 0.6, 0.6):
    ...     state = reduce_on_plateau(state, score, patience=1, factor=0.5, min_delta=0.0, floor=0.0)
    >>> float(state.multiplier)
    0.5
    """
    improved = score > state.best + min_delta
    waited = jnp.where(improved, 0, state.waited + 1)
    drop = waited > patience
    multiplier = jnp.where(drop, jnp.maximum(floor, factor * state.multiplier), state.multiplier)
    best = jnp.where(improved, score, state.best).astype(state.best.dtype)
    return Plateau(best, jnp.where(drop, 0, waited), multiplier.astype(state.multiplier.dtype))
