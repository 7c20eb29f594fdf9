"""Faults that settings put into a network of our own engine, and the causes that name each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_ROWS = 2000  # chosen: training rows, so that all faults take minutes
EPOCHS = 12  # chosen
DEEP = (64,) * 8


@dataclass(frozen=True)
class Fault:
    """A change of the network, its settings, its rows or its epochs, and the causes that name it."""

    causes: tuple[str, ...]
    structure: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, float] = field(default_factory=dict)
    rows: int = MOST_ROWS
    epochs: int = EPOCHS
    shuffled: bool = False


NORMAL = {"initializer": "normal"}
FAULTS = {
    "learning rate far too high": Fault(("lr-too-high",), {}, {"adam.learning_rate": 1.0}),
    "gradient descent at a rate that diverges": Fault(
        ("lr-too-high", "exploding-gradient"),
        {"optimizer": "gradient_descent", "widths": (64, 64, 64), "activation": "relu"},
        {"gradient_descent.learning_rate": 10.0},
    ),
    "learning rate far too low": Fault(("lr-too-low", "too-few-epochs"), {}, {"adam.learning_rate": 1e-6}),
    "zeros as first weights": Fault(("zero-or-constant-init",), {"initializer": "zeros"}),
    "a constant as first weights": Fault(("zero-or-constant-init",), {"initializer": "constant"}),
    "first weights too large, deep tanh": Fault(
        ("init-too-large", "saturated-activation"),
        {**NORMAL, "activation": "tanh", "widths": DEEP, "optimizer": "momentum"},
        {"normal.standard_deviation": 5.0},
    ),
    "first weights too small, deep tanh": Fault(
        ("init-too-small", "vanishing-gradient"),
        {**NORMAL, "activation": "tanh", "widths": DEEP, "optimizer": "momentum"},
        {"normal.standard_deviation": 0.003},
    ),
    "deep sigmoid, plain gradient descent": Fault(
        ("vanishing-gradient", "saturated-activation", "init-too-small"),
        {"activation": "sigmoid", "widths": DEEP, "optimizer": "gradient_descent"},
    ),
    "first weights too small, deep ReLU": Fault(
        ("init-too-small", "vanishing-gradient"),
        {**NORMAL, "activation": "relu", "widths": DEEP, "optimizer": "momentum"},
        {"normal.standard_deviation": 0.003},
    ),
    "dead ReLUs by a huge rate": Fault(
        ("dead-relu", "lr-too-high"), {"activation": "relu", "widths": (64, 64, 64)}, {"adam.learning_rate": 0.5}
    ),
    "saturated sigmoid": Fault(
        ("saturated-activation", "init-too-large"),
        {**NORMAL, "activation": "sigmoid", "widths": (64, 64, 64), "optimizer": "momentum"},
        {"normal.standard_deviation": 10.0},
    ),
    "dropout 0.9": Fault(("dropout-too-high",), {"widths": (64, 64, 64)}, {"dropout.rate": 0.9}),
    "weight decay far too high": Fault(("weight-decay-too-high",), {"decay": "l2"}, {"weight_decay.rate": 1.0}),
    "clipping far too tight": Fault(
        ("gradient-clip-too-tight",), {"clip": "global_norm", "optimizer": "momentum"}, {"clip_by_global_norm.limit": 1e-5}
    ),
    "momentum near 1": Fault(
        ("momentum-unstable",), {"optimizer": "classical_momentum"}, {"classical_momentum.beta": 0.999, "RATE": 0.05}
    ),
    "batch norm with batches of 2": Fault(
        ("batchnorm-tiny-batch",), {"batch_norm": "before", "batch_size": 2, "widths": (64, 64, 64)}, {}, 1000
    ),
    "too few epochs": Fault(("too-few-epochs", "lr-too-low"), {}, {"adam.learning_rate": 1e-4}, MOST_ROWS, 1),
    "few rows learned by heart": Fault(
        ("overfitting",), {"widths": (256, 256)}, {"early_stopping.patience": 10_000.0, "adam.learning_rate": 3e-3}, 100, 200
    ),
    "labels shuffled": Fault(("labels-shuffled-or-misaligned",), shuffled=True),
}
