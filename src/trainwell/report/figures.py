"""Figures of the report: what the evidence holds, as Plotly figures."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trainwell.recipe.evidence import Figure, Series
from trainwell.report import parallel
from trainwell.report.plotting import COLOURS, QUIET, Plot, layout, names
from trainwell.words import number

LONG_LABEL = 10  # letters, chosen: longer category names are unreadable under upright bars on a phone


def plot(figure: Figure) -> Plot:
    """Any figure of the evidence as Plotly draws it."""
    draw = {"lines": _lines, "points": _points, "bars": _bars, "heatmap": _heatmap, "parallel": parallel.plot}[figure.kind]
    return draw(figure)


def log_ticks(values: Iterable[object]) -> Plot:
    """Labels of a logarithmic axis as a person counts: every power of ten, or 1, 2, 5, 10 where those would be too few."""
    positive = [value for value in values if isinstance(value, int | float) and value > 0]
    low, high = (math.log10(end(positive)) for end in (min, max)) if positive else (0.0, 2.0)
    steps = (1,) if high - low >= 2 or high == low else (1, 2, 5) if high - low >= 0.8 else (1, 1.5, 2, 3, 4, 5, 7)
    powers = range(math.floor(low) - 1, math.ceil(high) + 2)
    ticks = [(step, power, step * 10.0**power) for power in powers for step in steps]
    return {
        "tickvals": [tick for _, _, tick in ticks],
        "ticktext": [
            f"10<sup>{power}</sup>" if step == 1 and not -4 <= power <= 5 else number(tick) for step, power, tick in ticks
        ],
        "tickangle": 0,
    }


def is_empty(figure: Figure) -> bool:
    """Whether nothing was measured that could be drawn."""
    points = ((x, y) for one in figure.series for x, y in zip(one.x, one.y, strict=False) if x is not None and y is not None)
    return not any(isinstance(value, int | float) for point in points for value in point)


def _colours(series: Sequence[Series]) -> list[str]:
    """The emphasized series in colour and the others quiet; all in colour where none is emphasized."""
    some = any(one.emphasis for one in series)
    loud = iter(COLOURS)
    return [next(loud, QUIET) if one.emphasis or not some else QUIET for one in series]


def _cells(values: Iterable[object], labels: Mapping[str, str]) -> list[object]:
    return [labels[value] if isinstance(value, str) else value for value in values]


def _labels(figure: Figure) -> dict[str, str]:
    """Labels of all texts among the places of a figure."""
    return names(value for one in figure.series for value in (*one.x, *one.y) if isinstance(value, str))


def _legend(figure: Figure) -> dict[str, str]:
    return names(one.name for one in figure.series)


def _lines(figure: Figure) -> Plot:
    labels, legend = _labels(figure), _legend(figure)
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers" if len(one.x) <= 8 else "lines",
            "name": legend[one.name],
            "x": _cells(one.x, labels),
            "y": _cells(one.y, labels),
            "line": {"color": colour, "width": 1.2 if colour == QUIET else 2.2},
        }
        for one, colour in zip(figure.series, _colours(figure.series), strict=True)
    ]
    return _finish(figure, data)


def _points(figure: Figure) -> Plot:
    labels, legend = _labels(figure), _legend(figure)
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": legend[one.name],
            "x": _cells(one.x, labels),
            "y": _cells(one.y, labels),
            "marker": {"color": colour, "size": 7, "opacity": 0.65},
        }
        for one, colour in zip(figure.series, _colours(figure.series), strict=True)
    ]
    return _finish(figure, data)


def _bars(figure: Figure) -> Plot:
    """Upright bars; lying ones where the names are long or many, so that a phone can show them."""
    labels, legend, places = _labels(figure), _legend(figure), {str(value) for one in figure.series for value in one.x}
    lying = any(isinstance(value, str) for one in figure.series for value in one.x) and (
        len(places) > 6 or max(map(len, places), default=0) > LONG_LABEL
    )
    data = [
        {
            "type": "bar",
            "name": legend[one.name],
            "orientation": "h" if lying else "v",
            "x": _cells(one.y if lying else one.x, labels),
            "y": _cells(one.x if lying else one.y, labels),
            "marker": {"color": colour},
        }
        for one, colour in zip(figure.series, _colours(figure.series), strict=True)
    ]
    if not lying:
        return _finish(figure, data, bargap=0.35)
    turned = layout(figure.y_label, "", log_x=figure.log_y, bargap=0.35)
    turned["yaxis"].update(autorange="reversed", type="category")
    turned["height"] = 90 + 26 * len(places) * (len(data) if len(data) < 3 else 2)
    return {"data": data, "layout": turned | {"showlegend": len(data) > 1}}


def _heatmap(figure: Figure) -> Plot:
    """One row for each series, the first on top, with the value written into each cell of a small one."""
    rows = [list(one.y) for one in figure.series]
    small, rows_named = len(rows) <= 12, names(one.name for one in figure.series)
    data = {
        "type": "heatmap",
        "x": _cells(figure.series[0].x, _labels(figure)) if figure.series else [],
        "y": [rows_named[one.name] for one in figure.series],
        "z": rows,
        "colorscale": [[0, "var(--heat-0)"], [1, "var(--heat-1)"]],
        "showscale": not small,
        "xgap": 2,
        "ygap": 2,
        **({"texttemplate": "%{z:,.4~g}"} if small else {}),
    }
    drawn = layout(figure.x_label, figure.y_label, height=max(220, 90 + 30 * len(rows)))
    drawn["xaxis"].update(type="category", showgrid=False)
    drawn["yaxis"].update(type="category", showgrid=False, autorange="reversed")
    return {"data": [data], "layout": drawn}


def _finish(figure: Figure, data: Sequence[Mapping[str, Any]], **more: Any) -> Plot:
    shared = layout(figure.x_label, figure.y_label, log_x=figure.log_x, log_y=figure.log_y, **more)
    for axis, of in (("xaxis", "x"), ("yaxis", "y")):
        if any(isinstance(value, str) for one in figure.series for value in getattr(one, of)):
            shared[axis]["type"] = "category"  # or Plotly would take names such as 2024-01 for dates and 1e5 for numbers
    if shared["yaxis"]["type"] == "category":
        shared["yaxis"]["autorange"] = "reversed"
        shared["height"] = 90 + 26 * len({value for one in figure.series for value in one.y})
    if figure.log_x:
        shared["xaxis"].update(log_ticks(value for one in figure.series for value in one.x))
    if figure.log_y:
        shared["yaxis"].update(log_ticks(value for one in figure.series for value in one.y))
    return {"data": list(data), "layout": shared | {"showlegend": len(data) > 1}}
