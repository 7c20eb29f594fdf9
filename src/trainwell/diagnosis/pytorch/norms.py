"""Batch norm and dropout: what they average over, and what their statistics describe."""

from typing import Any

import torch
from torch import Tensor, nn

from trainwell.diagnosis.pytorch.copies import called, children_in_order, copied, loss_of, outputs_of, rows_of, spread, taken
from trainwell.diagnosis.pytorch.functions import row_facts

BATCH_NORM = nn.modules.batchnorm._BatchNorm
JUDGED = 1000  # chosen: rows whose loss is taken in both modes
DROPOUT = nn.modules.dropout._DropoutNd


def mode_parts(model: nn.Module) -> list[str]:
    """Modules that act differently in training mode."""
    return [
        f"{name} ({type(module).__name__})"
        for name, module in model.named_modules()
        if (isinstance(module, DROPOUT) and module.p > 0)
        or (isinstance(module, BATCH_NORM) and module.track_running_stats)
        or (isinstance(module, nn.RNNBase) and module.dropout > 0)
    ]


def facts(model: nn.Module, loss_fn: Any, x: Any, y: Any, validation: Any, batches: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"dropout": max([m.p for m in model.modules() if isinstance(m, DROPOUT)], default=0.0)}
    if not any(isinstance(m, BATCH_NORM) for m in model.modules()):
        return found
    if loss_fn is not None:
        found.update(_both_modes(model, loss_fn, batches[: max(1, JUDGED // max(1, rows_of(batches[0][0])))]))
    found.update(_norm_rows(model, batches[0][0]))
    found.update(_dropout_before(model, taken(x, slice(0, 512))))
    if loss_fn is not None and validation is not None:
        few = slice(0, 1000)
        xv, yv = taken(validation[0], few), taken(validation[1], few)
        restated(model, [taken(x, slice(at, at + 256)) for at in range(0, min(rows_of(x), 2048), 256)])
        model.eval()
        found["restated_validation_loss"] = loss_of(model, loss_fn, xv, yv)
    return found


def _both_modes(model: nn.Module, loss_fn: Any, batches: list[Any]) -> dict[str, float]:
    """Loss of the same training batches in training and in evaluation mode."""
    again, losses = copied(model)[0], {}
    for name, mode in (("eval_mode_loss", False), ("train_mode_loss", True)):
        again.train(mode)
        with torch.no_grad():
            losses[name] = sum(float(loss_fn(called(again, x), y)) for x, y in batches) / len(batches)
    return losses


def restated(model: nn.Module, batches: list[Any]) -> None:
    """Takes the running statistics again, with everything but batch norm in evaluation mode."""
    model.eval()
    for module in model.modules():
        if isinstance(module, BATCH_NORM) and module.track_running_stats:
            module.reset_running_stats()
            module.momentum = None
            module.train()
    with torch.no_grad():
        for x in batches:
            if rows_of(x) > 1:
                called(model, x)


def _norm_rows(model: nn.Module, x: Any) -> dict[str, float]:
    """Fewest numbers that a channel's mean is taken of."""
    counts: list[float] = []

    def see(_, given):
        counts.append(given[0].numel() / given[0].shape[1])

    hooks = [m.register_forward_pre_hook(see) for m in model.modules() if isinstance(m, BATCH_NORM)]
    model.eval()
    with torch.no_grad():
        called(model, x)
    for hook in hooks:
        hook.remove()
    return {"norm_rows": min(counts)} if counts else {}


def _dropout_before(model: nn.Module, x: Any) -> dict[str, float]:
    """Variance at the input of a batch norm that follows a dropout: with dropout over without (Li et al. 2019)."""
    order, dropped, shifts = children_in_order(copied(model)[0].eval(), x), False, []
    for name, module in order:
        if isinstance(module, DROPOUT) and module.p > 0:
            dropped = True
        elif isinstance(module, BATCH_NORM) and dropped:
            variances = [_variance(model, name, x, train) for train in (True, False)]
            shifts.append(float((variances[0] / variances[1].clamp_min(1e-12)).median()))
    return {"dropout_norm_shift": max(shifts, key=lambda s: abs(s - 1))} if shifts else {}


def _variance(model: nn.Module, name: str, x: Any, train: bool) -> Tensor:
    again, _ = copied(model)
    again.eval()
    for module in again.modules():
        if isinstance(module, DROPOUT):
            module.train(train)
    seen: list[Tensor] = []
    hook = again.get_submodule(name).register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    with torch.no_grad():
        called(again, x)
    hook.remove()
    value = seen[0].transpose(0, 1).flatten(1)
    return value.var(1)


def late_rows(model: nn.Module, x: Any) -> dict[str, Any]:
    """Dependence on other rows in the trained network: where the start was too flat to show it."""
    found = row_facts(model, taken(x, slice(0, 64)))
    return {f"late_{name}": value for name, value in found.items()} | {
        "late_spread": spread(outputs_of(model, taken(x, slice(0, 256))))
    }
