"""Every schedule gives the multipliers of its reference, and stays between 0 and 1."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from trainwell.hyperparameter import defaults
from trainwell.techniques.schedules import REDUCE_ON_PLATEAU, SCHEDULES, plateau_init, reduce_on_plateau

STEPS = 64  # a power of two, so that progress is exact and the drops fall where PyTorch's fall
PROGRESS = np.arange(STEPS) / STEPS
UNLIKE = {  # three members at once
    "constant": {},
    "step": {"every": [0.125, 0.25, 0.5], "factor": [0.9, 0.5, 0.1]},
    "exponential": {"final": [1e-4, 0.1, 1.0]},
    "inverse_time": {"decay": [0.0, 3.0, 100.0]},
    "warmup": {"share": [0.125, 0.25, 1.0], "start": [0.01, 0.2, 0.9]},
    "cosine": {"final": [0.0, 0.1, 0.9]},
    "flat_cosine": {"flat": [0.0, 0.5, 0.75]},
    "one_cycle": {"peak": [0.25, 0.5, 0.75], "start": [0.04, 0.5, 0.1], "final": [4e-6, 0.1, 0.05]},
    "coslog4": {},
}


def multipliers(name, settings):
    """(members, steps)"""
    traced = {key: jnp.asarray(value) for key, value in settings.items()}
    members = jax.vmap(lambda settings: SCHEDULES[name].multiplier(jnp.asarray(PROGRESS), **settings), axis_size=3)
    return members(traced)


def by_torch(make):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimizer)
    for _ in range(STEPS):
        yield optimizer.param_groups[0]["lr"]
        optimizer.step()
        schedule.step()


def by_optax(schedule):
    return [float(schedule(step)) for step in range(STEPS)]


def reference(name, s):
    schedules = torch.optim.lr_scheduler
    if name == "constant":
        return by_torch(lambda o: schedules.ConstantLR(o, factor=1.0))
    if name == "step":
        return by_torch(lambda o: schedules.StepLR(o, int(s["every"] * STEPS), s["factor"]))
    if name == "exponential":
        return by_torch(lambda o: schedules.ExponentialLR(o, s["final"] ** (1 / STEPS)))
    if name == "inverse_time":
        return by_torch(lambda o: schedules.LambdaLR(o, lambda t: 1 / (1 + s["decay"] * t / STEPS)))
    if name == "warmup":
        return by_torch(lambda o: schedules.LinearLR(o, s["start"], total_iters=int(s["share"] * STEPS)))
    if name == "cosine":
        return by_torch(lambda o: schedules.CosineAnnealingLR(o, STEPS, eta_min=s["final"]))
    if name == "flat_cosine":
        flat = int(s["flat"] * STEPS)
        falling = optax.cosine_decay_schedule(1.0, STEPS - flat)
        return by_optax(optax.join_schedules([optax.constant_schedule(1.0), falling], [flat]))
    if name == "one_cycle":
        return one_cycle_of_optax(s)
    return [(1 - math.cos(2 * math.pi * math.log2(1 + 15 * p))) / 2 for p in PROGRESS]  # RealMLP's, in Python


def one_cycle_of_optax(s):
    divisions = {"div_factor": 1 / s["start"], "final_div_factor": s["start"] / s["final"]}
    return by_optax(optax.cosine_onecycle_schedule(STEPS, 1.0, pct_start=s["peak"], **divisions))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", SCHEDULES)
def test_three_unlike_members_follow_the_reference_schedule_each(name):
    ours = multipliers(name, UNLIKE[name])
    for number in range(3):
        settings = {key: value[number] for key, value in UNLIKE[name].items()}
        np.testing.assert_allclose(ours[number], list(reference(name, settings)), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_multiplier_lies_between_0_and_1_at_every_corner_of_the_declared_ranges(name):
    schedule = SCHEDULES[name]
    for corner in ("low", "high", "default"):
        settings = {declared.name: getattr(declared, corner) for declared in schedule.hyperparameters}
        factors = schedule.multiplier(jnp.linspace(0, 1, 101), **settings)
        assert factors.shape == (101,)
        assert bool(jnp.all((factors >= 0) & (factors <= 1)))


def test_the_one_that_is_given_whole_numbers_still_gives_fractions():
    assert SCHEDULES["constant"].multiplier(jnp.arange(2)).dtype == jnp.float32


@pytest.mark.parametrize(("patience", "floor"), [(0, 0.0), (2, 0.2), (5, 0.05)])
def test_reduce_on_plateau_drops_when_pytorch_drops(patience, floor):
    scores = np.random.default_rng(4).normal(size=40).cumsum().round(2)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    options = {"mode": "max", "threshold_mode": "abs", "threshold": 0.5, "factor": 0.7, "eps": 0}
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=patience, min_lr=floor, **options)
    state = plateau_init()
    for score in scores:
        reference.step(score)
        state = reduce_on_plateau(state, score, patience=patience, factor=0.7, min_delta=0.5, floor=floor)
        assert float(state.multiplier) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-5)
    assert float(state.multiplier) < 1


def test_a_score_that_is_no_number_counts_as_no_improvement():
    state = plateau_init()
    settings = {**defaults(REDUCE_ON_PLATEAU), "patience": 0}
    for score in (jnp.nan, jnp.nan):
        state = reduce_on_plateau(state, score, **settings)
    assert float(state.multiplier) == pytest.approx(0.01)
    assert float(state.best) == -np.inf
