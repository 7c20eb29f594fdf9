"""A declaration checks values, draws from its range and refuses to contradict itself."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trainwell.errors import InputError
from trainwell.hyperparameter import Choice, Hyperparameter, defaults

RATE = Hyperparameter("learning_rate", default=1e-3, low=1e-6, high=1.0, scale="log", search=(1e-4, 1e-2))
positive = st.floats(1e-6, 1e6)
positions = st.floats(0, 1)


@given(st.floats())
def test_a_value_is_taken_in_its_range_and_refused_outside(value):
    if RATE.low <= value <= RATE.high:
        assert RATE.check(value) == RATE.check(repr(value)) == value
    else:
        with pytest.raises(InputError) as refused:
            RATE.check(value, "adam.learning_rate")
        assert str(refused.value) == f"adam.learning_rate is {value:g}, allowed is 1e-06 to 1."


@given(st.text().filter(lambda text: not _is_number(text)) | st.none() | st.lists(st.integers()))
def test_what_is_no_number_is_refused_with_the_range(value):
    with pytest.raises(InputError) as refused:
        RATE.check(value)
    assert str(refused.value) == f"learning_rate is {value!r}, which is not a number from 1e-06 to 1."


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@given(positive, positive, positions, positions, st.sampled_from(["linear", "log"]))
def test_positions_run_through_the_range_in_order(one, other, first, second, scale):
    low, high = sorted((one, other))
    assume(low < high)
    declared = Hyperparameter("x", default=low, low=low, high=high, scale=scale)
    slack = 1e-9 * high
    assert low - slack <= declared.at(first) <= high + slack
    assert declared.at(0) == pytest.approx(low)
    assert declared.at(1) == pytest.approx(high)
    if first < second:
        assert declared.at(first) <= declared.at(second) + slack


def test_the_middle_of_a_log_scale_is_the_geometric_mean():
    assert RATE.at(0.5) == pytest.approx(1e-3)
    assert Hyperparameter("x", default=1, low=0, high=4).at(0.5) == 2


@pytest.mark.parametrize("wrong", [{"default": 2.0}, {"default": math.nan}, {"search": (1e-9, 0.1)}, {"search": (0.1, 7.0)}])
def test_a_declaration_that_contradicts_itself_cannot_be_made(wrong):
    with pytest.raises(InputError, match="learning_rate is "):
        Hyperparameter("learning_rate", **{"default": 0.1, "low": 1e-6, "high": 1.0, **wrong})


def test_a_choice_takes_its_options_and_hints_at_the_nearest():
    choice = Choice("optimizer", "adam", ("adam", "rmsprop"))
    assert choice.check("rmsprop") == "rmsprop"
    with pytest.raises(InputError) as refused:
        choice.check("rmsprob")
    assert str(refused.value) == "optimizer is 'rmsprob', did you mean 'rmsprop'? allowed is one of 'adam', 'rmsprop'."
    with pytest.raises(InputError, match=r"^structure\.optimizer is 3, allowed is one of 'adam', 'rmsprop'\.$"):
        choice.check(3, "structure.optimizer")
    with pytest.raises(InputError):
        Choice("optimizer", "sgd", ("adam", "rmsprop"))


def test_defaults_are_ready_to_be_passed_on():
    assert defaults((RATE, Hyperparameter("beta", default=0.9, low=0, high=1))) == {"learning_rate": 1e-3, "beta": 0.9}
