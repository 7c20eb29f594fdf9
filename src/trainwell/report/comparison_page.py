"""A comparison of runs as one HTML page with the report's look, and as tables in the terminal."""

from pathlib import Path
from typing import TYPE_CHECKING

from trainwell.errors import InputError
from trainwell.files import write_whole
from trainwell.report.comparison import Comparison
from trainwell.report.figures import plot
from trainwell.report.page import document
from trainwell.report.run_figures import score_plot
from trainwell.report.tables import points
from trainwell.words import printable, shortened

if TYPE_CHECKING:
    from rich.console import Console

LONGEST_CELL = 60  # letters, chosen: of a summary in the terminal; the page has all of it
PLAIN_WIDTH = 240  # letters of a line in a file or a pipe, chosen: no row is broken there


def write_comparison(comparison: Comparison, path: Path) -> Path:
    """Write the page, whole or not at all."""
    try:
        write_whole(path, render(comparison))
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be written: {error.strerror}; name another place with -o PAGE.html.") from None
    return path


def render(comparison: Comparison) -> str:
    """The page as text."""
    best = comparison.comparable
    ranked = [comparison.scores[name]._replace(ours=name == best[0]) for name in best]
    return document(
        "compare.html.jinja",
        comparison=comparison,
        score_plot=score_plot(ranked, comparison.runs[best[0]].metric) if len(ranked) > 1 else None,
        figures=[(figure, plot(figure), points(figure)) for figure in comparison.figures.values()],
    )


def print_comparison(comparison: Comparison, console: "Console | None" = None) -> None:
    """Say in a terminal what the page says, but for the figures."""
    from rich.console import Console

    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    for sentence in comparison.sentences:
        console.print(printable(sentence), markup=False)
    for title, rows in (
        ("Scores", comparison.table),
        ("Settings that differ", comparison.settings),
        ("Stages", comparison.verdicts),
    ):
        if rows:
            _print_table(console, title, rows)


def _print_table(console: "Console", title: str, rows: list[dict]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in rows[0]:
        table.add_column(Text(printable(name)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(shortened(str(cell), LONGEST_CELL))) for cell in row.values()))
    console.print()
    console.print(table)
