"""A run folder as one HTML page that needs nothing else: no network, no files beside it, no trust in what the table holds.

All texts are escaped by Jinja2; figures travel as JSON that is read as data; and the page itself forbids (by a content
security policy) every script but its own two, which it names by their hashes.
"""

import base64
import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainwell.files import write_whole
from trainwell.recipe.evidence import STAGES, Figure
from trainwell.report.figures import Plot, is_empty, plot
from trainwell.report.findings import went_wrong
from trainwell.report.headline import lead, scores
from trainwell.report.record import Record, read_record
from trainwell.report.run_figures import curve_plots, score_plot, stage_seconds, time_plot
from trainwell.report.tables import columns_of, common_settings, flush, is_numeric, member_rows, points, said, varied
from trainwell.words import VERDICTS, duration, metric_name, number, score

TEMPLATES = Path(__file__).parent / "templates"
PURPOSES = {
    "look": "What is in the table, and what in it could mislead",
    "baselines": "What simple models reach, and whether the network is wired rightly",
    "overfit": "Whether a network can learn everything there is",
    "regularize": "What keeps it from learning by heart",
    "tune": "Which settings are best, tried on many networks at once",
    "squeeze": "The best networks together, and one score on rows that nothing has seen",
}
BEST_SHOWN = 12  # members in the table of the best, chosen: what fits a screen


def write_report(run_folder: Path) -> Path:
    """Write ``report.html`` into a run folder, whole or not at all, from what the folder holds alone.

    Parameters
    ----------
    run_folder : a run's folder; the run may be unfinished, then the page says what is missing.

    Returns
    -------
    Path of the page.

    Raises
    ------
    InputError
        Where the folder is no run folder, or where a file in it is damaged.
    """
    record = read_record(Path(run_folder))
    path = record.folder / "report.html"
    write_whole(path, render(record))
    return path


def render(record: Record, template: str = "page.html.jinja", scripts: Sequence[str] = (), **more: Any) -> str:
    """The page as text; another ``template`` may extend it, with ``scripts`` and names of its own."""
    from plotly.offline import get_plotlyjs

    page_script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    # Without this setting, a map figure would ask Plotly's server for outlines; there is none, and there shall be no asking.
    plotly_script = 'window.PlotlyConfig = {topojsonURL: "", plotlyServerURL: ""};\n' + get_plotlyjs()
    found = scores(record)
    spent = stage_seconds(record.events)
    best = record.ranked_members
    return (
        _environment()
        .get_template(template)
        .render(
            **more,
            own_scripts=scripts,
            record=record,
            style=(TEMPLATES / "page.css").read_text(encoding="utf-8"),
            plotly_script=plotly_script,
            page_script=page_script,
            script_hashes=" ".join(_script_hash(script) for script in (plotly_script, *scripts, page_script)),
            lead=lead(record, found),
            score_plot=score_plot(found, record.metric) if found else None,
            stages=[_stage(record, stage) for stage in STAGES],
            curve_plots=curve_plots(record.members, best[0] if best else None) if record.members else {},
            best=member_rows(best[:BEST_SHOWN], varied(record.members), metric_name(record.metric)),
            common=common_settings(record.members),
            wrong=went_wrong(record.events),
            failures=[event for event in record.events if event["event"] == "member_failed"],
            time_plot=time_plot(spent) if spent else None,
            waited=sum(waited for _, waited in spent.values()),
            seconds=record.finished.get("seconds") or sum(total for total, _ in spent.values()),
        )
    )


def _stage(record: Record, name: str) -> dict[str, Any]:
    """One stage as the template shows it; without evidence where it was not reached."""
    evidence = record.evidence.get(name)
    return {
        "name": name,
        "number": STAGES.index(name) + 1,
        "purpose": PURPOSES[name],
        "evidence": evidence,
        "notes": [event for event in record.events if event["event"] == "note" and event.get("stage") == name],
        "figures": [(figure, plot(figure), points(figure)) for figure in evidence.figures.values()] if evidence else [],
    }


def describe(figure: Figure) -> str:
    """What a screen reader says in place of a figure."""
    names = ", ".join(one.name for one in figure.series[:6]) + (" and more" if len(figure.series) > 6 else "")
    return f"{figure.title}: {figure.y_label or 'values'} by {figure.x_label or 'name'}, for {names}. {figure.caption}".strip()


def _figure_json(drawn: Plot) -> Any:
    """Figure data for a script element of type application/json: nothing in it can end that element."""
    from jinja2.utils import htmlsafe_json_dumps

    return htmlsafe_json_dumps(drawn, allow_nan=False, separators=(",", ":"))


def _script_hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@functools.cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        said=said, number=number, score=score, duration=duration, metric=metric_name, figure_json=_figure_json
    )
    environment.globals.update(verdicts=VERDICTS, columns_of=columns_of, is_numeric=is_numeric, flush=flush, describe=describe)
    environment.tests["empty"] = is_empty
    return environment
