"""Parallel coordinates: one line for each network across an axis for each setting, the score last.

Drawn as plain lines: Plotly's own kind of this figure compiles programs for the graphics card from texts, which the page's
content security policy forbids, and it does not print.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from trainwell.recipe.evidence import Figure, Series
from trainwell.report.plotting import COLOURS, QUIET, Plot, label, layout
from trainwell.words import is_loss, number, shortened

WIDE = 30.0  # chosen: highest over lowest value from which on an axis is logarithmic
BEST = 0.1  # chosen: share of the lines drawn as the best
END = 10  # letters at the ends of an axis, chosen: more run into its neighbour
ROOM = 26  # pixels above and below the axes for their ends


def positions(axis: Series) -> tuple[list[float | None], str, str]:
    """(where each value lies on its axis, from 0 to 1; what the lower and the upper end are called)."""
    known = [value for value in axis.y if value is not None]
    if not known:
        return [None] * len(axis.y), "", ""
    if any(isinstance(value, str) for value in known):
        names = sorted({str(value) for value in known})
        at = {name: place / max(1, len(names) - 1) if len(names) > 1 else 0.5 for place, name in enumerate(names)}
        return [None if value is None else at[str(value)] for value in axis.y], names[0], names[-1]
    values = [None if value is None else float(value) for value in axis.y]
    numbers = [value for value in values if value is not None]
    low, high = min(numbers), max(numbers)
    log = low > 0 and high / low >= WIDE
    scaled = [None if value is None else math.log(value) if log else value for value in values]
    start, end = (math.log(low), math.log(high)) if log else (low, high)
    spread = end - start
    return [None if one is None else (one - start) / spread if spread else 0.5 for one in scaled], number(low), number(high)


def whole_lines(axes: Sequence[Series]) -> list[Series]:
    """The axes with as many lines as all of them have: a damaged file may hold fewer on some."""
    lines = min((min(len(axis.x), len(axis.y)) for axis in axes), default=0)
    return [replace(axis, x=axis.x[:lines], y=axis.y[:lines]) for axis in axes] if lines else []


def ranked(axis: Series) -> list[int]:
    """Places of the lines by their score, best first; those without one last."""
    sign = 1 if is_loss(axis.name.removeprefix("validation ")) else -1
    known = [place for place, value in enumerate(axis.y) if isinstance(value, int | float)]
    others = [place for place in range(len(axis.y)) if place not in set(known)]
    return [*sorted(known, key=lambda place: sign * float(axis.y[place])), *others]  # type: ignore[arg-type]


def plot(figure: Figure) -> Plot:
    """The figure as Plotly draws it."""
    axes = whole_lines(figure.series)
    if not axes:
        return {"data": [], "layout": layout()}
    score = next((axis for axis in axes if axis.emphasis), axes[-1])
    order = ranked(score)
    few = max(1, round(BEST * len(order)))
    placed = [positions(axis) for axis in axes]
    lines = [at for at, _, _ in placed]
    data = [
        _group(name, places, axes, lines, colour, width)
        for name, places, colour, width in (
            ("the others", order[few:], QUIET, 0.8),
            ("the best tenth", order[1:few], COLOURS[0], 1.6),
            ("the best", order[:1], COLOURS[1], 2.6),
        )
        if places
    ]
    drawn = layout("", "", height=380, showlegend=True)
    names = [label(axis.name.removesuffix(".rate").rsplit(".", 1)[-1].replace("_", " ")) for axis in axes]
    drawn["xaxis"].update(
        tickvals=list(range(len(axes))), ticktext=names, showgrid=True, range=[-0.4, len(axes) - 0.6], tickangle=-20
    )
    drawn["yaxis"].update(showticklabels=False, showgrid=False, range=[-0.12, 1.12])
    drawn["annotations"] = [
        {"x": place, "y": y, "text": label(shortened(text, END)), "showarrow": False, "font": {"size": 10}}
        for place, (_, low, high) in enumerate(placed)
        for y, text in ((-0.07, low), (1.07, high))
    ]
    return {"data": data, "layout": drawn}


def _group(
    name: str, places: Sequence[int], axes: Sequence[Series], lines: Sequence[Sequence[float | None]], colour: str, width: float
) -> Plot:
    """Many lines as one trace with gaps between them; each point tells its value when it is pointed at."""
    x: list[int | None] = []
    y: list[float | None] = []
    texts: list[str] = []
    for place in places:
        for axis, (own, at) in enumerate(zip(axes, lines, strict=True)):
            x.append(axis)
            y.append(None if at[place] is None else round(float(at[place] or 0.0), 4))
            texts.append(f"network {label(own.x[place])}: {label(own.name)} {label(number(own.y[place]))}")
        x, y, texts = [*x, None], [*y, None], [*texts, ""]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": y,
        "text": texts,
        "hoverinfo": "text",
        "line": {"color": colour, "width": width},
        "connectgaps": False,
    }
