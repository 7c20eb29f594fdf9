"""A run that was gone on with, or of which a part was made anew: the page tells what holds now, and tells it once."""

import json
import shutil
from pathlib import Path

import pytest

import made_up_run
from trainwell.report.comparison import compare
from trainwell.report.diary import decisions
from trainwell.report.findings import went_wrong
from trainwell.report.headline import headline, scores
from trainwell.report.page import write_report
from trainwell.report.record import read_record
from trainwell.report.run_figures import stage_seconds
from trainwell.tracking.told import told

LATER = 5000.0
FINDING = {"event": "finding", "stage": "tune", "member": 7, "cause": "dead-units", "severity": "problem", "says": "dead"}


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = made_up_run.write_run(tmp_path / "run")
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps({**FINDING, "time": made_up_run.START + 60}) + "\n")
    return folder


def go_on(folder: Path, stages: list[str] | None, events: list[dict]) -> None:
    """Add what another process tells of the run."""
    started = made_up_run.events()[0] | ({} if stages is None else {"stages": stages})
    with (folder / "events.jsonl").open("a") as file:
        for entry in [started, *events]:
            file.write(json.dumps({**entry, "time": made_up_run.START + LATER}) + "\n")


def replayed() -> list[dict]:
    """What a process that goes on tells of the stages that were done before."""
    again = [event for event in made_up_run.events() if event["event"] in ("stage_started", "note", "stage_finished")]
    return [{"event": "waited_for_programs", "stage": "tune", "seconds": 0.0}, *again]


def test_a_run_that_goes_on_has_no_score_until_it_has_one_again(folder):
    (folder / "evidence" / "squeeze.json").unlink()
    go_on(folder, ["tune", "squeeze"], [])
    record = read_record(folder)
    assert record.finished == {}
    assert headline(record, scores(record)) == "Churn: a run without a score yet"
    assert compare(folder, made_up_run.write_run(folder.parent / "other")).table[0]["score"] == "none yet"
    assert not told(folder).complete


def test_what_is_told_again_in_the_same_words_is_on_the_page_once(folder):
    before = read_record(folder)
    go_on(folder, [], replayed())
    after = read_record(folder)
    assert decisions(after.events) == [
        one for one in decisions(before.events) if (one.stage, one.kind) not in {("squeeze", "noticed"), ("squeeze", "verdict")}
    ] + [one for one in decisions(after.events) if one.stage == "squeeze"]
    page = write_report(folder).read_text()
    assert page.count("numbers written as text; 11 blanks read as missing") == 2  # once noticed, once decided


def test_networks_of_a_search_that_was_made_anew_are_told_of_no_more(folder):
    assert [one.cause for one in went_wrong(read_record(folder).events)] == ["dead-units"]
    ends = [one for one in replayed() if one["event"] == "stage_finished"]
    go_on(folder, ["tune", "squeeze"], ends[-2:])
    events = read_record(folder).events
    assert went_wrong(events) == []
    assert not [event for event in events if event["event"] == "member_failed"]
    assert not told(folder).curves.get("search/best")
    assert [one.stage for one in decisions(events) if one.kind == "verdict"] == list(made_up_run.SECONDS)
    assert {one.stage for one in decisions(events) if one.kind == "noticed"} == {"look", "baselines"}


def test_of_a_stage_that_ended_twice_the_last_end_holds(folder):
    end = next(event for event in made_up_run.events() if event["event"] == "stage_finished" and event["stage"] == "tune")
    go_on(folder, [], [{**end, "summary": "300 networks", "seconds": 31.0}])
    verdicts = [one for one in decisions(read_record(folder).events) if one.kind == "verdict" and one.stage == "tune"]
    assert [one.says for one in verdicts] == ["ok: 300 networks"]


def test_the_time_of_a_run_in_several_processes_is_that_of_its_stages(folder):
    alone = shutil.copytree(folder, folder.parent / "alone")
    go_on(folder, [], [*replayed(), {"event": "run_finished", "seconds": 1.5, "metric": "auc"}])
    record = read_record(folder)
    assert read_record(alone).seconds == 58.9
    assert record.seconds == pytest.approx(sum(made_up_run.SECONDS.values()))
    assert stage_seconds(record.events)["tune"] == (27.4, 1.3)
    assert "The run took 59 s" in write_report(folder).read_text()
    assert [row["time"] for row in compare(folder, alone).table] == ["59 s", "59 s"]
