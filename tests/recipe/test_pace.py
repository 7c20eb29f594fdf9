"""What the time suffices for: what a full training costs, the shape of the waves, whether finalists are cross-fitted."""

import math
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainwell.network.structure import resolve
from trainwell.population.budget import Budget
from trainwell.population.history import Curves
from trainwell.population.member import Member, Training
from trainwell.population.own_metric import own_metric
from trainwell.population.programs import Compilation
from trainwell.recipe.events import EventLog
from trainwell.recipe.evidence import Evidence
from trainwell.recipe.options import Options
from trainwell.recipe.order import Recipe
from trainwell.recipe.pace import (
    CROSS_FIT_SHARE,
    CROSS_FITTED,
    FEWEST_WAVES,
    SHARE_CALLING,
    SHARE_TRAINED,
    SPARE,
    WAITED,
    calls_of_metric,
    cross_fits,
    full_training,
    pace,
    seconds_searching,
    shape_of_waves,
)
from trainwell.recipe.prepare import prepare
from trainwell.recipe.squeeze.finalists import _looked_at
from trainwell.recipe.timetable import CLOSING_ROW, ENDS, closing_share, end_from_now, end_of, is_ample
from trainwell.search.ensemble import MOST_CANDIDATES, PICKS
from trainwell.search.halving import NARROW, WIDE, work


@pytest.fixture(scope="module")
def prepared(table, tmp_path_factory):
    options = Options.checked(target="left", out=tmp_path_factory.mktemp("prepared") / "run", trials=1)
    return prepare(table, options, Budget(), None, ())[0]


@pytest.fixture
def context(prepared):
    """With a limit of 100 seconds and a clock that stands still."""
    return replace(prepared, budget=Budget(100.0, clock=lambda: 0.0))


def trained(context, number: int, epochs: int, widths=(8,), stopped: bool = False, stage: str = "overfit") -> Training:
    structure = context.structure(widths=widths)
    member = Member(number, structure, resolve(structure), stage)
    return _Stopped(member, curves=Curves(*((0.5,) * epochs for _ in range(4))), ended=stopped)


class _Stopped(Training):
    """A training whose stopping is what ``ended`` says, without a state."""

    @property
    def stopped(self) -> bool:
        return self.ended


def test_a_unit_of_work_costs_what_all_trainings_cost_together(context):
    small, large = trained(context, 0, 10), trained(context, 1, 5, (64, 64))
    done = 10 * work(small.member.structure) + 5 * work(large.member.structure)
    assert pace([small, large], 3.0) == pytest.approx(3.0 / done)
    assert math.isnan(pace([], 3.0))
    assert math.isnan(pace([trained(context, 0, 0)], 3.0)), "one that never began says nothing"


def test_a_full_training_is_one_of_the_largest_network_to_where_they_stop(context):
    small, large = trained(context, 0, 20, stopped=True), trained(context, 1, 40, (64, 64), stopped=True)
    assert full_training(context, [small, small, large], 0.5) == pytest.approx(0.5 * work(large.member.structure) * 20)


def test_one_that_was_not_stopped_would_have_gone_on_to_the_end(context):
    cut = trained(context, 0, 3)
    assert full_training(context, [cut], 1.0) == work(cut.member.structure) * context.epochs(cut.member.structure)


def test_where_nothing_was_trained_nobody_knows(context):
    assert math.isnan(full_training(context, [], 1.0))
    assert shape_of_waves(context, math.nan) == WIDE
    assert not cross_fits(context, math.nan)


def test_the_closing_of_many_rows_has_more_of_the_time(context):
    few, many = (closing_share(replace(context, table=SimpleNamespace(rows=rows))) for rows in (0, 1_000_000))
    assert many - few == pytest.approx(CLOSING_ROW * 1_000_000 / 100.0)


@pytest.mark.parametrize(("full", "ample"), [(0.1, True), (0.9, False), (math.nan, False)])
def test_time_is_ample_where_a_hundred_trainings_fit_into_what_the_closing_leaves(context, full, ample):
    assert is_ample(context, full) == ample
    assert is_ample(replace(context, budget=Budget()), full), "without a limit it is"


def test_waiting_for_programs_says_nothing_of_how_fast_networks_train():
    def searched(waited):
        return Evidence("tune", "pass", "said", seconds=12.0, measures={} if waited is None else {WAITED: waited})

    assert [seconds_searching(searched(waited)) for waited in (None, 0.0, 7.0)] == [12.0, 12.0, 5.0]
    assert seconds_searching(searched(11.9)) == SHARE_TRAINED * 12.0, "clocks of several threads are not that exact"
    assert seconds_searching(None) == 0.0


@given(st.floats(0.01, 1000))
def test_waves_are_wide_where_three_of_them_are_affordable_and_else_narrow(prepared, full):
    context = replace(prepared, budget=Budget(100.0, clock=lambda: 0.0))
    wide = shape_of_waves(context, full) == WIDE
    assert wide == (FEWEST_WAVES * WIDE.cost() * full <= 100.0)
    assert shape_of_waves(context, full) in (WIDE, NARROW)


def test_less_time_left_is_what_counts(prepared):
    now = [0.0]
    context = replace(prepared, budget=Budget(100.0, clock=lambda: now[0]))
    full = 0.9 * 100 / (FEWEST_WAVES * WIDE.cost())
    assert shape_of_waves(context, full) == WIDE
    now[0] = 50.0
    assert shape_of_waves(context, full) == NARROW


def test_without_a_time_limit_waves_are_wide_and_finalists_are_cross_fitted(prepared):
    assert prepared.budget.seconds is None
    assert shape_of_waves(prepared, 1e9) == WIDE
    assert cross_fits(prepared, 1e9)
    assert cross_fits(prepared, math.nan)


def test_finalists_are_cross_fitted_where_three_of_them_take_two_fifths_of_the_time_at_most(context):
    folds = len(context.other_folds)
    assert folds == 4
    limit = CROSS_FIT_SHARE * 100 / (CROSS_FITTED * folds)
    assert cross_fits(context, 0.99 * limit)
    assert not cross_fits(context, 1.01 * limit)


def recipe_after(context, seconds: float, epochs: int = 16) -> Recipe:
    """A recipe whose stages before the search took so many seconds each, and trained ten networks."""
    recipe = Recipe(context, ())
    recipe.result.trainings = [trained(context, number, epochs, stopped=True) for number in range(10)]
    recipe.result.trainings += [trained(context, 99, 500, (512,), stage="tune")]
    for stage in ("overfit", "regularize"):
        recipe.result.evidence[stage] = Evidence(stage, "pass", "said", "more", seconds=seconds)
    return recipe


def end(stage: str, recipe: Recipe) -> float:
    return end_of(stage, recipe.context, recipe._full_training)


def test_the_search_ends_early_enough_for_cross_fitting_that_is_affordable_and_else_takes_its_time(context):
    quick, slow = recipe_after(context, seconds=1.0), recipe_after(context, seconds=40.0)
    assert cross_fits(context, quick._full_training)
    assert end("tune", quick) == ENDS["tune"]
    assert not cross_fits(context, slow._full_training)
    assert end("tune", slow) == 1 - closing_share(slow.context) > ENDS["tune"]
    for stage in ("look", "baselines", "overfit", "regularize", "squeeze"):
        assert end(stage, quick) == end(stage, slow) == ENDS[stage]


def test_a_long_search_takes_all_the_time_that_cross_fitting_does_not_need(prepared):
    hour = replace(prepared, budget=Budget(3600.0, clock=lambda: 0.0))
    for seconds in (1.0, 100.0):
        recipe = recipe_after(hour, seconds=seconds)
        needed = SPARE * 8 * 4 * recipe._full_training / 3600
        assert cross_fits(hour, recipe._full_training)
        assert end("tune", recipe) == pytest.approx(max(ENDS["tune"], 1 - closing_share(recipe.context) - needed))
    assert end("tune", recipe_after(hour, seconds=1.0)) > 0.9
    assert end("tune", recipe_after(hour, seconds=100.0)) < 0.85
    assert end("tune", recipe_after(hour, seconds=140.0)) >= ENDS["tune"]
    minute = replace(prepared, budget=Budget(60.0, clock=lambda: 0.0))
    assert end("tune", recipe_after(minute, seconds=0.1)) == ENDS["tune"], "as it was measured to be best"


def test_a_stage_that_begins_late_has_its_own_share_all_the_same_and_one_that_begins_early_keeps_what_is_left(prepared):
    now = [0.0]
    context = replace(prepared, budget=Budget(100.0, clock=lambda: now[0]))
    stages = list(ENDS)
    for before, stage in pairwise(stages[:-1]):
        own, planned = end_of(stage, context, 0.0) - end_of(before, context, 0.0), end_of(stage, context, 0.0)
        assert own > 0
        for begins in (0.0, 100 * ENDS[before]):
            now[0] = begins
            assert end_from_now(stage, context, 0.0) == planned
        now[0] = 100 * ENDS[before] + 20
        assert end_from_now(stage, context, 0.0) == pytest.approx(planned + 0.2)
        now[0] = 99.0
        assert end_from_now(stage, context, 0.0) == 1 - closing_share(context), "what the closing needs is left to it"
    now[0] = 50.0
    assert end_from_now("look", context, 0.0) == ENDS["look"]
    assert end_from_now("squeeze", context, 0.0) == 1
    assert end_from_now("overfit", prepared, math.nan) == end_of("overfit", prepared, math.nan), (
        "without a limit nothing is late"
    )


def test_a_late_stage_of_the_recipe_has_the_clock_of_one_that_begins_now(prepared):
    now = [0.0]
    recipe = Recipe(replace(prepared, budget=Budget(100.0, clock=lambda: now[0])), ())
    assert recipe._within_its_time("overfit").budget.left == pytest.approx(100 * ENDS["overfit"])
    now[0] = 40.0
    assert recipe._within_its_time("overfit").budget.left == pytest.approx(100 * (ENDS["overfit"] - ENDS["baselines"]))


@pytest.mark.parametrize(("used", "told"), [(104.0, False), (106.0, True)])
def test_a_run_that_took_longer_than_it_may_says_so(prepared, tmp_path, used, told):
    heard: list[dict] = []
    recipe = Recipe(prepared, ())
    recipe.context = replace(
        prepared, options=prepared.options.model_copy(update={"time_limit": 100.0}), budget=Budget(100.0, clock=lambda: used),
        log=EventLog(None, [heard.append]),
    )  # fmt: skip
    recipe.context.budget.start = 0.0
    recipe._tell_overrun()
    said = "The run took 106 s, its limit is 100 s: what was begun could not be cut short, such as reading, compiling, a simple"
    assert [event["message"].startswith(said) for event in heard] == [True] * told


def test_time_is_reserved_for_what_this_run_compiles_and_not_for_what_another_did(context):
    programs = context.pool.programs
    programs.compilations.append(Compilation("another run's", 1e4, False))
    try:
        recipe = recipe_after(context, seconds=1.0)
        before = closing_share(recipe.context)
        programs.compilations.append(Compilation("its own", 1e4, False))
        assert before < closing_share(recipe.context) == 0.5
    finally:
        del programs.compilations[-2:]


def test_a_function_that_is_slow_is_called_no_more_often_than_there_is_time_for(prepared):
    assert calls_of_metric(prepared, 1000) == math.inf
    slow = own_metric(lambda truth, prediction: float(np.mean(prediction)), "binary", np.array([0, 1] * 20), 1)
    score = replace(slow.score, seconds_per_row=0.01)
    limited = replace(prepared, metric=slow._replace(score=score), budget=Budget(100.0, clock=lambda: 0.0))
    assert calls_of_metric(limited, 100) == pytest.approx(SHARE_CALLING * 100 / 1.0)
    assert _looked_at(limited, 10) == int(SHARE_CALLING * 100 / 0.1 / PICKS)
    assert _looked_at(limited, 100_000) == 1
    assert _looked_at(prepared, 100_000) == MOST_CANDIDATES


def test_a_full_training_is_timed_by_the_stages_before_the_search_alone(context):
    recipe = recipe_after(context, seconds=1e6)
    expected = 2e6 / 10  # ten networks, each trained to where it stopped; what the search trained says nothing
    assert recipe._full_training == pytest.approx(expected, rel=1e-9), "what other runs of this process waited for counts"
    context.pool.programs.waited += 1e5 * len(context.pool.devices)
    assert recipe._full_training == pytest.approx(1.9e6 / 10, rel=1e-9)
    context.pool.programs.waited -= 1e5 * len(context.pool.devices)
    chose = replace(recipe.result.evidence["overfit"], measures={"choosing_seconds": 4e5})
    recipe.result.evidence["overfit"] = chose
    assert recipe._full_training == pytest.approx(1.6e6 / 10, rel=1e-9), "no network of ours trained meanwhile"
    assert np.isnan(Recipe(context, ())._full_training)
