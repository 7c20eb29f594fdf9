"""Halving: the rungs, who survives, and a wave of real members."""

import dataclasses
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from small_networks import bits, compared_by, member, population, structure
from trainwell.population.budget import Budget
from trainwell.population.member import Training
from trainwell.population.step import MemberState
from trainwell.search.halving import FACTOR, NARROW, WIDE, Shape, Wave, affordable, rungs, survivors, wave
from trainwell.techniques.regularizers import early_stopping

NETWORK = structure()
RECKLESS = structure("regression", optimizer="gradient_descent")


def tame(number: int) -> Training:
    return member(number, RECKLESS, gradient_descent__learning_rate=0.01 * (number + 1), early_stopping__patience=99)


def scored(number: int, score: float, failed: bool = False) -> Training:
    stopping = early_stopping.State(np.float32(score), np.int32(0), np.bool_(failed))
    state = MemberState({}, {}, {}, 0, 0, {}, {}, stopping, np.bool_(failed))
    return dataclasses.replace(member(number, NETWORK), state=state)


@given(st.integers(1, 10_000), st.integers(1, 100))
def test_rungs_rise_by_the_factor_to_the_end_and_none_is_too_short(epochs, smallest):
    found = rungs(epochs, smallest=smallest)
    assert found[-1] == epochs
    assert 1 <= len(found) <= 3
    for lower, upper in pairwise(found):
        assert lower == upper // FACTOR >= smallest


@given(st.integers(1, 10_000), st.integers(1, 3), st.integers(1, 100))
def test_a_shape_says_how_often_members_are_compared_and_there_are_fewer_rungs_only_where_epochs_lack(epochs, most, smallest):
    found = rungs(epochs, most, smallest)
    assert found == rungs(epochs, 3, smallest)[-most:]
    assert len(found) == most or found[0] // FACTOR < smallest


def test_a_narrow_wave_costs_what_a_wide_one_does_tries_a_third_and_takes_twice_as_many_to_the_end():
    assert WIDE.cost() == pytest.approx(NARROW.cost()) == pytest.approx(18 / 9 + 6 * 2 / 9 + 2 * 6 / 9)
    assert NARROW.members * 3 == WIDE.members
    assert [WIDE.going_on(18), WIDE.going_on(6), NARROW.going_on(6)] == [6, 2, 4]
    assert NARROW.going_on(6) == 2 * WIDE.going_on(WIDE.going_on(18))


@given(st.integers(1, 60), st.integers(1, 4), st.integers(1, 12))
def test_what_a_wave_costs_is_what_its_members_train(members, most, twelfths):
    shape = Shape(members, most, twelfths / 12)
    whole, going, before, trained = FACTOR ** (most - 1), members, 0, 0
    for end in rungs(whole, most):
        trained += going * (end - before)
        going, before = shape.going_on(going), end
    assert shape.cost() == pytest.approx(trained / whole)


@given(st.integers(1, 200), st.sampled_from([WIDE, NARROW]))
def test_a_share_of_the_members_goes_on_rounded_down_and_one_at_least(members, shape):
    going = shape.going_on(members)
    assert 1 <= going <= members
    assert going == 1 or going <= members * shape.share + 1e-6 < going + 1


@given(st.lists(st.tuples(st.floats(-5, 5, width=16), st.booleans()), min_size=1, max_size=30), st.integers(1, 30))
def test_survivors_are_the_best_that_did_not_fail(members, keep):
    trainings = [scored(number, score, failed) for number, (score, failed) in enumerate(members)]
    chosen = survivors(trainings, keep)
    sound = {training.member.number for training in trainings if not training.failed}
    assert chosen <= sound
    assert len(chosen) == min(keep, len(sound))
    left = sound - chosen
    if chosen and left:
        assert min(trainings[number].rank for number in chosen) >= max(trainings[number].rank for number in left)
    assert chosen == survivors(trainings[::-1], keep)


def test_the_lower_number_wins_a_tie_and_the_unbegun_never_survive():
    assert survivors([scored(4, 0.5), scored(2, 0.5), scored(3, 0.5), member(1, NETWORK)], 2) == {2, 3}


costs_of_members = st.lists(st.floats(0.01, 10), min_size=1, max_size=20)


@given(st.integers(4, 500), costs_of_members, st.floats(0, 10_000), st.sampled_from([WIDE, NARROW]))
def test_rungs_are_drawn_in_to_the_time_that_is_left_and_never_out(epochs, costs, seconds, shape):
    reached, *ends = rungs(epochs, shape.rungs)
    found = affordable(ends, reached, costs, seconds, shape)
    assert all(reached < drawn <= max(end, reached + 1) for drawn, end in zip(found, ends, strict=True))
    assert found == sorted(found)
    taken, before, going = 0.0, reached, list(costs)
    for end in found:
        taken += sum(going) * (end - before)
        going, before = going[: shape.going_on(len(going))], end
    assert taken <= seconds or set(found) == {reached + 1}


def test_with_time_for_all_nothing_is_drawn_in():
    assert affordable([30, 90], 10, [1.0, 2.0, 3.0], 1e6) == [30, 90]


def begun(trainings, epochs: int = 36, budget: Budget | None = None, task: str = "binary", shape: Shape = WIDE, **more) -> Wave:
    own = population(task)
    return wave(own, Wave.of(trainings, epochs, shape), budget or Budget(), **more)


class Hurried(Budget):
    """A limit that leaves, after the first rung, as much time again as that rung took; compiling takes a hair of it."""

    rung = 1e5

    def __init__(self):
        super().__init__(1e9)
        self.now = 0.0

    @property
    def used(self) -> float:
        self.now += self.rung
        return self.now

    @property
    def left(self) -> float:
        return self.rung


def test_a_wave_in_a_hurry_brings_its_best_to_an_earlier_end():
    trainings = begun([member(number, NETWORK) for number in range(6)], 60, Hurried()).trainings
    ended = [training for training in trainings if training.ended]
    assert len(ended) == 1
    assert 6 < ended[0].epochs < 60
    assert all(not training.ended and training.epochs < ended[0].epochs for training in trainings if training not in ended)


@pytest.fixture(scope="module")
def done():
    told = []
    members = [
        member(number, NETWORK, adam__learning_rate=10 ** (-1 - number / 4), early_stopping__patience=99) for number in range(9)
    ]
    trainings = begun(members, on_rung=told.append).trainings
    return trainings, told


def test_a_wave_trains_all_a_little_a_third_further_and_a_ninth_to_the_end(done):
    trainings, told = done
    assert [training.member.number for training in trainings] == list(range(9))
    assert sorted(training.epochs for training in trainings) == [4] * 6 + [12] * 2 + [36]
    assert [(now.rung, now.ends, len(now.trainings), len(now.going)) for now in told] == [
        (1, (4, 12, 36), 9, 3),
        (2, (4, 12, 36), 9, 1),
        (3, (4, 12, 36), 9, 1),
    ]


@pytest.fixture(scope="module")
def narrow():
    told = []
    members = [
        member(number, NETWORK, adam__learning_rate=10 ** (-1 - number / 3), early_stopping__patience=99) for number in range(6)
    ]
    closed = begun(members, 12, shape=NARROW, on_rung=told.append)
    return closed, told


def test_a_narrow_wave_trains_all_for_a_third_and_the_best_four_of_six_to_the_end(narrow):
    closed, told = narrow
    assert sorted(training.epochs for training in closed.trainings) == [4] * 2 + [12] * 4
    assert [(now.rung, now.ends, len(now.going)) for now in told] == [(1, (4, 12), 4), (2, (4, 12), 4)]
    assert {now.shape for now in (*told, closed)} == {NARROW}
    assert [training.ended for training in closed.trainings] == [training.epochs == 12 for training in closed.trainings]
    early = {training.member.number: max(compared_by(training)[:4]) for training in closed.trainings}
    gone_on = {training.member.number for training in closed.trainings if training.epochs > 4}
    assert min(early[number] for number in gone_on) >= max(early[number] for number in set(early) - gone_on)


def test_a_narrow_wave_that_goes_on_from_its_first_rung_comes_to_the_same_bits(narrow):
    closed, told = narrow
    resumed = wave(population(), told[0], Budget())
    assert [bits(training) for training in resumed.trainings] == [bits(training) for training in closed.trainings]


def test_a_narrow_wave_in_a_hurry_brings_its_four_to_an_earlier_end():
    closed = begun([member(number, NETWORK) for number in range(6)], 60, Hurried(), shape=NARROW)
    ended = [training for training in closed.trainings if training.ended]
    assert len(ended) == 4
    (end,) = {training.epochs for training in ended}
    assert 20 < end < 60
    assert closed.ends == (20, end)


def test_those_who_went_on_had_the_best_scores(done):
    trainings, _ = done
    early = {training.member.number: max(compared_by(training)[:4]) for training in trainings}
    gone_on = {training.member.number for training in trainings if training.epochs > 4}
    assert min(early[number] for number in gone_on) >= max(early[number] for number in set(early) - gone_on)


def test_all_keep_their_best_weights_and_no_more(done):
    for training in done[0]:
        assert training.state.best_weights
        assert training.state.weights == {}


def test_a_wave_ends_with_the_time(done):
    budget = Budget()
    people = [member(number, NETWORK) for number in range(4)]
    cut = begun(people, budget=budget, on_rung=lambda now: budget.interrupt())
    assert cut.over
    assert {training.epochs for training in cut.trainings} == {4}
    assert [training.epochs for training in begun(people, budget=Budget(0)).trainings] == [0] * 4


def test_a_wave_that_goes_on_from_any_rung_comes_to_the_same_bits(done):
    trainings, told = done
    for standing in told:
        again = []
        resumed = wave(population(), standing, Budget(), on_rung=lambda now, again=again: again.append(now.rung))
        assert again == list(range(standing.rung + 1, 4))
        assert [bits(training) for training in resumed.trainings] == [bits(training) for training in trainings]


def wild(number: int) -> Training:
    """A member that fails at once."""
    training = member(number, RECKLESS)
    training.member.settings["gradient_descent.learning_rate"] = 1e6  # more than a user may ask for
    return training


def test_a_member_that_fails_in_the_first_rung_gives_its_place_to_a_new_one():
    """Two rounds: one of the new ones fails, too."""
    asked, told = [], []
    new = iter([wild(6), tame(7), tame(8)])

    def refill(count: int, beside) -> list[Training]:
        asked.append(count)
        return list(islice(new, count))

    first = [tame(0), wild(1), tame(2), wild(3), tame(4), tame(5)]
    closed = begun(first, task="regression", refill=refill, on_rung=told.append)
    assert asked == [2, 1]
    assert [training.member.number for training in closed.trainings] == list(range(9))
    assert [len(now.going) for now in told] == [2, 1, 1], "the places are those of the members that began"
    assert {t.member.number for t in closed.trainings if t.failed} == {1, 3, 6}
    assert min(t.epochs for t in closed.trainings if not t.failed) == 4


def test_a_member_that_stops_in_the_first_rung_gives_its_place_too_and_stays_in_the_running():
    weary = member(0, NETWORK, early_stopping__patience=1, early_stopping__min_delta=1e6)
    asked = []
    closed = begun([weary, member(1, NETWORK)], refill=lambda count, beside: asked.append(count) or [])
    assert asked == [1]
    assert closed.trainings[0].stopped
    assert closed.trainings[0].state.best_weights


def test_no_member_is_replaced_where_all_go_on_or_where_the_first_rung_is_the_end():
    asked = []

    def refill(count: int, beside) -> list[Training]:
        asked.append(count)
        return []

    begun([member(number, NETWORK) for number in range(3)], refill=refill)
    begun([wild(0)], 2, task="regression", refill=refill)
    assert asked == []


def test_a_member_that_fails_is_recorded_with_its_epoch_and_leaves_its_neighbours_bits_alone():
    own = population("regression")
    beside_wild, beside_tame = (own.train([tame(0), neighbour, tame(2)], 4, 4, Budget()) for neighbour in (wild(1), tame(1)))
    assert (beside_wild[1].failed, beside_wild[1].epochs) == (True, 1)
    assert not np.isfinite(beside_wild[1].curves.training_loss[-1])
    assert [bits(beside_wild[place]) for place in (0, 2)] == [bits(beside_tame[place]) for place in (0, 2)]
