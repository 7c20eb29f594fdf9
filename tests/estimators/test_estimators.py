"""The estimators do what scikit-learn's tools ask of them, on arrays and on data frames."""

import pickle
from io import BytesIO

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from trainwell import NeuralClassifier, NeuralRegressor
from trainwell.data.folds import other_folds
from trainwell.data.schema import infer_schema, target_values
from trainwell.data.split import split_table
from trainwell.estimators.rows import class_names, counted, features, with_column
from trainwell.model import CellWarning

ROWS = 240
LEAST = {"effort": "minimal", "cores": 1, "random_state": 0}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Two numbers that matter, one with gaps, and a category that does."""
    chance = np.random.default_rng(0)
    number, other = chance.normal(size=(2, ROWS))
    gaps = np.where(chance.random(ROWS) < 0.1, np.nan, other)
    return pd.DataFrame({"length": number, "width": gaps, "colour": chance.choice(["red", "green", "blue"], ROWS)})


@pytest.fixture(scope="module")
def signal(frame) -> np.ndarray:
    return (frame["length"] + 2 * (frame["colour"] == "red") - 0.5).to_numpy()


@pytest.fixture(scope="module")
def labels(signal) -> np.ndarray:
    return np.where(signal > 0, "yes", "no")


@pytest.fixture(scope="module")
def classifier(frame, labels) -> NeuralClassifier:
    return NeuralClassifier(**LEAST).fit(frame, labels)


@pytest.fixture(scope="module")
def regressor(frame, signal) -> NeuralRegressor:
    return NeuralRegressor(**LEAST).fit(frame, signal)


def test_a_data_frame_with_gaps_and_text_is_learned_as_it_is(classifier, frame, labels):
    assert list(classifier.feature_names_in_) == ["length", "width", "colour"]
    assert classifier.n_features_in_ == 3
    assert list(classifier.classes_) == ["no", "yes"]
    assert classifier.score(frame, labels) > 0.9


def test_a_polars_frame_gives_the_same_model_as_a_pandas_frame(classifier, frame, labels):
    polars = pl.from_pandas(frame)
    other = NeuralClassifier(**LEAST).fit(polars, pl.Series("answer", labels))
    np.testing.assert_array_equal(other.predict_proba(polars), classifier.predict_proba(frame))


def test_the_stages_the_curves_and_the_findings_are_attributes(classifier):
    assert list(classifier.run_.evidence) == ["look", "tune", "squeeze"]
    assert classifier.run_.model.test_score > 0.9
    assert len(classifier.history_) == 1
    assert len(classifier.history_[0]["training_loss"]) == classifier.history_[0]["epochs"]
    assert isinstance(classifier.findings_, list)


@pytest.mark.parametrize("copied", [lambda one: pickle.loads(pickle.dumps(one)), lambda one: joblib.load(dumped(one))])
def test_a_copy_predicts_the_same_and_holds_files_instead_of_a_pickled_model(classifier, frame, copied):
    copy = copied(classifier)
    np.testing.assert_array_equal(copy.predict_proba(frame), classifier.predict_proba(frame))
    assert list(copy.run_.evidence) == list(classifier.run_.evidence)
    assert b"trainwell.model" not in pickle.dumps(classifier)


def dumped(estimator) -> BytesIO:
    written = BytesIO()
    joblib.dump(estimator, written)
    written.seek(0)
    return written


def test_a_saved_estimator_is_a_run_folder_with_a_report(classifier, frame, tmp_path):
    import trainwell

    folder = classifier.save(tmp_path / "run")
    assert (folder / "report.html").stat().st_size > 100_000
    assert list(trainwell.load(folder).predict(frame)) == list(classifier.predict(frame))


def test_parameters_are_cloned_set_and_checked_when_fitting(frame, labels):
    estimator = clone(NeuralClassifier(effort="enormous", **{k: v for k, v in LEAST.items() if k != "effort"}))
    assert estimator.get_params()["effort"] == "enormous"
    with pytest.raises(ValueError, match="effort is 'enormous', which should be 'minimal', 'fast', 'default' or 'best'"):
        estimator.fit(frame, labels)
    with pytest.raises(ValueError, match="metric is 'aux', did you mean 'auc'"):
        estimator.set_params(effort="minimal", metric="aux").fit(frame, labels)


def test_a_loss_of_ones_own_is_minimized_where_the_user_says_so(frame, signal):
    def distance(truth, predicted):
        return np.abs(truth - predicted).mean()

    found = NeuralRegressor(**LEAST, metric=distance, smaller_is_better=True).fit(frame, signal)
    assert found.score(frame, signal) > 0.5
    assert 0 < found.run_.model.test_score < 1
    assert found.run_.evidence["squeeze"].measures["metric"] == "distance (less is better)"
    with pytest.raises(ValueError, match="smaller_is_better is for a metric of your own"):
        NeuralRegressor(**LEAST, metric="rmse", smaller_is_better=True).fit(frame, signal)


def test_a_pipeline_with_data_frames_between_its_steps(frame, labels):
    columns = make_column_transformer(
        (StandardScaler(), ["length", "width"]),
        (OneHotEncoder(sparse_output=False), ["colour"]),
        verbose_feature_names_out=False,
    )
    pipeline = make_pipeline(columns, NeuralClassifier(**LEAST)).set_output(transform="pandas").fit(frame, labels)
    assert "colour_red" in pipeline[-1].feature_names_in_
    assert pipeline.score(frame, labels) > 0.9


def test_cross_validation_and_grid_search(frame, labels, signal):
    assert cross_val_score(NeuralClassifier(**LEAST), frame, labels, cv=2, scoring="roc_auc").min() > 0.85
    grid = GridSearchCV(NeuralRegressor(**LEAST), {"settings": [None, {"early_stopping.patience": 2}]}, cv=2).fit(frame, signal)
    assert grid.best_score_ > 0.7
    assert grid.best_estimator_.predict(frame).shape == (ROWS,)


def test_calibration_and_stacking_take_the_estimators(frame, labels, signal):
    numbers = frame[["length"]]
    calibrated = CalibratedClassifierCV(NeuralClassifier(**LEAST), cv=2).fit(numbers, labels)
    assert calibrated.score(numbers, labels) > 0.6
    stacks = (
        (StackingClassifier, LogisticRegression(), NeuralClassifier(**LEAST), labels),
        (StackingRegressor, Ridge(), NeuralRegressor(**LEAST), signal),
    )
    for stacking, linear, own, target in stacks:
        stacked = stacking([("linear", linear), ("networks", own)], cv=2).fit(numbers, target)
        assert stacked.score(numbers, target) > 0.3


def test_a_row_counts_as_much_as_its_weight(frame, labels):
    """The rows of one half say the opposite of the other half; the heavier half is believed."""
    half = ROWS // 2
    numbers, truth = frame[["length"]].to_numpy()[:half], labels[:half]
    opposite = np.where(truth == "yes", "no", "yes")
    both, twice = np.concatenate([truth, opposite]), np.vstack([numbers, numbers])
    for heavy in (0, 1):
        weights = np.repeat([0.25, 9.75] if heavy else [9.75, 0.25], half)
        believed = NeuralClassifier(**LEAST).fit(twice, both, sample_weight=weights)
        assert believed.score(numbers, (truth, opposite)[heavy]) > 0.6


def test_the_last_stage_tells_of_weighted_rows_by_their_weights(frame, labels):
    """Where it did not, it had two different F1 of one decision."""
    weights = np.where(labels == "yes", 0.2, 1.7) * np.random.default_rng(0).uniform(0.5, 1.5, ROWS)
    found = NeuralClassifier(**LEAST, metric="f1").fit(frame, labels, sample_weight=weights).run_.evidence["squeeze"]
    decisions = found.tables["What the threshold does on the test rows"]
    assert decisions[0]["F1"] == pytest.approx(found.measures["test_score"], abs=1e-4)


def test_weights_that_are_whole_numbers_are_repetitions(frame, signal):
    weights = np.random.default_rng(1).integers(0, 3, ROWS)
    order = np.random.default_rng(2).permutation(ROWS)
    weighted = NeuralRegressor(**LEAST).fit(frame.iloc[order], signal[order], sample_weight=weights[order])
    repeated = NeuralRegressor(**LEAST).fit(frame.iloc[np.repeat(np.arange(ROWS), weights)], np.repeat(signal, weights))
    np.testing.assert_array_equal(weighted.predict(frame), repeated.predict(frame))


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_copies_that_weights_make_of_a_row_are_never_torn_between_training_and_measuring(task):
    chance = np.random.default_rng(0)
    numbers, weights = chance.normal(size=(120, 2)), chance.integers(1, 9, 120)
    numbers[::3, 0] = np.nan
    target = chance.integers(0, 2, 120) if task == "binary" else chance.normal(size=120)
    table = with_column(features(numbers), "y", target.astype(str) if task == "binary" else target)
    rows = counted(table, weights, target if task == "binary" else None)
    assert rows.rows == weights.sum()
    assert len(np.unique(rows.copies)) == 120
    schema, _ = infer_schema(rows, "y", task=task)
    split = split_table(rows, schema, seed=0)
    parts = [split.train, split.validation, split.test]
    for shares, part in zip((0.64, 0.16, 0.2), parts, strict=True):
        assert len(part) / rows.rows == pytest.approx(shares, abs=0.04)
    folds = other_folds(split, rows, schema, seed=0)
    assert len(folds) == 4
    assert np.array_equal(np.sort(np.concatenate(folds)), split.train)
    for some in (parts, folds):
        numbers_of = [set(rows.copies[part].tolist()) for part in some]
        assert sum(map(len, numbers_of)) == len(set.union(*numbers_of)), "no row is in two of them"
    assert max(map(len, folds)) - min(map(len, folds)) <= 16
    if task == "binary":
        given = target_values(rows, schema)
        shares = [given[part].mean() for part in (*parts, *folds)]
        assert np.ptp(shares) < 0.08, "classes are dealt evenly all the same"


def test_rows_that_are_equal_by_chance_and_of_too_rare_classes_are_rows_of_their_own():
    few = np.random.default_rng(0).integers(0, 3, (200, 2)).astype(float)
    target = np.random.default_rng(1).integers(0, 2, 200)
    table = with_column(features(few), "y", target.astype(str))
    assert counted(table, None, target).copies is None
    unlike = np.arange(40.0)[:, None]
    rare = np.array([2] + [0, 1] * 19 + [0])
    rows = counted(with_column(features(unlike), "y", rare.astype(str)), np.r_[5, np.ones(38, int), 2], rare)
    seldom = rows.copies[rows.column("y").to_numpy() == "2"]
    assert len(set(seldom.tolist())) == 5
    assert len(rows.copies) - len(np.unique(rows.copies)) == 1


def test_weights_of_classes_and_equal_weights_make_no_copies_of_rows():
    table, target = features(np.arange(20.0)[:, None]), np.repeat([0, 1], 10)
    of_classes = np.where(target == 1, 3.0, 1.0)
    kept = counted(table, None, target, of_classes)
    assert (kept.rows, sorted(kept.weights.tolist())) == (20, [0.5] * 10 + [1.5] * 10)
    for weights in (np.full(20, 3.0), np.full(20, 0.3)):
        even = counted(table, weights, target)
        assert (even.rows, even.weights) == (20, None)
    both = counted(table, np.repeat([2.0, 1.0], 10), target, of_classes)
    assert (both.rows, len(set(both.weights.tolist()))) == (30, 2)
    assert counted(table, None, target, np.where(target == 1, 0.0, 1.0)).rows == 10


def test_class_weights_move_probabilities_towards_the_heavy_class(frame, labels, classifier):
    heavy = NeuralClassifier(class_weight={"yes": 20, "no": 1}, **LEAST).fit(frame, labels)
    assert heavy.run_.evidence["look"].measures["rows"] == ROWS
    assert heavy.predict_proba(frame)[:, 1].mean() > classifier.predict_proba(frame)[:, 1].mean() + 0.02
    balanced = NeuralClassifier(class_weight="balanced", **LEAST).fit(frame, labels)
    assert balanced.score(frame, labels) > 0.85


def test_a_fit_writes_beside_what_an_earlier_one_wrote(frame, labels, tmp_path):
    estimator = NeuralClassifier(**LEAST, out=tmp_path / "run")
    folders = [estimator.fit(frame, labels).run_.folder for _ in range(2)]
    assert folders == [tmp_path / "run", tmp_path / "run-2"]
    assert all((folder / "report.html").exists() for folder in folders)


def test_a_run_whose_folder_is_gone_is_drawn_and_shown_all_the_same(classifier):
    run = pickle.loads(pickle.dumps(classifier)).run_
    assert not run.folder.exists()
    assert {"loss_curves", "time"} <= set(run.figures)
    assert "report.html" not in run._repr_html_()
    assert "<table>" in run._repr_html_()


def test_groups_are_not_torn_apart(frame, labels, tmp_path):
    import pyarrow.parquet

    groups = np.repeat(np.arange(ROWS // 4), 4)
    estimator = NeuralClassifier(**LEAST, out=tmp_path / "run").fit(frame, labels, groups=groups)
    schema = pyarrow.parquet.read_schema(tmp_path / "run" / "split.parquet")
    assert schema.metadata[b"kind"] == b"group"
    assert estimator.run_.report.exists()
    scores = cross_val_score(NeuralClassifier(**LEAST), frame, labels, groups=groups, cv=GroupKFold(2))
    assert scores.min() > 0.8


def test_inputs_that_were_filled_up_leave_no_trace(frame, labels):
    """Networks of the least effort are trained with columns of zeros beside the table's; the model has none of them."""
    found = NeuralClassifier(**LEAST).fit(frame[["length"]], labels)
    (member,) = found.run_.model.members
    assert member.weights["layer1.weight"].shape[1] == member.structure.numeric == 1
    assert found.history_[0]["best_epoch"] > 0


def test_two_costs_move_the_decision(frame, labels):
    careful = NeuralClassifier(cost={"fp": 1, "fn": 50}, **LEAST).fit(frame, labels)
    assert (careful.predict(frame) == "yes").sum() >= (careful.predict_proba(frame)[:, 1] > 0.5).sum()
    assert careful.run_.model.calibration.threshold != 0.5


def test_several_labels_and_several_numbers(frame, signal):
    labels = np.column_stack([signal > 0, frame["length"] > 0.3, np.ones(ROWS)]).astype(int)
    several = NeuralClassifier(**LEAST).fit(frame, labels)
    assert several.predict(frame).shape == several.predict_proba(frame).shape == (ROWS, 3)
    assert (several.predict(frame) == labels).mean() > 0.9
    assert (several.predict_proba(frame)[:, 2] == 1).all()
    numbers = np.column_stack([signal, -signal])
    both = NeuralRegressor(**LEAST).fit(frame, numbers)
    assert both.score(frame, numbers) > 0.8
    assert both.predict_interval(frame, level=0.8).shape == (ROWS, 2, 2)


def test_an_interval_holds_its_share_of_the_truth(regressor, frame, signal):
    low, high = regressor.predict_interval(frame, level=0.8).T
    assert 0.6 < ((low <= signal) & (signal <= high)).mean() <= 1


def test_classes_of_any_kind_come_back_as_they_were(frame, signal):
    numbers = frame[["length"]].to_numpy()
    odd = np.array(["NA", "2024-01-01"], dtype=object)
    for classes in (np.array([False, True]), np.array([0.0, 1.0]), np.array([3, 17]), odd):
        target = classes[(signal > 0).astype(int)]
        found = NeuralClassifier(**LEAST).fit(numbers, target)
        assert set(found.predict(numbers)) == set(classes)
        assert found.classes_.tolist() == sorted(classes.tolist())


@pytest.mark.parametrize(
    ("classes", "names"),
    [([0.0, 1.0], ["0", "1"]), (["1.0", "2.0"], ["1", "2"]), (["1", "1.0"], ["0", "1"]), (["a", "b"], ["a", "b"])],
)
def test_classes_have_the_names_that_a_table_gives_them(classes, names):
    assert class_names(np.array(classes)) == names


def test_dates_lists_and_enormous_numbers_in_a_frame_do_no_harm(frame, labels):
    days = pd.date_range("2024-01-01", periods=ROWS)
    odd = frame.assign(day=days, parts=[[1, 2]] * ROWS, number=2**60 + np.arange(ROWS), old=pd.Categorical(labels == labels[0]))
    found = NeuralClassifier(**LEAST, ignore=["old"]).fit(odd, labels)
    roles = {column.name: column.role for column in found.run_.model.schema.columns}
    assert (roles["day"], roles["parts"], roles["number"], roles["old"]) == ("date", "ignored", "numeric", "ignored")
    assert found.score(odd, labels) > 0.7


def test_a_column_that_looks_like_an_identifier_stays_a_number_where_the_user_says_so(labels, signal):
    numbered = pd.DataFrame({"serial_id": np.argsort(np.argsort(signal)), "noise": np.random.default_rng(1).normal(size=ROWS)})
    left_out = NeuralClassifier(**LEAST).fit(numbered, labels)
    kept = NeuralClassifier(numbers=["serial_id"], **LEAST).fit(numbered, labels)
    by_place = NeuralClassifier(numbers=[0], **LEAST).fit(numbered, labels)
    assert left_out.score(numbered, labels) < 0.8 < kept.score(numbered, labels)
    np.testing.assert_array_equal(by_place.predict(numbered), kept.predict(numbered))


def test_a_class_of_one_row_has_a_probability(frame, labels):
    rare = labels.astype(object)
    rare[7] = "perhaps"
    found = NeuralClassifier(**LEAST).fit(frame, rare)
    assert found.classes_.tolist() == ["no", "perhaps", "yes"]
    assert found.predict_proba(frame).shape == (ROWS, 3)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (lambda X, y: NeuralClassifier().predict(X), NotFittedError, "not fitted yet"),
        (lambda X, y: NeuralRegressor().predict_interval(X), NotFittedError, "not fitted yet"),
        (lambda X, y: NeuralClassifier().fit(sparse.csr_array(np.eye(20)), y[:20]), TypeError, "Sparse data was passed"),
        (lambda X, y: NeuralClassifier().fit(np.zeros((4, 3, 2)), y[:4]), ValueError, "Found array with dim 3"),
        (lambda X, y: NeuralClassifier().fit(X, np.where(y == "yes", 1.5, np.nan)), ValueError, "Input y contains NaN"),
        (lambda X, y: NeuralClassifier().fit(X, np.where(y == "yes", y, None)), ValueError, "Input y contains NaN"),
        (lambda X, y: NeuralRegressor().fit(X, np.full(ROWS, np.inf)), ValueError, "Input y contains infinity"),
        (lambda X, y: NeuralClassifier().fit(X, np.arange(ROWS) + 0.5), ValueError, "Unknown label type: continuous"),
        (lambda X, y: NeuralClassifier().fit(X, np.repeat("yes", ROWS)), ValueError, "contains only one class: 'yes'"),
        (lambda X, y: NeuralClassifier().fit(X, y[:-1]), ValueError, "inconsistent numbers of samples"),
        (lambda X, y: NeuralRegressor().fit(X, None), ValueError, "requires y to be passed"),
        (lambda X, y: NeuralClassifier().fit(X, y, sample_weight=np.zeros(ROWS)), ValueError, "at least one non-zero"),
        (lambda X, y: NeuralClassifier().fit(X, y, sample_weight=-np.ones(ROWS)), ValueError, "Negative values"),
        (lambda X, y: NeuralClassifier(group="colour").fit(X, y, groups=y), ValueError, "leave one out"),
        (lambda X, y: NeuralClassifier(time_limit="soon").fit(X, y), ValueError, "soon"),
    ],
)
def test_bad_input_gets_scikit_learns_own_errors(frame, labels, given, error, said):
    with pytest.raises(error, match=said):
        given(frame, labels)


def test_rows_of_another_width_are_refused_in_scikit_learns_words(classifier, frame):
    with pytest.raises(ValueError, match="feature names should match"):
        classifier.predict(frame[["length"]])
    numbers = NeuralRegressor(**LEAST).fit(frame[["length"]].to_numpy(), frame["length"])
    with pytest.raises(ValueError, match="X has 2 features, but NeuralRegressor is expecting 1 features"):
        numbers.predict(np.zeros((3, 2)))


def test_a_model_of_a_frame_takes_an_array_in_the_same_order_with_scikit_learns_warning(classifier, frame):
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        found = classifier.predict_proba(frame.to_numpy(dtype=object))
    np.testing.assert_allclose(found, classifier.predict_proba(frame), atol=1e-6)


def test_a_warning_counts_the_rows_that_were_given(classifier, frame):
    with pytest.warns(CellWarning, match="^1 cell of 'colour' holds a category that training rows had seldom") as warned:
        classifier.predict(frame[:1].assign(colour="purple"))
    assert [one.filename for one in warned] == [__file__]


def test_a_sign_is_the_level_that_it_was_in_training_whatever_rows_are_beside_it(signal):
    signs = pd.DataFrame({"charge": np.where(signal > 0, "+", "-"), "number": signal})
    for given in (signs, signs.to_numpy(dtype=object)):
        found = NeuralClassifier(**LEAST).fit(given, signal > 0)
        minus = given[signs["charge"].to_numpy() == "-"]
        np.testing.assert_array_equal(found.predict_proba(minus), found.predict_proba(given)[signs["charge"] == "-"])


def test_importing_the_package_loads_nothing_heavy():
    import subprocess
    import sys

    code = "import sys, trainwell; print(sorted({'numpy', 'jax', 'sklearn', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
