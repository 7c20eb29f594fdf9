"""Missing cells are told where they go with the target, by the tests that the textbooks have."""

import numpy as np
import pytest
from scipy import stats

from trainwell.data.indicators import CHANCE, telling

ROWS = 240


def drawn(seed: int, classes: int):
    """(missing, target) of rows in which both hang together where the seed is odd."""
    chance = np.random.default_rng(seed)
    target = chance.integers(0, classes, ROWS) if classes else chance.normal(size=ROWS)
    pull = 0.12 * (target - target.mean()) if seed % 2 else 0.0
    return chance.uniform(size=ROWS) < 0.3 + pull, target


@pytest.mark.parametrize("classes", [2, 4])
def test_of_classes_it_is_pearson_s_test_of_the_table(classes):
    said = []
    for seed in range(60):
        missing, target = drawn(seed, classes)
        counts = np.array([[(missing[target == one] == way).sum() for way in (False, True)] for one in range(classes)])
        said.append(telling(missing, target, classes))
        assert said[-1] == (stats.chi2_contingency(counts, correction=False).pvalue < CHANCE)
    assert sum(said[1::2]) > sum(said[::2])


def test_of_numbers_it_is_the_test_of_a_straight_line():
    said = []
    for seed in range(60):
        missing, target = drawn(seed, 0)
        statistic = ROWS * np.corrcoef(missing, stats.rankdata(target))[0, 1] ** 2
        said.append(telling(missing, target, 0))
        assert said[-1] == (stats.chi2.sf(statistic, 1) < CHANCE)
    assert sum(said[1::2]) > sum(said[::2])


def test_where_nothing_can_be_told_nothing_is():
    target = np.arange(ROWS) % 2
    assert not telling(np.zeros(ROWS, bool), target, 2)
    assert not telling(np.ones(ROWS, bool), target, 2)
    assert not telling(np.arange(ROWS) < 9, np.zeros(ROWS, int), 2), "one class alone"
    assert not telling(np.arange(ROWS) < 9, np.full(ROWS, 3.5), 0), "one number alone"
    assert not telling(np.arange(ROWS) == 7, (np.arange(ROWS) == 7).astype(int), 2), "one cell is missing"
    assert not telling(np.arange(ROWS) != 7, target, 2), "one cell is there"
    assert telling(target == 1, target, 2)
