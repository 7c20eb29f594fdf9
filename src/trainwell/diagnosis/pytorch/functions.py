"""What the network and the loss are as functions: measured by calling copies of them, whatever they are built of."""

import math
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from trainwell.diagnosis.pytorch.copies import called, children_in_order, mapped, outputs_of, rows_of, spread, taken, tensors
from trainwell.diagnosis.pytorch.scores import labels, tried_loss

ENDS = 20.0  # chosen: a logit of 20 is a probability within 2e-9 of 1
FAR = 50.0  # chosen: times the right outputs
WIDE = 10.0  # chosen: inputs of this size cross the kinks of any activation
MILD = 2.0  # chosen: a logit of 2 is a probability of 0.88, far from where any loss is flat
SAME = 1e-5  # chosen: rounding of single precision, with room
PUSH = 1e3  # chosen: weights drawn so large drive any output function to its ends


def row_facts(model: nn.Module, x: Any) -> dict[str, Any]:
    """Does a row's output depend on that row alone, and is evaluation mode without chance?"""
    model.eval()
    rows = min(rows_of(x), 64)
    if rows < 4:
        return {}
    x = taken(x, slice(0, rows))
    half = rows // 2
    with torch.no_grad():
        first, again = called(model, x), called(model, x)
        other = mapped(lambda t: torch.cat([t[:half], t[:half].repeat(2, *[1] * (t.ndim - 1))[: rows - half]]), x)
        moved = called(model, other)
    if not isinstance(first, Tensor) or len(first) != rows:
        return {}
    scale = spread(first) + 1e-3 * float(first.double().square().mean().sqrt())
    return {
        "eval_noise": float((first - again).abs().max()) / scale,
        "row_dependence": float((first[:half] - moved[:half]).abs().max()) / scale,
        "output_spread": scale,
    }


def mode_facts(model: nn.Module, x: Any) -> dict[str, Any]:
    """How much of the output changes between training and evaluation mode."""
    model.eval()
    quiet = outputs_of(model, x)
    model.train()
    with torch.no_grad():
        loud = called(model, x)
    model.eval()
    return {"mode_effect": float((quiet - loud).abs().mean()) / spread(quiet)}


def affine_facts(model: nn.Module, x: Any, reach: dict[str, Any]) -> dict[str, Any]:
    """Distance from an affine map: f(a) + f(b) = f(a + b - c) + f(c) for every such map; softmax is looked through."""
    inputs = tensors(x)
    if len(inputs) != 1 or not inputs[0].is_floating_point() or len(inputs[0]) < 8:
        return {}
    model.eval()
    size = float(inputs[0].float().square().mean().sqrt()) or 1.0
    squashed = reach.get("reach_high", WIDE) <= 1.0  # what is far out cannot be told from the ends
    times = (1.0,) if squashed else (1.0, WIDE / size)  # small inputs may cross no kink
    errors = [_bend(model, inputs[0] * factor, reach) for factor in times]
    known = [error for error in errors if math.isfinite(error)]
    if not known:
        return {}
    named = children_in_order(model, x)
    weighted = [name for name, module in named if any(p.ndim > 1 for p in module.parameters(recurse=False))]
    loose = sum(p.ndim > 1 for module in model.modules() if list(module.children()) for p in module.parameters(recurse=False))
    return {"affine_error": max(known), "weight_layers": len(weighted) + loose}


def _bend(model: nn.Module, x: Tensor, reach: dict[str, Any]) -> float:
    """Mean distance from an affine map over the outputs' spread; NaN where the outputs do not vary."""
    rows = x[: len(x) // 4 * 4]
    a, b, c = rows[0::4], rows[1::4], rows[2::4]
    with torch.no_grad():
        values = [_linked(called(model, value), reach).double() for value in (a, b, a + b - c, c)]
    scale = spread(torch.cat(values))
    return float((values[0] + values[1] - values[2] - values[3]).abs().mean()) / scale if scale > 1e-9 else float("nan")


def _linked(outputs: Tensor, reach: dict[str, Any]) -> Tensor:
    """Outputs before a softmax or a sigmoid, up to a constant of the row."""
    if reach.get("reach_sums_to_one"):
        logs = outputs.double().clamp_min(1e-30).log()
        return logs - logs.mean(1, keepdim=True)
    if (reach.get("reach_low"), reach.get("reach_high")) == (0.0, 1.0):
        return torch.logit(outputs.double(), 1e-12)
    return outputs


def _adds_to_one(outputs: Tensor) -> bool:
    return outputs.ndim == 2 and bool(((outputs.sum(1) - 1).abs() < 1e-3).all())


def reach_facts(model: nn.Module, x: Any) -> dict[str, Any]:
    """Lowest and highest output, with every weight and bias of the last layer drawn large."""
    model.eval()
    named = [(name, module) for name, module in children_in_order(model, x) if _matrix(module) is not None]
    if not named:
        return {}
    last = named[-1][1]
    before = outputs_of(model, x)
    generator = torch.Generator().manual_seed(0)
    draws: list[Tensor] = []
    low, high, sums, logs, moved = float("inf"), float("-inf"), True, True, False
    for sign in (1, -1, 1, -1, 1, -1):
        with torch.no_grad():
            for parameter in last.parameters(recurse=False):
                draw = torch.randn(parameter.shape, generator=generator) if sign > 0 else draws.pop(0)
                draws = [*draws, draw] if sign > 0 else draws
                parameter.copy_(sign * PUSH * draw)
        after = outputs_of(model, x)
        if not bool(torch.isfinite(after).all()):
            return {}
        moved = moved or not torch.equal(before, after)
        low, high = min(low, float(after.min())), max(high, float(after.max()))
        sums = sums and before.ndim == 2 and before.shape[1] > 1 and _adds_to_one(after)
        logs = logs and before.ndim == 2 and before.shape[1] > 1 and bool((after.logsumexp(1).abs() < 1e-3).all())
    if high - low < 1e-12 and after.shape[-1:] != (1,):
        return {}
    if not moved and not (after.ndim == 2 and after.shape[1] == 1 and low == high == 1.0):
        return {}
    return {"reach_low": low, "reach_high": high, "reach_sums_to_one": float(sums), "reach_logarithms": float(logs)}


def _matrix(module: nn.Module) -> Tensor | None:
    return next((p for p in module.parameters(recurse=False) if p.ndim > 1 and p.is_floating_point()), None)


def loss_facts(loss_fn: Any, outputs: Tensor, y: Any, task: str | None, reach: dict[str, Any]) -> dict[str, Any]:
    """Does the loss fit the targets and what the outputs can be? Asked with outputs made right and wrong by hand."""
    if loss_fn is None or not isinstance(y, Tensor) or task is None or not y.ndim:
        return {}
    outputs, facts = outputs.detach(), {}
    low, high = reach.get("reach_low", -ENDS), reach.get("reach_high", ENDS)
    if task == "regression":
        if outputs.numel() != y.numel():
            return {}
        right = y.detach().reshape(outputs.shape).to(outputs)
        facts["loss_best"] = tried_loss(loss_fn, right, y)
        apart = 3 * spread(right) + 0.1 * float(right.double().square().mean().sqrt()) + 1e-6
        facts["loss_wrong"] = tried_loss(loss_fn, right + apart, y)
        facts["loss_wrong_below"] = tried_loss(loss_fn, right - apart, y)
        facts["loss_right"] = tried_loss(loss_fn, right.clamp(low, high), y)
        far = [tried_loss(loss_fn, times * right, y) for times in (FAR, -FAR)]
        facts["loss_far"] = min((value for value in far if value is not None), default=None)
        facts["loss_by_row"] = _by_row(loss_fn, right + apart, y)
        return {name: value for name, value in facts.items() if value is not None}
    hot = _hot(outputs, y, task)
    if hot is None:
        return {}
    low, high = max(low, -ENDS), min(high, ENDS)

    def loss(bottom: float, top: float, marks: Tensor = hot) -> float | None:
        return tried_loss(loss_fn, (bottom + (top - bottom) * marks).reshape(outputs.shape), y)

    facts["loss_right"], facts["loss_wrong"] = loss(low, high), loss(low, high, 1 - hot)
    options = [] if reach.get("reach_logarithms") else [(-ENDS, ENDS), (1e-6, 1 - 1e-6)]
    found = [value for value in (loss(*ends) for ends in options) if value is not None and value == value]
    facts["loss_best"] = min(found) if found else None
    facts["loss_far"] = None if reach.get("reach_logarithms") else loss(-10 * ENDS, 10 * ENDS)
    facts["loss_by_class"] = _by_class(hot, outputs, y, task, loss_fn, (low, high))
    return {name: value for name, value in facts.items() if value is not None}


def alike_facts(loss_fn: Any, outputs: Tensor, y: Any) -> dict[str, float]:
    """Of more outputs than targets: is each compared with the same target, or has each a part of its own, as quantiles have?"""
    if not isinstance(y, Tensor) or not outputs.numel() > y.numel():
        return {}
    turned = outputs.detach().reshape(len(outputs), -1).flip(1).reshape(outputs.shape)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, second = (float(loss_fn(value, y)) for value in (outputs.detach(), turned))
    return {"outputs_alike": float(abs(first - second) <= SAME * abs(first))}


def _hot(outputs: Tensor, y: Tensor, task: str) -> Tensor | None:
    """Which output of which row should be high."""
    flat = outputs.reshape(len(outputs), -1)
    values = y.detach().reshape(len(y), -1)
    if len(flat) != len(values):
        return None
    if values.shape[1] == flat.shape[1] and flat.shape[1] > 1:
        return (values > 0.5).to(flat)
    found = torch.from_numpy(labels(y, task)).to(flat.device)
    if flat.shape[1] == 1:
        return found.reshape(-1, 1).to(flat) if task == "binary" else None
    if int(found.max()) >= flat.shape[1] or int(found.min()) < 0:
        return None
    return nn.functional.one_hot(found, flat.shape[1]).to(flat)


def _by_class(hot: Tensor, outputs: Tensor, y: Tensor, task: str, loss_fn: Any, ends: tuple[float, float]) -> float | None:
    """Largest over smallest pull of the loss on a row that is as wrong as any other, class by class."""
    low, high = max(ends[0], -MILD), min(ends[1], MILD)
    room = 0.1 * (high - low)
    wrong = (low + room + (high - low - 2 * room) * (1 - hot)).reshape(outputs.shape).requires_grad_(True)
    try:
        with torch.enable_grad():
            gradient = torch.autograd.grad(loss_fn(wrong, y), wrong)[0]
    except (RuntimeError, ValueError, IndexError, TypeError):
        return None
    pulls = gradient.reshape(len(outputs), -1).norm(dim=1).cpu().numpy()
    found = labels(y, task)
    means = [float(pulls[found == one].mean()) for one in sorted(set(found.tolist()))]
    return max(means) / min(means) if len(means) > 1 and min(means) > 0 else None


def _by_row(loss_fn: Any, outputs: Tensor, y: Tensor) -> float | None:
    """Largest pull of the loss on a row over the usual one, all rows being wrong by the same amount."""
    free = outputs.detach().clone().requires_grad_(True)
    try:
        with torch.enable_grad():
            pulls = torch.autograd.grad(loss_fn(free, y), free)[0].abs().reshape(len(outputs), -1).sum(1)
    except (RuntimeError, ValueError, IndexError, TypeError):
        return None
    usual = float(pulls.median())
    return float(pulls.max()) / usual if usual > 0 else None


def pairing(loss_fn: Any, outputs: Tensor, y: Tensor) -> float | None:
    """Change of rows' loss gradients when only other rows' targets change, as a share of all change; a common factor aside."""
    if not isinstance(y, Tensor) or len(outputs) != len(y) or len(y) < 4:
        return None
    half = len(y) // 2
    swapped = y.clone()
    swapped[half:] = y[torch.arange(len(y) - half) % half]

    def gradient(targets: Tensor) -> Tensor:
        free = outputs.detach().clone().requires_grad_(True)
        return torch.autograd.grad(loss_fn(free, targets), free)[0]

    try:
        first, second = gradient(y), gradient(swapped)
    except (RuntimeError, ValueError, IndexError, TypeError):
        return None
    kept, moved = first[:half].flatten(), second[:half].flatten()
    kept = kept * (kept @ moved) / (kept @ kept).clamp_min(1e-30)  # one factor for all rows, as a mean's root or weights give
    share = float((moved - kept).norm() / (first[half:].sub(second[half:]).norm() + first.norm() * 1e-6 + 1e-30))
    return share if math.isfinite(share) else None
