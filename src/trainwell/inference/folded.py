"""A trained network as matrices and biases alone: whatever is linear at test time becomes part of the matrix beside it.

    batch norm before the activation   y = f (W x + b - mean) + shift         ->  (f W) x + (f (b - mean) + shift)
    batch norm after it, course dropout  W (s y + t) + b                      ->  (W s) y + (b + W t)
    weight normalization               W = gain v / |v|
    learned scaling of what enters     W ((1 + 6 a) x) + b                   ->  (W (1 + 6 a)) x + b
    adapters                           s * (W (r * x)) + b, for each network  ->  a network of its own, (s W r) x + b

with f = scale / sqrt(variance + epsilon). Folded in float64 and kept in float32.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from trainwell.inference.architecture import Architecture
from trainwell.techniques.constants import SCALED_FASTER

Tensors = Mapping[str, np.ndarray]


class Layer(NamedTuple):
    """Units to units: ``matrix`` (fan_out, fan_in) and ``bias`` (fan_out, 1)."""

    matrix: np.ndarray
    bias: np.ndarray


class Folded(NamedTuple):
    """A network ready to predict: what it is, the weights that inputs enter by, its layers, the output's last."""

    architecture: Architecture
    entering: Tensors
    layers: tuple[Layer, ...]


def apart(architecture: Architecture, weights: Tensors, statistics: Tensors) -> tuple[Folded, ...]:
    """The plain networks that predict what this one does on average: itself, or with adapters each that shares its matrices."""
    plain = replace(architecture, adapters=0)
    return tuple(fold(plain, own, statistics) for own in _plain_weights(architecture, weights))


def _plain_weights(architecture: Architecture, weights: Tensors) -> list[Tensors]:
    if not architecture.adapters:
        return [weights]
    hidden = [f"layer{i}" for i in range(1, len(architecture.widths) + 1)]
    entering = {name: value for name, value in weights.items() if name.split(".")[0] not in (*hidden, "output")}
    found: list[Tensors] = []
    for place in range(architecture.adapters):
        own = dict(entering)
        for name in hidden:
            r, s, bias = (weights[f"{name}.{part}"][:, place] for part in ("entering_scale", "leaving_scale", "bias"))
            own |= {f"{name}.weight": weights[f"{name}.weight"] * r * s[:, None], f"{name}.bias": bias}
        own |= {f"output.{part}": weights[f"output.{part}"][place] for part in ("weight", "bias")}
        found.append(own)
    return found


def fold(architecture: Architecture, weights: Tensors, statistics: Tensors) -> Folded:
    """The network of these weights and statistics, by the names that `Architecture.shapes` gives them."""
    layers = []
    times, plus = np.ones(architecture.entering), np.zeros(architecture.entering)
    if architecture.input_scaling == "learned":
        times = times + SCALED_FASTER * np.asarray(weights["entering.scale"], float)
    for i in range(1, len(architecture.widths) + 1):
        name = f"layer{i}"
        matrix, bias = _linear(architecture, weights, name, times, plus)
        times, plus = np.ones(len(bias)), np.zeros(len(bias))
        if architecture.batch_norm != "none":
            variance = np.asarray(statistics[f"{name}.variance"], float) + architecture.setting("batch_norm.epsilon")
            factor = weights[f"{name}.scale"] / np.sqrt(variance)
            moved = weights[f"{name}.shift"] - statistics[f"{name}.mean"] * factor
            if architecture.batch_norm == "before":
                matrix, bias = factor[:, None] * matrix, factor * bias + moved
            else:
                times, plus = factor, moved
        if architecture.dropout == "course":
            keep = 1 - architecture.setting("dropout.rate")
            times, plus = times * keep, plus * keep
        layers.append(_layer(matrix, bias))
    layers.append(_layer(*_linear(architecture, weights, "output", times, plus)))
    entering = {name: value for name, value in weights.items() if name.startswith(("numeric.", "category"))}
    return Folded(architecture, entering, tuple(layers))


def _linear(architecture: Architecture, weights: Tensors, name: str, times: np.ndarray, plus: np.ndarray):
    """(matrix, bias) of a layer whose inputs are ``times`` their units ``plus`` a constant, in float64."""
    matrix = np.asarray(weights[f"{name}.weight"], float)
    if architecture.weight_norm == "centered":
        matrix = matrix - matrix.mean(axis=1, keepdims=True)
    if architecture.weight_norm != "none":
        gain = np.asarray(weights[f"{name}.gain"], float)
        matrix = gain[:, None] * (matrix / np.linalg.norm(matrix, axis=1, keepdims=True))
    return matrix * times, weights[f"{name}.bias"] + matrix @ plus


def _layer(matrix: np.ndarray, bias: np.ndarray) -> Layer:
    return Layer(np.ascontiguousarray(matrix, np.float32), np.asarray(bias, np.float32)[:, None])
