"""What a whole run measures beside its score, on a table whose answer is known."""

import json

import numpy as np
import pytest

from trainwell.data.split import Split
from trainwell.model import load
from trainwell.recipe.evidence import read_evidence
from trainwell.recipe.next_steps import next_steps
from trainwell.recipe.squeeze.explained import heaviest


@pytest.fixture(scope="module")
def evidence(run):
    return run.evidence


def points(figure, name):
    (series,) = [one for one in figure.series if one.name == name]
    return dict(zip(series.y, series.x, strict=True)) if figure.kind == "points" else dict(zip(series.x, series.y, strict=True))


def test_the_feature_that_says_nothing_is_worth_nothing(evidence):
    importance = points(evidence["squeeze"].figures["importance"], "the ensemble")
    assert set(importance) == {"age", "income", "noise", "plan"}
    assert importance["noise"] < 0.02
    assert min(importance[name] for name in ("age", "income", "plan")) > 0.03


def test_the_effects_of_the_features_go_the_way_that_the_table_was_made(evidence):
    figures = evidence["squeeze"].figures
    effects = {one.x_label: points(one, "the ensemble") for name, one in figures.items() if name.startswith("effect_")}
    age, income = ([y for _, y in sorted(effects[name].items())] for name in ("age", "income"))
    assert age[0] < age[-1]
    assert income[0] > income[-1]


def test_acting_on_the_likeliest_rows_finds_more_than_chance(evidence):
    squeeze = evidence["squeeze"]
    assert squeeze.measures["lift_at_10_percent"] > 1.5
    assert [row["likeliest rows"] for row in squeeze.tables["Acting on the likeliest rows"]][-1] == "50%"
    assert {"gain", "lift", "cost"} <= set(squeeze.figures)


def test_the_worst_mistakes_are_rows_of_the_test_with_their_cells(run, evidence, table):
    rows = evidence["squeeze"].tables["The worst mistakes: test rows to look at"]
    tested = Split.load(run.folder / "split.parquet").test
    for row in rows:
        place = int(row["row"]) - 2 if int(row["row"]) - 2 in tested else int(row["row"]) - 1
        assert place in tested
        assert (row["age"], row["plan"], row["true"]) == (table["age"][place], table["plan"][place], table["left"][place])
        assert row["probability of the true one"] < 0.5


def test_wiring_is_checked_with_and_without_inputs_and_hidden_units(evidence):
    figure = evidence["baselines"].figures["wiring"]
    assert [one.name for one in figure.series] == ["real inputs", "no hidden units", "every input zero", "the base rate"]
    checks = {row["check"]: row["passed"] for row in evidence["baselines"].tables["Is the network wired right?"]}
    assert checks["more capacity learns more"] == "yes"


def test_rates_and_sizes_are_drawn_with_what_they_can_learn(evidence):
    overfit = evidence["overfit"]
    weights = overfit.figures["sizes"].series[0].x
    assert list(weights) == sorted(weights)
    low, high = overfit.measures["lowest_good_rate"], overfit.measures["highest_good_rate"]
    assert 1e-5 < low < high <= 1
    assert overfit.figures["rates"].log_x


def test_every_regularizer_is_a_curve_from_none_on(evidence):
    for name in ("strength_gap", "strength_score"):
        for line in evidence["regularize"].figures[name].series:
            assert line.x[0] == 0
            assert list(line.x) == sorted(line.x)
    kinds = [line.name for line in evidence["regularize"].figures["strength_gap"].series]
    assert kinds == ["dropout", "weight decay", "input noise"]


def test_the_search_is_drawn_line_by_line(run, evidence):
    figures = evidence["tune"].figures
    if evidence["tune"].measures["trials"] < 4:
        assert "halving" not in figures
    history = json.loads((run.folder / "members" / "history.json").read_text())
    assert sum(member["stage"] == "tune" for member in history["members"]) == evidence["tune"].measures["trials"]


def test_what_to_do_next_is_kept_with_the_run_and_told_before_its_end(run, events):
    kept = json.loads((run.folder / "next_steps.json").read_text())
    assert kept["metric"] == "AUC"
    assert kept["steps"] == [step.to_json() for step in next_steps(read_evidence(run.folder / "evidence"))]
    told = [event for event in events if event["event"] == "next_steps"]
    assert [step["what"] for step in told[0]["steps"]] == [step["what"] for step in kept["steps"][:3]]
    assert [event["event"] for event in events][-2:] == ["next_steps", "run_finished"]


def test_the_heaviest_networks_keep_their_order_and_their_shares_sum_to_one(run):
    model = load(run.folder)
    one = heaviest(model, 1)
    assert len(one.members) == 1
    assert one.members[0].share == 1
    assert max(member.share for member in model.members) == pytest.approx(
        next(member.share for member in model.members if member.number == one.members[0].number)
    )
    rows = np.zeros((3, len(model.encoder.numeric_names)), np.float32), np.zeros((3, 0), np.int32)
    shares = np.array([member.share for member in model.members])
    np.testing.assert_allclose(np.tensordot(shares, model.each(*rows), 1), model.average(*rows), rtol=1e-6)
