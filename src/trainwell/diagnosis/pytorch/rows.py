"""What the rows say by themselves: scale, order, copies, shift, classes, and what simple models make of them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainwell.diagnosis import reference
from trainwell.diagnosis.pytorch.copies import joined, rows_of, tensors
from trainwell.diagnosis.pytorch.scores import TARGETS, inferred_task, labels, unread
from trainwell.diagnosis.signals import Signals


def data_facts(signals: Signals, batches: list[tuple[Any, Any]], validation: tuple[Any, Any] | None) -> None:
    """Facts of the rows alone; a kind of data that a check cannot read is named."""
    facts = signals.facts
    x, y = joined([x for x, _ in batches]), joined([y for _, y in batches])
    facts["rows"] = rows_of(x)
    _finite_facts(facts, x, y)
    inputs, targets = _array(x), _target_array(y, facts.get("task"))
    if inputs is None or targets is None:
        signals.not_run["the checks of the rows"] = "inputs or targets are not one tensor each, with a row for a row"
        return
    if not facts.get("task") and (says := signals.not_run.get(TARGETS) or unread(None, y, None)):
        signals.not_run[TARGETS] = says
        return
    task = facts["task"] = facts.get("task") or inferred_task(y, y) or "regression"
    targets = labels(y, task)
    _scale_facts(facts, inputs, targets, task)
    facts["single_target"] = float(len(np.unique(targets, axis=0)) == 1 and len(targets) > 1)
    facts["order_excess"] = reference.order_excess(targets, [rows_of(y) for _, y in batches], task)
    if task != "regression":
        facts["classes"] = _class_count(y, targets)
        facts["target_low"], facts["target_high"] = float(y.min()), float(y.max())
    if validation is not None and isinstance(validation[1], Tensor):
        _validation_facts(facts, inputs, targets, validation, task)


def _class_count(y: Tensor, targets: np.ndarray) -> int:
    width = y.reshape(len(y), -1).shape[1]
    return width if width > 1 else len(np.unique(targets))


def _array(x: Any) -> np.ndarray | None:
    found = tensors(x)
    if len(found) != 1 or found[0].ndim < 1:
        return None
    value = found[0].detach().cpu()
    return (value.float() if value.is_floating_point() else value).numpy()


def _target_array(y: Any, task: str | None) -> np.ndarray | None:
    return y.detach().cpu().float().numpy() if (isinstance(y, Tensor) and 1 <= y.ndim <= 2) or _like_rows(y) else None


def _like_rows(y: Any) -> bool:
    return isinstance(y, Tensor) and y.ndim > 2 and y.is_floating_point()


def _finite_facts(facts: dict[str, Any], x: Any, y: Any) -> None:
    for name, value in (("input_non_finite", x), ("target_non_finite", y)):
        shares = [float((~torch.isfinite(t.float())).float().mean()) for t in tensors(value)]
        facts[name] = max(shares, default=0.0)


def _scale_facts(facts: dict[str, Any], inputs: np.ndarray, targets: np.ndarray, task: str) -> None:
    if np.issubdtype(inputs.dtype, np.floating):
        flat = np.nan_to_num(inputs.reshape(len(inputs), -1).astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        facts["input_scale"] = float(np.sqrt((flat**2).mean()))
        sizes = np.sqrt((flat**2).mean(0))[flat.std(0) > 1e-12]
        if inputs.ndim == 2 and len(sizes):
            facts["input_scale_ratio"] = float(sizes.max() / sizes.min())
            facts["input_largest"] = float(sizes.max())
    if task == "regression":
        facts["target_scale"] = float(np.sqrt((targets.astype(np.float64) ** 2).mean()))
        facts["target_low"], facts["target_high"] = (float(v) for v in np.quantile(targets, [0.02, 0.98]))
        facts["target_spread"] = float(targets.std(0).mean())


def _validation_facts(facts: dict[str, Any], inputs: np.ndarray, targets: np.ndarray, validation: Any, task: str) -> None:
    other = _array(validation[0])
    if other is None or other.shape[1:] != inputs.shape[1:] or len(other) < 4:
        return
    other_targets = labels(validation[1], task)
    if not np.isfinite(inputs.astype(float)).all() or not np.isfinite(other.astype(float)).all():
        facts["validation_non_finite"] = float((~np.isfinite(other.astype(float))).mean())
    facts["leak_share"] = reference.copies(inputs, other)
    facts["shift"] = reference.shift(inputs, other)
    if task != "regression":
        known = set(np.unique(targets).tolist())
        facts["new_classes"] = float(np.mean([one not in known for one in other_targets.tolist()]))
    elif len(other_targets) > 1:
        facts["target_shift"] = float(abs(other_targets.mean() - targets.mean()) / max(targets.std(), 1e-12))
    if (
        inputs.shape[0] == targets.shape[0]
        and inputs.size == targets.size
        and np.array_equal(inputs.reshape(targets.shape), targets)
    ):
        return  # an autoencoder: copying the input is no level to be measured against
    found = reference.simple_scores(inputs, targets, other, other_targets, task, facts.get("loss_by_class", 1.0) > 2)
    if found:
        facts["simple_scores"] = found
        facts["simple_score"], facts["linear_score"] = max(found.values()), found["linear"]
