"""A run folder as one HTML page that needs nothing else: no network, no files beside it, no trust in what the table holds.

All texts are escaped by Jinja2; figures travel as JSON that is read as data; and the page itself forbids (by a content
security policy) every script but its own two, which it names by their hashes.
"""

import base64
import functools
import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainwell.errors import InputError
from trainwell.files import write_whole
from trainwell.recipe.evidence import STAGES
from trainwell.recipe.next_steps import gain_said, next_steps
from trainwell.report.diary import decisions
from trainwell.report.figures import is_empty, plot
from trainwell.report.findings import went_wrong
from trainwell.report.headline import headline, lead, scores
from trainwell.report.markdown import card_text
from trainwell.report.model_card import day, model_card
from trainwell.report.plotting import Plot
from trainwell.report.prose import paragraphs
from trainwell.report.record import LEFT_OUT, Record, read_record
from trainwell.report.run_figures import curve_plots, score_plot, stage_seconds, time_plot
from trainwell.report.summaries import describe, describe_curves, describe_time
from trainwell.report.tables import columns_of, common_settings, flush, is_numeric, is_wide, member_rows, points, said, varied
from trainwell.report.theme import TEMPLATES
from trainwell.words import VERDICTS, duration, metric_name, number, printable, score, shortened, things

PURPOSES = {
    "look": "What is in the table, and what in it could mislead",
    "baselines": "What simple models reach, and whether the network is wired rightly",
    "overfit": "Whether a network can learn everything there is",
    "regularize": "What keeps it from learning by heart",
    "tune": "Which settings are best, tried on many networks at once",
    "squeeze": "The best networks together, and one score on rows that nothing has seen",
}
VERDICTS_SAID = {"pass": "passed", "warn": "deserves a look", "stop": "stop"}
BEST_SHOWN = 12  # members in the table of the best, chosen: what fits a screen
LONG_TEXT, LONG_CELL = 1500, 160  # letters, chosen: a longer text is folded, its beginning stays to be seen


def write_report(run_folder: Path, out: Path | None = None) -> Path:
    """Write ``report.html`` and ``model_card.md``, each whole or not at all, from what the run folder holds alone.

    Parameters
    ----------
    run_folder : a run's folder; the run may be unfinished or files damaged, then the page says what is missing.
    out : another place for the page alone, for a folder that cannot be written.

    Returns
    -------
    Path of the page.

    Raises
    ------
    InputError
        Where the folder is no run folder, or where the page cannot be written.
    """
    return write_record(read_record(Path(run_folder)), out)


def write_record(record: Record, out: Path | None = None) -> Path:
    """Write the page of a run that was read; parameters, result and errors are those of `write_report`."""
    path = record.folder / "report.html" if out is None else Path(out)
    try:
        write_whole(path, render(record))
        if out is None:
            write_whole(record.folder / "model_card.md", _encodable(card_text(record)))
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be written: {error.strerror}; name another place with -o PAGE.html.") from None
    return path


def render(record: Record, template: str = "page.html.jinja", scripts: Sequence[str] = (), **more: Any) -> str:
    """The page as text; another ``template`` may extend it, with ``scripts`` and names of its own."""
    return document(
        template,
        scripts,
        **more,
        record=record,
        folder=printable(shlex.quote(str(record.folder))),
        day=day(record),
        stages=[_stage(record, stage) for stage in STAGES if stage in record.planned or stage in record.evidence],
        next_steps=[(step, gain_said(step, record.metric)) for step in next_steps(record.evidence)],
        card=model_card(record),
        wrong=went_wrong(record.events),
        failures=[event for event in record.events if event["event"] == "member_failed"],
        decisions=decisions(record.events),
        **_headline(record),
        **_networks(record),
        **_time(record),
    )


def document(template: str, scripts: Sequence[str] = (), **names: Any) -> str:
    """A template filled in, with the style, Plotly, the page's own script and the hashes of these and of more ``scripts``."""
    from plotly.offline import get_plotlyjs

    page_script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    # Without this setting, a map figure would ask Plotly's server for outlines; there is none, and there shall be no asking.
    plotly_script = 'window.PlotlyConfig = {topojsonURL: "", plotlyServerURL: ""};\n' + get_plotlyjs()
    return _encodable(
        _environment()
        .get_template(template)
        .render(
            **names,
            own_scripts=scripts,
            style=(TEMPLATES / "page.css").read_text(encoding="utf-8"),
            plotly_script=plotly_script,
            page_script=page_script,
            script_hashes=" ".join(_script_hash(script) for script in (plotly_script, *scripts, page_script)),
        )
    )


def _headline(record: Record) -> dict[str, Any]:
    found = scores(record)
    plotted = score_plot(found, record.metric) if found else None
    return {"headline": headline(record, found), "lead": lead(record, found), "score_plot": plotted}


def _networks(record: Record) -> dict[str, Any]:
    members, best = record.members, record.ranked_members
    first = best[0] if best else None
    curves = curve_plots(members, first) if members else {}
    return {
        "curve_plots": {kind: (drawn, describe_curves(members, first, kind)) for kind, drawn in curves.items()},
        "best": member_rows(best[:BEST_SHOWN], varied(members), metric_name(record.metric)),
        "common": common_settings(members),
    }


def _time(record: Record) -> dict[str, Any]:
    spent = stage_seconds(record.events)
    return {
        "time_plot": time_plot(spent) if spent else None,
        "time_words": describe_time(spent),
        "time_rows": [
            {"stage": stage, "seconds": round(total, 1), "of these waiting for programs": round(waited, 1)}
            for stage, (total, waited) in spent.items()
        ],
        "waited": sum(waited for _, waited in spent.values()),
        "seconds": record.seconds or sum(total for total, _ in spent.values()),
    }


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


def _figure_json(drawn: Plot) -> Any:
    """Figure data for a script element of type application/json: nothing in it can end that element."""
    from jinja2.utils import htmlsafe_json_dumps

    return htmlsafe_json_dumps(drawn, allow_nan=False, separators=(",", ":"))


def _fold(text: object, most: int = LONG_CELL) -> Any:
    """A text; of a long one the beginning, with the whole of it below for those who open it."""
    from markupsafe import Markup, escape

    whole = str(text)
    if len(whole) <= most:
        return escape(whole)
    return Markup("<details class='fold'><summary>{}</summary><div>{}</div></details>").format(
        shortened(whole, most // 2), whole
    )


def _encodable(text: str) -> str:
    """The text without halves of letters, which a table from Python may hold and a file cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _script_hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@functools.cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        said=said, number=number, score=score, duration=duration, metric=metric_name, figure_json=_figure_json,
        fold=_fold, short=shortened, things=things, paragraphs=paragraphs,
    )  # fmt: skip
    environment.globals.update(
        verdicts=VERDICTS, verdicts_said=VERDICTS_SAID, describe=describe, columns_of=columns_of, is_numeric=is_numeric,
        is_wide=is_wide, flush=flush, long_text=LONG_TEXT, left_out=LEFT_OUT,
    )  # fmt: skip
    environment.tests["empty"] = is_empty
    return environment
