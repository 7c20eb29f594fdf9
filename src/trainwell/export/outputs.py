"""From the networks' predictions to what a person reads: the average, calibrated, labelled, in the target's unit."""

from __future__ import annotations

import numpy as np

from trainwell.calibration.intervals import Difficulty
from trainwell.calibration.temperature import ENDS
from trainwell.export import networks
from trainwell.export.columns import encoded
from trainwell.export.graph import Graph
from trainwell.model import Model


def whole(model: Model, level: float | None) -> Graph:
    """The graph of a model; of one with intervals ``low`` and ``high`` are those of the level."""
    graph = Graph()
    rows = encoded(graph, model.encoder)
    task = model.schema.task
    parts = []
    for share, network in model.votes:
        predicted = networks.predictions(graph, network, task, rows)
        parts.append(graph.add("Mul", predicted, graph.constant(share, np.float32)))
    average = parts[0]
    for part in parts[1:]:
        average = graph.add("Add", average, part)
    if task == "regression":
        _number(graph, model, average, level)
    else:
        _classes(graph, model, average)
    return graph


def _classes(graph: Graph, model: Model, average: str) -> None:
    probability = _at_temperature(graph, graph.cast(average, np.float64), model.calibration.temperature, len(model.classes))
    if len(model.classes) == 2:
        above = graph.add("Greater", probability, graph.constant(model.calibration.threshold, np.float64))
        place = graph.add("Reshape", graph.cast(above, np.int64), graph.constant([-1], np.int64))
        probability = graph.add("Concat", graph.add("Sub", graph.constant(1.0, np.float64), probability), probability, axis=1)
    else:
        place = graph.add("ArgMax", probability, axis=1, keepdims=0)
    graph.output("label", graph.add("Gather", graph.texts(list(model.classes)), place), str)
    graph.output("probabilities", graph.cast(probability, np.float32), np.float32, len(model.classes))


def _at_temperature(graph: Graph, p: str, temperature: float, classes: int) -> str:
    """As `trainwell.calibration.temperature.scaled`."""
    if temperature == 1:
        return p
    within = graph.add("Clip", p, *(graph.constant(end, np.float64) for end in ENDS))
    logit = graph.add("Log", within)
    if classes == 2:
        other = graph.add("Log", graph.add("Sub", graph.constant(1.0, np.float64), within))
        logit = graph.add("Sub", logit, other)
    logit = graph.add("Div", logit, graph.constant(temperature, np.float64))
    return graph.add("Sigmoid", logit) if classes == 2 else graph.add("Softmax", logit, axis=1)


def _number(graph: Graph, model: Model, average: str, level: float | None) -> None:
    scale, mean = (graph.constant(value, np.float64) for value in (model.encoder.target_scale, model.encoder.target_mean))
    flat = graph.add("Reshape", graph.cast(average, np.float64), graph.constant([-1], np.int64))
    value = graph.add("Add", graph.add("Mul", flat, scale), mean)
    graph.output("prediction", value, np.float64)
    intervals = model.calibration.intervals
    if level is None or intervals is None:
        return
    widest = float(intervals.half_width(np.zeros(1), level)[0] / intervals.difficulty.of(np.zeros(1))[0])
    width = graph.add("Mul", _difficulty(graph, intervals.difficulty, value), graph.constant(widest, np.float64))
    graph.output("low", graph.add("Sub", value, width), np.float64)
    graph.output("high", graph.add("Add", value, width), np.float64)


def _difficulty(graph: Graph, difficulty: Difficulty, x: str) -> str:
    """Lines between the errors at rising predictions, level at both ends: the sum of what each line adds."""
    if not difficulty.at:
        return graph.constant(1.0, np.float64)
    found = graph.constant(difficulty.errors[0], np.float64)
    lines = zip(difficulty.at[:-1], difficulty.at[1:], difficulty.errors[:-1], difficulty.errors[1:], strict=True)
    for begin, end, low, high in lines:
        if end <= begin:
            share = graph.cast(graph.add("GreaterOrEqual", x, graph.constant(end, np.float64)), np.float64)
        else:
            ends = (graph.constant(value, np.float64) for value in (begin, end))
            moved = graph.add("Sub", graph.add("Clip", x, *ends), graph.constant(begin, np.float64))
            share = graph.add("Div", moved, graph.constant(end - begin, np.float64))
        found = graph.add("Add", found, graph.add("Mul", share, graph.constant(high - low, np.float64)))
    return found
