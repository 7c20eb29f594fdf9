"""The single changes that a re-run can make; each belongs to the cause whose proof it would be."""

from typing import Any

import torch
from torch import nn

from trainwell.diagnosis.pytorch.copies import children_in_order, rows_of, taken
from trainwell.diagnosis.pytorch.replay import Change, Replay, standardized, targets_standardized
from trainwell.diagnosis.pytorch.scores import labels

FULL_BATCH = 64  # chosen: batches of this many rows suit most small networks
ADAM_RATE = 1e-3  # Kingma & Ba (2015): the default
LONGER = 8  # chosen
LEAST, LONGEST = 1500, 3000  # chosen: updates of the longer re-run


def rate_times(factor: float) -> Change:
    def change(replay: Replay) -> bool | None:
        if not replay.rates:
            return False
        replay.times = factor
        return None

    return change


def steady_rate(replay: Replay) -> bool | None:
    """The highest rate of the run, all the way."""
    if not replay.rates:
        return False
    replay.rates = [max(replay.rates)]
    return None


def less_momentum(replay: Replay) -> bool | None:
    groups = replay.optimizer.param_groups
    if not any("momentum" in group or "betas" in group for group in groups):
        return False
    for group in groups:
        if group.get("momentum"):
            group["momentum"] = min(group["momentum"], 0.9)
        if "betas" in group:
            group["betas"] = (min(group["betas"][0], 0.9), group["betas"][1])
    return None


def no_decay(replay: Replay) -> None:
    for group in replay.optimizer.param_groups:
        group["weight_decay"] = 0.0


def no_dropout(replay: Replay) -> None:
    for module in replay.model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0


def adam(replay: Replay) -> None:
    replay.optimizer = torch.optim.Adam([p for p in replay.model.parameters() if p.requires_grad], lr=ADAM_RATE)
    replay.rates = []


def shuffled(replay: Replay) -> None:
    replay.batch_rows = max(rows_of(replay.batches[0][0]), 2)


def balanced(replay: Replay) -> bool | None:
    """As many rows of each class, those of the rarer ones drawn again and again."""
    y = replay.rows[1]
    if replay.task not in ("binary", "multiclass") or not isinstance(y, torch.Tensor):
        return False
    classes = torch.from_numpy(labels(y, replay.task))
    counts = torch.bincount(classes.clamp_min(0))
    chosen = torch.multinomial(1.0 / counts[classes].double(), len(classes), replacement=True)
    replay.rows = (taken(replay.rows[0], chosen), taken(y, chosen))
    replay.batch_rows = max(rows_of(replay.batches[0][0]), 2)
    return None


def full_batches(replay: Replay) -> None:
    """Batches of 64 rows for as many passes over the rows as the run made."""
    passes = replay.steps * rows_of(replay.batches[0][0]) / rows_of(replay.rows[0])
    replay.batch_rows = FULL_BATCH
    replay.steps = min(LONGEST, max(1, round(passes * rows_of(replay.rows[0]) / FULL_BATCH)))


def longer(replay: Replay) -> None:
    replay.steps = min(LONGEST, max(LEAST, LONGER * replay.steps))
    replay.rates = [max(replay.rates)] if replay.rates else []


def clipped(replay: Replay) -> None:
    replay.clip = 1.0


def thawed(replay: Replay) -> None:
    """All weights learn, also those that were frozen or that the optimizer did not hold."""
    held = {id(p) for group in replay.optimizer.param_groups for p in group["params"]}
    for parameter in replay.model.parameters():
        parameter.requires_grad_(True)
    missing = [p for p in replay.model.parameters() if id(p) not in held]
    if missing:
        replay.optimizer.add_param_group({"params": missing})


def fresh_weights(replay: Replay) -> None:
    """Every layer starts as PyTorch would start it, weights outside layers at 1/sqrt(fan_in)."""
    reset = set()
    for module in replay.model.modules():
        reset_parameters = getattr(module, "reset_parameters", None)
        if callable(reset_parameters):
            reset_parameters()
            reset |= {id(p) for p in module.parameters()}
    for parameter in replay.model.parameters():
        if id(parameter) not in reset and parameter.ndim > 1:
            with torch.no_grad():
                parameter.normal_(std=len(parameter) ** -0.5)


def bent(replay: Replay) -> bool | None:
    """A ReLU after every layer with weights but the last."""
    x = taken(replay.rows[0], slice(0, 4))
    layers = [m for _, m in children_in_order(replay.model, x) if any(p.ndim > 1 for p in m.parameters())]
    layers = [m for m in layers if not isinstance(m, nn.Embedding | nn.EmbeddingBag | nn.RNNBase)]
    if len(layers) < 2:
        return False
    replay.hooks += [layer.register_forward_hook(lambda _, __, result: torch.relu(result)) for layer in layers[:-1]]
    return None


def leaky(replay: Replay) -> bool | None:
    """Activations that cannot saturate or die: a leaky ReLU for each hidden one, He's start."""
    x = taken(replay.rows[0], slice(0, 4))
    order = children_in_order(replay.model, x)
    found = [m for _, m in order if isinstance(m, nn.ReLU | nn.Sigmoid | nn.Tanh | nn.ReLU6 | nn.Hardtanh)]
    found = [m for m in found if m is not order[-1][1]]
    if not found:
        return False
    hook: Any = lambda m, given, _: nn.functional.leaky_relu(given[0], 0.1)  # noqa: E731
    replay.hooks += [module.register_forward_hook(hook) for module in found]
    return None


CHANGES: dict[str, Change | None] = {
    "control": None,
    "rate_tenth": rate_times(0.1),
    "rate_hundredth": rate_times(0.01),
    "rate_tenfold": rate_times(10.0),
    "rate_hundredfold": rate_times(100.0),
    "rate_thousandth": rate_times(0.001),
    "rate_thousandfold": rate_times(1000.0),
    "steady_rate": steady_rate,
    "less_momentum": less_momentum,
    "no_decay": no_decay,
    "no_dropout": no_dropout,
    "adam": adam,
    "shuffled": shuffled,
    "balanced": balanced,
    "full_batches": full_batches,
    "longer": longer,
    "clipped": clipped,
    "thawed": thawed,
    "fresh_weights": fresh_weights,
    "bent": bent,
    "leaky": leaky,
    "standardized": standardized,
    "targets_standardized": targets_standardized,
}
