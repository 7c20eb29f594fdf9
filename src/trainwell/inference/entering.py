"""The way in, as in `trainwell.network.embeddings`: numbers scaled and embedded, categories looked up; (units, rows)."""

import math

import numpy as np

from trainwell.inference.folded import Folded, Tensors
from trainwell.techniques.constants import CLOSEST, COSINE, FARTHEST, NARROWEST


def embedded(network: Folded, numeric: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """What the first layer sees, (entering, rows), of encoded rows: ``numeric`` (rows, d) and ``categories`` (rows, c)."""
    architecture, weights = network.architecture, network.entering
    numbers = np.ascontiguousarray(numeric.T)
    measured, others = numbers[: architecture.continuous], numbers[architecture.continuous :]
    if len(measured) and architecture.numeric_scaling == "quantile":
        measured = quantile_scaled(measured, weights["numeric.quantiles"])
    parts = [measured]
    if len(measured) and architecture.numeric_embedding == "periodic":
        parts.append(periodic(measured, weights))
    if len(measured) and architecture.numeric_embedding == "piecewise_linear":
        parts = [piecewise_linear(measured, weights["numeric.edges"])]
    parts.append(others)
    parts += [weights[f"category{i}.embedding"][categories[:, i]].T for i in range(categories.shape[1])]
    return parts[0] if len(parts) == 1 else np.concatenate([part for part in parts if len(part)])


def periodic(numbers: np.ndarray, weights: Tensors) -> np.ndarray:
    """The learned sums of cosines of each column, (columns times extra, rows)."""
    turns = numbers[:, None] * weights["numeric.frequency"][:, :, None] + weights["numeric.phase"][:, :, None]
    turns -= np.round(turns)
    np.square(turns, out=turns)
    value = np.full_like(turns, COSINE[-1])
    for coefficient in COSINE[-2::-1]:
        value *= turns
        value += np.float32(coefficient)
    extra = weights["numeric.projection"].transpose(0, 2, 1) @ value + weights["numeric.shift"][:, :, None]
    return extra.reshape(-1, numbers.shape[1])


def piecewise_linear(numbers: np.ndarray, edges: np.ndarray) -> np.ndarray:
    low, width = edges[:, :-1, None], np.maximum(np.diff(edges, axis=1), np.float32(NARROWEST))[:, :, None]
    return np.clip((numbers[:, None] - low) / width, 0, 1).reshape(-1, numbers.shape[1])


def quantile_scaled(numbers: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """In float64: far out a rank that is off by a float32's last digit is a number that is off by a hundred times as much."""
    from scipy.special import erfinv  # only networks that need it wait for it

    quantiles, x = quantiles.astype(np.float64), numbers[:, None].astype(np.float64)
    low, high = quantiles[:, :-1, None], quantiles[:, 1:, None]
    width = np.maximum(high - low, CLOSEST)
    balance = (np.clip((x - low) / width, 0, 1) - np.clip((high - x) / width, 0, 1)).mean(axis=1)
    end = math.erf(FARTHEST / 2**0.5)
    return (2**0.5 * erfinv(np.clip(balance, -end, end))).astype(np.float32)
