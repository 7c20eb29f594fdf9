"""Whether a number is learned as its logarithm: by evidence, by hand, and the same after a kill, a move and a load."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as reference

import trainwell
from trainwell.data.split import Split
from trainwell.errors import InputError
from trainwell.network.target_log import LEAST
from trainwell.population.budget import Budget
from trainwell.recipe.options import Options
from trainwell.recipe.overfit.stage import overfit
from trainwell.recipe.overfit.target_transform import NAME, learning, skewness, worth_comparing
from trainwell.recipe.prepare import prepare
from trainwell.recipe.run import fit

LIGHT = {"numeric_embedding": "none", "batch_size": 64}
QUICK = {"trials": 1, "cores": 1, "settings": {**LIGHT, "widths": "32"}}


def table(target, rows: int = 500, seed: int = 0) -> dict[str, list]:
    """Two numbers and a target that is a function of (first, second, noise)."""
    first, second, noise = np.random.default_rng(seed).normal(size=(3, rows))
    return {"first": first.tolist(), "second": second.tolist(), "y": target(first, second, noise).tolist()}


def shares(first, second, noise):
    """Errors are shares of the target."""
    return np.exp(1.2 * first + 0.6 * second + 0.7 * noise)


def amounts(first, second, noise):
    """A tail as long, of noise that is the same for small and large: R2 asks for its mean, far above its median."""
    return 3 / (1 + np.exp(-2 * first)) + np.exp(noise)


def both_tails(first, second, noise):
    """As long a tail on both sides: every number with its opposite."""
    return np.resize([1.0, -1.0], len(first)) * np.repeat(shares(first, second, noise)[::2], 2)


def even(first, second, noise):
    return first + second + noise


def context_of(rows, tmp_path, **options):
    chosen = Options.checked(target="y", out=tmp_path / "run", **{"trials": 3, "cores": 1, **options})
    return prepare(rows, chosen, Budget(), None, (), "the space")[0]


def test_where_errors_are_shares_the_logarithm_is_learned_and_the_stage_says_why(tmp_path):
    context = context_of(table(shares), tmp_path, metric="mae", settings=LIGHT)
    evidence, trainings = overfit(context, 1)
    assert evidence.measures[NAME] == "log"
    assert evidence.measures["log_score"] > evidence.measures["plain_score"]
    assert evidence.measures["skewness"] == pytest.approx(skewness(context)[0], abs=1e-3)
    assert evidence.explanation.startswith("y has a long tail (skewness ")
    assert "The networks learn the logarithm. " in evidence.explanation
    assert [training.member.number for training in trainings] == list(range(1, 13))
    assert [bool(training.member.structure.logarithm) for training in trainings] == [False] * 4 + [True] * 8
    assert learning(context, evidence.measures).structure().logarithm == context.logarithm


def test_where_errors_are_amounts_the_number_itself_is_learned(tmp_path):
    context = context_of(table(amounts, 1000), tmp_path, metric="r2", settings={**LIGHT, "widths": "32"})
    assert worth_comparing(context)
    evidence, trainings = overfit(context, 1)
    assert evidence.measures[NAME] == "none"
    assert evidence.measures["log_score"] < evidence.measures["plain_score"]
    assert "The networks learn the number itself. " in evidence.explanation
    assert [bool(training.member.structure.logarithm) for training in trainings] == [False] * 4 + [True] * 4  # the only size
    assert not learning(context, evidence.measures).structure().logarithm


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        (table(even), {}),
        (table(lambda *parts: -shares(*parts)), {}),  # the tail lies below
        (table(both_tails), {}),
        (table(shares), {"settings": {NAME: "none"}}),
        (table(shares), {"settings": {NAME: "log"}}),
        (table(shares), {"space": {NAME: {"values": ["log"]}}}),
        (table(lambda *parts: np.where(even(*parts) > 1, "yes", "no")), {}),
    ],
)
def test_without_a_tail_that_logarithms_shorten_or_where_somebody_decided_there_is_no_comparison(rows, options, tmp_path):
    assert not worth_comparing(context_of(rows, tmp_path, **options))


def test_without_time_for_a_comparison_the_number_itself_is_learned(tmp_path):
    over = Budget(60.0)
    over.start = time.monotonic() - 61
    evidence, _ = overfit(replace(context_of(table(shares), tmp_path), budget=over), 1)
    assert evidence.measures[NAME] == "none"
    assert evidence.explanation.startswith("There was no time to find out whether the target's logarithm is easier to learn.")


def test_held_fixed_it_is_learned_in_every_network_and_the_loss_at_the_start_is_that_of_the_logarithms_mean(tmp_path):
    context = context_of(table(shares), tmp_path, settings={NAME: "log"})
    assert context.structure().logarithm == context.logarithm
    assert context.prior == pytest.approx(0, abs=1e-4)
    assert context.prior_loss == pytest.approx(1, abs=1e-3)
    assert not context_of(table(shares), tmp_path / "none", settings={NAME: "none"}).structure().logarithm


def test_the_first_answer_to_a_quantile_is_that_quantile_of_the_logarithms(tmp_path):
    plain, logs = (
        context_of(table(shares), tmp_path / way, settings={NAME: way}, metric="pinball:0.9") for way in ("none", "log")
    )
    floor, mean, spread, _ = logs.logarithm
    assert float(np.exp(mean + spread * logs.prior[0]) + floor) == pytest.approx(float(plain.prior[0]), rel=0.02)


def test_a_space_searches_networks_of_both_ways(tmp_path):
    from trainwell.recipe.tune.stage import space

    context = context_of(table(shares), tmp_path, space={NAME: {"values": ["none", "log"]}})
    searched = space(context, "8", None, {})
    assert [bool(structure.logarithm) for structure in searched.structures] == [False, True]
    assert searched.choices == {"logarithm": ("none", "log")}


def test_classes_have_no_logarithm_and_a_wrong_name_gets_the_nearest(tmp_path):
    classes = table(lambda *parts: np.where(even(*parts) > 0, "yes", "no"))
    for rows, way, said in (
        (classes, "log", "target_transform is 'log', allowed for a target with classes is 'none': they have no logarithm."),
        (table(shares), "lok", "target_transform is 'lok', did you mean 'log'? allowed is one of 'none', 'log'."),
    ):
        with pytest.raises(InputError) as refused:
            fit(rows, "y", out=tmp_path / "run", settings={NAME: way}, trials=1)
        assert str(refused.value) == said
        assert not (tmp_path / "run").exists()


class Stopped(Exception):
    """As if the process had been killed."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that chose logarithms, killed after it did, and resumed."""

    def stop(event):
        if event["event"] == "stage_finished" and event["stage"] == "overfit":
            raise Stopped

    folder = tmp_path_factory.mktemp("runs") / "run"
    with pytest.raises(Stopped):
        fit(table(shares, 600), "y", out=folder, metric="mae", listeners=[stop], **QUICK)
    return fit(table(shares, 600), resume=folder)


def test_a_resumed_run_goes_on_with_logarithms(finished):
    assert finished.evidence["overfit"].measures[NAME] == "log"
    members = json.loads((finished.folder / "members" / "history.json").read_text())["members"]
    assert {one["stage"] for one in members} >= {"overfit", "regularize", "tune"}
    later = [training for training in finished.trainings if training.member.stage in ("regularize", "tune", "squeeze")]
    assert later
    assert all(training.member.structure.logarithm for training in later)


def test_the_test_score_is_scikit_learn_s_of_predictions_in_the_target_s_own_unit(finished):
    rows = table(shares, 600)
    test = Split.load(finished.folder / "split.parquet").test
    held_out = {name: np.array(values)[test] for name, values in rows.items()}
    measures = finished.evidence["squeeze"].measures
    expected = reference.mean_absolute_error(held_out["y"], finished.predict(held_out))
    assert measures["test_score"] == pytest.approx(expected, rel=1e-4)
    (points,) = finished.evidence["squeeze"].figures["residuals"].series
    np.testing.assert_allclose(np.sort(points.x), np.sort(held_out["y"]), rtol=1e-3)
    np.testing.assert_allclose(np.sort(points.y), np.sort(finished.predict(held_out)), rtol=1e-3)


def test_a_loaded_model_predicts_the_same_numbers_above_the_floor_and_its_intervals_hold_what_they_promise(finished):
    new = table(shares, 3000, seed=1)
    predicted = finished.predict(new)
    floor = min(0, min(table(shares, 600)["y"]) - LEAST * finished.model.encoder.target_scale)
    assert predicted.min() > floor - 1e-3  # which lies a little below 0 where some rows nearly do
    np.testing.assert_array_equal(trainwell.load(finished.folder).predict(new), predicted)
    low, high = finished.predict_interval(new, 0.9).T
    assert ((low <= new["y"]) & (new["y"] <= high)).mean() == pytest.approx(0.9, abs=0.06)
