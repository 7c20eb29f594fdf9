"""What a run says while it runs."""

import io
import re

import pytest
from rich.console import Console

import made_up_run
from trainwell.terminal import MOST_NOTES, Terminal, note_lines


def listen(events, *, terminal=False, quiet=False, width=100):
    """Everything printed for some events."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=width, highlight=False, _environ={})
    with Terminal(console, quiet=quiet) as listener:
        for event in events:
            listener(event)
    return console.file.getvalue()


def note(message, column=None, stage="look"):
    return {"time": 0.0, "event": "note", "stage": stage, "message": message} | ({"column": column} if column else {})


def look_with(notes):
    start, finish = [event for event in made_up_run.events(["look"], finished=False) if event["event"].startswith("stage_")]
    return [made_up_run.events([], finished=False)[0], start, *notes, finish]


def test_every_finished_stage_is_one_line_with_its_verdict():
    lines = listen(made_up_run.events()).splitlines()
    found = [line for line in lines if re.match(r"[1-6] ", line)]
    finished = [line for line in found if line.endswith(("  ok", "  look"))]
    assert [line.split()[1] for line in finished] == ["look", "baselines", "overfit", "regularize", "tune", "squeeze"]
    assert finished[0] == "1 look        7,043 rows, 19 features, Churn 26.5% Yes  look"


def test_notes_stand_under_the_stage_they_belong_to():
    lines = listen(made_up_run.events()).splitlines()
    place = next(place for place, line in enumerate(lines) if line.startswith("1 look"))
    assert lines[place + 1].strip() == "customerID: looks like an identifier (7,043 values in 7,043 rows): ignored"
    assert lines[place + 5].startswith("2 baselines")


def test_the_end_says_score_model_report_and_the_next_command():
    said = listen(made_up_run.events())
    assert "score         0.856 AUC on rows that nothing had seen, 0.852 to 0.860 (95%)" in said
    assert "model         runs/churn-2026-11-22-1/model\n" in said
    assert "report        runs/churn-2026-11-22-1/report.html\n" in said
    assert "trainwell predict runs/churn-2026-11-22-1 new.csv -o predictions.csv" in said


def test_no_control_codes_where_there_is_no_terminal():
    said = listen(made_up_run.events())
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", said)


def test_plain_progress_lines_come_seldom():
    progress = {"event": "progress", "stage": "tune", "done": 1, "total": 9, "alive": 4, "best": 0.8, "metric": "auc"}
    moments = [{**progress, "time": 1000.0 + second, "seconds_left": None} for second in range(40)]
    said = listen([{"time": 0.0, "event": "stage_started", "stage": "tune", "number": 5}, *moments])
    assert said.splitlines() == ["5 tune        1/9, 4 alive, best AUC 0.800"] * 3


def live(events, monkeypatch):
    """What a terminal shows when the last event was one of progress."""
    moment = next(event for event in events if event["event"] == "progress")
    monkeypatch.setattr("trainwell.terminal.time.time", lambda: moment["time"])
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", listen(events, terminal=True))


def test_a_live_line_shows_stage_members_alive_best_score_and_time_left(monkeypatch):
    assert re.search(r"5 tune +━.*34/243, 81 alive, best AUC 0.849, \d\d s left", live(made_up_run.events(), monkeypatch))


def test_the_time_left_is_that_of_the_run_or_else_that_of_the_stage(monkeypatch):
    begin, *events = made_up_run.events()
    moment = next(event for event in events if event["event"] == "progress")
    assert f", {60 - (moment['time'] - begin['time']):.0f} s left" in live([begin, *events], monkeypatch)
    assert ", 21 s left" in live([begin | {"time_limit": None}, *events], monkeypatch)
    del moment["seconds_left"]
    assert " s left" not in live([begin | {"time_limit": None}, *events], monkeypatch)


def test_a_live_line_is_gone_when_the_run_ends_with_an_error():
    console = Console(file=io.StringIO(), force_terminal=True, width=80, _environ={})
    listener = Terminal(console)
    listener({"time": 0.0, "event": "stage_started", "stage": "overfit", "number": 3})
    with pytest.raises(RuntimeError), listener:
        raise RuntimeError
    said = console.file.getvalue()
    assert said.count("\x1b[?25h") == said.count("\x1b[?25l") == 1  # the cursor is shown again
    assert said.endswith("\x1b[2K")  # and the line erased


def test_notes_of_a_stage_that_never_ended_are_not_lost():
    said = listen(look_with([note("a constant: ignored", "planet")])[:-1])
    assert said.splitlines()[-1].strip() == "planet: a constant: ignored"


def test_columns_of_which_the_same_is_said_share_a_line():
    lines = note_lines([note("one value only: ignored", f"column{number}") for number in range(9)])
    assert lines == ["column0, column1, column2, column3, column4, column5 and 3 more: one value only: ignored"]


def test_the_name_of_a_column_is_not_said_twice():
    messages = [note(f"{name} holds one value: ignored", name) for name in ("planet", "star")]
    assert note_lines(messages[:1]) == ["planet holds one value: ignored"]
    assert note_lines(messages) == ["planet, star holds one value: ignored"]
    assert note_lines([note("11 blanks in age: treated as missing", "age")]) == ["11 blanks in age: treated as missing"]


def test_networks_that_failed_of_the_same_cause_share_a_line():
    failures = [{"event": "member_failed", "member": member, "stage": "tune", "cause": "loss not finite"} for member in (3, 8)]
    assert note_lines([], failures) == ["networks 3, 8 failed: loss not finite"]


def test_a_long_list_of_notes_is_shortened_and_says_where_the_rest_is():
    said = listen(look_with([note(f"{number} blanks", f"column{number}") for number in range(50)])).splitlines()
    assert len(said) == 2 + MOST_NOTES
    assert said[-1].strip() == "and 41 notes more, in runs/churn-2026-11-22-1/events.jsonl and in the report"


def test_quiet_says_nothing():
    assert listen(made_up_run.events(), quiet=True) == ""


def test_an_interrupted_run_says_what_is_kept():
    said = listen([{"time": 0.0, "event": "interrupted", "stage": "tune"}])
    assert said == "Stopped by you in stage tune; what was trained so far is put together.\n"


@pytest.mark.parametrize("terminal", [False, True])
def test_names_from_the_table_cannot_command_the_terminal(terminal):
    said = listen(look_with([note("text: ignored", "\x1b[2J[red]evil\n\rname")]), terminal=terminal)
    assert r"\x1b[2J[red]evil\n\rname: text: ignored" in said


def test_a_run_that_was_stopped_before_it_had_a_model_says_how_to_continue():
    begin, end = made_up_run.events()[0], made_up_run.events()[-1]
    said = listen([begin, end | {"model": None, "test_score": None}])
    assert "no model yet  trainwell fit --resume runs/churn-2026-11-22-1 continues this run" in said
    assert "predict" not in said.splitlines()[-1]


def test_a_run_without_a_final_score_says_none():
    end = made_up_run.events()[-1] | {"test_score": None, "low": None, "high": None}
    assert "score" not in listen([end])


def test_commands_can_be_pasted_where_the_folder_has_blanks():
    events = made_up_run.events(folder="my runs/it's one")
    assert """trainwell predict 'my runs/it'"'"'s one' new.csv -o predictions.csv\n""" in listen(events)
    events[-1] |= {"model": None}
    assert """trainwell fit --resume 'my runs/it'"'"'s one' continues this run\n""" in listen(events)
