"""Rates, regularizers and rows, measured with real networks on a small table."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from trainwell.population.budget import Budget
from trainwell.recipe.evidence import Figure
from trainwell.recipe.options import Options
from trainwell.recipe.overfit.rate_range import Range, rate_range, said
from trainwell.recipe.prepare import prepare
from trainwell.recipe.regularize import learning_curve as curves
from trainwell.recipe.regularize import strengths
from trainwell.recipe.regularize.stage import _learning_curve
from trainwell.search.halving import work

WIDTHS = (16,)


@pytest.fixture(scope="module")
def context(make_table, tmp_path_factory):
    options = Options.checked(target="left", out=tmp_path_factory.mktemp("runs") / "run", trials=3)
    return prepare(make_table(rows=1200), options, Budget(), None, ())[0]


@pytest.fixture(scope="module")
def structure(context):
    return context.structure(widths=WIDTHS)


@pytest.fixture(scope="module")
def curve(context, structure):
    return curves.learning_curve(context, structure, context.settings(structure, context.learning_rate(structure, 5)), 6)


def test_more_rows_score_better_and_the_forecast_goes_on_from_there(context, curve):
    every = len(context.split.train)
    assert curve.rows.tolist() == [int(share * every) for share in curves.SHARES]
    means = curve.scores.mean(axis=1)
    assert means[0] < means[-1]
    assert curve.forecast.rows == 2 * every
    assert 0 <= curve.forecast.low <= curve.forecast.high <= 1 - means[-1] + 0.05


def test_the_curve_is_said_and_drawn_out_to_twice_the_rows(context, curve):
    figure = curves.figure(context, curve)
    assert isinstance(figure, Figure)
    assert max(figure.series[2].x) == 2 * len(context.split.train)
    assert f"with all {len(context.split.train)}" in curves.said(context, curve)
    assert [row["training rows"] for row in curves.table(context, curve)] == curve.rows.tolist()


def test_few_rows_have_no_curve(context, structure):
    few = context.split
    small = dataclasses.replace(context, split=dataclasses.replace(few, train=few.train[:150]))
    assert curves.learning_curve(small, structure, context.settings(structure, {}), 2) is None


@pytest.mark.parametrize(("seconds_of_a_network", "measured"), [(0.001, True), (1000.0, False)])
def test_a_curve_whose_networks_would_be_cut_is_not_begun(context, structure, seconds_of_a_network, measured):
    timed = dataclasses.replace(context, options=context.options.model_copy(update={"time_limit": 600.0}), budget=Budget(600.0))
    best = SimpleNamespace(epoch=1, changes={})
    unit = seconds_of_a_network / (work(structure) * curves.FEWEST_EPOCHS)
    assert (_learning_curve(timed, structure, {}, 10, best, unit) is not None) == measured


def test_a_rate_range_is_low_in_the_middle(context, structure):
    found = rate_range(context, structure, {})
    low, high = found.good
    assert len(found.rates) == 8
    assert found.rates[0] < low <= high
    assert min(found.losses) < 0.8 * found.before
    assert np.argmin(found.losses) not in (0, len(found.losses) - 1)


def test_a_range_is_said_with_its_ends_and_where_it_breaks_down():
    found = Range((0.001, 0.01, 0.1, 1.0), (0.6, 0.2, 0.25, float("inf")), 0.7)
    assert found.good == (0.01, 0.1)
    assert said(found) == (
        "In 300 steps rates from 0.01 to 0.1 lower the training loss nearly as far as the best one; at 1 it breaks down."
    )
    assert "learned anything" in said(Range((0.1,), (0.9,), 0.7))


def test_noise_is_measured_without_a_new_program_where_rows_are_few(context, structure):
    ways = strengths.other_ways(context, structure)
    assert [way.name for way in ways] == ["input noise 0.05", "input noise 0.2", "a smaller network (64-64)"]
    assert ways[0].structure == ways[1].structure == structure


def test_a_longer_run_measures_mixup_and_batch_sizes_too(context, structure):
    longer = dataclasses.replace(context, options=context.options.model_copy(update={"trials": 72}))
    kinds = [way.name.split(" ")[0] for way in strengths.other_ways(longer, structure)]
    assert kinds == ["input", "input", "a", "mixup", "mixup", "batches", "batches"]
    held = longer.options.model_copy(update={"settings": {"widths": "16", "batch_size": "32", "mixup": "no"}})
    kept = [way.name for way in strengths.other_ways(dataclasses.replace(longer, options=held), structure)]
    assert kept == ["input noise 0.05", "input noise 0.2"]


def test_ways_are_trained_to_their_end_or_not_told_of(context, structure):
    ways = strengths.other_ways(context, structure)[:2]
    trained = strengths.trained(context, ways, context.learning_rate(structure, 3), 2)
    assert [way for way, _ in trained] == ways
    for way, training in trained:
        assert training.epochs == 2
        assert training.member.settings["input_noise.standard_deviation"] == way.strength
