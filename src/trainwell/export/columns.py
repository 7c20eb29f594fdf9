"""From raw cells to what the networks are fed, column by column, in float64 as `trainwell.data.encoders` does it.

A number enters as a float64, NaN where it is missing; a category and a date as a text, empty where it is missing. A text that
stands for missing (``NA``, ``?``) is missing, too; blanks around texts are no part of them and must be gone.
"""

import re
from typing import NamedTuple

import numpy as np

from trainwell.data.cells import LARGEST, MISSING, spellings
from trainwell.data.encode import Encoder
from trainwell.data.encoders import CLIP, Date, Embedded, Measurement, Scaling, Switches, TwoNumbers, is_marked
from trainwell.export import dates
from trainwell.export.graph import ML, Graph

ABSENT = -1  # what stands for a missing category, beside 0 for an unseen level


class Entering(NamedTuple):
    """Encoded rows: ``numeric`` float32 (rows, d), or None where there is none, and ``categories``, int64 (rows,) each."""

    measured: str | None
    others: str | None
    categories: list[str]


def encoded(graph: Graph, encoder: Encoder) -> Entering:
    """All columns of a table."""
    measured: list[str] = []
    switches: list[str] = []
    categories: list[str] = []
    for column in encoder.columns:
        if isinstance(column, Measurement | TwoNumbers):
            _number(graph, column, measured, switches)
        elif isinstance(column, Date):
            _date(graph, column, measured, switches)
        else:
            _category(graph, column, switches, categories)
    return Entering(_joined(graph, measured), _joined(graph, switches), categories)


def _joined(graph: Graph, columns: list[str]) -> str | None:
    return graph.add("Concat", *columns, axis=1) if columns else None


def _number(graph: Graph, column: Measurement | TwoNumbers, measured: list[str], switches: list[str]) -> None:
    x = graph.input(column.name, np.float64)
    beyond = graph.add("Greater", graph.add("Abs", x), graph.constant(LARGEST, np.float64))
    missing = graph.add("Or", graph.add("IsNaN", x), beyond)
    if isinstance(column, Measurement):
        measured.append(scaled(graph, column.scaling, x, missing))
    else:
        switches.append(_between(graph, column, x, missing))
    if is_marked(column):
        switches.append(graph.cast(missing, np.float32))


def _between(graph: Graph, column: TwoNumbers, x: str, missing: str) -> str:
    """As `TwoNumbers.switches`: 0 for the lower number, 1 for the higher, 1/2 for none."""
    size = max(abs(column.low), abs(column.high))
    low, high = column.low / size, column.high / size
    within = graph.add("Clip", x, graph.constant(column.low, np.float64), graph.constant(column.high, np.float64))
    place = graph.add("Sub", graph.add("Div", within, graph.constant(size, np.float64)), graph.constant(low, np.float64))
    place = graph.add("Div", place, graph.constant(high - low, np.float64))
    return graph.cast(graph.add("Where", missing, graph.constant(0.5, np.float64), place), np.float32)


def scaled(graph: Graph, scaling: Scaling, x: str, missing: str) -> str:
    """z / sqrt(1 + (z / 3)^2) with z = (x - median) scale, 0 where missing; as float32."""
    median, scale, clip, one, zero = (
        graph.constant(value, np.float64) for value in (scaling.median, scaling.scale, CLIP, 1.0, 0.0)
    )
    z = graph.add("Mul", graph.add("Sub", x, median), scale)
    part = graph.add("Div", z, clip)
    root = graph.add("Sqrt", graph.add("Add", one, graph.add("Mul", part, part)))
    return graph.cast(graph.add("Where", missing, zero, graph.add("Div", z, root)), np.float32)


def _date(graph: Graph, column: Date, measured: list[str], switches: list[str]) -> None:
    seconds, missing = dates.seconds(graph, graph.input(column.name, str), column.style)
    found = dates.parts(graph, seconds, column.first, set(column.parts))
    measured += [scaled(graph, scaling, found[part], missing) for part, scaling in column.parts.items()]
    if is_marked(column):
        switches.append(graph.cast(missing, np.float32))


def keys(levels: tuple[str, ...]) -> dict[str, int]:
    """What each text stands for: the number of its level from 1 on, or `ABSENT`. A whole number may be written 7, 7. or 7.0,
    and what is true or false in any spelling of it."""
    signs = {"+", "-"} & set(levels)
    found = {word: ABSENT for word in MISSING if not (signs and word == "-")}
    for number, level in enumerate(levels, start=1):
        if re.fullmatch(r"[+-]?\d+", level):
            found |= {f"{level}{end}": number for end in (".", ".0")}
    found |= {word: levels.index(level) + 1 for word, level in spellings(levels).items()}
    return found | {level: number for number, level in enumerate(levels, start=1)}


def _category(graph: Graph, column: Switches | Embedded, switches: list[str], categories: list[str]) -> None:
    known = keys(column.levels)
    text = graph.input(column.name, str)
    code = graph.add(
        "LabelEncoder",
        text,
        domain=ML,
        keys_strings=[key.encode() for key in known],
        values_int64s=list(known.values()),
        default_int64=0,
    )
    zero = graph.constant(0, np.int64)
    missing = graph.add("Equal", code, graph.constant(ABSENT, np.int64))
    level = graph.add("Where", missing, zero, code)
    if isinstance(column, Embedded):
        categories.append(graph.add("Reshape", level, graph.constant([-1], np.int64)))
        return
    if len(column.levels) == 2:
        number = graph.cast(level, np.float32)
        neither = graph.add("Equal", level, zero)
        one, half = graph.constant(1.0, np.float32), graph.constant(0.5, np.float32)
        switches.append(graph.add("Where", neither, half, graph.add("Sub", number, one)))
    else:
        numbers = (graph.constant(number, np.int64) for number in range(1, len(column.levels) + 1))
        switches += [graph.cast(graph.add("Equal", level, number), np.float32) for number in numbers]
    if is_marked(column):
        switches.append(graph.cast(missing, np.float32))
