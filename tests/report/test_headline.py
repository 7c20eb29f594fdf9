"""The first line says no more than the interval allows."""

import dataclasses

import pytest

import made_up_run
from trainwell.recipe.evidence import write_evidence
from trainwell.report.headline import headline, lead, scores
from trainwell.report.record import read_record


@pytest.mark.parametrize(
    ("ours", "low", "high", "other", "says"),
    [
        (0.856, 0.852, 0.860, 0.842, "Churn: 0.856 AUC, 0.014 better than linear"),
        (0.856, 0.840, 0.870, 0.842, "Churn: 0.856 AUC, level with linear (0.842)"),
        (0.800, 0.790, 0.810, 0.842, "Churn: 0.800 AUC, 0.042 worse than linear"),
    ],
)
def test_a_baseline_within_the_interval_is_level(tmp_path, ours, low, high, other, says):
    folder = made_up_run.write_run(tmp_path / "run")
    measures = {"test_score": ours, "low": low, "high": high, "linear.test_score": other}
    write_evidence(dataclasses.replace(made_up_run.evidence()["squeeze"], measures=measures), folder / "evidence")
    record = read_record(folder)
    found = scores(record)
    assert headline(record, found) == says
    assert ("cannot be told apart" in lead(record, found)) == ("level" in says)


def test_of_a_loss_less_is_better(tmp_path):
    folder = made_up_run.write_run(tmp_path / "run")
    measures = {"test_score": 2.0, "low": 1.9, "high": 2.1, "linear.test_score": 3.5}
    write_evidence(dataclasses.replace(made_up_run.evidence()["squeeze"], measures=measures), folder / "evidence")
    events = (folder / "events.jsonl").read_text().replace('"metric": "auc"', '"metric": "RMSE"')
    (folder / "events.jsonl").write_text(events)
    record = read_record(folder)
    assert headline(record, scores(record)) == "Churn: 2.000 RMSE, 1.500 better than linear"


def test_a_run_without_a_score_says_so(tmp_path):
    record = read_record(made_up_run.write_run(tmp_path / "run", stages=("look",), finished=False))
    assert headline(record, scores(record)) == "Churn: a run without a score yet"
