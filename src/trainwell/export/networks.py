"""A folded network (`trainwell.inference.folded`) as ONNX operators; rows first here, (rows, units)."""

from __future__ import annotations

import math

import numpy as np

from trainwell.export.columns import Entering
from trainwell.export.graph import Graph
from trainwell.inference.folded import Folded
from trainwell.techniques.constants import CLOSEST, COSINE, FARTHEST, NARROWEST, SELU_ALPHA, SELU_SCALE

DEGREE = 14  # chosen: of the polynomial for the inverse error function; its error is far below what a float32 tells apart


def predictions(graph: Graph, network: Folded, task: str, rows: Entering) -> str:
    """What one network predicts, float32 (rows, outputs)."""
    x = _embedded(graph, network, rows)
    for layer in network.layers[:-1]:
        x = _activated(graph, network, _dense(graph, x, layer))
    outputs = _dense(graph, x, network.layers[-1])
    if task == "binary":
        return graph.add("Sigmoid", outputs)
    if task == "multiclass":
        return graph.add("Softmax", outputs, axis=1)
    if not network.architecture.logarithm:
        return outputs
    floor, mean, spread, most = (graph.constant(value, np.float32) for value in network.architecture.logarithm)
    exponent = graph.add("Min", graph.add("Add", mean, graph.add("Mul", spread, outputs)), most)
    return graph.add("Add", floor, graph.add("Exp", exponent))


def _dense(graph: Graph, x: str, layer) -> str:
    product = graph.add("MatMul", x, graph.constant(layer.matrix.T))
    return graph.add("Add", product, graph.constant(layer.bias[:, 0]))


def _activated(graph: Graph, network: Folded, x: str) -> str:
    name = network.architecture.activation

    def setting(short: str) -> float:
        return network.architecture.setting(f"{name}.{short}")

    if name == "identity":
        return x
    if name == "leaky_relu":
        return graph.add("LeakyRelu", x, alpha=setting("slope"))
    if name == "elu":
        return graph.add("Elu", x, alpha=setting("alpha"))
    if name == "selu":
        return graph.add("Selu", x, alpha=SELU_ALPHA, gamma=SELU_SCALE)
    if name == "silu":
        return graph.add("Mul", x, graph.add("Sigmoid", x))
    operator = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "gelu": "Gelu", "mish": "Mish"}[name]
    return graph.add(operator, x)


def _embedded(graph: Graph, network: Folded, rows: Entering) -> str:
    architecture, weights = network.architecture, network.entering
    parts = []
    if rows.measured is not None:
        measured = rows.measured
        if architecture.numeric_scaling == "quantile":
            measured = _quantile_scaled(graph, measured, weights["numeric.quantiles"])
        if architecture.numeric_embedding == "piecewise_linear":
            parts.append(_piecewise_linear(graph, measured, weights["numeric.edges"]))
        else:
            parts.append(measured)
        if architecture.numeric_embedding == "periodic":
            parts.append(_periodic(graph, measured, weights))
    if rows.others is not None:
        parts.append(rows.others)
    for i, level in enumerate(rows.categories):
        parts.append(graph.add("Gather", graph.constant(weights[f"category{i}.embedding"]), level, axis=0))
    return graph.add("Concat", *parts, axis=1)


def _one_more_axis(graph: Graph, x: str) -> str:
    return graph.add("Unsqueeze", x, graph.constant([2], np.int64))


def _flat(graph: Graph, x: str, width: int) -> str:
    return graph.add("Reshape", x, graph.constant([-1, width], np.int64))


def _periodic(graph: Graph, measured: str, weights) -> str:
    frequency, phase, projection = (weights[f"numeric.{name}"] for name in ("frequency", "phase", "projection"))
    turns = graph.add("Mul", _one_more_axis(graph, measured), graph.constant(frequency))
    turns = graph.add("Add", turns, graph.constant(phase))
    part = graph.add("Sub", turns, graph.add("Round", turns))
    square = graph.add("Mul", part, part)
    value = graph.constant(COSINE[-1], np.float32)
    for coefficient in COSINE[-2::-1]:
        value = graph.add("Add", graph.add("Mul", value, square), graph.constant(coefficient, np.float32))
    of_column = graph.add("Transpose", value, perm=[1, 0, 2])
    extra = graph.add("Transpose", graph.add("MatMul", of_column, graph.constant(projection)), perm=[1, 0, 2])
    shifted = graph.add("Add", extra, graph.constant(weights["numeric.shift"]))
    return _flat(graph, shifted, projection.shape[0] * projection.shape[2])


def _piecewise_linear(graph: Graph, measured: str, edges: np.ndarray) -> str:
    low, width = edges[:, :-1], np.maximum(np.diff(edges, axis=1), np.float32(NARROWEST))
    place = graph.add("Div", graph.add("Sub", _one_more_axis(graph, measured), graph.constant(low)), graph.constant(width))
    return _flat(graph, _clipped(graph, place, 0, 1, np.float32), low.size)


def _clipped(graph: Graph, x: str, low: float, high: float, kind) -> str:
    return graph.add("Clip", x, graph.constant(low, kind), graph.constant(high, kind))


def _quantile_scaled(graph: Graph, measured: str, quantiles: np.ndarray) -> str:
    """In float64: far out a rank that is off by a float32's last digit is a number that is off by a hundred times as much."""
    quantiles = quantiles.astype(np.float64)
    low, high = quantiles[:, :-1], quantiles[:, 1:]
    width = graph.constant(np.maximum(high - low, CLOSEST))
    x = _one_more_axis(graph, graph.cast(measured, np.float64))
    passed = graph.add("Div", graph.add("Sub", x, graph.constant(low)), width)
    left = graph.add("Div", graph.add("Sub", graph.constant(high), x), width)
    balance = graph.add("Sub", *(_clipped(graph, one, 0, 1, np.float64) for one in (passed, left)))
    mean = graph.add("ReduceMean", balance, graph.constant([2], np.int64), keepdims=0)
    end = math.erf(FARTHEST / 2**0.5)
    ranked = _clipped(graph, mean, -end, end, np.float64)
    found = graph.add("Mul", ranked, _inverse_error_function(graph, ranked, end))
    return graph.cast(graph.add("Mul", graph.constant(2**0.5, np.float64), found), np.float32)


def _inverse_error_function(graph: Graph, x: str, end: float) -> str:
    """erfinv(x) / x as a polynomial in -log(1 - x^2), which it is smooth in; fitted here, for |x| up to ``end``.

    Source: Giles (2012), "Approximating the erfinv function", for the variable.
    """
    from scipy.special import erfinv

    most = -math.log1p(-(end**2))

    def ratio(w: np.ndarray) -> np.ndarray:
        root = np.sqrt(-np.expm1(-np.maximum(w, 1e-12)))
        return erfinv(root) / root

    fit = np.polynomial.Chebyshev.interpolate(ratio, DEGREE, domain=[0, most]).convert(
        kind=np.polynomial.Polynomial, domain=[0, most], window=[-1, 1]
    )
    one = graph.constant(1.0, np.float64)
    w = graph.add("Neg", graph.add("Log", graph.add("Sub", one, graph.add("Mul", x, x))))
    t = graph.add("Sub", graph.add("Mul", w, graph.constant(2 / most, np.float64)), one)
    value = graph.constant(fit.coef[-1], np.float64)
    for coefficient in fit.coef[-2::-1]:
        value = graph.add("Add", graph.add("Mul", value, t), graph.constant(coefficient, np.float64))
    return value
