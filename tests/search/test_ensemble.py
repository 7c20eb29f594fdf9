"""Greedy selection: never worse than the best single on the rows it selects on, by shares that sum to 1."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from small_networks import structure
from trainwell.population.metrics import METRICS
from trainwell.population.own_metric import own_metric
from trainwell.search import ensemble as module
from trainwell.search.ensemble import FEWEST_HALVED, MOST_CANDIDATES, PICKS, _halves, candidates_of, greedy, optimism
from trainwell.search.halving import Wave
from trainwell.search.sampler import most_telling
from trainwell.search.space import Space
from trainwell.search.waves import let_others_go

ROWS = 60
NETWORK = structure()


def candidates(seed: int, metric: str, members: int = 8):
    """(predictions, target, scores) of members of unlike skill."""
    chance = np.random.default_rng(seed)
    skill, noise = chance.uniform(0.2, 2, (members, 1)), chance.normal(size=(members, ROWS))
    target = chance.normal(size=ROWS)
    outputs = skill * target + noise
    if metric != "r2":
        target, outputs = (target > 0).astype(np.int32), 1 / (1 + np.exp(-outputs))
    predictions = outputs[:, :, None].astype(np.float32)
    target = target.astype(np.int32 if metric != "r2" else np.float32)
    scores = np.array([float(METRICS[metric].score(one, target)) for one in predictions])
    return predictions, target, scores


@settings(max_examples=12)
@given(st.integers(0, 10_000), st.sampled_from(["auc", "log_loss", "r2"]))
@example(0, "log_loss")  # whose average of the best three is worse than the best
def test_the_ensemble_is_at_least_as_good_as_its_best_member(seed, metric):
    predictions, target, scores = candidates(seed, metric)
    shares = greedy(predictions, target, scores, metric)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-9)
    assert all(share * PICKS * 4 >= 1 and 0 <= place < len(predictions) for place, share in shares.items())
    average = sum(share * predictions[place] for place, share in shares.items())
    assert float(METRICS[metric].score(average, target)) >= scores.max() - 1e-5


def test_equal_candidates_are_as_good_as_one():
    predictions, target, scores = candidates(0, "auc", 1)
    shares = greedy(np.repeat(predictions, 5, axis=0), target, np.repeat(scores, 5), "auc")
    assert sum(shares.values()) == pytest.approx(1)


def test_one_candidate_is_taken_whole():
    assert greedy(*candidates(0, "auc", 1), "auc") == {0: 1.0}


def test_a_candidate_without_a_score_is_never_taken():
    predictions, target, scores = candidates(3, "auc")
    best = int(scores.argmax())
    scores[best], predictions[best] = -np.inf, np.nan
    assert best not in greedy(predictions, target, scores, "auc")


def test_only_the_best_of_many_are_looked_at():
    predictions, target, scores = candidates(5, "auc", MOST_CANDIDATES + 12)
    looked_at = set(np.argsort(-scores)[:MOST_CANDIDATES].tolist())
    assert set(greedy(predictions, target, scores, "auc")) <= looked_at


def test_members_that_err_apart_are_averaged():
    chance = np.random.default_rng(1)
    target = chance.normal(size=ROWS).astype(np.float32)
    predictions = (target + chance.normal(size=(6, ROWS))).astype(np.float32)[:, :, None]
    scores = np.array([float(METRICS["r2"].score(one, target)) for one in predictions])
    shares = greedy(predictions, target, scores, "r2")
    assert len(shares) >= 4
    average = sum(share * predictions[place] for place, share in shares.items())
    assert float(METRICS["r2"].score(average, target)) > scores.max() + 0.1


def noise(members: int, rows: int = ROWS, metric: str = "auc"):
    """(predictions that know nothing, target)"""
    chance = np.random.default_rng(4)
    predictions = chance.uniform(size=(members, rows, 1)).astype(np.float32)
    target = chance.normal(size=rows).astype(np.float32) if metric == "r2" else chance.permutation(rows).astype(np.int32) % 2
    return predictions, target


@pytest.mark.parametrize("metric", ["auc", "log_loss", "r2"])
def test_where_all_members_are_equal_choosing_flatters_nothing(metric):
    predictions, target, _ = candidates(2, metric, 1)
    assert abs(optimism(np.repeat(predictions, 6, axis=0), target, metric, 0)) < 1e-6


@pytest.mark.parametrize("metric", ["auc", "log_loss", "r2"])
def test_where_members_are_noise_choosing_flatters_and_the_more_the_fewer_the_rows(metric):
    few, many = (optimism(*noise(32, rows, metric), metric, 0) for rows in (40, 2000))
    assert few > many > 0
    assert few > 0.05


def test_the_optimism_is_that_of_choosing_by_all_rows():
    """What choosing noise promises beyond the truth, a half of the AUC, is known: by few rows, and by more than are halved."""
    for rows in (400, 40_000):
        target = (np.arange(rows) % 2).astype(np.int32)
        promised, told = [], []
        for seed in range(3):
            members = np.random.default_rng(seed).uniform(size=(32, rows, 1)).astype(np.float32)
            ranks = np.array([float(METRICS["auc"].score(one, target)) for one in members])
            shares = greedy(members, target, ranks, "auc")
            average = np.sum([share * members[place] for place, share in shares.items()], axis=0)
            promised.append(float(METRICS["auc"].score(average, target)) - 0.5)
            told.append(optimism(members, target, "auc", seed))
        assert 0.6 < np.mean(told) / np.mean(promised) < 1.6


def test_of_very_many_rows_some_choose_and_the_choice_is_as_good(monkeypatch):
    predictions, target, _ = candidates(3, "auc", members=6)
    predictions, target = np.tile(predictions, (1, 40, 1)), np.tile(target, 40)
    ranks = np.array([float(METRICS["auc"].score(one, target)) for one in predictions])
    asked: list[int] = []
    scorer = module._scorer(METRICS["auc"])

    def counted(total, *given):
        asked.append(len(total))
        return scorer(total, *given)

    def score(shares):
        average = np.sum([share * predictions[place] for place, share in shares.items()], axis=0)
        return float(METRICS["auc"].score(average, target))

    whole = score(greedy(predictions, target, ranks, "auc"))
    monkeypatch.setattr(module, "_scorer", lambda metric: counted)
    monkeypatch.setattr(module, "MOST_ROWS", 10 * ROWS)
    monkeypatch.setattr(module, "FEWER_ROWS", 0)
    some = greedy(predictions, target, ranks, "auc", np.ones(len(target), np.float32))
    assert set(asked) == {10 * ROWS}
    assert score(some) > max(ranks) - 0.002
    assert score(some) == pytest.approx(whole, abs=0.005)


def test_of_many_classes_fewer_rows_choose_and_are_halved(monkeypatch):
    chance = np.random.default_rng(6)
    predictions, target = chance.dirichlet(np.ones(30), (4, 400)).astype(np.float32), chance.integers(0, 30, 400)
    asked, halves, scorer = [], [], module._scorer(METRICS["accuracy"])

    def counted(total, *given):
        asked.append(len(total))
        return scorer(total, *given)

    def gain(predictions, target, metric, weights, one, other):
        halves.append((len(one), len(other)))
        return 0.4

    monkeypatch.setattr(module, "_scorer", lambda metric: counted)
    monkeypatch.setattr(module, "_gain", gain)
    for most, least, rows in ((600, 100, 200), (600, 300, 300), (1200, 100, 400)):
        monkeypatch.setattr(module, "MOST_ROWS", most)
        monkeypatch.setattr(module, "FEWER_ROWS", least)
        asked.clear()
        greedy(predictions, target, np.arange(4.0), "accuracy")
        assert set(asked) == {rows}
    for numbers, size in ((10_000_000, 200), (4 * 30 * 50, 50), (1, FEWEST_HALVED)):
        monkeypatch.setattr(module, "MOST_NUMBERS", numbers)
        halves.clear()
        assert optimism(predictions, target, "accuracy", 0) == pytest.approx(0.4 * (size / 400) ** 0.5)
        assert set(halves) == {(size, size)}


def test_an_ensemble_is_chosen_from_no_more_members_than_it_is_told():
    chance = np.random.default_rng(5)
    target = chance.normal(size=ROWS).astype(np.float32)
    predictions = (target + chance.normal(size=(12, ROWS)))[:, :, None].astype(np.float32)  # each errs in its own way
    ranks = np.array([float(METRICS["r2"].score(one, target)) for one in predictions])
    best_three = set(np.argsort(-ranks)[:3])
    assert set(greedy(predictions, target, ranks, "r2", most=3)) <= best_three
    assert not set(greedy(predictions, target, ranks, "r2")) <= best_three


def test_where_no_member_has_a_rank_the_first_stands_alone_and_endless_ones_hide_nobody():
    predictions, target, ranks = candidates(1, "auc", members=4)
    assert greedy(predictions, target, np.full(4, -np.inf), "auc") == {0: 1.0}
    ranks[2] = np.inf
    best = int(np.argmax(np.where(np.isfinite(ranks), ranks, -np.inf)))
    assert greedy(predictions, target, ranks, "auc", most=1) == {best: 1.0}


def test_the_optimism_comes_from_its_seed_alone():
    first, again, other = (optimism(*noise(8), "auc", seed) for seed in (0, 0, 1))
    assert first == again != other


def test_of_too_few_rows_nothing_is_said():
    rows = 2 * FEWEST_HALVED
    assert np.isnan(optimism(*noise(4, rows - 1), "auc", 0))
    assert np.isfinite(optimism(*noise(4, rows), "auc", 0))


@pytest.mark.parametrize("metric", ["auc", "accuracy", "r2"])
def test_of_rows_whose_target_is_all_but_the_same_nothing_is_said(metric):
    predictions, target = noise(4, ROWS, metric)
    target[:] = 0
    assert np.isnan(optimism(predictions, target, metric, 0))
    target[0] = 1  # one of the halves has it, the other has one class only
    assert np.isnan(optimism(predictions, target, metric, 0))


def test_a_candidate_that_an_average_has_no_score_with_is_not_picked_for_it():
    """A function that JAX can trace, and that gives no number where the first prediction is above nine tenths."""
    predictions, target, _ = candidates(0, "auc", 5)
    metric = own_metric(
        lambda truth, given: jnp.where(given[0] > 0.9, jnp.nan, -((given - truth) ** 2).mean()), "binary", target, 1
    )
    assert metric.score.traceable
    predictions[:, 0], predictions[0, 0] = 0.5, 0.0
    predictions[4, 0] = 50.0
    scores = np.array([float(metric.score(one, target)) for one in predictions])
    scores[4] = scores[:4].min() - 1.0
    shares = greedy(predictions, target, scores, metric)
    assert shares == pytest.approx(greedy(predictions[:4], target, scores[:4], metric))
    assert len(set(shares.values())) > 1, "more than the best three were averaged"


def test_no_group_is_in_both_halves_that_optimism_is_measured_by():
    """Every row is there ten times over, and each candidate knows some of the rows by heart: by rows drawn alone the other half
    holds the same rows, and choosing seems to flatter nothing."""
    chance = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 10)
    own_target = chance.integers(0, 2, 60)
    outputs = np.clip(0.5 + chance.normal(0, 0.3, (30, 60)), 0.01, 0.99)
    predictions, target = outputs[:, groups][:, :, None].astype(np.float32), own_target[groups]
    by_row = optimism(predictions, target, "auc", 0)
    by_group = optimism(predictions, target, "auc", 0, None, groups)
    assert by_group > 3 * max(by_row, 0.01)
    for draw in range(3):
        one, other = _halves(len(groups), 300, groups, np.random.default_rng(draw))
        assert not set(groups[one]) & set(groups[other])
        assert min(len(one), len(other)) >= 290


@pytest.fixture
def many(scored):
    """Seventy networks, of which every seventh came to its end."""
    space = Space((NETWORK,))
    return [scored(space.central(number, NETWORK), 1 / (1 + number % 17), ended=number % 7 == 0) for number in range(70)]


def test_weights_are_kept_of_those_alone_that_an_ensemble_may_be_chosen_from(many):
    waves = let_others_go([Wave(tuple(many[:35]), (9,), 1), Wave(tuple(many[35:]), (9,), 1)])
    left = [training for one in waves for training in one.trainings]
    heavy = [training for training in left if training.state.best_weights]
    assert len(heavy) == MOST_CANDIDATES
    chosen = [one.member.number for one in candidates_of(many)]
    assert {one.member.number for one in heavy} == set(chosen)
    assert [one.member.number for one in candidates_of(left)] == chosen
    assert [(one.rank, one.score) for one in left] == [(one.rank, one.score) for one in many]
    assert let_others_go(waves) == waves


def test_a_draw_learns_from_all_members_while_they_are_few_and_else_from_those_that_came_furthest(many):
    assert most_telling(many) == many
    told = most_telling(many, 20)
    assert [one.member.number for one in told] == sorted(one.member.number for one in told)
    assert {one.member.number for one in many if one.ended} <= {one.member.number for one in told}
    others = [one.rank for one in told if not one.ended]
    assert min(others) >= max(one.rank for one in many if one not in told)
