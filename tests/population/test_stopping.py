"""Each member stops at its own epoch, keeps its best weights, fails alone; and the time that training may take is kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from small_networks import compared_by, member, population, rows, structure, train
from trainwell.network.structure import resolve
from trainwell.population import epoch
from trainwell.population.budget import Budget
from trainwell.population.epoch import Data
from trainwell.population.history import Curves
from trainwell.population.metrics import METRICS
from trainwell.population.step import Rows, start

PATIENCES = (1, 2, 4, 100)


@pytest.fixture(scope="module")
def impatient(network):
    """Four members of unlike patience, so fast that their scores soon go up and down, and their neighbour without bounds."""
    members = [
        member(number, network, adam__learning_rate=0.3, early_stopping__patience=patience)
        for number, patience in enumerate(PATIENCES)
    ]
    return train(members, 24)


def test_a_member_stops_when_its_own_patience_ends_and_its_neighbours_go_on(impatient):
    for training, patience in zip(impatient, PATIENCES, strict=True):
        scores = compared_by(training)
        if training.stopped:
            assert training.epochs - training.curves.best_epoch == patience
            assert training.epochs < 24
        best = np.maximum.accumulate(scores)
        improved = np.append(True, best[1:] > best[:-1])
        gaps = np.diff(np.append(np.flatnonzero(improved), len(scores)))
        assert gaps[:-1].max(initial=0) <= patience  # it did not wait longer before
    assert (impatient[0].stopped, impatient[-1].stopped) == (True, False)
    assert len({training.epochs for training in impatient}) > 1


def test_the_kept_weights_are_those_of_the_best_epoch(impatient):
    own, rows_ = population(), population().data.validation
    predictions = own.predict(impatient, rows_.numeric, rows_.categories)
    for training, predicted in zip(impatient, predictions, strict=True):
        curves = training.curves
        assert compared_by(training)[curves.best_epoch - 1] == pytest.approx(max(compared_by(training)), abs=1e-6)
        assert training.score == curves.validation_score[curves.best_epoch - 1]
        assert float(METRICS["auc"].score(predicted, rows_.target)) == pytest.approx(training.score, abs=1e-6)


def test_a_member_that_stopped_is_left_as_it_is(impatient):
    stopped = [training for training in impatient if training.stopped]
    assert stopped
    assert train(stopped, 24) == stopped


def test_a_member_that_diverges_fails_with_what_it_had_and_its_neighbours_never_notice(network):
    own = structure("regression", optimizer="gradient_descent", clip="none")
    tame = [member(number, own, gradient_descent__learning_rate=0.05) for number in (0, 2)]
    wild = member(1, own, gradient_descent__learning_rate=1.0, weight_decay__rate=1.0)
    wild.member.settings["gradient_descent.learning_rate"] = 1e6
    alone = train(tame, 5, of=population("regression"))
    first, failed, third = train([tame[0], wild, tame[1]], 5, of=population("regression"))
    assert (failed.failed, failed.stopped, failed.score) == (True, True, -np.inf)
    assert not np.isfinite(failed.curves.training_loss[-1])
    assert failed.curves.best_epoch == 0
    assert all(np.isfinite(weight).all() for weight in failed.state.best_weights.values())
    for one, other in zip((first, third), alone, strict=True):
        assert one.curves == other.curves
        jax.tree.map(np.testing.assert_array_equal, one.state, other.state)


@pytest.mark.parametrize("stopped", [False, True])
def test_what_becomes_of_a_member_that_goes_on_with_its_cohort_after_it_stopped_is_no_failure(network, stopped):
    settings, data = resolve(network), Data(rows(), rows(number=64, seed=1))
    state = start(jnp.uint32(0), network, settings, np.zeros(1, np.float32))
    state = state._replace(stopping=state.stopping._replace(stopped=jnp.bool_(stopped)))
    after, record = epoch._validate(state, jnp.array([jnp.inf]), data, network, settings, METRICS["auc"], "binary", None)
    assert bool(after.failed) != stopped
    assert bool(record.stopped)


def test_of_many_rows_population_statistics_are_those_of_some_from_all_over_the_table(monkeypatch):
    own = structure(batch_norm="before", batch_norm_test="population", dropout="none")
    settings, all_rows = resolve(own), rows(number=100)
    state = start(jnp.uint32(0), own, settings, np.zeros(1, np.float32))
    of_all = epoch._measured(state, all_rows, own, settings).statistics
    monkeypatch.setattr(epoch, "MOST_MEASURED", 30)
    of_some = epoch._measured(state, all_rows, own, settings).statistics
    drawn = epoch._drawn(100, 30)
    some = Rows(*(x[drawn] for x in all_rows[:3]))
    monkeypatch.undo()
    for name, expected in epoch._measured(state, some, own, settings).statistics.items():
        np.testing.assert_array_equal(of_some[name], expected)
        assert not np.array_equal(of_all[name], expected)


@pytest.mark.parametrize("period", [2, 3, 4, 24])
def test_rows_that_take_turns_are_all_among_those_that_are_measured(period):
    drawn = epoch._drawn(4 * 1000, 1000)
    assert len(set(drawn.tolist())) == 1000
    assert drawn.min() >= 0
    assert drawn.max() < 4000
    np.testing.assert_array_equal(drawn, epoch._drawn(4 * 1000, 1000))
    share = np.bincount(drawn % period, minlength=period) / 1000
    deviation = (1 / period * (1 - 1 / period) / 1000) ** 0.5
    np.testing.assert_allclose(share, 1 / period, atol=4 * deviation)


def test_curves_have_one_value_an_epoch_and_json_without_nan(impatient):
    for training in impatient:
        curves = training.curves
        lengths = {len(curves), len(curves.training_loss), len(curves.validation_loss), len(curves.validation_score)}
        assert lengths == {training.epochs}
        assert int(training.state.step) >= 6 * training.epochs
    broken = Curves((float("nan"),), (float("inf"),), (0.5,))
    assert broken.to_json() == {"training_loss": [None], "validation_loss": [None], "validation_score": [0.5]}
    assert (Curves().best_epoch, Curves((1.0,), (1.0,), (float("nan"),)).best_epoch) == (0, 0)


def test_what_is_no_longer_needed_is_let_go_and_predictions_stay(impatient):
    new, own = rows(number=20, seed=3), population()
    light = [training.let_go() for training in impatient]
    assert all(not training.state.weights and not training.state.moments.__len__() for training in light)
    before, after = (own.predict(some, new.numeric, new.categories) for some in (impatient, light))
    np.testing.assert_array_equal(before, after)
    unbegun = member(0, structure())
    assert unbegun.let_go() is unbegun
    assert (unbegun.score, unbegun.stopped, unbegun.failed, unbegun.epochs) == (-np.inf, False, False, 0)


def test_reduce_on_plateau_lowers_each_members_own_rate_between_epochs():
    own = structure(schedule="reduce_on_plateau")
    never_better = {"reduce_on_plateau__min_delta": 1e6, "early_stopping__patience": 99, "reduce_on_plateau__factor": 0.5}
    members = [member(number, own, reduce_on_plateau__patience=number, **never_better) for number in (0, 1)]
    trainings = train([*members, member(2, own, reduce_on_plateau__patience=99)], 5)
    assert [float(training.state.plateau.multiplier) for training in trainings] == [0.5**4, 0.5**2, 1.0]
    assert resolve(own)["reduce_on_plateau.patience"] < resolve(own)["early_stopping.patience"]


def test_population_statistics_are_exactly_those_of_all_training_rows_without_dropout():
    own = structure(batch_norm="before", batch_norm_test="population", widths=(6,))
    (training,) = train([member(0, own, dropout__rate=0.5)], 3)
    weights, data = training.state.weights, population().data.train
    x = np.hstack([data.numeric, weights["category0.embedding"][data.categories[:, 0]]])
    z = x @ weights["layer1.weight"].T + weights["layer1.bias"]
    np.testing.assert_allclose(training.state.statistics["layer1.mean"], z.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(training.state.statistics["layer1.variance"], z.var(axis=0), rtol=1e-4)


def test_dropout_on_shifts_the_variance_that_population_statistics_record():
    found = {}
    for at_test in ("population", "population_with_dropout"):
        own = structure(batch_norm="before", batch_norm_test=at_test, widths=(6, 6))
        (training,) = train([member(0, own, dropout__rate=0.5)], 1)
        found[at_test] = training.state.statistics["layer2.variance"]
    assert (found["population_with_dropout"] > 1.2 * found["population"]).mean() > 0.5


class Clock:
    """Time that passes by one second whenever somebody looks."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_training_ends_at_the_first_look_after_the_time_and_keeps_what_it_has(network):
    members = [member(number, network, early_stopping__patience=99) for number in range(3)]
    own = population()
    full = own.train(members, 400, 400, Budget())
    cut = own.train(members, 400, 400, Budget(5, Clock()))
    assert 0 < cut[0].epochs < 400
    for one, whole in zip(cut, full, strict=True):
        assert one.curves.training_loss == whole.curves.training_loss[: one.epochs]
    assert own.train(cut, 400, 400, Budget())[1].curves == full[1].curves  # and goes on from there


def test_nothing_is_begun_after_the_time_or_an_interrupt(network):
    interrupted = Budget()
    interrupted.interrupt()
    for budget in (Budget(0), interrupted):
        (training,) = population().train([member(0, network)], 4, 4, budget)
        assert (training.state, training.epochs) == (None, 0)


def test_a_budget_counts_down_and_its_parts_end_earlier_and_share_the_interrupt():
    times = iter([100.0, 102.0, 105.0, 107.0, 111.0, 111.0])
    budget = Budget(10, lambda: next(times))
    assert (budget.used, budget.left) == (2.0, 5.0)
    half = Budget(10, lambda: 0.0).until(0.5)
    assert half.left == 5.0
    assert half.until(0.8).left == 8.0  # a share of the whole
    assert budget.left == 3.0
    assert budget.passed
    whole = Budget()
    part = whole.until(0.1)
    assert part.left == float("inf")
    whole.interrupt()
    assert (part.left, part.passed, whole.passed) == (0.0, True, True)


def test_whoever_waits_hears_of_every_cohort_that_is_done(network):
    told = []
    members = [member(number, network) for number in range(20)]
    population().train(members, 2, 2, Budget(), lambda trainings: told.append([one.member.number for one in trainings]))
    assert sorted(number for group in told for number in group) == list(range(20))
    assert sorted(len(group) for group in told) == [4, 16]
