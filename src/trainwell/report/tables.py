"""Tables of the report: which columns they have, and their cells as texts that the eye can compare."""

from collections.abc import Mapping, Sequence
from typing import Any

from trainwell.recipe.evidence import Figure
from trainwell.words import number

Rows = Sequence[Mapping[str, Any]]
Members = Sequence[Mapping[str, Any]]

LETTERS_OF_HALF_A_PAGE, MOST_OF_A_CELL = 52, 30  # chosen: longer cells are broken into lines
POINTS_SHOWN = 60  # of a figure that are also given as a table, chosen


def columns_of(rows: Rows) -> list[str]:
    """All columns of a table whose rows may differ, in the order in which they first come."""
    return list(dict.fromkeys(name for row in rows for name in row))


def is_numeric(rows: Rows, column: str) -> bool:
    """Whether a column is set flush right, as numbers are."""
    cells = [row[column] for row in rows if row.get(column) is not None]
    return bool(cells) and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in cells)


def is_wide(rows: Rows) -> bool:
    """Whether a table needs the whole width of the page."""
    longest = [max(len(text) for text in (column, *flush(rows, column))) for column in columns_of(rows)]
    return len(longest) > 4 or sum(min(letters, MOST_OF_A_CELL) for letters in longest) > LETTERS_OF_HALF_A_PAGE


def flush(rows: Rows, column: str) -> list[str]:
    """The cells of a column as texts; fractions with equally many digits, so that the eye can compare them.

    Where that would need more than five digits, each cell has three that count.
    """
    cells = [row.get(column) for row in rows]
    texts = [number(cell) for cell in cells]
    fractions = [text for cell, text in zip(cells, texts, strict=True) if isinstance(cell, float)]
    digits = max((len(text.partition(".")[2]) for text in fractions), default=0)
    if any("e" in text for text in fractions) or digits > 5:
        return [f"{cell:.3g}" if isinstance(cell, float) else text for cell, text in zip(cells, texts, strict=True)]
    return [f"{cell:,.{digits}f}" if isinstance(cell, float) else text for cell, text in zip(cells, texts, strict=True)]


def points(figure: Figure) -> list[dict[str, object]]:
    """The points of a small figure as the rows of a table: for readers who cannot see it, and for copying."""
    points = [(one.name, x, y) for one in figure.series for x, y in zip(one.x, one.y, strict=False)]
    if len(points) > POINTS_SHOWN:
        return []
    x_label, y_label = figure.x_label or "name", figure.y_label or "value"
    return [{"series": name, x_label: x, y_label: y} for name, x, y in points]


def varied(members: Members) -> list[str]:
    """The settings in which the members differ."""
    names = dict.fromkeys(name for member in members for name in member.get("settings") or ())
    return [name for name in names if len({str((member.get("settings") or {}).get(name)) for member in members}) > 1]


def common_settings(members: Members) -> dict[str, Any]:
    """The settings in which no member differs from another."""
    first: Mapping[str, Any] = next((member["settings"] for member in members if member.get("settings")), {})
    differ = varied(members)
    return {name: value for name, value in first.items() if name not in differ}


def member_rows(members: Members, settings: Sequence[str], metric: str) -> list[dict[str, Any]]:
    """Members as the rows of a table, with the settings in which they differ."""
    return [
        {
            "network": member.get("member"),
            metric: member.get("score"),
            "epochs": member.get("epochs"),
            "ended": member.get("status"),
            "structure": member.get("structure"),
            **{name.replace(".", " "): _cell(member.get("settings", {}).get(name)) for name in settings},
        }
        for member in members
    ]


def _cell(value: object) -> object:
    return value if isinstance(value, int | float | str | None) else said(value)


def said(value: object) -> str:
    """Any setting as text: lists and mappings in one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {said(cell)}" for name, cell in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(said(cell) for cell in value)
    return number(value) if isinstance(value, float) else str(value)
