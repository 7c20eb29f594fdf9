"""A run in a notebook: what was reached, the verdict of each stage, and the figures of the whole run below."""

from pathlib import Path

from trainwell.report.gallery import Figures, plots
from trainwell.report.headline import headline, lead, scores
from trainwell.report.record import read_record
from trainwell.report.theme import TEMPLATES
from trainwell.words import VERDICTS, shortened

SHOWN = ("score", "loss_curves", "time")  # chosen: the figures that belong to the whole run
LONGEST = 400  # letters of a stage's summary, chosen


def summary(folder: Path) -> str:
    """A run as a fragment of HTML without scripts or styles of its own, in the notebook's look."""
    from jinja2 import Environment

    record = read_record(folder)
    found = scores(record)
    rows = [
        (stage, VERDICTS[evidence.verdict], shortened(evidence.summary, LONGEST)) for stage, evidence in record.evidence.items()
    ]
    fragment = Environment(autoescape=True).from_string((TEMPLATES / "notebook.html.jinja").read_text(encoding="utf-8"))
    return fragment.render(
        headline=headline(record, found),
        lead=lead(record, found),
        rows=rows,
        figures=list(plots(record)),
        report=report if (report := record.folder / "report.html").exists() else None,
        problems=record.shortcomings,
    )


def show(folder: Path) -> None:
    """Display a run in a notebook: the summary, then its figures with Plotly's own display."""
    from IPython.display import HTML, display

    display(HTML(summary(folder)))
    figures = Figures(folder)
    try:
        for name in SHOWN:
            if name in figures:
                display(figures[name])
    except ValueError as error:  # Plotly's, where this notebook lacks a package that it needs to show anything
        print(f"The figures cannot be shown here: {error} They are in {folder / 'report.html'}.")
