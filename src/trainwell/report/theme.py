"""The colours and fonts of the page, read from its style sheet: the one place where they are declared."""

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

TEMPLATES = Path(__file__).parent / "templates"
Theme = Literal["light", "dark"]
_NAMED = re.compile(r"var\((--[\w-]+)\)")


@functools.cache
def variables(theme: Theme = "light") -> Mapping[str, str]:
    """CSS variables by name; those that the dark theme does not change are those of the light one.

    >>> variables("light")["--paper"] == variables("dark")["--paper"], variables("dark")["--sans"] == variables()["--sans"]
    (False, True)
    """
    light, dark = re.findall(r"\{([^{}]*--paper:[^{}]*--ink:[^{}]*)\}", (TEMPLATES / "page.css").read_text(encoding="utf-8"))[
        :2
    ]
    declared = [dict(re.findall(r"(--[\w-]+):\s*([^;]+);", block)) for block in (light, dark)]
    return declared[0] if theme == "light" else {**declared[0], **declared[1]}


def with_colours(drawn: Any, theme: Theme = "light") -> Any:
    """A figure with the values of the page's variables in place of their names, for where there is no page."""
    if isinstance(drawn, dict):
        return {name: with_colours(value, theme) for name, value in drawn.items()}
    if isinstance(drawn, list | tuple):
        return [with_colours(value, theme) for value in drawn]
    named = _NAMED.fullmatch(drawn) if isinstance(drawn, str) else None
    return variables(theme).get(named[1], drawn).replace('"', "'") if named else drawn
