"""Halving: the rungs, who survives, and a wave of real members."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from small_networks import member, population, structure
from trainwell.population.budget import Budget
from trainwell.population.member import Training
from trainwell.population.step import MemberState
from trainwell.search.halving import FACTOR, affordable, rungs, survivors, wave
from trainwell.techniques.regularizers import early_stopping

NETWORK = structure()


def scored(number: int, score: float, failed: bool = False) -> Training:
    stopping = early_stopping.State(np.float32(score), np.int32(0), np.bool_(failed))
    state = MemberState({}, {}, {}, 0, 0, {}, {}, stopping, np.bool_(failed))
    return dataclasses.replace(member(number, NETWORK), state=state)


@given(st.integers(1, 10_000), st.integers(1, 100))
def test_rungs_rise_by_the_factor_to_the_end_and_none_is_too_short(epochs, smallest):
    found = rungs(epochs, smallest)
    assert found[-1] == epochs
    assert 1 <= len(found) <= 3
    for lower, upper in pairwise(found):
        assert lower == upper // FACTOR >= smallest


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


@given(st.integers(4, 500), costs_of_members, st.floats(0, 10_000))
def test_rungs_are_drawn_in_to_the_time_that_is_left_and_never_out(epochs, costs, seconds):
    reached, *ends = rungs(epochs)
    found = affordable(ends, reached, costs, seconds)
    assert all(reached < drawn <= max(end, reached + 1) for drawn, end in zip(found, ends, strict=True))
    assert found == sorted(found)
    taken, before, going = 0.0, reached, list(costs)
    for end in found:
        taken += sum(going) * (end - before)
        going, before = going[: max(1, len(going) // FACTOR)], end
    assert taken <= seconds or set(found) == {reached + 1}


def test_with_time_for_all_nothing_is_drawn_in():
    assert affordable([30, 90], 10, [1.0, 2.0, 3.0], 1e6) == [30, 90]


class Hurried(Budget):
    """A limit that leaves, after the first rung, as much time again as that rung took."""

    def __init__(self):
        super().__init__(1e6)
        self.now = 0.0

    @property
    def used(self) -> float:
        self.now += 1.0
        return self.now

    @property
    def left(self) -> float:
        return 1.0


def test_a_wave_in_a_hurry_brings_its_best_to_an_earlier_end():
    trainings = wave(population(), [member(number, NETWORK) for number in range(6)], 60, Hurried())
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
    trainings = wave(population(), members, 36, Budget(), lambda rung, all_: told.append((rung, [t.epochs for t in all_])))
    return trainings, told


def test_a_wave_trains_all_a_little_a_third_further_and_a_ninth_to_the_end(done):
    trainings, told = done
    assert [training.member.number for training in trainings] == list(range(9))
    assert sorted(training.epochs for training in trainings) == [4] * 6 + [12] * 2 + [36]
    assert [rung for rung, _ in told] == [0, 1, 2]
    assert all(len(epochs) == 9 for _, epochs in told)


def test_those_who_went_on_had_the_best_scores(done):
    trainings, _ = done
    early = {training.member.number: max(training.curves.validation_score[:4]) for training in trainings}
    gone_on = {training.member.number for training in trainings if training.epochs > 4}
    assert min(early[number] for number in gone_on) >= max(early[number] for number in set(early) - gone_on)


def test_all_keep_their_best_weights_and_no_more(done):
    for training in done[0]:
        assert training.state.best_weights
        assert training.state.weights == {}


def test_a_wave_ends_with_the_time(done):
    budget = Budget()
    trainings = wave(population(), [member(number, NETWORK) for number in range(4)], 36, budget, lambda *_: budget.interrupt())
    assert {training.epochs for training in trainings} == {4}
    assert all(training.epochs == 0 for training in wave(population(), [member(0, NETWORK)], 36, Budget(0)))
