"""What a run takes unless it is told: batches, steps and noise by the rows, the size to go on with, the structures searched."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainwell.data.split import Split, folds_of, make_split
from trainwell.network.structure import resolve
from trainwell.population.budget import Budget
from trainwell.population.history import Curves
from trainwell.population.member import Member, Training
from trainwell.recipe.baselines.simple_models import _iterations
from trainwell.recipe.baselines.stage import untrained
from trainwell.recipe.context import FEW_ROWS, LONGEST, SHORTEST, STEPS
from trainwell.recipe.findings import known_of
from trainwell.recipe.options import Options
from trainwell.recipe.overfit import stage as overfit
from trainwell.recipe.prepare import prepare
from trainwell.recipe.regularize.stage import regularize
from trainwell.recipe.run import fit
from trainwell.recipe.tune.stage import ADAPTERS, MOST_BINNED, space

RATE = "adam.learning_rate"


@pytest.fixture(scope="module")
def prepared(table, tmp_path_factory):
    options = Options.checked(target="left", out=tmp_path_factory.mktemp("prepared") / "run", trials=1)
    return prepare(table, options, Budget(), None, ())[0]


def of_rows(context, training: int, **settings):
    """The same givens with so many training rows, as far as counting them goes, and some settings held fixed."""
    split = Split(np.arange(training), np.arange(training, training + 50), np.arange(training + 50, training + 100), "random")
    return replace(context, split=split, options=context.options.model_copy(update={"settings": settings}))


@given(st.integers(8, 1_000_000))
def test_batches_are_of_32_to_128_rows_and_give_an_epoch_twenty_steps_where_there_are_rows_for_it(prepared, training):
    batch = of_rows(prepared, training).structure().batch_size
    assert batch in (32, 64, 128)
    if batch > 32:
        assert training // batch >= 20
    if batch < 128:
        assert training // batch < 41


@given(st.integers(8, 1_000_000))
def test_a_full_training_is_about_8000_steps_within_16_to_128_epochs(prepared, training):
    context = of_rows(prepared, training)
    structure = context.structure()
    epochs, steps = context.epochs(structure), max(1, training // structure.batch_size)
    assert SHORTEST <= epochs <= LONGEST
    if SHORTEST < epochs < LONGEST:
        assert STEPS - steps < epochs * steps <= STEPS
    assert (epochs == LONGEST) == (steps <= STEPS // LONGEST)


def test_inputs_are_noisy_where_rows_are_few_unless_something_else_was_chosen(prepared):
    assert of_rows(prepared, FEW_ROWS - 1).structure().noises == ("input",)
    assert of_rows(prepared, FEW_ROWS).structure().noises == ()
    assert of_rows(prepared, 500, noises="weight").structure().noises == ("weight",)
    assert of_rows(prepared, 500).structure(noises=()).noises == ()


def test_what_is_held_fixed_comes_before_what_a_stage_would_take(prepared):
    ranked = of_rows(prepared, 5000, numeric_scaling="quantile", numeric_embedding="piecewise_linear")
    assert ranked.structure(numeric_embedding="none").numeric_embedding == "piecewise_linear"
    assert ranked.structure().numeric_scaling == "quantile"
    assert of_rows(prepared, 5000).structure().numeric_scaling == "robust"


@given(st.integers(10, 2_000_000))
def test_a_fifth_of_the_rows_that_are_not_for_the_test_validates_and_a_tenth_of_many(rows):
    assert folds_of(rows) == (5 if rows < 10_000 else 10)


def test_so_a_table_of_many_rows_leaves_more_to_train_on():
    target = np.arange(20_000.0)
    split = make_split(target, "regression", seed=0, validation_share=0.8 / folds_of(16_000))
    assert [len(part) for part in (split.train, split.validation, split.test)] == [14_400, 1_600, 4_000]


# Which size goes on, and at which rate.


def of_size(context, number: int, widths, rate: float, loss: float, score: float) -> Training:
    structure = context.structure(widths=widths)
    member = Member(number, structure, resolve(structure, {RATE: rate}), "overfit")
    return Ranked(member, curves=Curves((1.0, loss), (1.0, 0.9), (0.5, score), (1.0, 1.0)))


class Ranked(Training):
    """A training without a state, compared by its score."""

    @property
    def rank(self) -> float:
        return self.score


def chosen(context, trainings):
    best = max(trainings, key=lambda training: training.rank)
    training = overfit._to_go_on_with(context, trainings, best)
    return training.member.structure.widths, training.member.settings[RATE]


def test_of_few_rows_the_best_on_the_validation_rows_goes_on_at_its_own_rate(prepared):
    context = of_rows(prepared, overfit.MANY_ROWS - 1)
    trainings = [of_size(context, 0, (64, 64), 0.002, 0.5, 0.9), of_size(context, 1, (128, 128), 0.01, 0.1, 0.8)]
    assert chosen(context, trainings) == ((64, 64), 0.002)


def test_of_many_rows_the_best_of_the_largest_goes_on_at_its_own_rate(prepared):
    context = of_rows(prepared, overfit.MANY_ROWS)
    trainings = [
        of_size(context, 0, (64, 64), 0.002, 0.01, 0.99),
        of_size(context, 1, (256, 256, 256), 0.001, 0.1, 0.8),
        of_size(context, 2, (256, 256, 256), 0.004, 0.2, 0.9),
        of_size(context, 3, (128, 128), 0.02, 0.02, 0.95),
    ]
    assert chosen(context, trainings) == ((256, 256, 256), 0.004)


def test_where_the_largest_was_not_tried_the_best_of_all_goes_on(prepared):
    context = of_rows(prepared, 5000)
    trainings = [of_size(context, 0, (64, 64), 0.002, 0.01, 0.99), of_size(context, 1, (128, 128), 0.004, 0.5, 0.5)]
    assert chosen(context, trainings) == ((64, 64), 0.002)


def test_large_networks_are_tried_from_two_thousand_rows_on(prepared):
    few, many = (overfit.sizes(of_rows(prepared, rows)) for rows in (overfit.MANY_ROWS - 1, overfit.MANY_ROWS))
    assert [one.widths for one in many] == [*(one.widths for one in few), (256, 256, 256)]
    (fixed,) = overfit.sizes(of_rows(prepared, 5000, widths="16"))
    assert fixed.widths == (16,)


# What is searched.


def ways(context, widths: str = "128-128") -> list[tuple]:
    return [(one.widths, one.numeric_embedding) for one in space(context, widths, 1e-3, {}).structures]


def test_of_few_rows_two_sizes_are_searched_and_one_without_an_embedding_and_one_of_networks_that_share(prepared):
    context = of_rows(prepared, FEW_ROWS - 1)
    assert ways(context, "64-64") == [
        ((64, 64), "periodic"),
        ((128, 128), "periodic"),
        ((64, 64), "none"),
        ((64, 64), "periodic"),
    ]
    assert [one.adapters for one in space(context, "64-64", 1e-3, {}).structures] == [0, 0, 0, ADAPTERS]
    assert [one.adapters for one in space(context, "64-64", 1e-3, {}, ample=False).structures] == [0, 0, 0]
    assert not any(one.adapters for one in space(of_rows(prepared, FEW_ROWS), "64-64", 1e-3, {}).structures)


@pytest.mark.parametrize("held", [{"adapters": 0}, {"batch_norm": "before"}, {"weight_norm": "plain"}, {"first_pass": "lsuv"}])
def test_networks_that_share_matrices_are_left_out_where_what_is_held_fixed_does_not_go_with_them(prepared, held):
    found = space(of_rows(prepared, FEW_ROWS - 1, **held), "64-64", 1e-3, {}).structures
    assert [one.adapters for one in found] == [0, 0, 0]


def test_all_networks_share_matrices_where_the_user_says_so(prepared):
    found = space(of_rows(prepared, 5000, adapters="4"), "64-64", 1e-3, {}).structures
    assert {one.adapters for one in found} == {4}


def test_of_many_rows_the_largest_size_is_searched_with_bins_too(prepared):
    context = of_rows(prepared, FEW_ROWS)
    large, small = (256, 256, 256), (128, 128)
    assert ways(context, "256-256-256") == [(large, "periodic"), (small, "periodic"), (large, "piecewise_linear")]
    assert ways(context, "128-128") == [(small, "periodic"), (large, "periodic"), (large, "piecewise_linear")]


def test_a_linear_model_can_be_held_fixed_where_rows_are_many(prepared):
    assert ways(of_rows(prepared, 5000), "linear")[0] == ((), "periodic")
    held = of_rows(prepared, 5000, widths="linear")
    assert {widths for widths, _ in ways(held, "linear")} == {()}


def test_of_many_columns_none_is_binned(prepared):
    class Wide(type(prepared.encoder)):
        continuous = MOST_BINNED + 1
        numeric_names = tuple(map(str, range(MOST_BINNED + 1)))

    encoder = prepared.encoder
    wide = replace(of_rows(prepared, 5000), encoder=Wide(encoder.schema, encoder.columns))
    assert {way for _, way in ways(wide)} == {"periodic"}
    Wide.continuous = MOST_BINNED
    assert "piecewise_linear" in {way for _, way in ways(wide)}


def test_what_is_held_fixed_makes_structures_alike_and_each_is_searched_once(prepared):
    context = of_rows(prepared, 5000, numeric_embedding="piecewise_linear", widths="16")
    assert ways(context, "16") == [((16,), "piecewise_linear")]
    ranked = space(of_rows(prepared, 5000, numeric_scaling="quantile"), "128-128", 1e-3, {})
    assert {one.numeric_scaling for one in ranked.structures} == {"quantile"}


def test_scaling_and_embedding_can_stand_in_a_space(prepared):
    own = {
        "numeric_scaling": {"values": ["robust", "quantile"]},
        "numeric_embedding": {"values": ["none", "piecewise_linear"]},
        "widths": {"values": ["8"]},
    }
    context = replace(prepared, options=prepared.options.model_copy(update={"space": own}))
    searched = space(context, "128-128", 1e-3, {})
    assert len(searched.structures) == 4
    assert searched.choices == {
        "numeric_scaling": ("robust", "quantile"),
        "numeric_embedding": ("none", "piecewise_linear"),
    }


# What regularization measured counts only where it was measured to the end.


def test_a_stage_that_was_cut_says_that_its_networks_were_not_trained_to_the_end(prepared, tmp_path):
    held = {"widths": "4", "numeric_embedding": "none", "batch_size": "full", "early_stopping.patience": 1000.0}
    context = replace(prepared, options=prepared.options.model_copy(update={"settings": held}))
    evidence, trainings = regularize(context, 1, "4", 1e-3)
    assert evidence.measures["trained_to_the_end"] is True
    assert {training.epochs for training in trainings} == {context.epochs(context.structure())}
    seconds = iter(np.arange(0.0, 1e6))
    hurried = replace(context, budget=Budget(3.0, clock=lambda: float(next(seconds))))  # up after the first call of a program
    evidence, trainings = regularize(hurried, 1, "4", 1e-3)
    assert any(training.epochs for training in trainings)
    assert evidence.measures["trained_to_the_end"] is False


# The whole of it.


@pytest.fixture(scope="module")
def chosen_run(table, tmp_path_factory):
    settings = {"numeric_scaling": "quantile", "numeric_embedding": "piecewise_linear", "widths": "8"}
    return fit(table, "left", out=tmp_path_factory.mktemp("chosen") / "run", trials=2, settings=settings)


def test_a_run_whose_numbers_are_ranked_and_binned_predicts_what_its_saved_model_predicts(chosen_run, table):
    from trainwell import load

    for member in chosen_run.model.members:
        assert member.structure.numeric_scaling == "quantile"
        assert member.structure.numeric_embedding == "piecewise_linear"
        assert {"numeric.quantiles", "numeric.edges"} <= set(member.weights)
    probabilities = load(chosen_run.folder).predict_proba(table)
    assert np.isfinite(probabilities).all()
    np.testing.assert_array_equal(probabilities, chosen_run.predict_proba(table))
    assert chosen_run.evidence["squeeze"].measures["test_score"] > 0.8
    assert "quantile-scaled, piecewise linear" in chosen_run.report.read_text()


def test_with_balanced_class_weights_the_untrained_network_and_what_it_is_held_against_are_balanced_too(table, tmp_path):
    chosen = {"class_weights": "balanced"}
    options = Options.checked(target="left", out=tmp_path / "run", trials=1, settings=chosen)
    context = prepare(table, options, Budget(), None, ())[0]
    counts = np.bincount(context.train.target)
    assert counts[0] != counts[1]
    np.testing.assert_allclose(context.prior, 0, atol=1e-6)
    assert context.prior_loss == pytest.approx(np.log(2), rel=1e-5)
    assert untrained(context, context.structure(widths=(8,)))[0] == pytest.approx(context.prior_loss, rel=1e-5)


@pytest.mark.parametrize(("columns", "iterations"), [(10, 300), (10_000, 200), (1_000_000, 50), (0, 300)])
def test_a_linear_model_of_many_columns_is_given_fewer_iterations(prepared, columns, iterations):
    rows = of_rows(prepared, 50_000)
    wide = replace(rows, arrays=replace(rows.arrays, numeric=np.broadcast_to(np.float32(0), (50_000, columns))))
    assert _iterations(wide) == iterations


def test_without_simple_models_a_network_is_held_against_what_the_base_rate_scores(table, tmp_path):
    options = Options.checked(target="left", out=tmp_path / "run", trials=1, metric="log_loss")
    context = prepare(table, options, Budget(), None, ())[0]
    known, share = known_of(context, {}), float(np.mean(context.train.target))
    held_out = context.validation.target
    expected = np.mean(np.where(held_out == 1, np.log(share), np.log(1 - share)))
    assert known.constant == pytest.approx(expected, rel=1e-4)
    assert known.score(known.constant) == 0
    assert known.score(0.0) == 1
