"""Figures in words, for those who cannot see them: what is drawn, between which values, where the highest lies."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainwell.recipe.evidence import Figure, Series
from trainwell.report.parallel import ranked, whole_lines
from trainwell.words import number, shortened

MOST_SERIES, MOST_BARS = 4, 8  # chosen: what can be followed when it is read aloud
LONGEST_NAME = 60  # letters of a name, chosen

Points = list[tuple[Any, float]]


def describe(figure: Figure) -> str:
    """What a screen reader says in place of a figure."""
    ways: Mapping[str, Callable[[Figure], str]] = {
        "lines": _lines, "bars": _bars, "points": _points, "heatmap": _heatmap, "parallel": _parallel,
    }  # fmt: skip
    axes = f"{_name(figure.y_label or 'values')} by {_name(figure.x_label or 'name')}"
    said = ways.get(figure.kind, _any)(figure)
    return " ".join(filter(None, [f"{figure.title}: {axes}.", said, figure.caption]))


def describe_curves(members: Sequence[Mapping[str, Any]], best: Mapping[str, Any] | None, kind: str) -> str:
    """The loss curves of all networks in words."""
    said = f"{kind.replace('_', ' ').capitalize()} by epoch, one line for each of {len(members):,} networks."
    losses = [loss for loss in (best or {}).get(kind) or () if isinstance(loss, int | float)]
    if best is None or not losses:
        return said
    return said + (
        f" The best, network {_name(best.get('member'))}, goes from {number(losses[0])} to {number(losses[-1])}"
        f" in {len(losses):,} epochs, its lowest {number(min(losses))}."
    )


def describe_time(spent: Mapping[str, tuple[float, float]]) -> str:
    """The seconds of the stages in words."""
    return (
        "Seconds of each stage: " + ", ".join(f"{stage} {number(round(total, 1))}" for stage, (total, _) in spent.items()) + "."
    )


def _lines(figure: Figure) -> str:
    shown = _most_important(figure.series)
    said = [_line(one) for one in shown]
    return " ".join([*said, *_rest(len(figure.series) - len(shown), "line")])


def _line(one: Series) -> str:
    points = _measured(one)
    if not points:
        return f"{_name(one.name)}: nothing measured."
    (first, start), (last, end) = points[0], points[-1]
    if len(points) == 1:
        return f"{_name(one.name)}: {number(start)} at {_name(first)}."
    low, high = min(points, key=lambda point: point[1]), max(points, key=lambda point: point[1])
    said = f"{_name(one.name)}: {number(start)} at {_name(first)}, {number(end)} at {_name(last)}"
    ends = {first, last}
    said += "".join(
        f", {word} {number(value)} at {_name(place)}"
        for word, (place, value) in (("lowest", low), ("highest", high))
        if place not in ends
    )
    return said + "."


def _bars(figure: Figure) -> str:
    shown = _most_important(figure.series)
    several = len(figure.series) > 1
    said = [(f"{_name(one.name)}: " if several else "") + _bars_of(_measured(one)) for one in shown]
    return " ".join([*said, *_rest(len(figure.series) - len(shown), "group")])


def _bars_of(points: Points) -> str:
    if len(points) <= MOST_BARS:
        return ", ".join(f"{_name(place)} {number(value)}" for place, value in points) + "."
    ordered = sorted(points, key=lambda point: -point[1])
    (high, most), (low, least) = ordered[0], ordered[-1]
    return f"{len(points):,} bars, the highest {_name(high)} {number(most)}, the lowest {_name(low)} {number(least)}."


def _points(figure: Figure) -> str:
    said = []
    for one in _most_important(figure.series):
        points = _measured(one)
        if points:
            values = [value for _, value in points]
            said.append(f"{_name(one.name)}: {len(points):,} points between {number(min(values))} and {number(max(values))}.")
    return " ".join(said)


def _heatmap(figure: Figure) -> str:
    cells = [(one.name, place, value) for one in figure.series for place, value in _measured(one)]
    if not cells:
        return ""
    row, column, most = max(cells, key=lambda cell: cell[2])
    columns = max(len(one.x) for one in figure.series)
    return (
        f"{len(figure.series):,} rows and {columns:,} columns; the highest cell is {number(most)}, "
        f"in row {_name(row)}, column {_name(column)}."
    )


def _parallel(figure: Figure) -> str:
    axes = whole_lines(figure.series)
    if not axes:
        return ""
    score = next((axis for axis in axes if axis.emphasis), axes[-1])
    best = ranked(score)[0]
    values = ", ".join(f"{_name(axis.name)} {_name(axis.y[best])}" for axis in axes)
    return f"One line for each of {len(score.y):,} networks across {len(axes)} axes. The best: {values}."


def _any(figure: Figure) -> str:
    names = ", ".join(_name(one.name) for one in figure.series[:MOST_SERIES])
    return " ".join([f"For {names}." if names else "", *_rest(len(figure.series) - MOST_SERIES, "series")])


def _most_important(series: Sequence[Series]) -> list[Series]:
    """The emphasized series first."""
    return sorted(series, key=lambda one: not one.emphasis)[:MOST_SERIES]


def _rest(count: int, what: str) -> list[str]:
    return [f"And {count:,} more {what}{'s' if count > 1 and what != 'series' else ''}."] if count > 0 else []


def _measured(one: Series) -> Points:
    numbers = (int, float)
    return [(x, y) for x, y in zip(one.x, one.y, strict=False) if isinstance(y, numbers) and not isinstance(y, bool)]


def _name(value: object) -> str:
    """A place or a name, short enough to be read aloud."""
    return number(value) if isinstance(value, int | float) else shortened(str(value), LONGEST_NAME)
