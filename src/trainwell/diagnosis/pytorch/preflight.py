"""What can be known before training, from one batch and copies of the model; seconds, and the model stays as it is."""

from typing import Any

import torch
from torch import nn

from trainwell.diagnosis import report as reports
from trainwell.diagnosis.diagnose import diagnose
from trainwell.diagnosis.findings import Finding
from trainwell.diagnosis.pytorch import rows
from trainwell.diagnosis.pytorch.checks import Checks, start_facts
from trainwell.diagnosis.pytorch.copies import (
    called,
    copied,
    loss_copied,
    loss_of,
    mapped,
    own_randomness,
    rows_of,
    state_kept,
    taken,
)
from trainwell.diagnosis.pytorch.guard import named
from trainwell.diagnosis.pytorch.watch import checked
from trainwell.diagnosis.signals import Signals
from trainwell.errors import InputError

OVERFIT_ROWS, OVERFIT_STEPS = 16, 200  # chosen: a network that works learns so few rows by heart


class Preflight:
    """What the checks before training found; printed, it is the report."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals
        self.findings: list[Finding] = diagnose(signals)

    def __str__(self) -> str:
        return reports.text(self.findings, self.signals)


def preflight(
    model: nn.Module, loss_fn: Any, x: Any, y: Any, *, optimizer: Any = None, task: str | None = None, validation: Any = None
) -> Preflight:
    """Checks a model, its loss and one batch before training; never changes the model.

    Parameters
    ----------
    model : torch.nn.Module
    loss_fn : callable
        `loss_fn(outputs, targets)` gives one number.
    x, y : tensors, or tuples or dictionaries of tensors
        One batch, first axis the rows. A tuple is given to the model as `model(*x)`, a dictionary as `model(**x)`.
    optimizer : torch.optim.Optimizer, optional
        With it, weights that it does not hold are found.
    task : {"binary", "multiclass", "regression"}, optional
        Told from the targets where it is left out.
    validation : pair of x and y, optional
        With it, copies of training rows and a shift between the two are found.

    Raises
    ------
    InputError
        Something given cannot be worked with.

    Source: Karpathy (2019), "A recipe for training neural networks", stage 2; Ben Braiek & Khomh (2023), "TheDeepChecker".
    """
    checked(model, optimizer, loss_fn, task)
    if not rows_of(x) or rows_of(x) != rows_of(y):
        raise InputError(f"preflight was given {rows_of(x)} rows of inputs and {rows_of(y)} of targets; they must be as many.")
    try:
        with own_randomness(), torch.no_grad():
            called(copied(model)[0].eval(), x)
    except Exception as problem:  # whatever a user's module raises
        why = next(iter(str(problem).splitlines()), type(problem).__name__)
        raise InputError(f"The model cannot be called with this batch ({why}).") from problem
    signals, loss_fn = Signals(), loss_copied(loss_fn)
    x, y = mapped(lambda t: t.detach(), (x, y))
    with state_kept(model, parameters=[p for group in getattr(optimizer, "param_groups", ()) for p in group["params"]]):
        _checked(signals, model, loss_fn, x, y, task, validation)
    if optimizer is not None:
        held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        outside = [name for name, p in model.named_parameters() if p.requires_grad and id(p) not in held]
        signals.facts["outside_optimizer"] = outside
    return Preflight(signals)


def _checked(signals: Signals, model: nn.Module, loss_fn: Any, x: Any, y: Any, task: str | None, validation: Any) -> None:
    start_facts(signals, model, loss_fn, x, y, task)
    with named(signals.not_run, "the checks of the rows"):
        rows.data_facts(signals, [(x, y)], validation)
    Checks(signals, model).run("learn a few rows by heart", lambda m: _by_heart(m, loss_fn, x, y))
    Checks(signals, model).run("answer without inputs", lambda m: _zeroed(m, loss_fn, x, y))


def _by_heart(model: nn.Module, loss_fn: Any, x: Any, y: Any) -> dict[str, Any]:
    """Loss of a few rows before and after many updates on them alone."""
    few = slice(0, OVERFIT_ROWS)
    x, y = taken(x, few), taken(y, few)
    free = [p for p in model.parameters() if p.requires_grad]
    if not free:
        return {}
    model.eval()  # batch statistics and dropout would stand in the way
    optimizer = torch.optim.Adam(free, lr=3e-3)
    first = loss_of(model, loss_fn, x, y)
    for _ in range(OVERFIT_STEPS):
        optimizer.zero_grad()
        loss = loss_fn(called(model, x), y)
        if not loss.requires_grad:
            break
        loss.backward()
        optimizer.step()
    return {"heart_before": first, "heart_after": loss_of(model, loss_fn, x, y)}


def _zeroed(model: nn.Module, loss_fn: Any, x: Any, y: Any) -> dict[str, Any]:
    model.eval()
    return {
        "zeroed_input_loss": loss_of(model, loss_fn, mapped(torch.zeros_like, x), y),
        "given_loss": loss_of(model, loss_fn, x, y),
    }
