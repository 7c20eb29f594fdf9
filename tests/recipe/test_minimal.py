"""The least effort: one network, filled up with inputs of 0 and none the other for it, that does what it is told."""

import numpy as np
import pytest

from trainwell.network.forward import shapes
from trainwell.population.budget import Budget
from trainwell.population.member import Member, Training
from trainwell.recipe import minimal
from trainwell.recipe.options import Options
from trainwell.recipe.prepare import prepare
from trainwell.recipe.tune.stage import space


@pytest.fixture(scope="module")
def numbers():
    """Five numbers, of which two decide the sixth."""
    x = np.random.default_rng(0).normal(size=(60, 6))
    x[:, 5] = x[:, 0] - x[:, 1]
    return {name: column.tolist() for name, column in zip("abcdey", x.T, strict=True)}


@pytest.fixture
def told(numbers, tmp_path_factory):
    """What a run is made from, with what is held fixed."""

    def prepared(**settings):
        held = {name.replace("__", "."): value for name, value in settings.items()}
        options = Options.checked(target="y", out=tmp_path_factory.mktemp("run"), effort="minimal", settings=held, cores=1)
        return prepare(numbers, options, Budget(), None, ())[0]

    return prepared


def settings_of(context):
    structure = minimal._structure(context)
    return structure, context.settings(structure, minimal.usual(context, structure))


@pytest.mark.parametrize("held", [{}, {"input_scaling": "learned"}, {"adapters": "3"}])
def test_the_network_has_the_shapes_of_one_with_its_own_inputs(told, held):
    context = told(**held)
    _, (trained,) = minimal.one_network(context, 0)
    found = {name: weight.shape for name, weight in trained.state.best_weights.items()}
    assert trained.member.structure.numeric == 5
    assert found == shapes(trained.member.structure)[0]
    assert np.isfinite(context.population().predict([trained], context.test.numeric, context.test.categories)).all()


@pytest.mark.parametrize("initializer", ["by_activation", "xavier_uniform", "orthogonal", "dropout_adjusted"])
def test_inputs_that_are_always_0_leave_the_first_weights_as_they_would_be_without_them(told, initializer):
    context = told(initializer=initializer)
    structure, settings = settings_of(context)
    wide = minimal.widened(structure)
    assert (structure.numeric, wide.numeric) == (5, 16)
    population = context.population(members=1)
    alone = population.started(Training(Member(3, structure, settings))).weights
    filled = minimal._started(population, Training(Member(3, wide, settings)), structure).state
    for weights in (filled.weights, filled.best_weights):
        np.testing.assert_allclose(weights["layer1.weight"][:, :5], alone["layer1.weight"], rtol=1e-6)
        assert not weights["layer1.weight"][:, 5:].any()
        assert set(weights) == set(alone)


@pytest.mark.parametrize(
    ("held", "name", "value"),
    [
        ({"dropout__rate": 0.3}, "dropout.rate", 0.3),
        ({"periodic__frequency": 0.7}, "periodic.frequency", 0.7),
        ({"input_noise__standard_deviation": 0.2}, "input_noise.standard_deviation", 0.2),
        ({"mixup": "yes"}, "mixup.strength", 0.2),
        ({"mixup": "yes", "mixup__strength": 0.4}, "mixup.strength", 0.4),
        ({"noises": "weight-activation"}, "weight_noise.standard_deviation", 0.075),
        ({"noises": "weight-activation"}, "activation_noise.standard_deviation", 0.075),
    ],
)
def test_what_the_user_holds_fixed_is_in_the_network(told, held, name, value):
    assert settings_of(told(**held))[1][name] == value


def test_without_it_the_network_has_no_dropout_embedding_or_noise(told):
    structure, settings = settings_of(told())
    assert (structure.dropout, structure.numeric_embedding, structure.noises) == ("none", "none", ())
    assert not {"dropout.rate", "periodic.frequency"} & set(settings)


def test_the_centre_of_the_search_mixes_and_adds_noise_where_that_was_asked_for(told):
    centre = space(told(mixup="yes", noises="weight"), "8", 1e-3, {}).centre
    assert (centre["mixup.strength"], centre["weight_noise.standard_deviation"]) == (0.2, 0.075)
    assert space(told(), "8", 1e-3, {}).centre["input_noise.standard_deviation"] == 0, "on by itself, it is searched from 0 on"
