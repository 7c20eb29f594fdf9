"""How good outputs are, on a scale where 0 is an answer that ignores the inputs and 1 is perfect."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainwell.diagnosis.scoring import beyond_majority, r_squared, two_classes

TARGETS = "the checks of the targets and the score"


def inferred_task(outputs: Tensor, y: Any) -> str | None:
    """From a batch: the kind of targets tells the task."""
    if not isinstance(y, Tensor) or y.ndim == 0:
        return None
    y = y.long() if y.dtype == torch.bool else y
    values = y.detach().reshape(len(y), -1)
    whole = bool((values == values.round()).all())
    if not y.is_floating_point() and values.shape[1] == 1:
        return "binary" if outputs.reshape(len(outputs), -1).shape[1] <= 2 and int(values.max()) <= 1 else "multiclass"
    if whole and values.shape[1] == 1 and set(values.unique().tolist()) <= {0.0, 1.0, -1.0}:
        return "binary"
    if whole and values.shape[1] > 1 and bool((values.sum(1) == 1).all()) and bool((values >= 0).all()):
        return "multiclass"
    return "regression"


def _one_of_several(values: Tensor) -> bool:
    """Whether each row marks one of its columns, or shares 1 out among them."""
    values = values.float()
    return bool((values >= 0).all()) and bool(((values.sum(1) - 1).abs() < 1e-3).all())


def unread(outputs: Tensor | None, y: Any, task: str | None) -> str:
    """Why targets are of no kind that is read here, such as a class for every position; empty where they are."""
    if not isinstance(y, Tensor) or not y.ndim or not len(y) or y[0].numel() < 2:
        return ""
    values = y.detach().reshape(len(y), -1)
    beside = "" if outputs is None else f" beside outputs of shape {tuple(outputs.shape)}"
    says = f"targets of shape {tuple(y.shape)}{beside} are not read: more than one class a row, as for pixels or words"
    if task in ("binary", "multiclass"):
        width = values.shape[1] if outputs is None or not len(outputs) else outputs[0].numel()
        return "" if y.ndim == 2 and values.shape[1] == width and _one_of_several(values) else says
    if y.is_floating_point() or task == "regression":
        return ""
    same = _one_of_several(values) if outputs is None else outputs.numel() == y.numel()
    return "" if same else says


def labels(y: Tensor, task: str) -> np.ndarray:
    """Class numbers, or for a regression the targets as columns."""
    values = y.detach().cpu().reshape(len(y), -1)
    values = values.long() if values.dtype == torch.bool else values
    if task == "regression":
        return values.double().numpy()
    if values.shape[1] > 1:
        return values.argmax(1).numpy()
    return (values[:, 0] > 0.5).long().numpy() if task == "binary" else values[:, 0].long().numpy()


def score(outputs: Tensor, y: Tensor, task: str | None, weighted: bool = False) -> float:
    """Ranking and parting of a binary task, accuracy beyond the majority's share, or R2; NaN where it does not apply.

    Where the loss weighs two classes differently, their threshold is the user's choice, and the ranking alone counts.
    """
    if task is None or not isinstance(y, Tensor) or len(outputs) != len(y):
        return float("nan")
    out = outputs.detach().cpu().reshape(len(outputs), -1).double().numpy()
    true = labels(y, task)
    if not np.isfinite(out).all():
        return -1.0
    if task == "regression":
        return r_squared(out, true)
    if task == "binary":
        return two_classes(
            out[:, -1] - (out[:, 0] if out.shape[1] > 1 else 0.0), None if weighted else decided(out, task), true
        )
    return beyond_majority(decided(out, task), true)


def decided(out: np.ndarray, task: str) -> np.ndarray:
    """The class that each row of outputs stands for; one output of a binary task is a probability where all lie in 0 to 1."""
    if out.shape[1] > 1:
        return out.argmax(1)
    if task == "binary":
        return (out[:, 0] > (0.5 if out.min() >= 0 and out.max() <= 1 else 0.0)).astype(int)
    return np.clip(out[:, 0].round(), -1, 1e6).astype(int)


def constant_loss(loss_fn: Any, like: Tensor, y: Tensor, task: str | None) -> float:
    """Loss of the best answer that is the same for every row, of the likely ones: mean, prior, its logarithm, zero."""
    shape = like.shape[1:]
    answers = [torch.zeros(shape)]
    values = y.detach().float().cpu().reshape(len(y), -1)
    width = int(np.prod(shape)) if shape else 1
    if task == "regression" and values.shape[1] == width:
        answers += [values.mean(0).reshape(shape), values.median(0).values.reshape(shape)]
    elif task is not None and task != "regression":
        found = torch.from_numpy(labels(y, task))
        prior = torch.bincount(found.clamp_min(0), minlength=max(width, 2)).float()[: max(width, 2)] / len(found)
        prior = prior.clamp(1e-3, 1 - 1e-3)
        one = prior[1:2] if width == 1 else prior
        answers += [one.reshape(shape), one.log().reshape(shape), (one / (1 - one)).log().reshape(shape)]
    return min(_losses(loss_fn, [answer.expand(len(y), *shape) for answer in answers], y), default=float("nan"))


def _losses(loss_fn: Any, answers: list[Tensor], y: Any) -> list[float]:
    found = []
    for answer in answers:
        value = tried_loss(loss_fn, answer.to(y.device).contiguous(), y)
        if value is not None and np.isfinite(value):
            found.append(value)
    return found


def tried_loss(loss_fn: Any, outputs: Tensor, y: Any) -> float | None:
    """The loss, or None where the loss function refuses such outputs."""
    try:
        with torch.no_grad():
            return float(loss_fn(outputs, y))
    except (RuntimeError, ValueError, IndexError, TypeError, AssertionError):
        return None
