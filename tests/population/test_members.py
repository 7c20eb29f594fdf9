"""A member is the same whatever its neighbours, the order of the work, or the number of cores."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from small_networks import METRICS, member, numbered, population, rows, structure, train
from trainwell.errors import InputError
from trainwell.population import epoch as programs
from trainwell.population.cohort import Population, together
from trainwell.population.devices import Pool, start
from trainwell.population.epoch import Data
from trainwell.population.member import Training
from trainwell.population.metrics import metric_named


def same(one: Training, other: Training) -> None:
    assert one.member == other.member
    assert one.curves == other.curves
    for a, b in zip(jax.tree.leaves(one.state), jax.tree.leaves(other.state), strict=True):
        np.testing.assert_array_equal(a, b)


def weights(training: Training) -> np.ndarray:
    return np.concatenate([weight.ravel() for _, weight in sorted(training.state.weights.items())])


def test_a_member_alone_is_the_member_among_unlike_neighbours(trained, unlike_members):
    for number in (0, 7, 19):
        (alone,) = train([unlike_members[number]], 6, of=population(cores=1))
        same(alone, trained[number])


def test_a_member_is_the_same_to_the_figures_of_a_float_in_a_cohort_of_any_size(network, trained):
    chosen = trained[3].member
    data, prior = Data(rows(), rows(number=64, seed=1)), np.zeros(1, np.float32)
    settings = {name: np.full(1, value, np.float32) for name, value in chosen.settings.items()}
    one = population()
    keys = np.asarray([trained[3].state.key], np.uint32)
    states = programs.starter(network)(keys, settings, prior)
    train_one = programs.trainer(network, metric_named("auc"), "binary")
    for epoch in range(0, 6, 2):
        states, _ = train_one(states, settings, data, one._orders(network, epoch, 2), np.int32(2), np.float32(36))
    np.testing.assert_allclose(
        states.weights["layer1.weight"][0], trained[3].state.weights["layer1.weight"], rtol=2e-3, atol=1e-5
    )


def test_neither_the_order_of_members_nor_of_cohorts_nor_the_number_of_cores_matters(trained, unlike_members):
    other = structure(batch_size=32)
    mixed = [*unlike_members, *(member(number, other, dropout__rate=0.1) for number in (20, 21))]
    shuffled = [mixed[place] for place in np.random.default_rng(0).permutation(len(mixed))]
    on_two = train(shuffled, 6, of=population(cores=2))
    on_one = train(mixed, 6, of=population(cores=1))
    assert [training.member.number for training in on_two] == list(range(22))
    for one, two in zip(on_one, on_two, strict=True):
        same(one, two)
    for one, before in zip(on_one, trained, strict=False):
        same(one, before)


def test_nor_does_it_matter_how_many_threads_feed_a_device(trained, unlike_members):
    fed_by_three = replace(population(), pool=Pool(start(1), lanes=3))
    for one, other in zip(train(unlike_members, 6, of=fed_by_three), trained, strict=True):
        same(one, other)


def test_training_in_parts_is_training_at_once(trained, unlike_members):
    parts = population(cores=1)
    for epochs in (2, 4, 6):
        unlike_members = train(unlike_members, epochs, of=parts, total=6)
    for one, other in zip(unlike_members, trained, strict=True):
        assert [epoch for epoch, _ in one.curves.signals] == [2, 4, 6]
        assert one.curves.signals[-1] == other.curves.signals[-1]
        same(replace(one, curves=replace(one.curves, signals=other.curves.signals)), other)


def test_the_same_seed_gives_the_same_bits_and_another_seed_or_number_other_weights(network):
    first = train([member(0, network)], 2)[0]
    again = train([member(0, network)], 2)[0]
    other_seed = train([member(0, network)], 2, of=population(seed=1))[0]
    other_number = train([member(1, network)], 2)[0]
    same(first, again)
    for other in (other_seed, other_number):
        assert abs(np.corrcoef(weights(first), weights(other))[0, 1]) < 0.6
        assert not np.isin(other.state.weights["layer1.weight"], first.state.weights["layer1.weight"]).any()


def test_members_that_are_equal_but_for_their_numbers_see_the_rows_in_one_order(network):
    still = {"adam__learning_rate": 1e-6, "dropout__rate": 0.0}  # the loss is then that of the batches in their order alone
    one, other = train([member(0, network, **still), member(1, network, **still)], 2)
    np.testing.assert_allclose(one.curves.training_loss, other.curves.training_loss, rtol=1e-4)


def test_a_program_is_compiled_once_for_any_number_of_members_settings_and_calls(network, trained, compiled):
    train([member(number, network, dropout__rate=0.3) for number in range(20)], 6, of=population(cores=1, seed=7))
    assert compiled == []
    train([member(0, structure(widths=(7,)))], 2)
    assert len(compiled) >= 2  # the start and the training of another network: so the list does grow


def test_an_epoch_passes_every_row_at_most_once_and_epochs_differ():
    own, network = population(number=100), structure(batch_size=16)
    orders = own._orders(network, 0, 3)
    assert orders.shape == (own.epochs_per_call(network), 6, 16)
    for order in orders[:3]:
        assert len(set(order.ravel())) == 96
    assert not np.array_equal(orders[0], orders[1])
    np.testing.assert_array_equal(own._orders(network, 1, 1)[0], orders[1])


def test_of_very_many_rows_an_epoch_is_a_part_and_every_row_has_its_turn(monkeypatch):
    monkeypatch.setattr("trainwell.population.cohort.CHUNK_ROWS", 64)
    own, network = population(number=200), structure(batch_size=16)
    assert own.steps_per_epoch(network) == 3
    orders = [own._orders(network, epoch, 1)[0].ravel() for epoch in range(8)]
    first, second = np.concatenate(orders[:4]), np.concatenate(orders[4:])
    assert len(set(first)) == len(set(second)) == 192
    assert first.max() > 190
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(own._orders(network, 2, 3)[:3].reshape(3, -1), orders[2:5])
    assert own.steps_per_epoch(structure(batch_size=200)) == 1, "a batch of all rows is one"
    (trained,) = train([member(0, network)], 8, of=own)
    assert trained.epochs == 8
    assert trained.curves.training_loss[-1] < trained.curves.training_loss[0]


def test_cohorts_of_large_networks_are_small():
    small, large = (together(structure(widths=(width, width))) for width in (8, 1024))
    assert (small, large) == (16, 1)
    sizes = [together(structure(widths=(width, width), batch_size=256)) for width in (16, 32, 64, 128, 256, 512)]
    assert sizes == sorted(sizes, reverse=True)
    assert set(sizes) <= {1, 2, 4, 8, 16}


def test_a_loss_of_another_task_is_refused_in_one_sentence(network):
    with pytest.raises(
        InputError, match=r"^loss is 'binary_cross_entropy', allowed for a regression target is 'squared_error'"
    ):
        train([member(0, network)], 1, of=population("regression"))


@pytest.mark.parametrize("task", METRICS)
def test_predictions_do_not_depend_on_how_rows_are_blocked_or_members_grouped(task):
    own, network = population(task), structure(task)
    trainings = train([member(number, network) for number in range(3)], 2, of=own)
    new = rows(task, 40, seed=5)
    together_ = own.predict(trainings, new.numeric, new.categories)
    assert together_.shape == (3, 40, 3 if task == "multiclass" else 1)
    few = own.predict(trainings, new.numeric[:5], new.categories[:5])
    np.testing.assert_allclose(together_[:, :5], few, rtol=1e-5, atol=1e-6)
    backwards = own.predict(trainings[::-1], new.numeric, new.categories)
    np.testing.assert_array_equal(together_, backwards[::-1])
    for place, training in enumerate(trainings):
        alone = own.predict([numbered(training, 9)], new.numeric, new.categories)
        np.testing.assert_array_equal(together_[place], alone[0])
    if task != "regression":
        assert ((together_ >= 0) & (together_ <= 1)).all()
    if task == "multiclass":
        np.testing.assert_allclose(together_.sum(axis=2), 1, rtol=1e-5)


def test_more_rows_than_a_block_are_predicted_block_by_block(network, trained):
    new = rows(number=9000, seed=6)
    own = population()
    everything = own.predict(trained[:1], new.numeric, new.categories)
    last = own.predict(trained[:1], new.numeric[-30:], new.categories[-30:])
    np.testing.assert_allclose(everything[:, -30:], last, rtol=1e-5, atol=1e-6)


def test_populations_of_other_rows_share_a_program(network, trained, compiled):
    data = Data(rows(seed=9), rows(number=64, seed=8))
    other = Population(data, "binary", "auc", np.zeros(1, np.float32), 0, population().pool)
    train([member(0, network)], 2, of=other)
    assert compiled == []
