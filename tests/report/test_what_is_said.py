"""Small things that a page, a figure or a line must not say wrongly: a seed of 0, two names that begin alike, tiny scores."""

import errno
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

import made_up_run
from trainwell import cli
from trainwell.cli.failures import MISTAKE, explain
from trainwell.live.happening import Happening
from trainwell.population.metrics import METRICS
from trainwell.recipe.evidence import Figure, Series
from trainwell.recipe.look.figures import _apart, _names
from trainwell.recipe.next_steps import JUDGED, NextStep, gain_said
from trainwell.recipe.squeeze.where_it_errs import possible
from trainwell.report.comparison import compare
from trainwell.report.figures import plot
from trainwell.report.headline import headline
from trainwell.report.model_card import day
from trainwell.report.notebook import summary
from trainwell.report.page import write_report
from trainwell.report.record import read_record
from trainwell.report.run_figures import Score, score_plot
from trainwell.words import parse_duration

LONG = "a name whose first forty letters are those of another one"
ALIKE = [f"{LONG} {end}" for end in "ab"]


@pytest.fixture
def folder(tmp_path) -> Path:
    return made_up_run.write_run(tmp_path / "run")


def changed(folder: Path, file: str, **fields) -> None:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_seed_of_0_is_among_the_settings_and_an_option_that_is_off_is_not(folder):
    changed(folder, "config.json", keep_going=False)
    page = write_report(folder).read_text()
    assert "<dt>seed</dt><dd>0</dd>" in page
    assert "keep going" not in page


def test_names_that_begin_alike_stay_two_in_every_figure():
    drawn = score_plot([Score(name, 0.5) for name in ALIKE], "auc")
    assert len({one["y"][0] for one in drawn["data"]}) == 2
    for kind in ("lines", "points", "bars"):
        legend = plot(Figure(kind, "", "", "", [Series(name, [1, 2], [1.0, 2.0]) for name in ALIKE]))
        assert len({one["name"] for one in legend["data"]}) == 2
    assert len(set(_names([f"{LONG} {LONG} {end}" for end in "ab"]))) == 2


def test_the_bars_of_a_target_far_from_zero_stand_at_places_of_their_own():
    places = _apart(np.linspace(101_300.0, 101_400.0, 40))
    assert len(set(places)) == 40
    assert _apart(np.array([0.12345, 0.5])) == [0.1235, 0.5]


def test_scores_that_are_small_are_said_with_the_digits_that_count(folder):
    events = (folder / "events.jsonl").read_text().replace('"metric": "auc"', '"metric": "RMSE"')
    (folder / "events.jsonl").write_text(events)
    small = [Score("this model", 1.234e-5, 1.2e-5, 1.3e-5, ours=True), Score("linear", 3.456e-5)]
    assert headline(read_record(folder), small) == "Churn: 1.23e-05 RMSE, 2.22e-05 better than linear"
    step = NextStep(what="more rows", why="why", stage="regularize", kind=JUDGED, gain=2e-5)
    assert gain_said(step, "RMSE") == "RMSE lower by 2e-05"


def test_an_interval_holds_only_what_a_score_can_be():
    assert possible(METRICS["auc"], 0.94, 1.02) == (0.94, 1.0)
    assert possible(METRICS["accuracy"], -0.1, 0.3) == (0.0, 0.3)
    assert possible(METRICS["rmse"], -0.5, 0.1) == (-0.5, 0.0)
    assert possible(METRICS["r2"], -0.5, 1.1) == (-0.5, 1.0)


def test_a_minimal_run_has_the_three_stages_that_it_makes(folder):
    changed(folder, "config.json", effort="minimal")
    squeeze = json.loads((folder / "evidence" / "squeeze.json").read_text())["measures"]
    changed(folder, "evidence/squeeze.json", measures={**squeeze, "networks": 1})
    for stage in ("baselines", "overfit", "regularize"):
        (folder / "evidence" / f"{stage}.json").unlink()
    page = write_report(folder).read_text()
    assert "has not reached this stage" not in page
    assert '<h2 id="stages">Three stages</h2>' in page
    assert "a recipe of three stages" in (folder / "model_card.md").read_text()
    happening = Happening(folder)
    happening.add([{"event": "run_started", "effort": "minimal"}, {"event": "stage_started", "stage": "tune", "number": 5}])
    assert happening.says(True, 0.0) == "Stage 2 of 3, tune."


def test_a_run_that_a_stage_stopped_is_gone_on_with_by_keeping_going(folder):
    happening = Happening(folder)
    happening.add(
        [
            {"event": "run_started"},
            {"event": "stage_finished", "verdict": "stop", "summary": "no use"},
            {"event": "run_finished"},
        ]
    )
    assert happening.says(False, 0.0).endswith(f"trainwell fit --resume {folder} --keep-going continues it.")


def test_columns_that_were_not_counted_have_no_counts(folder):
    schema = json.loads((folder / "schema.json").read_text())
    schema["columns"][0] |= {"role": "ignored", "why": "named in ignore", "missing": 0, "distinct": 0}
    changed(folder, "schema.json", **schema)
    row = write_report(folder).read_text().split(">customerID</th>")[1].partition("</tr>")[0]
    assert row.count('<td class="number">–</td>') == 2


def test_the_cores_that_were_given_are_compared_beside_those_of_the_machine(folder):
    other = made_up_run.write_run(folder.parent / "other")
    changed(folder, "config.json", cores=1)
    changed(other, "config.json", cores=2)
    assert {"setting": "cores", "run": "1", "other": "2"} in compare(folder, other).settings


def test_the_day_is_that_of_the_place_where_it_ran(folder, monkeypatch):
    began = datetime.fromtimestamp(read_record(folder).started["time"])
    assert day(read_record(folder)) == f"{began:%d %B %Y}".lstrip("0")


def test_without_a_script_the_page_says_what_is_not_drawn(folder):
    assert "<noscript><p" in write_report(folder).read_text()


def test_a_notebook_typesets_no_formula_out_of_names(folder):
    assert summary(folder).lstrip().startswith('<div class="tex2jax_ignore mathjax_ignore">')


def test_one_thing_is_one_thing(folder, capsys):
    from trainwell.terminal import Terminal

    Terminal()({**made_up_run.events()[0], "rows": 1, "features": 1, "trials": 1})
    assert "1 row, 1 feature · seed 0 · 1 network ·" in capsys.readouterr().out


def test_half_an_hour_after_an_hour_is_no_half_minute():
    assert parse_duration("1h30") == parse_duration("1h30m") == 5400.0
    assert parse_duration("1h30s") == 3630.0


def test_a_size_that_cannot_be_read_names_its_option(tmp_path, capsys):
    assert cli.run_command(["fit", "a.csv", "--target", "y", "--stream-above", "abc"]) == 2
    assert capsys.readouterr().err.startswith("trainwell: --stream-above is 'abc', allowed is a size")


def test_a_full_disk_is_no_bug():
    sentence, code = explain(OSError(errno.ENOSPC, "No space left on device"))
    assert code == MISTAKE
    assert sentence == "A file cannot be written: No space left on device; a run that was begun goes on with fit --resume RUN."
