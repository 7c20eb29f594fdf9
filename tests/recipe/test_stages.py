"""Parts of the stages by themselves: what mattered, evidence on disk, options."""

import json

import numpy as np
import pytest

from trainwell.errors import InputError
from trainwell.network.structure import Structure
from trainwell.population.budget import Budget
from trainwell.recipe.events import EventLog, read_events
from trainwell.recipe.evidence import Evidence, Figure, Series, read_evidence, write_evidence
from trainwell.recipe.options import EFFORTS, Options
from trainwell.recipe.overfit.stage import _trained
from trainwell.recipe.prepare import prepare
from trainwell.recipe.regularize.stage import ways_to_regularize


def structure(**changes) -> Structure:
    return Structure(numeric=3, continuous=3, cardinalities=(), outputs=1, loss="binary_cross_entropy", **changes)


def test_label_smoothing_is_not_tried_where_order_is_what_counts():
    def names(metric):
        return {name for way in ways_to_regularize(structure(), metric) for name in way}

    assert "binary_cross_entropy.label_smoothing" in names("log_loss")
    assert names("auc") == names("average_precision") == {"dropout.rate", "weight_decay.rate"}


def test_what_is_held_fixed_is_no_way_to_regularize():
    ways = ways_to_regularize(structure(), "log_loss", {"dropout.rate": 0.1, "widths": "8"})
    assert {} in ways
    assert {name for way in ways for name in way} == {"weight_decay.rate", "binary_cross_entropy.label_smoothing"}


def test_a_size_is_trained_once_where_its_rate_is_held_fixed(table, tmp_path):
    held = {"adam.learning_rate": 0.01, "numeric_embedding": "none", "batch_size": "full"}
    options = Options.checked(target="left", out=tmp_path / "run", trials=1, settings=held)
    context = prepare(table, options, Budget(1e-9), None, ())[0]
    small = [context.structure(widths=(units,)) for units in (2, 3)]
    members = [one.member for one in _trained(context, small, {}, 5, 1)]
    assert [(one.number, one.settings["adam.learning_rate"]) for one in members] == [(5, 0.01), (6, 0.01)]
    assert len({one.structure for one in members}) == 2


def test_evidence_comes_back_as_it_was_written(tmp_path):
    figure = Figure("lines", "Loss", "epoch", "loss", (Series("one", (1, 2), (0.5, None)),), log_y=True)
    written = Evidence(
        "tune", "warn", "said", "more", ("do this",), {"a": 1.5, "b": None}, {"t": ({"x": 1},)}, {"f": figure}, 2.0
    )
    write_evidence(written, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tune.json"]
    found = read_evidence(tmp_path)["tune"]
    assert json.dumps(found, default=vars) == json.dumps(written, default=vars)


def test_damaged_evidence_is_said_with_its_place(tmp_path):
    (tmp_path / "look.json").write_text('{"stage": "look", "verdict": "maybe", "summary": "x"}')
    with pytest.raises(InputError, match=r"look.json is damaged at verdict: Input should be 'pass', 'warn' or 'stop'"):
        read_evidence(tmp_path)


def test_a_last_event_that_was_cut_off_is_left_out(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    log.note("look", "first")
    log.add("progress", best=np.float32(np.nan), done=np.int64(3))
    with log.path.open("a") as file:
        file.write('{"time": 1, "event": "no')
    events = read_events(log.path)
    assert [event["event"] for event in events] == ["note", "progress"]
    assert events[1]["best"] is None
    assert events[1]["done"] == 3
    EventLog(log.path).note("look", "of the run that goes on")
    assert [event["event"] for event in read_events(log.path)] == ["note", "progress", "note"]


def test_a_run_takes_a_minute_or_72_networks_unless_something_else_ends_it():
    usual = Options.checked(target="y")
    assert (usual.effort, usual.time_limit, usual.trials) == ("default", 60.0, 72)
    assert Options.checked(target="y", trials=5).time_limit is None
    assert Options.checked(target="y", trials=5, time_limit=10).time_limit == 10


@pytest.mark.parametrize("effort", list(EFFORTS))
def test_an_effort_is_a_time_and_a_number_of_networks_and_either_overrules_it(effort):
    chosen = Options.checked(target="y", effort=effort)
    assert (chosen.time_limit, chosen.trials) == EFFORTS[effort][:2]
    by_time = Options.checked(target="y", effort=effort, time_limit=7)
    assert (by_time.effort, by_time.time_limit, by_time.trials) == (effort, 7, None)
    trials = 1 if effort == "minimal" else 7
    by_trials = Options.checked(target="y", effort=effort, trials=trials)
    assert (by_trials.effort, by_trials.time_limit, by_trials.trials) == (effort, None, trials)


def test_the_least_effort_searches_nothing_and_says_so_to_whoever_asks_for_it():
    given = {"trials": 3, "space": {"widths": {"values": ["8"]}}, "search": "random"}
    for leave_out in (list(given), ["trials"], ["space"], ["search"]):
        with pytest.raises(InputError) as caught:
            Options.checked(target="y", effort="minimal", **{name: given[name] for name in leave_out})
        assert str(caught.value).startswith("effort 'minimal' trains one network and searches nothing: leave out ")
        assert all(name in str(caught.value) for name in leave_out)


def test_more_effort_is_more_of_everything():
    minimal, fast, usual, best = EFFORTS.values()
    assert (minimal.seconds, minimal.trials, minimal.finalists) == (None, 1, 1)
    assert all(a < b < c for a, b, c in zip(fast, usual, best, strict=True))


def test_options_that_were_written_down_are_the_same_when_they_are_read():
    for options in ({}, {"effort": "best"}, {"trials": 3}, {"time_limit": 5.0}, {"effort": "fast", "trials": 2}):
        chosen = Options.checked(target="y", **options)
        kept = {name: value for name, value in chosen.model_dump(mode="json").items() if value is not None}
        assert Options.checked(**kept) == chosen


def test_an_unknown_effort_gets_one_sentence():
    with pytest.raises(InputError, match=r"^effort is 'quick', which should be 'minimal', 'fast', 'default' or 'best'\.$"):
        Options.checked(target="y", effort="quick")
