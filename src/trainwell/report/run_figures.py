"""The three figures that belong to the whole run: the score against the baselines, every loss curve, where the time went."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from trainwell.recipe.events import Event
from trainwell.report.figures import log_ticks
from trainwell.report.plotting import COLOURS, QUIET, Plot, label, layout, names
from trainwell.words import is_loss, metric_name, number, score

MOST_POINTS = 60  # of one curve, chosen: more cannot be told apart at the width of the page
GROUPS = (  # of curves, drawn in this order: what matters most lies on top
    ("given up on the way", ("halved", "failed"), {"color": QUIET, "width": 0.7}, 0.45),
    ("trained", ("stopped", "finished"), {"color": COLOURS[0], "width": 0.9}, 0.55),
)


class Score(NamedTuple):
    """One row of the headline figure."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    ours: bool = False


def score_plot(scores: Sequence[Score], metric: str) -> Plot:
    """Scores as dots on one line each, intervals as bars, ours in colour."""
    labels = names(one.name for one in scores)
    data = [
        {
            "type": "scatter",
            "mode": "markers+text",
            "x": [one.value],
            "y": [labels[one.name]],
            "text": [score(one.value)],
            "textposition": "top center",
            "cliponaxis": False,
            "textfont": {"color": "var(--ink)"},
            "marker": {"color": COLOURS[0] if one.ours else QUIET, "size": 13 if one.ours else 10},
            "error_x": _interval(one),
            "hoverinfo": "text",
            "hovertext": [f"{labels[one.name]}: {_said(one)}"],
        }
        for one in scores
    ]
    said = metric_name(metric) + (", less is better" if is_loss(metric) else "")
    drawn = layout(said, "", height=70 + 44 * len(scores), showlegend=False)
    drawn["yaxis"].update(autorange="reversed", type="category", showgrid=True, range=[len(scores) - 0.5, -0.7])
    return {"data": data, "layout": drawn}


def curve_plots(members: Sequence[Mapping[str, Any]], best: Mapping[str, Any] | None) -> dict[str, Plot]:
    """Training and validation loss of all members, on one scale, so that the gap can be seen; the best one emphasized."""
    plots = {}
    everything = [
        loss for member in members for kind in ("training_loss", "validation_loss") for loss in _clean(member.get(kind))
    ]
    logarithmic = bool(everything) and min(everything) > 0 and max(everything) > 4 * min(everything)
    for kind in ("training_loss", "validation_loss"):
        data = [_group(name, [one for one in members if one.get("status") in states and one is not best], kind, line, opacity)
                for name, states, line, opacity in GROUPS]  # fmt: skip
        if best is not None:
            data.append(_group("best", [best], kind, {"color": COLOURS[1], "width": 2.6}, 1.0))
        drawn = layout("epoch", kind.replace("_", " "), log_y=logarithmic, height=360)
        drawn["yaxis"]["range"] = _scale(everything, logarithmic)
        if logarithmic:
            drawn["yaxis"].update(log_ticks(everything))
        plots[kind] = {"data": [one for one in data if one["x"]], "layout": drawn | {"showlegend": True}}
    return plots


def side_by_side(curves: Mapping[str, Plot]) -> Plot:
    """The two loss figures as one, so that the distance between them can be seen."""
    (_, left), (_, right) = curves.items()
    moved = [{**trace, "xaxis": "x2", "yaxis": "y2", "showlegend": False} for trace in right["data"]]
    drawn = {
        **left["layout"],
        "xaxis": {**left["layout"]["xaxis"], "domain": [0, 0.46]},
        "xaxis2": {**right["layout"]["xaxis"], "domain": [0.54, 1], "anchor": "y2"},
        "yaxis2": {**right["layout"]["yaxis"], "anchor": "x2", "matches": "y"},
    }
    return {"data": [*left["data"], *moved], "layout": drawn}


def time_plot(spent: Mapping[str, tuple[float, float]]) -> Plot:
    """Seconds of each stage (as `stage_seconds` gives them), and how many of them the cores waited for compiling."""
    names = list(spent)
    working = [max(total - compiling, 0.0) for total, compiling in spent.values()]
    compiling = [min(total, compiling) for total, compiling in spent.values()]
    data = [
        {"type": "bar", "orientation": "h", "name": name, "x": seconds, "y": names, "marker": {"color": colour}}
        for name, seconds, colour in (
            ("at work", working, COLOURS[0]),
            ("waiting for programs to be compiled", compiling, COLOURS[4]),
        )
        if any(seconds)
    ]
    drawn = layout("seconds", "", height=100 + 28 * len(names), barmode="stack", bargap=0.35, showlegend=len(data) > 1)
    drawn["yaxis"].update(autorange="reversed", type="category")
    return {"data": data, "layout": drawn}


def stage_seconds(events: Iterable[Event]) -> dict[str, tuple[float, float]]:
    """Stage to its seconds and to those of them in which the cores stood still for a program to be compiled."""
    spent: dict[str, tuple[float, float]] = {}
    waited = 0.0
    for event in events:
        if event["event"] == "stage_started":
            waited = 0.0
        elif event["event"] == "waited_for_programs":
            waited = float(event.get("seconds") or 0)
        elif event["event"] == "stage_finished":
            spent[str(event["stage"])] = (float(event.get("seconds") or 0), waited)
    return spent


def _group(name: str, members: Iterable[Mapping[str, Any]], kind: str, line: Mapping[str, Any], opacity: float) -> Plot:
    """Many curves as one trace with gaps between them: hundreds stay quick to draw and print as lines."""
    x: list[int | None] = []
    y: list[float | None] = []
    numbers: list[object] = []
    for member in members:
        losses = list(member.get(kind) or ())
        kept = sorted({round(place * (len(losses) - 1) / (MOST_POINTS - 1)) for place in range(MOST_POINTS)}) if losses else []
        x += [epoch + 1 for epoch in kept] + [None]
        y += [float(f"{losses[epoch]:.4g}") if _is_number(losses[epoch]) else None for epoch in kept] + [None]
        numbers += [_shown(member.get("member"))] * (len(kept) + 1)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": y,
        "customdata": numbers,
        "hovertemplate": "network %{customdata}, epoch %{x}: %{y}<extra></extra>",
        "line": dict(line),
        "opacity": opacity,
        "connectgaps": False,
    }


def _scale(losses: Sequence[float], logarithmic: bool) -> list[float] | None:
    """The range of both loss figures; the worst twentieth may leave it on top, or one wild member would flatten the rest."""
    if not losses:
        return None
    ordered = sorted(losses)
    low, high = ordered[0], ordered[int(0.95 * (len(ordered) - 1))]
    low, high = (math.log10(low), math.log10(high)) if logarithmic else (low, high)
    room = 0.06 * (high - low) or 0.1
    return [low - room, high + room]


def _clean(losses: Iterable[object] | None) -> list[float]:
    return [float(loss) for loss in losses or () if _is_number(loss)]  # type: ignore[arg-type]


def _shown(value: object) -> object:
    return label(value) if isinstance(value, str) else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _interval(one: Score) -> Plot:
    if one.low is None or one.high is None:
        return {"visible": False}
    above, below = one.high - one.value, one.value - one.low
    return {"type": "data", "symmetric": False, "array": [above], "arrayminus": [below], "thickness": 2, "width": 7}


def _said(one: Score) -> str:
    return score(one.value) + (f" ({number(one.low)} to {number(one.high)})" if one.low is not None else "")
