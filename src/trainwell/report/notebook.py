"""A run in a notebook: what was reached, the verdict of each stage, and the figures of the whole run below."""

from pathlib import Path

from trainwell.recipe.evidence import STAGES
from trainwell.report.gallery import Figures
from trainwell.report.headline import headline, lead, scores
from trainwell.report.record import read_record
from trainwell.words import VERDICTS, shortened

SHOWN = ("score", "loss_curves", "time")  # chosen: the figures that belong to the whole run
LONGEST = 400  # letters of a stage's summary, chosen


def summary(folder: Path) -> str:
    """A run as a fragment of HTML without scripts or styles of its own, in the notebook's look."""
    from jinja2 import Environment

    record = read_record(folder)
    found = scores(record)
    rows = [
        (stage, VERDICTS[evidence.verdict], shortened(evidence.summary, LONGEST))
        for stage, evidence in ((stage, record.evidence.get(stage)) for stage in STAGES)
        if evidence is not None
    ]
    return (
        Environment(autoescape=True)
        .from_string(_SUMMARY)
        .render(
            headline=headline(record, found), lead=lead(record, found), rows=rows, figures=list(Figures(folder)),
            report=record.folder / "report.html", problems=record.shortcomings,
        )  # fmt: skip
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


_SUMMARY = """
<div>
<h3>{{ headline }}</h3>
<p>{{ lead }}</p>
{% if rows %}<table>
<thead><tr><th scope="col">stage</th><th scope="col">verdict</th><th scope="col" style="text-align: left">summary</th></tr></thead>
<tbody>{% for stage, verdict, said in rows %}
<tr><th scope="row">{{ stage }}</th><td>{{ verdict }}</td><td style="text-align: left">{{ said }}</td></tr>{% endfor %}
</tbody></table>{% endif %}
{% for sentence in problems %}<p>{{ sentence }}</p>{% endfor %}
<p>Report: <code>{{ report }}</code>. Figures: {% for name in figures %}<code>{{ name }}</code>{{ ", " if not loop.last }}{% endfor %};
each is <code>run.figures["name"]</code>.</p>
</div>
"""
