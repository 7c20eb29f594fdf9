"""What mattered is found where it is known, over all members, however far each was trained."""

import math

import numpy as np
import pytest

from small_networks import structure
from trainwell.search.importance import importance
from trainwell.search.sampler import draw
from trainwell.search.space import Space

SMALL, LARGE = structure(), structure(widths=(16,))
RATE, DROPOUT = "adam.learning_rate", "dropout.rate"
SPACE = Space((SMALL, LARGE), (RATE, DROPOUT, "weight_decay.rate"))


@pytest.fixture
def found(scored):
    def make(quality, count=150, noise=0.0, **how):
        """The importance over random members of this quality, a third of them trained on and so better."""
        chance = np.random.default_rng(0)
        trainings = []
        for member in draw("random", SPACE, range(2, 2 + count), 0, 0):
            positions = {name: axis.position(member.settings[name]) for name, axis in SPACE.axes(member.structure).items()}
            score = quality(member, positions) + noise * chance.normal()
            trainings.append(scored(member, score, **how))
        return importance(SPACE, trainings)

    return make


def test_shares_are_those_that_follow_from_the_function(found):
    """Of 3 x + y, each even over 0 to 1, x explains 9/10 and y 1/10."""
    result = found(lambda member, at: 3 * at[RATE] + at[DROPOUT], count=300)
    assert result.alone[RATE] == pytest.approx(0.9, abs=0.05)
    assert result.alone[DROPOUT] == pytest.approx(0.1, abs=0.05)
    assert result.alone["weight_decay.rate"] < 0.02
    assert result.explained > 0.9


def test_what_works_only_together_explains_little_by_itself(found):
    result = found(lambda member, at: (at[RATE] - 0.5) * (at[DROPOUT] - 0.5), count=300)
    assert result.alone[RATE] < 0.2
    assert result.together[RATE] > 0.6
    assert result.together["weight_decay.rate"] < 0.15


def test_a_choice_can_be_what_matters_most(found):
    result = found(lambda member, at: 2.0 * (member.structure == LARGE) + 0.3 * at[RATE])
    assert next(iter(result.together)) == "widths"
    assert result.alone["widths"] > 0.9


def test_being_trained_longer_is_no_merit_of_a_setting(scored):
    """Those of high dropout were trained on and are better for it; after the epochs that all had, the rate decides."""
    trainings = []
    for member in draw("random", SPACE, range(2, 152), 0, 0):
        early, late = math.log10(member.settings[RATE]), 100 * member.settings[DROPOUT]
        trainings.append(scored(member, early if late < 40 else early + late, epochs=9))
        if late >= 40:  # the first nine epochs are as the others', then it rises
            one = scored(member, early, epochs=9)
            curves = one.curves
            longer = type(curves)(*((*getattr(curves, name), late) for name in
                                    ("training_loss", "validation_loss", "validation_score", "improved")))  # fmt: skip
            trainings[-1] = type(one)(member, one.state, longer, True)
    result = importance(SPACE, trainings)
    assert result.epochs == 9
    assert next(iter(result.alone)) == RATE
    assert result.alone[DROPOUT] < 0.05


def test_members_that_broke_down_count_among_the_worst(scored):
    trainings = [
        scored(member, 0.8, failed=member.settings[RATE] > 2e-3) for member in draw("random", SPACE, range(2, 102), 0, 0)
    ]
    trainings[0] = scored(trainings[0].member, 0.7)
    assert next(iter(importance(SPACE, trainings).together)) == RATE


def test_chance_explains_nothing_and_few_members_say_nothing(found):
    assert found(lambda member, at: 0.0, noise=1.0).together == {}
    assert found(lambda member, at: at[RATE], count=11).together == {}
    assert found(lambda member, at: 0.5).together == {}
