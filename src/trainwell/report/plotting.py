"""What all figures of the report share: their look, their colours, and texts that Plotly shows as they are.

Colours are written as the names of the page's own CSS variables; the page puts in the values of its light, dark or
printed theme when it draws. Every text that came from a table is escaped, because Plotly reads markup in texts.
"""

from collections.abc import Iterable
from typing import Any

from trainwell.words import shortened, told_apart

Plot = dict[str, Any]  # {"data": [...], "layout": {...}}: Plotly's own JSON

COLOURS = tuple(f"var(--series-{place})" for place in range(1, 7))
QUIET = "var(--quiet)"
LONGEST_LABEL, LONGEST_TITLE = 40, 60  # letters, chosen: a longer text would leave no room for the figure that it labels
# Plotly reads markup, entities and TeX in texts, and this project's page reads the names of its colours.
SPOKEN = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "%{": "&#37;{", "var(": "var&#40;"}


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
    return {text: plain(one) for text, one in told_apart(texts, LONGEST_LABEL).items()}


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
