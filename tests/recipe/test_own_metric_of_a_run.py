"""A whole run by a metric of one's own that cannot always measure: it has no score for constant predictions, and fails on rows
that lack a class."""

import json

import numpy as np
import pytest

from trainwell.calibration.calibrate import Calibration
from trainwell.model import load
from trainwell.population.budget import Budget
from trainwell.population.own_metric import own_metric
from trainwell.recipe.events import read_events
from trainwell.recipe.evidence import Evidence, finite
from trainwell.recipe.final_scores import resampled, scorer
from trainwell.recipe.options import Options
from trainwell.recipe.prepare import prepare
from trainwell.recipe.run import fit
from trainwell.recipe.squeeze.finalists import measurable
from trainwell.search.cross_fit import Fold

QUICK = {
    "trials": 3,
    "cores": 1,
    "effort": "fast",
    "settings": {"batch_size": "full", "widths": "16", "numeric_embedding": "none"},
}


class Stopped(Exception):
    """As if the process had been killed."""


def particular(truth, prediction):
    """Mean over the classes of what the right class was given, of rows that hold all three."""
    if len(np.unique(truth)) < 3:
        raise ValueError("a class is missing")
    if np.ptp(prediction, axis=0).max() == 0:
        return float("nan")
    return float(np.mean([prediction[truth == one, one].mean() for one in range(3)]))


def rare_class(rows: int = 200) -> dict[str, list]:
    """Every fifteenth row is of the third class."""
    random = np.random.default_rng(0)
    kind = np.where(np.arange(rows) % 15 == 0, 2, random.integers(0, 2, rows))
    x, y = kind + random.normal(0, 0.6, rows), random.normal(size=rows)
    return {"x": x.tolist(), "y": y.tolist(), "kind": np.array(["a", "b", "c"])[kind].tolist()}


@pytest.fixture(scope="module")
def by_it(tmp_path_factory):
    """The last stage is killed as it tells of the draws, and made again."""
    folder = tmp_path_factory.mktemp("own") / "run"

    def stop(event):
        if event["event"] == "note" and "draws" in event["message"]:
            raise Stopped

    with pytest.raises(Stopped):
        fit(rare_class(), "kind", out=folder, metric=particular, listeners=[stop], **QUICK)
    assert load(folder).test_score is None, "what was trained is kept in any case"
    return fit(rare_class(), resume=folder, metric=particular)


def test_a_simple_model_without_a_score_is_left_out_and_the_run_goes_on(by_it):
    measures = by_it.evidence["baselines"].measures
    assert "majority.score" not in measures
    assert measures["linear.score"] > 0.4
    rows = {
        row["model"]: row["particular"] for row in by_it.evidence["baselines"].tables["Simple models on the validation rows"]
    }
    assert rows["majority"] is None
    assert "majority no score" in by_it.evidence["baselines"].summary
    squeeze = by_it.evidence["squeeze"]
    assert "majority.test_score" not in squeeze.measures
    assert "linear.test_score" in squeeze.measures
    assert np.isfinite(squeeze.measures["test_score"])
    assert "majority" not in squeeze.summary


def test_draws_that_lack_a_class_are_left_out_of_the_interval_and_counted(by_it):
    measures = by_it.evidence["squeeze"].measures
    assert measures["low"] <= measures["test_score"] <= measures["high"]
    notes = [event["message"] for event in read_events(by_it.folder / "events.jsonl") if event["event"] == "note"]
    told = [note for note in notes if "draws of the test rows are left out of the interval" in note]
    assert len(told) == 2, "once in each of the two last stages"
    assert told[0].endswith("the metric 'particular' gives no score for them.")
    assert 0 < int(told[0].split()[0]) < 200
    assert load(by_it.folder).test_score == measures["test_score"]


def test_what_no_number_came_of_is_none_in_the_evidence():
    found = finite(Evidence("tune", "pass", "said", measures={"a": float("nan"), "b": float("-inf"), "c": 1.5, "d": True}))
    assert found.measures == {"a": None, "b": None, "c": 1.5, "d": True}
    assert json.dumps(found.measures, allow_nan=False)


def test_scores_of_rows_that_cannot_be_measured_are_no_numbers():
    random = np.random.default_rng(0)
    target, predictions = np.array([0, 1, 2] * 5), random.dirichlet(np.ones(3), 15).astype(np.float32)
    metric = own_metric(particular, "multiclass", target, 3)
    found = resampled(predictions, target, np.array([np.arange(15), np.zeros(15, int)]), metric)
    np.testing.assert_array_equal(np.isfinite(found), [True, False])
    assert scorer(metric, Calibration(), target)(predictions[None]) == pytest.approx(particular(target, predictions))


def test_folds_that_lack_a_class_are_not_measured_on(tmp_path):
    options = Options.checked(target="kind", out=tmp_path / "run", metric=particular, trials=1)
    context = prepare(rare_class(), options, Budget(), None, ())[0]
    folds = context.folds()
    assert len(measurable(context, folds)) == len(folds)
    rows = folds[1].validation
    lacking = Fold(folds[1].train, rows.take(np.flatnonzero(rows.target != 2)))
    assert measurable(context, [folds[0], lacking, *folds[2:]]) == [folds[0], *folds[2:]]
