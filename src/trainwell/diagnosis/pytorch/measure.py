"""When what is measured, and where it goes: the first batch, the breakdown, the end of the run."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainwell.diagnosis import suspicion
from trainwell.diagnosis.pytorch import curvature, norms, rows, trials
from trainwell.diagnosis.pytorch.checks import Checks, activations, start_facts
from trainwell.diagnosis.pytorch.copies import loss_copied, loss_of, outputs_of, own_randomness, taken
from trainwell.diagnosis.pytorch.guard import named
from trainwell.diagnosis.pytorch.recorder import unregistered
from trainwell.diagnosis.pytorch.scores import constant_loss, decided, labels, score
from trainwell.diagnosis.signals import LayerSignals

JUDGED = 1000  # chosen: rows on which the trained network is judged
MOVED = 1e-12  # a weight that moves less than this share of its size did not move
RANDOM_EDGE = 1.1  # chosen: room above the Marchenko-Pastur edge for chance


def first_rows(watch: Any, x: Any, y: Any, outputs: Any) -> None:
    """Preflight on the first rows, on the model as it was when watch was entered."""
    if watch.start is not None:
        start_facts(watch.signals, watch.start[0], watch.start_loss, x, y, watch.task)
    if isinstance(outputs, Tensor) and isinstance(y, Tensor) and watch.signals.facts.get("output_shape"):
        watch.signals.facts["output_shape"] = [len(y), *outputs.shape[1:]] if len(outputs.shape) else []


def breakdown(watch: Any, y: Any, outputs: Any, before: Any) -> None:
    """The first loss that is not finite: did the outputs break first, or the loss on ordinary outputs?"""
    facts = watch.signals.facts
    if not isinstance(outputs, Tensor):
        return
    usual = bool(torch.isfinite(outputs).all()) and float(outputs.detach().abs().max()) < 1e4
    facts["outputs_finite_then"] = float(usual)
    if usual or before is None or watch.loss_fn is None:
        return
    try:
        free = before[1].clone().requires_grad_(True)
        with own_randomness():
            gradient = torch.autograd.grad(loss_copied(watch.loss_fn)(free, before[0]), free)[0]
    except Exception:  # a user's loss may raise anything
        return
    facts["sudden_breakdown"] = float(bool(torch.isfinite(before[1]).all()) and float(before[1].abs().max()) < 1e2)
    facts["gradient_non_finite_then"] = float(bool(torch.isfinite(free).all()) and not bool(torch.isfinite(gradient).all()))


def so_far(watch: Any) -> None:
    """What the record of the steps says now."""
    recorder, facts = watch.recorder, watch.signals.facts
    facts["steps"], facts["epochs"] = recorder.steps, watch.epoch
    facts["learning_rates"] = list(recorder.rates)
    group = watch.optimizer.param_groups[0]
    facts["optimizer"] = type(watch.optimizer).__name__
    facts["momentum"] = float(group.get("momentum") or (group.get("betas") or (0.0,))[0] or 0.0)
    facts["weight_decay"] = max(float(g.get("weight_decay") or 0.0) for g in watch.optimizer.param_groups)
    for name, (off, on) in watch.modes.items():
        if off + on:
            facts["share_train_mode_off" if name == "train" else "share_validation_mode_on"] = (
                off if name == "train" else on
            ) / (off + on)
    facts["mode_parts"] = norms.mode_parts(watch.model)
    if watch._reordered:
        watch.signals.not_run["random changes of validation data"] = "validation rows come in another order every epoch"
        facts.pop("validation_changes", None)
    elif watch._changed[1]:
        facts["validation_changes"] = watch._changed[0] / watch._changed[1]
    if recorder.observed:
        _observed_facts(watch)


def _observed_facts(watch: Any) -> None:
    recorder, facts, signals = watch.recorder, watch.signals.facts, watch.signals
    fresh, old, used = (recorder.series(name) for name in ("fresh", "old", "used"))
    weight, moved, arrived = (recorder.series(name) for name in ("weight", "moved", "arrived"))
    earlier, stepped = recorder.series("earlier")[:, 0] > 0, recorder.series("stepped")[:, 0] > 0
    held = np.array(recorder.held)  # zero_grad clears no others
    total = [np.sqrt(np.nansum(values**2, axis=1)) for values in (fresh, old * held, used)]
    if earlier.any() and held.any():
        facts["share_accumulated"] = float(np.mean(total[1][earlier] > 0))
    alive = (total[0] > 0) & np.isfinite(total[0])
    if alive.any():
        facts["share_cleared"] = float(np.mean((total[2] == 0)[alive & stepped])) if (alive & stepped).any() else 0.0
        if (alive & stepped).any():  # of batches whose gradients are gathered no update was made
            facts["kept_gradient"] = float(np.median((total[2] / np.where(total[0] > 0, total[0], 1))[alive & stepped]))
        facts["share_without_step"] = max(0.0, 1 - recorder.optimizer_steps / recorder.steps)
    facts["any_gradient"] = float(arrived.any())
    trainable = np.array([p.requires_grad for p in recorder.parameters])
    since = _moved_since_start(watch)
    if not recorder.optimizer_steps and since.any():  # something else moves the weights, such as an optimizer around this one
        facts.pop("share_without_step", None)
    still = (np.nan_to_num(moved, nan=1.0) <= MOVED * (weight + MOVED)).all(0) & ~since
    got = (np.nan_to_num(fresh, nan=1.0) > 0).any(0)
    sizes = np.array([p.numel() for p in recorder.parameters])
    names = np.array(recorder.names)
    facts["unmoved"] = names[trainable & still & got].tolist()
    facts["unmoved_share"] = float(sizes[trainable & still & got].sum() / max(sizes[trainable].sum(), 1))
    facts["never_reached"] = names[trainable & ~arrived.any(0)].tolist()
    facts["outside_optimizer"] = names[trainable & ~np.array(recorder.held)].tolist()
    facts["unmoved_random"] = [
        name
        for name, p in zip(recorder.names, recorder.parameters, strict=True)
        if name in facts["unmoved"] and looks_random(p)
    ]
    facts["frozen"] = names[~trainable].tolist()
    facts["frozen_random"] = [
        n for n, p in zip(recorder.names, recorder.parameters, strict=True) if not p.requires_grad and looks_random(p)
    ]
    for place, (name, parameter) in enumerate(zip(recorder.names, recorder.parameters, strict=True)):
        if parameter.ndim > 1:
            layer = signals.layers.setdefault(name, LayerSignals())
            layer.gradient_norm, layer.weight_norm = fresh[:, place].tolist(), weight[:, place].tolist()
            layer.update_ratio = (moved[:, place] / np.where(weight[:, place] > 0, weight[:, place], 1)).tolist()


def _moved_since_start(watch: Any) -> np.ndarray:
    """Which weights are no longer what they were, also where no observed batch held an update."""
    recorder = watch.recorder
    if watch.start is None:
        first, now = (recorder.series("weight")[at] for at in (0, -1))
        return np.nan_to_num(first) != np.nan_to_num(now)
    model = watch.start[0]
    before = dict([*model.named_parameters(), *unregistered(model)])
    return np.array(
        [
            name in before and not torch.equal(p.detach(), before[name].detach().to(p.device))
            for name, p in zip(recorder.names, recorder.parameters, strict=True)
        ]
    )


def looks_random(parameter: Tensor) -> bool:
    """Whether no direction of a matrix stands out of independent numbers (Marchenko & Pastur 1967)."""
    if parameter.ndim < 2 or parameter.numel() < 64:
        return False
    matrix = parameter.detach().float().reshape(len(parameter), -1)
    matrix = (matrix - matrix.mean()) / matrix.std().clamp_min(1e-12)
    edge = len(matrix) ** 0.5 + matrix.shape[1] ** 0.5
    return float(torch.linalg.matrix_norm(matrix, 2)) < RANDOM_EDGE * edge


def whole_run(watch: Any) -> None:
    """The data, the trained network, and where something looks wrong the re-runs."""
    signals = watch.signals
    so_far(watch)
    if not watch.train_rows.batches:
        return
    validation = None
    with named(signals.not_run, "the checks of the validation rows"):
        validation = watch.validation_rows.joined() if watch.validation_rows.batches else None
    with named(signals.not_run, "the checks of the rows"), own_randomness():
        rows.data_facts(signals, watch.train_rows.batches, validation)
    if watch.start is None:
        return
    if not watch.train_rows.rows:
        signals.not_run["the trained network, and re-runs"] = signals.not_run["the checks of the first batch"]
        return
    with named(signals.not_run, "the trained network, and re-runs"):
        _after_training(watch, validation)


def _after_training(watch: Any, validation: tuple[Any, Any] | None) -> None:
    """The trained network on the rows that were kept, and the re-runs."""
    signals, loss_fn = watch.signals, loss_copied(watch.loss_fn)
    x, y = watch.train_rows.joined()
    checks = Checks(signals, watch.model)
    checks.run("the trained network", lambda m: _trained(m, watch, loss_fn, x, y, validation))
    checks.run("activations at the end", lambda m: activations(signals, m, taken(x, slice(0, 256))))
    checks.run("batch norm and dropout", lambda m: norms.facts(m, loss_fn, x, y, validation, watch.train_rows.batches))
    checks.run("one row's output at the end", lambda m: norms.late_rows(m, x))
    if loss_fn is not None and suspicion.unlearned(signals) and suspicion.looks_wrong(signals):
        few = slice(0, 256)
        checks.run("curvature", lambda m: _curvature(m, loss_fn, taken(x, few), taken(y, few)))
    if watch.prove and loss_fn is not None:
        trials.run(watch, x, y, validation)


def _trained(model: nn.Module, watch: Any, loss_fn: Any, x: Any, y: Any, validation: Any) -> dict[str, Any]:
    task, few = watch.signals.facts.get("task"), slice(0, JUDGED)
    weighted = watch.signals.number("loss_by_class", 1.0) > 2
    model.eval()
    x, y = taken(x, few), taken(y, few)
    outputs = outputs_of(model, x)
    facts: dict[str, Any] = {"train_score": score(outputs, y, task, weighted)}
    if loss_fn is not None:
        facts["final_train_loss"] = loss_of(model, loss_fn, x, y)
        facts["loss_constant"] = constant_loss(loss_fn, outputs.cpu(), y, task)
    best, far = watch.signals.number("loss_best"), watch.signals.number("loss_far")
    if task == "regression" and (best > facts.get("loss_constant", best) or far < best):
        watch.signals.not_run["the score"] = "outputs are not meant to equal the targets, as with rates, logarithms or logits"
        return {**facts, "train_score": float("nan")}
    if validation is None:
        return facts
    xv, yv = taken(validation[0], few), taken(validation[1], few)
    outputs = outputs_of(model, xv)
    facts["score"] = score(outputs, yv, task, weighted)
    if loss_fn is not None:
        facts["final_validation_loss"] = loss_of(model, loss_fn, xv, yv)
    if task in ("binary", "multiclass"):
        facts.update(_rare(outputs, yv, y, task))
    return facts


def _rare(outputs: Tensor, y: Tensor, train_y: Tensor, task: str) -> dict[str, Any]:
    """Of the rarest training class: its share, and how much of it is recognized in validation."""
    known, counts = np.unique(labels(train_y, task), return_counts=True)
    true, out = labels(y, task), outputs.detach().cpu().reshape(len(outputs), -1).numpy()
    guess = decided(out, task)
    rare = known[counts.argmin()]
    found = {"rare_share": float(counts.min() / counts.sum())}
    if (true == rare).sum() >= 5:
        found["rare_recall"] = float((guess[true == rare] == rare).mean())
        found["rare_guessed"] = float((guess == rare).mean())
    return found


def _curvature(model: nn.Module, loss_fn: Any, x: Any, y: Any) -> dict[str, Any]:
    model.eval()
    ends = curvature.extreme_eigenvalues(model, loss_fn, x, y)
    kind, says = curvature.verdict(ends)
    return {"plateau": kind, "plateau_says": says, "curvature": list(ends)}
