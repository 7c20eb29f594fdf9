"""Quantiles and edges: fitted to the population's own training rows before the first step, and moved by nothing after it."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from small_networks import bits, member, population, rows, structure, train
from trainwell.network.embeddings import FITTED_ROWS, learned
from trainwell.network.structure import Structure, resolve
from trainwell.population import checkpoint, step, update
from trainwell.population import stream as streams
from trainwell.population.cohort import Population
from trainwell.population.epoch import Data
from trainwell.population.stream import Streamed, open_stream, writing
from trainwell.techniques.optimizers import OPTIMIZERS

EDGES, QUANTILES = "numeric.edges", "numeric.quantiles"
BOTH = {"numeric_scaling": "quantile", "numeric_embedding": "piecewise_linear"}
OWN = structure(**BOTH)
NOISY = {"noises": ("input", "activation", "weight", "gradient"), "clip": "global_norm"}
STRONG = {"weight_decay.rate": 0.5, "weight_noise.standard_deviation": 0.3, "gradient_noise.scale": 1.0, "dropout.rate": 0.2}
GIVEN = {
    "adamw": optax.adamw(0.01, weight_decay=0.3),
    "lion": optax.lion(0.01, weight_decay=0.3),
    "drifting": optax.chain(optax.sgd(0.1), optax.stateless(lambda change, _: jax.tree.map(lambda x: x + 0.01, change))),
}
EVERY_WAY = {
    **{name: structure(optimizer=name, **BOTH, **NOISY) for name in OPTIMIZERS},
    **{f"adam with {decay}": structure(decay=decay, **BOTH, **NOISY) for decay in ("l2", "l1", "none")},
    "max-norm and mixup": structure(max_norm=True, mixup=True, weight_norm="plain", batch_norm="before", **BOTH, **NOISY),
    "no noise": structure(**BOTH),
    **{f"optax {name}": structure(optimizer=given, **BOTH, **NOISY) for name, given in GIVEN.items()},
}


def begun(own: Structure):
    settings = resolve(own, {one: value for one, value in STRONG.items() if one in resolve(own)})
    data = jax.tree.map(jnp.asarray, rows())
    first = jax.jit(partial(step.start, structure=own, settings=settings))
    return first(jnp.uint32(3), prior=np.zeros(1, np.float32), batch=data), settings, data


def moved(before, after) -> set[str]:
    return {name for name, weight in after.items() if not np.array_equal(weight, before[name])}


@pytest.mark.parametrize("name", EVERY_WAY)
def test_no_optimizer_no_decay_and_no_noise_moves_what_is_not_learned(name):
    """Whatever gradient there were."""
    own = EVERY_WAY[name]
    state, settings, _ = begun(own)
    weights, moments = state.weights, state.moments
    for number in (jnp.int32(1), jnp.int32(2)):
        gradient = {one: jnp.full_like(weight, 0.1) for one, weight in weights.items()}
        change = update.shaped(gradient, weights, number, jnp.uint32(7), own, settings)
        weights, moments = update.updated(weights, change, moments, number, jnp.float32(1), own, settings)
    assert {one for one in weights if not learned(one)} == {EDGES, QUANTILES}
    assert moved(state.weights, weights) == {one for one in weights if learned(one)}


@pytest.mark.parametrize("name", ["adam", "max-norm and mixup", "optax adamw"])
def test_nor_do_whole_steps(name):
    own = EVERY_WAY[name]
    first, settings, data = begun(own)
    take = jax.jit(partial(step.step, structure=own, settings=settings, total_steps=8))
    state = first
    for place in range(4):
        state, _ = take(state, step.Rows(*(part[16 * place : 16 * place + 16] for part in data[:3])))
    assert not moved(first.weights, state.weights) & {EDGES, QUANTILES}
    assert moved(first.weights, state.weights) >= {"layer1.weight", "output.weight", "output.bias"}


@pytest.fixture(scope="module")
def three():
    return train([member(number, OWN, adam__learning_rate=0.01 * (number + 1)) for number in range(3)], 4)


def test_quantiles_are_those_of_the_populations_training_rows_and_the_same_for_all(three):
    levels = np.linspace(0, 1, three[0].state.weights[QUANTILES].shape[1])
    expected = np.quantile(rows().numeric[:, :3].astype(float), levels, axis=0).T
    for training in three:
        np.testing.assert_allclose(training.state.weights[QUANTILES], expected, atol=1e-5)
        np.testing.assert_array_equal(training.state.best_weights[QUANTILES], training.state.weights[QUANTILES])


def test_edges_are_each_members_own(three):
    first, second, third = (training.state.weights[EDGES] for training in three)
    for one, other in ((first, second), (second, third), (first, third)):
        assert not np.isclose(one[:, 1:-1], other[:, 1:-1]).all(axis=1).any()
        np.testing.assert_array_equal(one[:, [0, -1]], other[:, [0, -1]])


def test_a_member_is_the_same_alone_among_others_and_from_another_population_of_these_rows(three):
    for place in (0, 2):
        (alone,) = train([member(place, OWN, adam__learning_rate=0.01 * (place + 1))], 4, of=population(cores=2))
        assert bits(alone) == bits(three[place])


def test_another_seed_takes_other_edges_of_the_same_rows(three):
    (other,) = train([member(0, OWN, adam__learning_rate=0.01)], 1, of=population(seed=1))
    assert not np.array_equal(other.state.weights[EDGES], three[0].state.weights[EDGES])
    np.testing.assert_allclose(other.state.weights[QUANTILES], three[0].state.weights[QUANTILES], atol=1e-6)


def test_of_more_rows_those_of_the_runs_order_are_taken_and_no_others(monkeypatch):
    monkeypatch.setattr(step, "FITTED_ROWS", 32)
    own = population(seed=4)
    (trained,) = train([member(0, OWN)], 1, of=own)
    first = np.random.default_rng([4, 0]).permutation(96)[:32]
    numbers = rows().numeric[first, :3]
    np.testing.assert_allclose(trained.state.weights[QUANTILES][:, 0], numbers.min(axis=0), atol=1e-6)
    np.testing.assert_allclose(trained.state.weights[QUANTILES][:, -1], numbers.max(axis=0), atol=1e-6)
    assert step.first_rows(OWN) == 32 < FITTED_ROWS


def test_only_a_structure_that_hangs_on_rows_is_given_any():
    assert step.first_rows(structure()) == 0
    assert step.first_rows(structure(numeric_embedding="periodic")) == 0
    assert step.first_rows(structure(first_pass="lsuv")) == 256
    assert step.first_rows(structure(numeric_scaling="quantile")) == step.first_rows(OWN) == FITTED_ROWS
    assert step.first_rows(structure(numeric_embedding="piecewise_linear", first_pass="lsuv")) == FITTED_ROWS
    assert step.first_rows(Structure(2, 0, (), 1, "squared_error", **BOTH)) == 0


ODD = {
    "constant": np.zeros(96),
    "two values, one rare": np.where(np.arange(96) == 7, 3.0, -0.1),
    "three values": np.arange(96) % 3 - 1.0,
}


@pytest.mark.parametrize("way", [BOTH, {"numeric_scaling": "quantile", "numeric_embedding": "periodic"}], ids=str)
def test_constant_columns_and_columns_of_few_values_give_finite_numbers(way):
    given = rows()
    given.numeric[:, :3] = np.stack(list(ODD.values()), axis=1)
    measured = given._replace(numeric=given.numeric[::-1] * 1.5)  # beyond the training rows, too
    own = replace(population(), data=Data(given, measured))
    (trained,) = train([member(0, structure(**way, **NOISY), input_noise__standard_deviation=0.1)], 3, of=own)
    assert trained.sound
    assert np.isfinite(trained.curves.training_loss + trained.curves.validation_loss).all()
    assert np.isfinite(own.predict([trained], measured.numeric, measured.categories)).all()


def test_the_first_pass_sees_numbers_as_they_enter():
    own = structure(first_pass="lsuv", dropout="none", numeric_embedding="piecewise_linear")
    (trained,) = train([member(0, own, adam__learning_rate=1e-6, lsuv__tolerance=0.01)], 1)
    weights, data = trained.state.weights, rows()
    low, width = weights[EDGES][:, :-1], np.diff(weights[EDGES], axis=1)
    bins = np.clip((data.numeric[:, :3, None] - low) / width, 0, 1).reshape(96, -1)
    x = np.hstack([bins, data.numeric[:, 3:], weights["category0.embedding"][data.categories[:, 0]]])
    assert (x @ weights["layer1.weight"].T + weights["layer1.bias"]).var() == pytest.approx(1, abs=0.02)


def test_a_checkpoint_brings_them_back_and_training_goes_on_to_the_same_bits(three, tmp_path):
    checkpoint.save(three, tmp_path / "half")
    back = checkpoint.load(tmp_path / "half")
    assert [bits(training) for training in back] == [bits(training) for training in three]
    resumed, straight_on = train(back, 7), train(three, 7)
    assert [bits(training) for training in resumed] == [bits(training) for training in straight_on]
    np.testing.assert_array_equal(resumed[1].state.weights[EDGES], three[1].state.weights[EDGES])


def test_of_streamed_rows_the_first_chunk_is_what_they_are_fitted_to(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK_ROWS", 8)
    monkeypatch.setattr(streams, "CHUNK_ROWS", 64)
    with writing(tmp_path / "rows") as writer:
        writer.append(rows(number=320))
    stream, in_memory = open_stream(tmp_path / "rows"), population()
    assert stream is not None
    of_files = Population(Streamed(stream, in_memory.data.validation), "binary", "auc", in_memory.prior, 0, in_memory.pool)
    once, again = (train([member(0, OWN), member(1, OWN)], 3, of=of_files) for _ in range(2))
    chunk = stream.chunk(0, 0).numeric[:, :3]
    for one, other in zip(once, again, strict=True):
        assert bits(one) == bits(other)
        np.testing.assert_allclose(one.state.weights[QUANTILES][:, 0], chunk.min(axis=0), atol=1e-6)
        np.testing.assert_allclose(one.state.weights[QUANTILES][:, -1], chunk.max(axis=0), atol=1e-6)
    assert not np.array_equal(once[0].state.weights[EDGES], once[1].state.weights[EDGES])


def test_a_heavy_tail_that_hides_what_counts_is_no_hindrance_to_ranks():
    """All that matters lies in a thousandth of the range of each number."""
    chance = np.random.default_rng(2)

    def crowded(number: int):
        given = rows("regression", number)
        numbers = np.where(chance.random((number, 3)) < 0.9, 0.0005 * chance.normal(size=(number, 3)), 3.0)
        given.numeric[:, :3] = numbers
        return given._replace(target=(np.clip(numbers[:, 0] / 0.0005, -3, 3) / 3).astype(np.float32))

    data = Data(crowded(256), crowded(256))
    own = replace(population("regression"), data=data)
    still = {"adam__learning_rate": 0.01, "dropout__rate": 0.0}
    ways = [structure("regression"), structure("regression", numeric_scaling="quantile")]
    robust, ranked = train([member(number, way, **still) for number, way in enumerate(ways)], 30, of=own)
    assert ranked.score > 0.9 > robust.score + 0.2
