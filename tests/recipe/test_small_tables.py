"""The smallest and oddest tables that are taken: everything ends in a model or in one sentence."""

import dataclasses

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from trainwell.data.encode import Arrays
from trainwell.errors import InputError
from trainwell.population.budget import Budget
from trainwell.recipe.baselines.simple_models import _fit, some_rows
from trainwell.recipe.baselines.stage import ONE_BATCH_STEPS, STUCK, _batch_check, overfit_one_batch
from trainwell.recipe.context import SMALLEST
from trainwell.recipe.events import read_events
from trainwell.recipe.options import Options
from trainwell.recipe.prepare import prepare
from trainwell.recipe.run import fit


@pytest.fixture
def random():
    """Of each test its own, so that no table hangs on which tests were made before."""
    return np.random.default_rng(3)


def test_ten_rows_are_enough_for_classes_and_for_numbers(tmp_path, random):
    x = np.arange(10.0) + random.normal(size=10)
    for name, target in (("classes", ["a", "b"] * 5), ("numbers", (2 * x).tolist())):
        run = fit({"x": x.tolist(), "y": target}, "y", out=tmp_path / name, time_limit=4, settings={"batch_size": "full"})
        assert run.model is not None
        table = run.evidence["baselines"].tables["Simple models on the validation rows"]
        assert {row["model"] for row in table} >= {"linear", "nearest neighbours", "boosted trees"}


@pytest.mark.parametrize(("outputs", "rounds"), [(1, 10), (26, 10), (30, 10), (100, 3), (1000, 1)])
def test_of_many_classes_boosting_looks_at_the_clock_after_fewer_rounds(outputs, rounds, random):
    rows = Arrays(random.normal(size=(60, 2)).astype(np.float32), np.zeros((60, 0), np.int32), np.arange(60) % 2)
    model = HistGradientBoostingClassifier()
    over = Budget(1.0, clock=lambda: 0.0)
    over.start = -2.0
    assert not _fit(model, rows.numeric, rows, over, outputs)
    assert model.n_iter_ == rounds


def test_a_class_of_three_rows_is_learned_too(tmp_path, random):
    target = ["common"] * 60 + ["other"] * 40 + ["rare"] * 3
    table = {"x": random.normal(size=103).tolist(), "y": target}
    run = fit(table, "y", out=tmp_path / "run", time_limit=4)
    assert run.predict_proba(table).shape == (103, 3)


class Ticks:
    """A clock that shows one second more at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_a_check_that_the_time_cut_short_says_nothing_of_the_network(tmp_path, random):
    """The rate is so low that nothing is learned: a fault after all steps, and no verdict after the first few."""
    target = ["a", "b"] * 30
    (tmp_path / "run").mkdir()
    chosen = Options.checked(target="y", out=tmp_path / "run", settings={"adam.learning_rate": 1e-6}, cores=1)
    context, *_ = prepare({"x": random.normal(size=60).tolist(), "y": target}, chosen, Budget(), None, ())
    structure = context.structure(widths=SMALLEST)
    whole = overfit_one_batch(context, structure)
    assert len(whole) == ONE_BATCH_STEPS
    assert min(whole) > STUCK * whole[0]
    assert (_batch_check(whole).passed, _batch_check(whole).serious) == (False, True)
    found = [overfit_one_batch(dataclasses.replace(context, budget=Budget(least, Ticks())), structure) for least in range(9)]
    assert found == [[]] * 9
    assert (_batch_check([]).passed, _batch_check([]).serious) == (None, False)


def test_a_split_that_leaves_one_class_to_measure_on_is_refused(tmp_path, random):
    table = {"when": list(range(100)), "x": random.normal(size=100).tolist(), "y": ["no", "yes"] * 30 + ["no"] * 40}
    with pytest.raises(InputError, match="a split by time leaves validation rows of one class only, which measure nothing"):
        fit(table, "y", out=tmp_path / "run", time="when")


def test_a_split_that_leaves_one_value_to_explain_is_refused_where_the_metric_is_r2(tmp_path, random):
    table = {"when": list(range(100)), "x": random.normal(size=100).tolist(), "y": [*random.normal(size=60), *[7.0] * 40]}
    with pytest.raises(InputError, match="a split by time leaves validation rows that all have the same target, of which R2"):
        fit(table, "y", out=tmp_path / "run", time="when")
    assert fit(table, "y", out=tmp_path / "run", time="when", metric="rmse", only=["look"]).evidence["look"]


def test_rows_that_chance_left_without_variance_are_noted(tmp_path, random):
    table = {"x": random.normal(size=60).tolist(), "y": [0.0] * 59 + [1.0]}
    run = fit(table, "y", out=tmp_path / "run", only=["look"], task="regression")
    notes = [event.get("message", "") for event in read_events(run.folder / "events.jsonl")]
    assert any(note.startswith("All test rows have the same target, of which R2 means nothing") for note in notes)


def test_large_targets_keep_their_figures(tmp_path, random):
    x = random.normal(size=200)
    table = {"x": x.tolist(), "y": (1.7e9 + 10 * x).tolist()}
    run = fit(table, "y", out=tmp_path / "run", time_limit=6)
    assert len(set(run.predict(table))) > 100


def test_a_sample_of_rows_has_some_of_each_class_and_is_the_same_where_the_draw_has_them_all():
    classes = np.zeros(1000, int)
    classes[[3, 500]], classes[400:450] = 1, 2
    without = next(seed for seed in range(100) if not np.isin([3, 500], some_rows(1000, 50, seed)).any())
    drawn = some_rows(1000, 50, without, classes)
    assert set(drawn) == {*some_rows(1000, 50, without), 3, 500}
    assert (np.diff(drawn) > 0).all()
    complete = next(seed for seed in range(1000) if len(set(classes[some_rows(1000, 50, seed)])) == 3)
    np.testing.assert_array_equal(some_rows(1000, 50, complete, classes), some_rows(1000, 50, complete))
