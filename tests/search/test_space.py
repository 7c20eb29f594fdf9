"""What a search draws: within the declared ranges, on their scale, and each member by itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_networks import structure
from trainwell.errors import InputError
from trainwell.network.structure import hyperparameters_of, resolve
from trainwell.search.space import SEARCHED, Space

SMALL, LARGE = structure(numeric_embedding="periodic"), structure(widths=(16,), dropout="none")
SPACE = Space((SMALL, LARGE))
numbers, seeds = st.integers(0, 5000), st.integers(0, 1000)


@settings(max_examples=60, deadline=None)
@given(numbers, seeds)
def test_every_drawn_value_lies_in_the_searched_range_and_the_rest_at_its_default(number, seed):
    member = SPACE.member(100 + number, 100, seed)
    declared = hyperparameters_of(member.structure)
    assert set(member.settings) == set(declared)
    for name, value in member.settings.items():
        if name in SEARCHED and number >= 2:
            low, high = declared[name].search_range
            assert low * (1 - 1e-9) <= value <= high * (1 + 1e-9)
        else:
            assert value == declared[name].default


@settings(max_examples=30, deadline=None)
@given(numbers, seeds)
def test_a_member_is_drawn_the_same_whichever_other_structures_or_settings_take_part(number, seed):
    name = "adam.learning_rate"
    names = ("dropout.rate", name)  # the first of which only one of the structures has
    both, small, large = (
        Space(structures, names).member(number + 2, 0, seed).settings[name]
        for structures in ((SMALL, LARGE), (SMALL,), (LARGE,))
    )
    assert both == small == large


def test_the_structures_take_turns_and_their_first_members_sit_at_the_centre():
    space = Space((SMALL, LARGE), centre={"adam.learning_rate": 0.005, "dropout.rate": 0.2})
    members = [space.member(number, 10, seed=0) for number in range(10, 16)]
    assert [member.structure for member in members] == [SMALL, LARGE] * 3
    assert members[0].settings == resolve(SMALL, {"adam.learning_rate": 0.005, "dropout.rate": 0.2})
    assert members[1].settings == resolve(LARGE, {"adam.learning_rate": 0.005})  # it has no dropout
    assert members[2].settings["adam.learning_rate"] != 0.005


def test_draws_fill_the_range_evenly_on_its_scale():
    values = np.array([Space((SMALL,)).member(number, 0, seed=0).settings["adam.learning_rate"] for number in range(1, 1001)])
    low, high = hyperparameters_of(SMALL)["adam.learning_rate"].search_range
    position = np.log(values / low) / np.log(high / low)
    counts, _ = np.histogram(position, bins=10, range=(0, 1))
    assert ((counts - 100) ** 2 / 100).sum() < 27.9  # chi-squared of 9 degrees of freedom: a thousandth lies beyond
    assert len(set(values)) == 1000


def test_ranges_can_be_narrowed_and_other_numbers_searched():
    space = Space((SMALL,), ("adam.beta1",), ranges={"adam.beta1": (0.5, 0.6)})
    drawn = [space.member(number, 0, seed=1).settings for number in range(1, 50)]
    assert all(0.5 <= settings["adam.beta1"] <= 0.6 for settings in drawn)
    assert {settings["adam.learning_rate"] for settings in drawn} == {1e-3}


def test_other_numbers_give_other_draws():
    seen = {tuple(SPACE.member(number, 0, seed).settings.values()) for number in range(2, 40) for seed in (0, 1)}
    assert len(seen) == 2 * 38


@pytest.mark.parametrize("where", ["centre", "ranges"])
def test_a_misspelt_setting_is_refused_with_the_nearest_name(where):
    with pytest.raises(InputError) as refused:
        Space((SMALL,), **{where: {"adam.learningrate": (0.1, 0.2)}})
    assert "'adam.learningrate' is no setting of any structure of the search, did you mean 'adam.learning_rate'?" in str(
        refused.value
    )
