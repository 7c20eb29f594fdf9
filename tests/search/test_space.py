"""What a search is made of: axes within the declared ranges, choices from the structures, a centre, members."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from small_networks import structure
from trainwell.errors import InputError
from trainwell.network.structure import hyperparameters_of, resolve
from trainwell.search.space import MOST_STRUCTURES, Axis, Space

SMALL, LARGE = structure(numeric_embedding="periodic"), structure(widths=(16,), dropout="none")
RATE = "adam.learning_rate"
ends = st.tuples(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3)).map(sorted).filter(lambda pair: pair[1] > pair[0] * 1.001)


@given(ends, st.booleans(), st.floats(0, 1))
def test_a_position_on_an_axis_is_that_of_its_value_and_lies_within_the_ends(pair, log, position):
    axis = Axis(*pair, log)
    value = axis.nearest(axis.at(position))
    assert axis.holds(value)
    assert axis.position(value) == pytest.approx(position, abs=1e-6)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1), st.floats(-1e4, 1e4))
def test_of_values_the_nearest_is_taken(values, wanted):
    axis = Axis(min(values), max(values), values=tuple(values))
    assert axis.nearest(wanted) in values
    assert all(abs(axis.nearest(wanted) - wanted) <= abs(value - wanted) for value in values)


def test_settings_are_drawn_from_the_declared_range_on_the_declared_scale_unless_the_space_says_otherwise():
    declared = hyperparameters_of(SMALL)
    assert Space((SMALL,)).axes(SMALL)[RATE] == Axis(*declared[RATE].search_range, log=True)
    own = Space((SMALL,), (RATE, "dropout.rate"), ranges={RATE: (0.1, 0.2)}, values={"dropout.rate": (0.3, 0.0)},
                logarithmic={RATE: False})  # fmt: skip
    assert own.axes(SMALL) == {RATE: Axis(0.1, 0.2), "dropout.rate": Axis(0.0, 0.3, values=(0.3, 0.0))}
    assert set(Space((SMALL, LARGE)).axes(LARGE)) == {RATE, "weight_decay.rate"}, "it has neither dropout nor embeddings"


def test_choices_are_the_fields_in_which_the_structures_differ():
    space = Space(tuple(structure(widths=widths, activation=a) for widths in ((), (8, 4)) for a in ("relu", "silu")))
    assert space.choices == {"widths": ("linear", "8-4"), "activation": ("relu", "silu")}
    assert space.structure_of({"widths": "8-4", "activation": "relu"}) == structure(widths=(8, 4), activation="relu")
    assert Space((SMALL,)).choices == {}


def test_a_field_that_follows_from_another_is_no_choice_of_its_own():
    assert list(Space((structure(), structure(batch_norm="before", batch_norm_test="population"))).choices) == ["batch_norm"]


def test_choices_that_do_not_go_together_become_the_nearest_structure():
    space = Space((structure(), structure(activation="relu"), structure(widths=(4,))))
    assert space.structure_of({"widths": "4", "activation": "relu"}) in space.structures


def test_a_member_at_the_centre_lies_within_the_space_and_has_what_is_not_searched():
    space = Space((SMALL, LARGE), (RATE, "dropout.rate"), {RATE: 0.9, "dropout.rate": 0.2, "adam.beta2": 0.95},
                  {RATE: (1e-4, 1e-2)})  # fmt: skip
    central = space.central(7, SMALL)
    assert central.settings == resolve(SMALL, {RATE: 1e-2, "dropout.rate": 0.2, "adam.beta2": 0.95})
    assert space.holds(central)
    assert space.point(central) == {"widths": "8", "numeric_embedding": "periodic", "dropout": "inverted", RATE: 1e-2,
                                    "dropout.rate": 0.2} or len(space.choices) == 1  # fmt: skip
    assert not Space((SMALL,), ranges={RATE: (1e-4, 1e-3)}).holds(central)
    assert not Space((LARGE,)).holds(central)


def test_of_many_structures_some_evenly_spread_stand_at_the_centre():
    many = tuple(structure(widths=(units,)) for units in range(2, 14))
    assert [one.widths for one in Space(many).centres] == [(2,), (4,), (6,), (8,), (10,), (12,)]
    assert Space((SMALL, LARGE)).centres == (SMALL, LARGE)


def test_more_programs_than_allowed_are_refused_with_the_choices_that_make_them():
    many = tuple(structure(widths=(units,), activation=a) for units in range(2, 20) for a in ("relu", "silu"))
    with pytest.raises(InputError) as refused:
        Space(many)
    assert str(refused.value) == (
        "the choices make 36 different networks, each of which is a program to compile: "
        f"allowed are {MOST_STRUCTURES}, so take values out of widths (18 values), activation (2 values)."
    )


@pytest.mark.parametrize("where", ["centre", "ranges", "values"])
def test_a_misspelt_setting_is_refused_with_the_nearest_name(where):
    with pytest.raises(InputError) as refused:
        Space((SMALL,), **{where: {"adam.learningrate": (0.1, 0.2)}})
    assert "'adam.learningrate' is no setting of any structure of the search, did you mean 'adam.learning_rate'?" in str(
        refused.value
    )
