"""Short re-runs from copies of the start, each with one thing changed: the proof of a cause.

A re-run makes the same number of updates as the run, at most `STEPS`, with the plain step of the textbook: clear, forward,
loss, backward, update. It is judged on the run's own validation rows.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from trainwell.diagnosis.pytorch.copies import (
    called,
    copied,
    loss_copied,
    loss_of,
    mapped,
    outputs_of,
    own_randomness,
    rows_of,
    taken,
)
from trainwell.diagnosis.pytorch.scores import score
from trainwell.diagnosis.signals import Trial

STEPS = 1000  # chosen: enough for a small network to show which way it goes


class OutOfTimeError(Exception):
    """The time for re-runs is over in the middle of one."""


@dataclass
class Material:
    """What a re-run needs; copies are taken of it, it is never changed."""

    model: nn.Module
    optimizer: Any
    loss_fn: Any
    task: str | None
    weighted: bool
    train: list[tuple[Any, Any]]  # batches in the order they came
    rows: tuple[Any, Any]  # the same as one batch
    validation: tuple[Any, Any] | None
    rates: list[float]  # learning rate of the run's updates, the highest of all groups
    steps: int
    until: float = math.inf  # when re-runs end, by the monotonic clock


@dataclass
class Replay:
    """One re-run in the making; a change works on it before it starts."""

    model: nn.Module
    optimizer: Any
    loss_fn: Any
    task: str | None
    weighted: bool
    rows: tuple[Any, Any]
    validation: tuple[Any, Any]
    rates: list[float]
    steps: int
    batches: list[tuple[Any, Any]]
    batch_rows: int = 0  # other than 0: rows drawn anew into batches of so many
    clip: float = math.inf
    times: float = 1.0
    until: float = math.inf
    hooks: list[Any] = field(default_factory=list)


Change = Callable[[Replay], bool | None]  # False: it does not apply


def tried(material: Material, change: Change | None = None, seed: int = 0) -> Trial | None:
    """Runs it. None where the change does not apply; a run that breaks down counts as the worst."""
    memory: dict[int, Any] = {}
    model, optimizer = copied(material.model, material.optimizer, memory)
    validation = material.validation if material.validation is not None else material.rows
    replay = Replay(
        model=model,
        optimizer=optimizer,
        loss_fn=loss_copied(material.loss_fn, memory),
        task=material.task,
        weighted=material.weighted,
        rows=material.rows,
        validation=validation,
        rates=material.rates,
        steps=min(material.steps, STEPS),
        batches=material.train,
        until=material.until,
    )
    with own_randomness(seed):
        if change is not None and change(replay) is False:
            return None
        _train(replay)
        return _judged(replay)


def _train(replay: Replay) -> None:
    replay.model.train()
    draws = _batches(replay)
    for step in range(replay.steps):
        if time.monotonic() > replay.until:
            raise OutOfTimeError
        x, y = next(draws)
        _set_rate(replay, step)
        replay.optimizer.zero_grad()
        loss = replay.loss_fn(called(replay.model, x), y)
        if not bool(torch.isfinite(loss)):
            return
        loss.backward()
        if replay.clip < math.inf:
            nn.utils.clip_grad_norm_(replay.model.parameters(), replay.clip)
        replay.optimizer.step()


def _set_rate(replay: Replay, step: int) -> None:
    """The learning rate that the run had at this share of its way, times the change; groups keep their proportions."""
    if not replay.rates:
        return
    at = min(len(replay.rates) - 1, step * len(replay.rates) // max(replay.steps, 1))
    groups = [group for group in replay.optimizer.param_groups if group.get("lr") is not None]
    own = [group.get("initial_lr", group.setdefault("first_lr", group["lr"])) for group in groups]
    highest = max(own, default=0.0)
    for group, rate in zip(groups, own, strict=True):
        group["lr"] = replay.rates[at] * replay.times * (rate / highest if highest else 1.0)


def _batches(replay: Replay) -> Iterator[tuple[Any, Any]]:
    x, y = replay.rows
    while True:
        if not replay.batch_rows:
            yield from replay.batches
            continue
        order = torch.randperm(rows_of(x))
        for at in range(0, len(order), replay.batch_rows):
            part = order[at : at + replay.batch_rows]
            if len(part) > 1:
                yield taken(x, part), taken(y, part)


def _judged(replay: Replay) -> Trial:
    replay.model.eval()
    few = slice(0, 1000)
    x, y = taken(replay.rows[0], few), taken(replay.rows[1], few)
    xv, yv = taken(replay.validation[0], few), taken(replay.validation[1], few)
    try:
        train, validation = loss_of(replay.model, replay.loss_fn, x, y), loss_of(replay.model, replay.loss_fn, xv, yv)
        reached = score(outputs_of(replay.model, xv), yv, replay.task, replay.weighted)
    finally:
        for hook in replay.hooks:
            hook.remove()
    return Trial(train, validation, reached, replay.steps)


def standardized(replay: Replay) -> bool | None:
    """Inputs in standard units: columns of a table each, pictures and sequences as a whole."""
    inputs = replay.rows[0]
    if not isinstance(inputs, torch.Tensor) or not inputs.is_floating_point():
        return False
    each = inputs.ndim == 2
    mean = inputs.mean(0) if each else inputs.mean()
    size = (inputs.std(0) if each else inputs.std()).clamp_min(1e-12)
    if each:
        size = torch.where(size < 1e-6 * size.max(), torch.ones_like(size), size)

    def change(value):
        return mapped(lambda t: (t - mean) / size, value)

    replay.rows = (change(replay.rows[0]), replay.rows[1])
    replay.validation = (change(replay.validation[0]), replay.validation[1])
    replay.batches = [(change(x), y) for x, y in replay.batches]
    return None


def targets_standardized(replay: Replay) -> bool | None:
    targets = replay.rows[1]
    if not isinstance(targets, torch.Tensor) or not targets.is_floating_point():
        return False
    mean, size = targets.mean(0), targets.std(0).clamp_min(1e-12)
    replay.rows = (replay.rows[0], (targets - mean) / size)
    replay.validation = (replay.validation[0], (replay.validation[1] - mean) / size)
    replay.batches = [(x, (y - mean) / size) for x, y in replay.batches]
    return None
