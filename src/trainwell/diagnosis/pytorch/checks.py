"""Checks of one batch on copies of a model, before the first update; a check that fails is named and the others go on."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from trainwell.diagnosis.pytorch import functions, starts
from trainwell.diagnosis.pytorch.copies import (
    called,
    children_in_order,
    copied,
    loss_copied,
    own_randomness,
    rows_of,
    taken,
    tensors,
)
from trainwell.diagnosis.pytorch.guard import named
from trainwell.diagnosis.pytorch.scores import TARGETS, constant_loss, inferred_task, unread
from trainwell.diagnosis.signals import LayerSignals, Signals

FEW = 128  # chosen: rows of the batch that the checks use


class Checks:
    """Runs checks one by one on fresh copies; one that fails is named with its reason and the others go on."""

    def __init__(self, signals: Signals, model: nn.Module) -> None:
        self.signals, self.model = signals, model

    def run(self, name: str, check: Callable[[nn.Module], dict[str, Any] | None]) -> None:
        with named(self.signals.not_run, name), own_randomness():
            model, _ = copied(self.model)
            self.signals.facts.update(check(model) or {})


def start_facts(signals: Signals, model: nn.Module, loss_fn: Any, x: Any, y: Any, task: str | None) -> None:
    """Every check of one batch, before the first update."""
    loss_fn = loss_copied(loss_fn)
    with named(signals.not_run, "the checks of the first batch"):
        _start_facts(signals, model, loss_fn, x, y, task)


def _start_facts(signals: Signals, model: nn.Module, loss_fn: Any, x: Any, y: Any, task: str | None) -> None:
    checks, facts = Checks(signals, model), signals.facts
    few = slice(0, min(rows_of(x), FEW))
    x, y = taken(x, few), taken(y, few)
    with named(signals.not_run, "missing values in the first batch"):
        _batch_facts(facts, x, y)
    checks.run("one row's output depends on that row alone", lambda m: functions.row_facts(m, x))
    with own_randomness():
        outputs = _outputs(model, x)
    if not isinstance(outputs, Tensor) or not outputs.ndim:
        signals.not_run["the checks of the outputs"] = "the model cannot be called as model(x), or does not give one tensor"
        return
    if says := unread(outputs, y, task):
        signals.not_run[TARGETS], task = says, None
    else:
        task = task or inferred_task(outputs, y)
    facts["task"] = task
    _shape_facts(facts, outputs, y, task)
    checks.run("what changes between training and evaluation mode", lambda m: functions.mode_facts(m, x))
    checks.run("what the outputs can be", lambda m: functions.reach_facts(m, x))
    checks.run("whether the network is more than a linear map", lambda m: functions.affine_facts(m, x, facts))
    checks.run("scale of the first weights", lambda m: {"start_scales": starts.weight_scales(m)})
    checks.run("units that start with equal weights", lambda m: {"equal_weights": starts.equal_weights(m)})
    checks.run("units that are twins", lambda m: _layer_shares(signals, "twin_share", starts.twin_shares(m, loss_fn, x, y)))
    checks.run("activations at the start", lambda m: activations(signals, m, x))
    checks.run("dropout in evaluation mode", lambda m: starts.dropouts_in_evaluation(m, x))
    checks.run("normalization of the inputs", lambda m: {"input_normalized": float(_normalized_first(m, x))})
    if loss_fn is None:
        signals.not_run["the checks of the loss"] = "no loss_fn was given"
        return
    checks.run("the loss fits the targets", lambda m: functions.loss_facts(loss_fn, outputs, y, task, facts))
    checks.run("the loss pairs outputs and targets", lambda m: {"loss_pairs_rows": functions.pairing(loss_fn, outputs, y)})
    if task == "regression":
        checks.run("the loss tells outputs apart", lambda m: functions.alike_facts(loss_fn, outputs, y))
    checks.run("loss at the start", lambda m: _first_loss(m, loss_fn, x, y, outputs, task))
    checks.run("gradients at the start", lambda m: {"start_gradients": starts.gradients_by_layer(m, loss_fn, x, y)})
    checks.run("gradients through time", lambda m: starts.through_time(m, loss_fn, x, y))
    checks.run("every weight that matters gets a gradient", lambda m: _without_gradient(m, loss_fn, x, y))


def _outputs(model: nn.Module, x: Any) -> Any:
    try:
        again, _ = copied(model)
        again.eval()
        with torch.no_grad():
            return called(again, x)
    except Exception:  # a user's module may raise anything
        return None


def _batch_facts(facts: dict[str, Any], x: Any, y: Any) -> None:
    numbers = [t.detach().float() for t in tensors(x) if t.is_floating_point()]
    targets = [t.detach().float() for t in tensors(y)]
    facts["batch_rows"] = rows_of(x)
    for name, found in (("input_non_finite", numbers), ("target_non_finite", targets)):
        if found:
            facts[name] = max(facts.get(name, 0.0), *(float((~torch.isfinite(t)).float().mean()) for t in found))


def _shape_facts(facts: dict[str, Any], outputs: Tensor, y: Any, task: str | None) -> None:
    facts["output_shape"] = list(outputs.shape)
    if isinstance(y, Tensor):
        facts["target_shape"] = list(y.shape)
        facts["outputs"] = int(outputs[0].numel()) if len(outputs) else 0
        facts["target_numbers"] = int(y[0].numel()) if y.ndim and len(y) else 1


def _first_loss(model: nn.Module, loss_fn: Any, x: Any, y: Any, outputs: Tensor, task: str | None) -> dict[str, Any]:
    model.train()
    with torch.no_grad():
        start = float(loss_fn(called(model, x), y))
    return {"loss_start": start, "loss_constant": constant_loss(loss_fn, outputs.cpu(), y, task)}


def _normalized_first(model: nn.Module, x: Any) -> bool:
    for _, module in children_in_order(model, x):
        if any(mark in type(module).__name__ for mark in starts.NORMS):
            return True
        if any(p.ndim > 1 for p in module.parameters(recurse=False)):
            return False
    return False


def _layer_shares(signals: Signals, name: str, shares: dict[str, float]) -> None:
    for layer, share in shares.items():
        getattr(signals.layers.setdefault(layer, LayerSignals()), name).append(share)


def activations(signals: Signals, model: nn.Module, x: Any) -> None:
    """Adds what each layer puts out now to its signals."""
    for layer, facts in starts.activation_facts(model, x).items():
        for name, value in facts.items():
            getattr(signals.layers.setdefault(layer, LayerSignals()), name).append(value)


def _without_gradient(model: nn.Module, loss_fn: Any, x: Any, y: Any) -> dict[str, Any]:
    """Weights that change the loss when they are changed, and that the backward pass does not reach."""
    model.eval()
    for parameter in model.parameters():
        parameter.grad = None
    loss = loss_fn(called(model, x), y)
    if loss.requires_grad:
        loss.backward()
    found = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad or parameter.grad is not None:
            continue
        kept = parameter.detach().clone()
        with torch.no_grad():
            parameter.add_(torch.randn_like(parameter) * (kept.float().std(unbiased=False) + 0.1))
            moved = float(loss_fn(called(model, x), y)) - float(loss)
            parameter.copy_(kept)
        if abs(moved) > 1e-7 * (abs(float(loss)) + 1e-7):
            found[name] = abs(moved)
    return {"without_gradient": found}
