"""One row of the catalogue: a technique, with its equation, source and advice read from its docstring."""

import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trainwell.hyperparameter import Hyperparameter


@dataclass(frozen=True)
class Entry:
    """One technique of the course.

    What is read from the docstrings comes from the function's own where that says it, and otherwise from its file's: a file
    with several techniques says once what holds for all of them.

    Parameters
    ----------
    name : as courses call it.
    family : optimizers, schedules, gradients, initializers, activations, losses, regularizers, normalizers, inputs, landscapes
        or curvature.
    function : the function itself.
    hyperparameters : the numbers that it takes, as declared beside it.
    also : other names by which it is found.
    note : what the docstring does not say about this row.
    """

    name: str
    family: str
    function: Callable[..., Any]
    hyperparameters: tuple[Hyperparameter, ...] = ()
    also: tuple[str, ...] = ()
    note: str = ""

    @property
    def path(self) -> str:
        """Dotted path of the function."""
        return f"{self.function.__module__}.{self.function.__qualname__}"

    @property
    def file(self) -> str:
        """The file, from the package's folder on."""
        ending = "/__init__.py" if hasattr(self._module, "__path__") else ".py"
        return self.function.__module__.replace(".", "/") + ending

    @property
    def location(self) -> str:
        """The file on this machine and the line."""
        return f"{inspect.getsourcefile(self.function)}:{inspect.getsourcelines(self.function)[1]}"

    @property
    def summary(self) -> str:
        """Half a sentence: what it does."""
        whole = self.function if _equation(self.function) else self._module
        return " ".join(_paragraphs(whole)[0].split(": ", 1)[-1].split())

    @property
    def equation(self) -> str:
        """The indented block of the docstring."""
        return inspect.cleandoc("\n" + (_equation(self.function) or _equation(self._module)))

    @property
    def source(self) -> str:
        return self._labelled("Source:")

    @property
    def use(self) -> str:
        """What the course says about when to use it."""
        return self._labelled("Use:")

    @property
    def _module(self) -> Any:
        return sys.modules[self.function.__module__]

    def _labelled(self, label: str) -> str:
        """The paragraph that starts with this word, on one line, without it."""
        paragraphs = _paragraphs(self.function) + _paragraphs(self._module)
        found = next((paragraph for paragraph in paragraphs if paragraph.startswith(label)), label)
        return " ".join(found.removeprefix(label).split())


def _equation(documented: Any) -> str:
    """The first paragraph with every line indented, or nothing."""

    def indented(paragraph: str) -> bool:
        return all(line.startswith("    ") for line in paragraph.splitlines())

    return next(filter(indented, _paragraphs(documented)), "")


def _paragraphs(documented: Any) -> list[str]:
    return re.split(r"\n\s*\n", inspect.getdoc(documented) or "-")


def describe(entry: Entry) -> str:
    """What the terminal shows of a technique.

    Examples
    --------
    >>> print(describe(Entry("dedent", "example", inspect.cleandoc)).splitlines()[1])
      function  inspect.cleandoc
    """
    rows = {
        "function": entry.path,
        "file": entry.location,
        "equation": entry.equation,
        "note": entry.note,
        "use": entry.use,
        "source": entry.source,
        "settings": "\n".join(map(_declaration, entry.hyperparameters)),
    }
    lines = [f"{entry.name}: {entry.summary.rstrip('.')}"]
    for label, text in rows.items():
        for number, line in enumerate(text.splitlines()):
            lines.append(f"  {label if number == 0 else '':10}{line}")
    return "\n".join(lines)


def _declaration(declared: Hyperparameter) -> str:
    allowed = f"{declared.low:g} to {declared.high:g}"
    return f"{declared.name} = {declared.default:g} (allowed {allowed}): {declared.meaning} [{declared.source}]"


def table(entries: list[Entry]) -> str:
    """A Markdown table with a row for each technique.

    Examples
    --------
    >>> table([]).splitlines()[0]
    '| technique | equation | function | hyperparameters | when to use it | source |'
    """
    head = "| technique | equation | function | hyperparameters | when to use it | source |\n|---|---|---|---|---|---|\n"
    return head + "\n".join(map(_row, entries))


def _row(entry: Entry) -> str:
    equation = "<br>".join(f"`{re.sub('   +', '   ', line)}`" for line in entry.equation.splitlines())
    link = f"[`{entry.path.removeprefix('trainwell.techniques.')}`](../src/{entry.file})"
    declared = "<br>".join(f"`{one.name}` {one.default:g} [{one.low:g}, {one.high:g}]" for one in entry.hyperparameters)
    name = f"**{entry.name}**: {entry.summary}" + (f" (`{entry.note}`)" if entry.note else "")
    cells = (name, equation, link, declared, entry.use, entry.source)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"
