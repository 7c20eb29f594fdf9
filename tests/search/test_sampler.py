"""What is drawn: within the space, at its centre first, the same every time, and by TPE where the good ones are."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_networks import structure
from trainwell.errors import InputError
from trainwell.network.structure import hyperparameters_of, resolve
from trainwell.search import grid
from trainwell.search.sampler import draw
from trainwell.search.space import Space
from trainwell.search.trials import told

SMALL, LARGE = structure(numeric_embedding="periodic"), structure(widths=(16,), dropout="none")
RATE, DROPOUT = "adam.learning_rate", "dropout.rate"
CENTRE = {RATE: 0.005, "adam.beta2": 0.95, "weight_decay.rate": 0.02}
SPACE = Space((SMALL, LARGE), centre=CENTRE)


@st.composite
def spaces(draw_from):
    """Spaces with some choices, some ranges and some lists of values."""
    widths = draw_from(st.lists(st.integers(2, 9), min_size=1, max_size=3, unique=True))
    activations = draw_from(st.lists(st.sampled_from(["relu", "silu", "tanh"]), min_size=1, max_size=2, unique=True))
    structures = tuple(structure(widths=(units,), activation=one) for units in widths for one in activations)
    low = draw_from(st.floats(1e-6, 0.5))
    high = draw_from(st.floats(low * 1.01, 1.0))
    values = draw_from(st.lists(st.floats(0, 0.9), min_size=1, max_size=4, unique=True))
    log = draw_from(st.booleans())
    return Space(
        structures, (RATE, DROPOUT), ranges={RATE: (low, high)}, values={DROPOUT: tuple(values)}, logarithmic={RATE: log}
    )


@settings(max_examples=25)
@given(spaces(), st.sampled_from(["tpe", "random", "grid"]), st.integers(0, 1000))
def test_every_member_lies_in_its_space_and_what_is_not_searched_is_at_the_centre(space, sampler, seed):
    for member in draw(sampler, space, range(100, 112), 100, seed):
        assert space.holds(member)
        usual = resolve(member.structure)
        assert {name for name, value in member.settings.items() if value != usual[name]} <= {RATE, DROPOUT}


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_first_members_stand_at_the_centre_and_the_others_do_not(sampler):
    members = draw(sampler, SPACE, range(10, 16), 10, seed=0)
    assert [member.structure for member in members[:2]] == [SMALL, LARGE]
    for member in members[:2]:
        assert member.settings == resolve(member.structure, CENTRE)
    assert all(member.settings[RATE] != 0.005 for member in members[2:])
    assert {member.settings["adam.beta2"] for member in members} == {0.95}


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_a_draw_hangs_on_the_seed_the_numbers_and_the_members_before_alone(sampler, scored):
    before = [scored(member, 0.5 + 0.01 * member.number) for member in draw("random", SPACE, range(18), 0, 1)]
    numbers = range(18, 30)
    first, again = (draw(sampler, SPACE, numbers, 0, 1, before) for _ in range(2))
    assert first == again
    assert first != draw(sampler, SPACE, numbers, 0, 2, before)
    other = [scored(training.member, 0.9 - training.rank) for training in before]
    assert (first != draw(sampler, SPACE, numbers, 0, 1, other)) == (sampler == "tpe")


def test_every_wave_draws_anew():
    one, other = ([m.settings[RATE] for m in draw("random", SPACE, range(first, first + 18), 0, 0)] for first in (18, 36))
    assert not set(one) & set(other)


def test_random_draws_fill_the_range_evenly_on_its_scale():
    members = draw("random", Space((SMALL,)), range(1001), 0, seed=0)[1:]
    low, high = hyperparameters_of(SMALL)[RATE].search_range
    positions = [math.log(member.settings[RATE] / low) / math.log(high / low) for member in members]
    counts, _ = np.histogram(positions, bins=10, range=(0, 1))
    assert ((counts - 100) ** 2 / 100).sum() < 27.9  # chi-squared of 9 degrees of freedom: a thousandth lies beyond
    assert len(set(positions)) == 1000


def test_tpe_draws_where_the_good_members_are(scored):
    space = Space((SMALL, LARGE), (RATE,), ranges={RATE: (1e-4, 1e-1)})

    def quality(member):
        return (member.structure == LARGE) - abs(math.log10(member.settings[RATE] / 3e-3))

    before = []
    for wave in range(4):
        members = draw("tpe", space, range(18 * wave, 18 * wave + 18), 0, 0, before)
        ranked = sorted(members, key=quality)
        before += [scored(member, quality(member), ended=place >= 16) for place, member in enumerate(ranked)]
    last = [quality(training.member) for training in before[-18:]]
    random = [quality(member) for member in draw("random", space, range(2, 200), 0, 0)]
    assert np.mean(last) > np.mean(random) + 0.3


def test_a_member_that_broke_down_is_told_as_bad_and_one_outside_of_the_space_not_at_all(scored):
    space = Space((SMALL,), (RATE,), ranges={RATE: (1e-4, 1e-2)})
    inside, outside = (space.member(1, SMALL, {RATE: rate}) for rate in (1e-3, 0.5))
    pruned, failed, complete = (
        told(space, training)
        for training in (scored(inside, 0.7), scored(inside, 0.7, failed=True), scored(inside, 0.7, ended=True))
    )
    assert (pruned.state.name, pruned.intermediate_values) == ("PRUNED", {9: pytest.approx(0.7)})
    assert failed.state.name == "PRUNED"
    assert math.isnan(failed.intermediate_values[9])
    assert (complete.state.name, complete.value) == ("COMPLETE", pytest.approx(0.7))
    assert told(space, scored(outside, 0.7)) is None


def test_drawing_leaves_the_diary_of_optuna_as_it_was(capfd):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    draw("tpe", SPACE, range(3), 0, 0)
    assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
    assert capfd.readouterr().err == ""


def test_a_grid_holds_every_combination_once_and_then_ends():
    space = Space((SMALL, LARGE), (RATE, DROPOUT), ranges={RATE: (1e-3, 1e-1)}, values={DROPOUT: (0.0, 0.5)})
    assert grid.size(space) == 3 * 2 + 3
    members = draw("grid", space, range(5, 25), 5, seed=3)
    found = {(member.structure, member.settings[RATE], member.settings.get(DROPOUT)) for member in members}
    rates = (1e-3, pytest.approx(1e-2), 1e-1)
    assert len(members) == len(found) == 9
    assert sorted({rate for _, rate, _ in found}) == list(rates)
    assert {dropout for one, _, dropout in found if one == SMALL} == {0.0, 0.5}
    assert [member.number for member in members] == list(range(5, 14))
    assert [m.settings for m in members] != [m.settings for m in draw("grid", space, range(5, 25), 5, seed=4)]


def test_a_grid_that_nobody_could_train_is_refused_with_its_size():
    names = (RATE, DROPOUT, "weight_decay.rate", "periodic.frequency", "adam.beta1", "adam.beta2", "adam.epsilon",
             "early_stopping.patience", "binary_cross_entropy.label_smoothing")  # fmt: skip
    with pytest.raises(InputError, match=r"a grid of this space needs 19,683 networks, allowed are 10,000: search fewer"):
        grid.size(Space((SMALL,), names))
