"""What a run says to do next."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainwell.recipe.evidence import Evidence
from trainwell.recipe.next_steps import DOUBT, JUDGED, gain_said, next_steps


def stage(name: str, *actions: str, verdict="pass", **measures) -> dict[str, Evidence]:
    return {name: Evidence(name, verdict, f"{name} was done", actions=actions, measures=measures)}


MORE_ROWS = {"doubled_rows_gain": 0.01, "doubled_rows_low": 0.004, "doubled_rows_high": 0.02}


def test_steps_come_by_what_they_gain():
    evidence = (
        stage("regularize", **MORE_ROWS)
        | stage("tune", doubled_search_gain=0.002, trials=72)
        | stage("squeeze", test_score=0.8, more_members_gain=0.02)
    )
    found = next_steps(evidence)
    assert [step.gain for step in found] == [0.02, 0.01, 0.002]
    assert [step.stage for step in found] == ["squeeze", "regularize", "tune"]
    assert "72 networks" in found[2].why


def test_what_casts_doubt_on_the_score_comes_before_any_gain():
    evidence = (
        stage("look", "Leave 'alive' out (--ignore 'alive').", verdict="warn")
        | stage("regularize", **MORE_ROWS)
        | stage("squeeze", test_score=0.99)
    )
    first, second = next_steps(evidence)
    assert (first.what, first.kind, first.gain) == ("Leave 'alive' out (--ignore 'alive').", DOUBT, None)
    assert first.why == "Stage look says: look was done."
    assert second.what == "Gather twice as many rows like these."


def test_of_a_stage_that_counts_its_warnings_the_other_advice_is_no_doubt():
    evidence = stage("look", "Leave 'alive' out.", "Look at 3 labels.", verdict="warn", stops=0, warnings=1)
    assert [(step.what, step.kind) for step in next_steps(evidence)] == [
        ("Leave 'alive' out.", DOUBT),
        ("Look at 3 labels.", JUDGED),
    ]


def test_a_gain_that_nobody_would_notice_is_no_step():
    tiny = {"doubled_rows_gain": 5e-4, "doubled_rows_low": 0.0, "doubled_rows_high": 3e-4}
    evidence = stage("regularize", **tiny) | stage("tune", doubled_search_gain=1e-5, trials=9)
    assert next_steps(evidence | stage("squeeze", test_score=0.8, more_members_gain=0.0)) == []


def test_a_gain_is_small_or_large_beside_the_score_whatever_its_unit():
    in_dollars = {"doubled_rows_gain": 900.0, "doubled_rows_low": 500.0, "doubled_rows_high": 1500.0}
    for score, steps in ((20_000.0, 1), (20_000_000.0, 0)):
        evidence = stage("regularize", **in_dollars) | stage("squeeze", test_score=score, metric="RMSE")
        assert len(next_steps(evidence)) == steps


def test_sure_mistakes_beyond_what_the_probabilities_allow_ask_for_a_look_at_the_labels():
    def found(wrong):
        return next_steps(stage("squeeze", test_score=0.9, sure_mistakes=wrong, sure_mistakes_expected=4.0))

    assert [step.what for step in found(30)] == ["Check the labels of the worst mistakes."]
    assert "30 test rows are wrong" in found(30)[0].why
    assert found(8) == []


def test_a_regularizer_that_the_search_does_not_draw_is_named_with_how_to_hold_it():
    said = "Mixup 0.4 did better than all that the search draws, by 0.010: try --set mixup=yes --set mixup.strength=0.4."
    evidence = stage("regularize", said, other_regularizer="mixup 0.4", other_regularizer_gain=0.01)
    (step,) = next_steps(evidence | stage("squeeze", test_score=0.8))
    assert step.what == "Try mixup 0.4 for all networks (--set mixup=yes --set mixup.strength=0.4)."


def test_advice_without_a_measured_gain_comes_last_and_more_time_only_where_it_was_not_measured():
    more, look = "More time buys more networks: --effort best is the next step.", "Look at the worst mistakes."
    evidence = stage("squeeze", more, look, test_score=0.8, more_members_gain=0.1)
    assert [step.what for step in next_steps(evidence)][1:] == [more, look]
    with_search = evidence | stage("tune", doubled_search_gain=0.0, trials=5)
    assert [step.what for step in next_steps(with_search)][1:] == [look]
    assert next_steps(with_search)[-1].kind == JUDGED


def test_a_gain_is_said_with_its_interval_and_its_metric():
    (rows,) = next_steps(stage("regularize", **MORE_ROWS) | stage("squeeze", test_score=0.8))
    assert gain_said(rows, "AUC") == "+0.010 AUC (0.004 to 0.020)"
    assert gain_said(rows, "RMSE") == "RMSE lower by 0.010 (0.004 to 0.020)"
    assert gain_said(next_steps(stage("look", "Look."))[0], "AUC") == ""


def test_an_unfinished_run_asks_for_nothing():
    assert next_steps({}) == []


@pytest.mark.parametrize("name", ["regularize", "tune", "squeeze"])
def test_measures_that_an_older_run_lacks_ask_for_nothing(name):
    assert next_steps(stage(name, doubled_rows_gain=None, test_score=None)) == []


numbers = st.none() | st.floats(-1e6, 1e6) | st.sampled_from(["", "x"]) | st.booleans()


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from([*MORE_ROWS, "doubled_search_gain", "trials", "test_score", "more_members_gain",
    "sure_mistakes", "sure_mistakes_expected", "calibration_error", "other_regularizer_gain"]), numbers))  # fmt: skip
def test_whatever_the_measures_are_the_steps_are_ordered_and_can_be_written_down(measures):
    evidence = {name: Evidence(name, "pass", "done", measures=measures) for name in ("regularize", "tune", "squeeze")}
    found = next_steps(evidence)
    kinds = [(step.kind, -(step.gain or 0.0)) for step in found]
    assert kinds == sorted(kinds)
    assert json.loads(json.dumps([step.to_json() for step in found]))[:1] == [step.to_json() for step in found][:1]
