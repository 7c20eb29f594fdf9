"""Figures of the report: what the evidence holds, as Plotly figures.

Colours are written as the names of the page's own CSS variables; the page puts in the values of its light, dark or
printed theme when it draws. Every text that came from a table is escaped, because Plotly reads markup in texts.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trainwell.recipe.evidence import Figure, Series
from trainwell.report import parallel
from trainwell.words import number, shortened

Plot = dict[str, Any]  # {"data": [...], "layout": {...}}: Plotly's own JSON

COLOURS = tuple(f"var(--series-{place})" for place in range(1, 7))
QUIET = "var(--quiet)"
LONG_LABEL = 10  # letters, chosen: longer category names are unreadable under upright bars on a phone
LONGEST_LABEL, LONGEST_TITLE = 40, 60  # letters, chosen: a longer text would leave no room for the figure that it labels
# Plotly reads markup, entities and TeX in texts, and this project's page reads the names of its colours.
SPOKEN = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "%{": "&#37;{", "var(": "var&#40;"}


def plot(figure: Figure) -> Plot:
    """Any figure of the evidence as Plotly draws it."""
    draw = {"lines": _lines, "points": _points, "bars": _bars, "heatmap": _heatmap, "parallel": parallel.plot}[figure.kind]
    return draw(figure)


def layout(x_label: str = "", y_label: str = "", *, log_x: bool = False, log_y: bool = False, **more: Any) -> Plot:
    """The plain look that all figures share: no frame, quiet grid, legend above."""
    return {
        "xaxis": _axis(x_label, log_x),
        "yaxis": _axis(y_label, log_y),
        "font": {"family": "var(--sans)", "size": 13, "color": "var(--ink-2)"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "height": 320,
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": "var(--paper)", "bordercolor": "var(--line)", "font": {"color": "var(--ink)"}},
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        **more,
    }


def plain(text: object) -> str:
    """A text that Plotly shows letter by letter, whatever markup, formula or colour it looks like.

    >>> plain("<b>$x$</b>"), plain("var(--ink)")
    ('&lt;b&gt;&#36;x&#36;&lt;/b&gt;', 'var&#40;--ink)')
    """
    text = str(text)
    for spoken, shown in SPOKEN.items():
        text = text.replace(spoken, shown)
    return text


def label(text: object) -> str:
    """A text beside a figure: plain, and no longer than leaves room for the figure."""
    return plain(shortened(str(text), LONGEST_LABEL))


def names(texts: Iterable[object]) -> dict[str, str]:
    """Labels for the places on an axis: two different texts never get the same label, however long they are."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for text in dict.fromkeys(map(str, texts)):
        one, again = label(text), 1
        while one in taken:
            again += 1
            one = f"{label(text)} ({again})"
        found[text] = one
        taken.add(one)
    return found


def _axis(text: str, log: bool) -> Plot:
    return {
        "title": {"text": plain(shortened(text, LONGEST_TITLE)), "standoff": 8, "font": {"size": 13}},
        "type": "log" if log else "-",
        "exponentformat": "power",
        "minexponent": 6,
        "separatethousands": True,
        "ticks": "",
        "gridcolor": "var(--line)",
        "linecolor": "var(--line)",
        "zeroline": False,
        "automargin": True,
    }


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


def _lines(figure: Figure) -> Plot:
    labels = _labels(figure)
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers" if len(one.x) <= 8 else "lines",
            "name": label(one.name),
            "x": _cells(one.x, labels),
            "y": _cells(one.y, labels),
            "line": {"color": colour, "width": 1.2 if colour == QUIET else 2.2},
        }
        for one, colour in zip(figure.series, _colours(figure.series), strict=True)
    ]
    return _finish(figure, data)


def _points(figure: Figure) -> Plot:
    labels = _labels(figure)
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": label(one.name),
            "x": _cells(one.x, labels),
            "y": _cells(one.y, labels),
            "marker": {"color": colour, "size": 7, "opacity": 0.65},
        }
        for one, colour in zip(figure.series, _colours(figure.series), strict=True)
    ]
    return _finish(figure, data)


def _bars(figure: Figure) -> Plot:
    """Upright bars; lying ones where the names are long or many, so that a phone can show them."""
    labels, places = _labels(figure), {str(value) for one in figure.series for value in one.x}
    lying = any(isinstance(value, str) for one in figure.series for value in one.x) and (
        len(places) > 6 or max(map(len, places), default=0) > LONG_LABEL
    )
    data = [
        {
            "type": "bar",
            "name": label(one.name),
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
