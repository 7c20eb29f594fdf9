"""What a whole run makes of the networks' outputs: decisions by cost, intervals, a user's own metric; and that it says so."""

import json

import numpy as np
import pytest

import trainwell
from trainwell.data.split import Split
from trainwell.errors import InputError
from trainwell.recipe.run import fit
from trainwell.recipe.squeeze.outcome import compared

QUICK = {"trials": 1, "cores": 1, "settings": {"batch_size": "full"}}


def prices(rows: int, seed: int) -> dict[str, list]:
    """The larger a price, the less of it do size and age tell."""
    chance = np.random.default_rng(seed)
    size, age = chance.uniform(20, 200, rows), chance.uniform(0, 80, rows)
    price = 3000 * size * np.exp(-age / 100) * np.exp(0.15 * chance.normal(size=rows))
    return {"size": size.tolist(), "age": age.tolist(), "price": price.tolist()}


def test_costs_choose_the_threshold_that_predictions_use_and_the_report_shows_what_it_saves(table, tmp_path):
    run = fit(table, "left", out=tmp_path / "run", cost={"fp": 1, "fn": 20}, metric="f1", **QUICK)
    threshold, new = run.model.calibration.threshold, table
    assert 0 < threshold < 0.5
    np.testing.assert_array_equal(run.predict(new) == "yes", run.predict_proba(new)[:, 1] > threshold)
    evidence = run.evidence["squeeze"]
    rows = {row["decision"]: row for row in evidence.tables["What mistakes cost on the test rows"]}
    assert list(rows) == [f"threshold {threshold:.3g}", "threshold 0.5", "all yes", "all no"]
    for row in rows.values():
        mean = (row["false positives"] + 20 * row["false negatives"]) / len(run_rows(run, "test"))
        assert row["cost of a row"] == pytest.approx(mean, rel=1e-3)
    assert rows["all yes"]["false negatives"] == rows["all no"]["false positives"] == 0
    confusion = evidence.figures["confusion"]
    assert f"yes is predicted above {threshold:.3g}" in confusion.caption
    assert confusion.series[0].y[1] == rows[f"threshold {threshold:.3g}"]["false positives"]
    assert confusion.series[1].y[0] == rows[f"threshold {threshold:.3g}"]["false negatives"]
    assert "(fp 1, fn 20) cost least" in evidence.explanation
    assert json.loads((run.folder / "config.json").read_text())["cost"] == {"fp": 1.0, "fn": 20.0}
    assert {"calibration_error", "calibration_error_before", "temperature", "threshold", "cost"} <= set(evidence.measures)
    assert evidence.measures["log_loss"] == evidence.measures["log_loss_before"] or run.model.calibration.temperature != 1
    assert evidence.figures["reliability"].series[-1].emphasis
    assert "Are the probabilities true?" in run.report.read_text()


def test_a_threshold_of_a_half_is_compared_with_calling_every_row_the_same():
    probability, truth = np.array([0.2, 0.7, 0.9, 0.4]), np.array([False, True, False, True])
    found = compared(probability, truth, 0.5, ("no", "yes"))
    assert [name for name, _ in found] == ["threshold 0.5", "threshold 0.5", "all yes", "all no"]
    assert [(int(one.fp), int(one.fn)) for _, one in found] == [(1, 1), (1, 1), (2, 0), (0, 2)]


def run_rows(run, part: str) -> np.ndarray:
    return getattr(Split.load(run.folder / "split.parquet"), part)


def test_a_quantile_is_trained_for_where_it_is_the_metric_and_intervals_hold_what_they_promise(tmp_path):
    run = fit(prices(600, 0), "price", out=tmp_path / "run", metric="pinball:0.8", **QUICK)
    assert {member.structure.loss for member in run.model.members} == {"quantile"}
    assert {member.settings["quantile.quantile"] for member in run.model.members} == {0.8}
    new = prices(3000, 1)
    truth, predicted = np.array(new["price"]), run.predict(new)
    assert (truth <= predicted).mean() == pytest.approx(0.8, abs=0.08)
    low, high = run.predict_interval(new, 0.9).T
    assert ((low <= truth) & (truth <= high)).mean() == pytest.approx(0.9, abs=0.06)
    narrow = np.diff(run.predict_interval(new, 0.5), axis=1)[:, 0]
    assert (narrow < high - low).all()
    evidence = run.evidence["squeeze"]
    assert 0.8 < evidence.measures["interval_90_held"] <= 1
    assert evidence.measures["metric"] == "pinball loss (0.8)"
    assert [row["level"] for row in evidence.tables["Do the intervals hold the truth?"]][:3] == ["50%", "80%", "90%"]
    assert "Do the intervals hold the truth?" in run.report.read_text()
    assert {"quantile.test_score", "boosted trees.test_score"} <= set(evidence.measures)
    np.testing.assert_array_equal(trainwell.load(run.folder).predict_interval(new, 0.9), np.column_stack([low, high]))


class Stopped(Exception):
    """As if the process had been killed."""


def net_gain(truth, prediction):
    return float(np.mean((3 * np.asarray(truth) - 1) * (np.asarray(prediction) > 0.4)))


def other(truth, prediction):
    return 0.0


def test_a_run_by_a_function_of_one_s_own_is_resumed_with_it_and_not_without(table, tmp_path):
    def stop(event):
        if event["event"] == "stage_finished":
            raise Stopped

    folder = tmp_path / "run"
    with pytest.raises(Stopped):
        fit(table, "left", out=folder, metric=net_gain, listeners=[stop], **QUICK)
    assert json.loads((folder / "config.json").read_text())["metric"] == {"function": "net_gain"}
    for given, said in ({}, ""), ({"metric": other}, ", not 'other'"):
        with pytest.raises(InputError) as refused:
            fit(table, resume=folder, **given)
        assert str(refused.value) == (
            f"{folder} cannot be resumed without its metric: that was the function 'net_gain'{said}; give it again in Python "
            "with metric=."
        )
    with pytest.raises(InputError, match="a resumed run has the options it was started with: leave out 'metric'"):
        fit(table, resume=folder, metric="auc")
    run = fit(table, resume=folder, metric=net_gain)
    measures = run.evidence["squeeze"].measures
    assert measures["metric"] == "net gain"
    test = run_rows(run, "test")
    rows = {name: [values[row] for row in test] for name, values in table.items()}
    truth, prediction = np.array(rows["left"]) == "yes", run.predict_proba(rows)[:, 1]
    assert measures["test_score"] == pytest.approx(net_gain(truth, prediction), abs=1e-6)
    assert measures["low"] <= measures["test_score"] <= measures["high"]
    assert trainwell.load(folder).metric == "net_gain"
    assert fit(resume=folder).model is not None  # a finished run needs no metric


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cost": {"fp": 1}}, "cost names 'fp'; it must name both mistakes, such as fp=1,fn=20."),
        (
            {"cost": {"fp": 1, "fn": "much"}},
            "cost fn is 'much', which should be a valid number, unable to parse string as a number.",
        ),
        ({"cost": 5}, "cost is 5, which should be a valid dictionary."),
        (
            {"metric": "auc", "smaller_is_better": True},
            "smaller_is_better is for a metric of your own, given as a function; the named ones know.",
        ),
        ({"metric": lambda truth: 0}, "The metric '<lambda>' failed with TypeError: "),
    ],
)
def test_a_bad_metric_or_cost_is_refused_before_a_folder_is_made(table, tmp_path, options, said):
    with pytest.raises(InputError) as refused:
        fit(table, "left", out=tmp_path / "run", **options)
    assert str(refused.value).startswith(said)
    assert not (tmp_path / "run").exists()
