"""The words of errors: the nearest right spelling, and lists that stay short."""

from hypothesis import given
from hypothesis import strategies as st

from trainwell.errors import InputError, StageStopped, TrainwellError, listed, nearest

names = st.text(st.characters(categories=["Ll"]), min_size=1, max_size=12)


@given(st.lists(names, min_size=1, max_size=8), st.data())
def test_a_name_in_other_letters_is_found_again(allowed, data):
    name = data.draw(st.sampled_from(allowed))
    assert nearest(name.upper(), allowed) == f", did you mean {name!r}?" or name.upper().lower() != name


@given(names, st.lists(names, max_size=8))
def test_a_hint_is_one_of_the_allowed_or_nothing(name, allowed):
    hint = nearest(name, allowed)
    assert hint == "" or hint in {f", did you mean {option!r}?" for option in allowed}


def test_a_swapped_letter_is_near_and_another_word_is_not():
    allowed = ("adam", "rmsprop", "gradient_descent")
    assert nearest("rsmprop", allowed) == ", did you mean 'rmsprop'?"
    assert nearest("gradient_decent", allowed) == ", did you mean 'gradient_descent'?"
    assert nearest("conjugate", allowed) == ""
    assert nearest(3, allowed) == ""


@given(st.lists(st.integers(), max_size=30), st.integers(1, 12))
def test_a_list_names_at_most_so_many_and_counts_the_rest(items, most):
    said = listed(items, most)
    assert said.count("'") == 2 * min(len(items), most)
    assert said.endswith(f" and {len(items) - most} more") == (len(items) > most)


def test_errors_that_a_user_can_act_on_are_told_apart_from_faults():
    assert issubclass(InputError, TrainwellError)
    assert issubclass(InputError, ValueError)  # as the estimators of scikit-learn raise
    assert not issubclass(StageStopped, ValueError)
    assert (InputError.exit_code, StageStopped.exit_code) == (2, 3)
