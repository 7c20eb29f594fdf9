"""Ranges at whose edge the best members lie are widened, as far as is allowed and no further."""

import pytest

from small_networks import structure
from trainwell.network.structure import hyperparameters_of
from trainwell.search.space import Space
from trainwell.search.widening import Edge, edges, moved, widened

NETWORK = structure()
RATE, DROPOUT = "adam.learning_rate", "dropout.rate"
SPACE = Space((NETWORK,), (RATE, DROPOUT), ranges={RATE: (1e-3, 1e-2)})


@pytest.fixture
def trained(scored):
    def make(*rates, space=SPACE, dropout=0.25):
        """Members with these rates, the best first."""
        drawn = [space.member(number, NETWORK, {RATE: rate, DROPOUT: dropout}) for number, rate in enumerate(rates)]
        return [scored(member, 1 - 0.01 * member.number) for member in drawn]

    return make


def test_where_the_best_lie_at_an_edge_the_range_goes_on_beyond_it(trained):
    space, (change,) = widened(SPACE, trained(9.9e-3, 9.5e-3, 3e-3, 2e-3))
    assert space.ranges == {RATE: (1e-3, pytest.approx(1e-2 * 10**0.3))}
    assert (change.name, change.end) == (RATE, "upper")
    assert change.says == "best adam.learning_rate lies at the edge: widened to 0.001 to 0.02 (was 0.001 to 0.01)"
    space, (change,) = widened(SPACE, trained(1.01e-3, 3e-3, 1.05e-3))
    assert space.ranges == {RATE: (pytest.approx(1e-3 / 10**0.3), 1e-2)}
    assert change.end == "lower"


@pytest.mark.parametrize("rates", [(5e-3, 9.9e-3, 9.9e-3), (9.9e-3, 5e-3, 5e-3), (9.9e-3, 1.01e-3, 5e-3), (9.9e-3,), ()])
def test_one_alone_at_an_edge_may_be_there_by_luck(trained, rates):
    assert widened(SPACE, trained(*rates)) == (SPACE, [])


def test_a_range_is_never_widened_beyond_what_is_allowed(trained):
    allowed = hyperparameters_of(NETWORK)[RATE].high
    space = Space((NETWORK,), (RATE,), ranges={RATE: (1e-3, 0.99 * allowed)})
    wider, _ = widened(space, trained(0.98 * allowed, 0.97 * allowed, space=space))
    assert wider.ranges[RATE] == (1e-3, allowed)
    assert widened(wider, trained(allowed, allowed, space=wider)) == (wider, [])


def test_no_dropout_at_all_is_an_end_of_what_is_allowed(trained):
    assert widened(SPACE, trained(5e-3, 5e-3, 5e-3, dropout=0.0)) == (SPACE, [])
    assert [one.name for one in widened(SPACE, trained(5e-3, 5e-3, dropout=0.49))[1]] == [DROPOUT]


def test_what_is_fenced_or_found_harmful_or_a_list_of_values_stays(trained):
    best = trained(9.9e-3, 9.9e-3, 9.9e-3)
    fenced = Space((NETWORK,), (RATE,), ranges={RATE: (1e-3, 1e-2)}, fenced=frozenset({RATE}))
    assert widened(fenced, best) == (fenced, [])
    assert widened(SPACE, best, closed={Edge(RATE, "upper")}) == (SPACE, [])
    values = Space((NETWORK,), (RATE,), values={RATE: (1e-3, 9.9e-3)})
    assert widened(values, best) == (values, [])
    held = Space((NETWORK,), (DROPOUT,), centre={RATE: 9.9e-3})
    assert widened(held, best) == (held, [])


def test_edges_and_ends_that_moved_in_are_told(trained):
    (best,) = trained(9.9e-3, dropout=0.49)
    assert edges(SPACE, best) == [Edge(RATE, "upper"), Edge(DROPOUT, "upper")]
    assert moved(SPACE, Space((NETWORK,), (RATE, DROPOUT), ranges={RATE: (2e-3, 8e-3)})) == {
        Edge(RATE, "lower"),
        Edge(RATE, "upper"),
    }
    assert moved(SPACE, widened(SPACE, trained(9.9e-3, 9.9e-3))[0]) == set()
