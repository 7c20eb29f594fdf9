"""Cross-fitting: every row is predicted by a network that has not seen it, and nothing that goes wrong goes unsaid."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import optax
import pytest

from small_networks import TASKS, bits, member, numbered, rows, structure
from trainwell.data.encode import Arrays
from trainwell.errors import InputError
from trainwell.network.structure import WITHOUT_A_SETTING
from trainwell.population import checkpoint
from trainwell.population.budget import Budget
from trainwell.population.cohort import Population
from trainwell.population.devices import pool
from trainwell.population.epoch import Data
from trainwell.population.member import Training
from trainwell.population.metrics import METRICS
from trainwell.population.step import Rows
from trainwell.search.cross_fit import STAGE, CrossFit, Fold, criteria, held_out_once, held_out_target

EPOCHS, FOLDS, SIZE, FIRST = 4, 3, 24, 100
NETWORK = structure("regression", widths=(4,), optimizer="momentum", decay="none")
ALL = Arrays(*rows("regression", FOLDS * SIZE))


def fold(place: int) -> Fold:
    held_out = np.arange(place * SIZE, (place + 1) * SIZE)
    return Fold(ALL.take(np.setdiff1d(np.arange(FOLDS * SIZE), held_out)), ALL.take(held_out))


TABLE = [fold(place) for place in range(FOLDS)]
POOL = pool(1)


def as_rows(arrays: Arrays) -> Rows:
    return Rows(arrays.numeric, arrays.categories, arrays.target)


def population(of: Fold) -> Population:
    return Population(Data(as_rows(of.train), as_rows(of.validation)), "regression", "r2", np.zeros(1, np.float32), 0, POOL)


def begun(number: int, network=NETWORK, rate: float = 0.01) -> Training:
    return member(number, network, momentum__learning_rate=rate * (number + 1), early_stopping__patience=99)


@pytest.fixture(scope="module")
def searched() -> list[Training]:
    """Three networks of a search on the first fold."""
    trained = population(TABLE[0]).train([begun(number) for number in range(3)], EPOCHS, EPOCHS, Budget())
    return [training.let_go() for training in trained]


def fitted(trainings, folder: Path, budget: Budget | None = None, **more) -> CrossFit:
    folder.mkdir(exist_ok=True)
    return held_out_once(trainings, TABLE, population, EPOCHS, budget or Budget(), folder, FIRST, **more)


@pytest.fixture(scope="module")
def whole(searched, tmp_path_factory) -> CrossFit:
    return fitted(searched, tmp_path_factory.mktemp("whole"))


def test_a_finalist_has_a_network_for_each_fold_and_predictions_of_all_rows(whole, searched):
    assert [one.number for one in whole.finalists] == [0, 1, 2]
    for one, own in zip(whole.finalists, searched, strict=True):
        assert one.networks[0] is own
        assert [network.member.settings for network in one.networks] == [own.member.settings] * FOLDS
        assert one.predictions.shape == (FOLDS * SIZE, 1)
        assert {network.member.stage for network in one.networks[1:]} == {STAGE}
    np.testing.assert_array_equal(held_out_target(TABLE), ALL.target)
    assert whole.left_out == ()


def test_each_rows_prediction_comes_from_a_network_that_was_trained_on_the_other_folds_alone(whole):
    for place, one in enumerate(TABLE):
        for finalist in whole.finalists:
            again = replace(finalist.networks[place], state=None, curves=type(finalist.networks[place].curves)())
            (alone,) = population(one).train([again], EPOCHS, EPOCHS, Budget())
            (expected,) = population(one).predict([alone], one.validation.numeric, one.validation.categories)
            own = finalist.predictions[place * SIZE : (place + 1) * SIZE]
            np.testing.assert_array_equal(own, expected)


def test_what_a_networks_own_fold_holds_never_changes_its_weights(whole, searched, tmp_path):
    """Trained to the end without stopping early, a network is the same whatever the target of the rows it has not seen."""
    other = [f._replace(validation=replace(f.validation, target=-f.validation.target)) for f in TABLE]
    turned = held_out_once(searched, other, population, EPOCHS, Budget(), tmp_path, FIRST)
    for one, same in zip(whole.trained, turned.trained, strict=True):
        assert one.curves.training_loss == same.curves.training_loss


def test_every_new_network_has_a_number_of_its_own_which_hangs_on_its_place_alone(whole, searched, tmp_path):
    numbers = [network.member.number for network in whole.trained]
    assert sorted(numbers) == list(range(FIRST, FIRST + 3 * (FOLDS - 1)))
    fewer = fitted(searched[:2], tmp_path)
    by_number = {network.member.number: bits(network) for network in whole.trained}
    assert all(by_number[network.member.number] == bits(network) for network in fewer.trained)


def test_the_finalists_are_measured_on_all_rows(whole):
    found = criteria(whole.finalists, held_out_target(TABLE), "r2")
    expected = [float(METRICS["r2"].criterion(one.predictions, ALL.target)) for one in whole.finalists]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_what_a_killed_run_left_is_not_trained_again(whole, searched, tmp_path):
    fitted(searched, tmp_path)
    (tmp_path / "fold-2.safetensors").unlink()
    done: list[int] = []
    resumed = fitted(searched, tmp_path, on_finished=lambda some: done.extend(one.member.number for one in some))
    assert sorted(done) == [FIRST + 1, FIRST + 3, FIRST + 5], "those of the last fold"
    assert [bits(one) for one in resumed.trained] == [bits(one) for one in whole.trained]
    for one, same in zip(whole.finalists, resumed.finalists, strict=True):
        np.testing.assert_array_equal(one.predictions, same.predictions)


def test_a_resumed_run_with_time_for_more_finalists_or_fewer_trains_only_what_is_missing(whole, searched, tmp_path):
    fitted(searched[:2], tmp_path)
    done: list[int] = []
    more = fitted(searched, tmp_path, on_finished=lambda some: done.extend(one.member.number for one in some))
    assert sorted(done) == [FIRST + 4, FIRST + 5]
    assert [bits(one) for one in more.trained] == [bits(one) for one in whole.trained]
    assert [one.number for one in fitted(searched[:1], tmp_path).finalists] == [0]


def test_kept_networks_of_other_configurations_are_trained_anew(whole, searched, tmp_path):
    fitted(searched, tmp_path)
    turned = fitted(searched[::-1], tmp_path)
    assert [one.number for one in turned.finalists] == [2, 1, 0]
    assert all(
        network.member.settings == one.networks[0].member.settings for one in turned.finalists for network in one.networks
    )


def test_a_network_that_breaks_down_in_one_fold_costs_its_finalist_and_that_is_told(whole, searched, tmp_path):
    """The second finalist's network of the last fold is broken, as a divergence in that fold alone would leave it."""
    fitted(searched, tmp_path)
    path = tmp_path / "fold-2.safetensors"
    kept = checkpoint.load(path)
    kept[1] = replace(kept[1], state=kept[1].state._replace(failed=np.bool_(True)))
    checkpoint.save(kept, path)
    found = fitted(searched, tmp_path)
    assert [one.number for one in found.finalists] == [0, 2]
    assert [(own.member.number, lost.member.number) for own, lost in found.left_out] == [(1, FIRST + 3)]
    assert FIRST + 3 in [one.member.number for one in found.trained], "it is not hidden"
    np.testing.assert_array_equal(found.finalists[1].predictions, whole.finalists[2].predictions)


def test_where_every_network_breaks_down_there_is_no_finalist(tmp_path):
    reckless = [numbered(begun(0, rate=1e6), number) for number in range(2)]
    trained = population(TABLE[0]).train([begun(0), begun(1)], EPOCHS, EPOCHS, Budget())
    trainings = [replace(t, member=r.member).let_go() for t, r in zip(trained, reckless, strict=True)]
    found = fitted(trainings, tmp_path)
    assert found.finalists == ()
    assert [own.member.number for own, _ in found.left_out] == [0, 1]
    assert all(one.failed for one in found.trained)


def test_a_budget_that_passes_in_a_fold_leaves_the_folds_before_it(whole, searched, tmp_path):
    budget = Budget()
    seen = Counter()

    def stop(some):
        seen.update(one.member.number for one in some)
        if len(seen) == 3:
            budget.interrupt()  # as the first new fold is done

    cut = fitted(searched, tmp_path, budget, on_finished=stop)
    assert [len(one.networks) for one in cut.finalists] == [2, 2, 2]
    for one, same in zip(cut.finalists, whole.finalists, strict=True):
        np.testing.assert_array_equal(one.predictions, same.predictions[: 2 * SIZE])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fold-1.safetensors"], "a fold that was cut is not kept"
    assert [bits(one) for one in fitted(searched, tmp_path).trained] == [bits(one) for one in whole.trained]


def test_without_time_the_finalists_are_what_they_were(searched, tmp_path):
    budget = Budget()
    budget.interrupt()
    found = fitted(searched, tmp_path, budget)
    assert [one.networks for one in found.finalists] == [(one,) for one in searched]
    assert found.trained == ()


def test_a_finalist_with_an_optax_transformation_is_trained_with_it_and_read_back_without(tmp_path):
    network = replace(NETWORK, optimizer=optax.sgd(0.01))
    trained = population(TABLE[0]).train([member(0, network)], EPOCHS, EPOCHS, Budget())
    first = fitted([trained[0].let_go()], tmp_path)
    assert np.isfinite(first.finalists[0].predictions).all()
    done: list[int] = []
    again = fitted([trained[0].let_go()], tmp_path, on_finished=done.extend)
    assert done == []
    np.testing.assert_array_equal(again.finalists[0].predictions, first.finalists[0].predictions)
    lost = replace(trained[0].member, structure=replace(network, optimizer=WITHOUT_A_SETTING))
    with pytest.raises(InputError, match="member 0 was trained with an optax transformation, which no file can hold"):
        fitted([replace(trained[0], member=lost)], tmp_path)


def test_folds_of_different_sizes_are_no_hindrance(searched, tmp_path):
    parts = [np.arange(24), np.arange(24, 40), np.arange(40, 72)]
    folds = [Fold(ALL.take(np.setdiff1d(np.arange(72), part)), ALL.take(part)) for part in parts]
    found = held_out_once(searched, folds, population, EPOCHS, Budget(), tmp_path, FIRST)
    assert [one.predictions.shape for one in found.finalists] == [(72, 1)] * 3
    np.testing.assert_array_equal(held_out_target(folds), ALL.target)
    assert TASKS["regression"] == NETWORK.loss
