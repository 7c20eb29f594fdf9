"""What a network is like at a given moment: scale of the weights, gradients by layer, activations, units that are twins."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from trainwell.diagnosis.pytorch.copies import called, children_in_order

RECURRENT = (nn.RNNBase, nn.RNNCellBase)
LOOKED_UP = (nn.Embedding, nn.EmbeddingBag)
NORMS = ("BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm", "RMSNorm")
RELUS = {"relu", "relu_", "clamp_min", "relu6", "threshold"}
BOUNDED = {"tanh": (-1.0, 1.0), "tanh_": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "sigmoid_": (0.0, 1.0)}
END = (
    0.05  # chosen: an output within 5% of its range's end counts as saturated; the slope there is below a fifth of the largest
)
SAME = 1e-5  # chosen: units closer than this share of their size are twins


class _Activations(TorchFunctionMode):
    """Sees every activation function that is called, as a module or as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, Tensor]] = []
        self.dropouts = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        name = getattr(function, "__name__", "")
        if name == "dropout" and isinstance(result, Tensor) and _drops(args, kwargs or {}):
            self.dropouts += 1
        if (name in RELUS or name in BOUNDED) and isinstance(result, Tensor):
            self.seen.append((name, result.detach()))
        return result


def _drops(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    probability = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
    return bool(kwargs.get("training", args[2] if len(args) > 2 else True)) and probability > 0


def dropouts_in_evaluation(model: nn.Module, x: Any) -> dict[str, float]:
    """Calls of dropout that drop although the model is in evaluation mode."""
    model.eval()
    with torch.no_grad(), _Activations() as watcher:
        called(model, x)
    return {"evaluation_dropouts": float(watcher.dropouts)}


def activation_facts(model: nn.Module, x: Any) -> dict[str, dict[str, float]]:
    """By activation in the order of the call: share of silent and saturated units, mean, spread, twins."""
    model.eval()
    found: dict[str, dict[str, float]] = {}
    hooks = []

    def recurrent(name: str):
        def see(_, __, result):
            state = result[0] if isinstance(result, tuple) else result
            watcher.seen.append((f"{name} recurrent", state.detach()))

        return see

    for name, module in model.named_modules():
        if isinstance(module, RECURRENT):
            hooks.append(module.register_forward_hook(recurrent(name)))
    try:
        with torch.no_grad(), _Activations() as watcher:
            called(model, x)
    finally:
        for hook in hooks:
            hook.remove()
    for place, (name, value) in enumerate(watcher.seen):
        if value.ndim >= 2 and len(value) > 1:
            found[f"{name}_{place}"] = _measured(name, value)
    return found


def _measured(name: str, value: Tensor) -> dict[str, float]:
    """A unit is a column, or a channel of pictures; of sequences the last axis."""
    units = value.transpose(0, 1).flatten(1) if value.ndim >= 4 else value.reshape(-1, value.shape[-1]).T
    units = units.float()
    facts = {
        "non_finite": float((~torch.isfinite(units)).float().mean()),
        "activation_mean": float(units.mean()),
        "activation_spread": float(units.std(1, unbiased=False).mean()),
    }
    if name in RELUS:
        facts["silent_share"] = float((units <= 0).all(1).float().mean())
    low, high = BOUNDED.get(name, (-1.0, 1.0))
    if name in BOUNDED or name.endswith("recurrent"):
        edge = END * (high - low)
        facts["saturated_share"] = float(((units < low + edge) | (units > high - edge)).float().mean())
    return facts


def gradients_by_layer(model: nn.Module, loss_fn: Any, x: Any, y: Any) -> dict[str, float]:
    """Root mean square of each weight matrix's gradient, in the order of the forward pass; in training mode."""
    model.train()
    order = children_in_order(model, x)
    model.zero_grad()
    loss = loss_fn(called(model, x), y)
    if not loss.requires_grad:
        return {}
    loss.backward()
    found = {}
    for name, module in order:
        for weight, parameter in module.named_parameters(recurse=False):
            if parameter.ndim > 1 and parameter.grad is not None and not isinstance(module, LOOKED_UP):
                found[f"{name}.{weight}".strip(".")] = float(parameter.grad.float().square().mean().sqrt())
    model.zero_grad()
    return found


def through_time(model: nn.Module, loss_fn: Any, x: Any, y: Any) -> dict[str, float]:
    """Gradient of the loss by the first step of a sequence over the largest of all steps, before recurrent layers."""
    seen: list[Tensor] = []
    modules = [m for m in model.modules() if isinstance(m, nn.RNNBase)]
    if not modules:
        return {}
    first = modules[0]

    def see(_, given):
        free = given[0].detach().requires_grad_(True)
        seen.append(free)
        return (free, *given[1:])

    hook = first.register_forward_pre_hook(see)
    try:
        with torch.enable_grad():
            model.train()
            loss_fn(called(model, x), y).backward()
    finally:
        hook.remove()
        model.zero_grad()
    gradient = seen[0].grad if seen else None
    if gradient is None or gradient.ndim != 3:
        return {}
    by_time = gradient.square().sum((0, 2) if first.batch_first else (1, 2)).sqrt()
    gated = float(not isinstance(first, nn.RNN))
    return {"time_gradient_ratio": float(by_time[0] / by_time.max()), "gated": gated} if float(by_time.max()) > 0 else {}


def equal_weights(model: nn.Module) -> dict[str, float]:
    """By layer, the share of units whose weights, biases aside, equal another unit's."""
    found = {}
    for path, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor) and weight.ndim > 1 and len(weight) > 1 and not isinstance(module, LOOKED_UP):
            found[path or "model"] = _twins(_scaled(weight.detach().flatten(1)))
    return found


def weight_scales(model: nn.Module) -> dict[str, float]:
    """Spread of each weight matrix over 1/sqrt(fan_in), which keeps the signal's size (LeCun et al. 1998); 0 is constant."""
    found = {}
    for path, module in model.named_modules():
        if isinstance(module, LOOKED_UP) or any(mark in type(module).__name__ for mark in NORMS):
            continue
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.ndim > 1 and parameter.is_floating_point() and parameter.numel() > 8:
                fan_in = parameter[0].numel() if hasattr(module, "weight") else len(parameter)
                fan_in = module.hidden_size if isinstance(module, RECURRENT) else fan_in  # as PyTorch draws them
                size = parameter.detach().float().square().mean().sqrt()
                found[f"{path}.{name}".strip(".")] = float(size) * fan_in**0.5
    return found


def twin_shares(model: nn.Module, loss_fn: Any, x: Any, y: Any) -> dict[str, float]:
    """By layer, the share of units whose weights and gradients equal another unit's; such units stay equal."""
    model.train()
    model.zero_grad()
    try:
        loss_fn(called(model, x), y).backward()
    except (RuntimeError, ValueError):
        return {}
    found = {}
    for path, module in model.named_modules():
        weights = [(n, p) for n, p in module.named_parameters(recurse=False) if p.ndim > 1 and len(p) > 1]
        if not weights or isinstance(module, LOOKED_UP):
            continue
        width = getattr(module, "hidden_size", len(weights[0][1]))
        found_units = [_by_unit(p.detach(), width, isinstance(module, RECURRENT)) for p in module.parameters(recurse=False)]
        gradients = [
            _by_unit(p.grad, width, isinstance(module, RECURRENT))
            for p in module.parameters(recurse=False)
            if p.grad is not None
        ]
        units = torch.cat([_scaled(part) for part in [*found_units, *gradients] if part is not None], 1)
        found[path or "model"] = _twins(units)
    model.zero_grad()
    return found


def _by_unit(values: Tensor, width: int, recurrent: bool) -> Tensor | None:
    """One row a unit. A recurrent unit is told apart from others by no order of its inputs, as that is arbitrary."""
    if values.ndim == 0 or len(values) % width:
        return None
    parts = values.reshape(len(values) // width, width, -1)
    parts = parts.sort(2).values if recurrent else parts
    return parts.transpose(0, 1).flatten(1)


def _scaled(units: Tensor) -> Tensor:
    return units.double() / units.double().abs().mean().clamp_min(1e-30)


def _twins(units: Tensor) -> float:
    """Share of rows that are within rounding of another row."""
    keys = (units[:512] / (10 * SAME)).round()
    _, inverse, counts = torch.unique(keys, dim=0, return_inverse=True, return_counts=True)
    return float((counts[inverse] > 1).float().mean())
