"""What a structure refuses, each in one sentence, and how it is written down and read again."""

import json
from dataclasses import replace

import optax
import pytest

from small_networks import structure
from trainwell.errors import InputError
from trainwell.network.structure import CHOICES, EXAMPLE, Structure, hyperparameters_of, of, resolve


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"batch_size": 0}, "batch_size is 0, allowed is 1 or more rows."),
        ({"widths": (8, 0)}, "widths is (8, 0), allowed are up to 64 layers of 1 to 8192 units."),
        ({"widths": (8,) * 65}, "allowed are up to 64 layers of 1 to 8192 units."),
        ({"noises": ("input", "output")}, "noises holds 'output', allowed are 'input', 'activation', 'weight', 'gradient'."),
        ({"batch_norm": "before", "batch_size": 1}, "batch_norm needs a batch_size of 2 or more: one row has no variance"),
        ({"mixup": True, "batch_size": 1}, "mixup needs a batch_size of 2 or more: one row has no other to be mixed with."),
        ({"batch_norm": "after", "first_pass": "data_dependent"}, "first_pass 'data_dependent' goes row by row, which batch"),
        ({"weight_averaging": "exponential", "batch_norm": "before"}, "weight_averaging needs batch_norm_test 'population' or"),
        ({"loss": "huber", "class_weights": "balanced"}, "the loss 'huber' knows no classes: take class_weights 'none'."),
        ({"dropout": "course", "dropout_schedule": "cosine"}, "a dropout_schedule needs dropout 'inverted'."),
        ({"dropout": "course", "initializer": "dropout_adjusted"}, "is made for dropout 'inverted', not for 'course'."),
        ({"weight_norm": "plain", "initializer": "zeros"}, "which initializer 'zeros' has not."),
        ({"weight_norm": "centered", "initializer": "constant"}, "those of initializer 'constant' do not."),
        ({"weight_norm": "centered", "widths": (8, 1)}, "one less its mean is nothing."),
        ({"adapters": 1}, "adapters is 1, allowed are 0, which is none, and 2 to 64."),
        ({"adapters": 65}, "adapters is 65, allowed are 0, which is none, and 2 to 64."),
        (
            {"adapters": 4, "batch_norm": "before"},
            "batch_norm is of one network, and adapters make many of it: take batch_norm",
        ),
        ({"adapters": 4, "weight_norm": "plain"}, "take weight_norm 'none', or adapters 0."),
        ({"adapters": 4, "first_pass": "lsuv"}, "take first_pass 'none', or adapters 0."),
        ({"loss": "hinge"}, "loss is 'hinge', allowed is one of 'cross_entropy'"),
        ({"loss": "hubre"}, "loss is 'hubre', did you mean 'huber'? allowed is one of"),
        ({"optimizer": "addam"}, "optimizer is 'addam', did you mean 'adam'? allowed is one of"),
        ({"schedule": "reduce_on_platau"}, "did you mean 'reduce_on_plateau'?"),
        ({"dropout_schedule": "reduce_on_plateau"}, "dropout_schedule is 'reduce_on_plateau', allowed is one of"),
    ],
)
def test_what_cannot_be_is_refused(chosen, said):
    with pytest.raises(InputError) as refused:
        structure(**chosen)
    assert said in str(refused.value)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_refuses_what_is_not_one_of_its_options(name):
    with pytest.raises(InputError, match=f"^{name} is 'nothing of the kind', allowed is one of "):
        structure(**{name: "nothing of the kind"})


def test_without_a_hidden_layer_there_is_nothing_to_share():
    assert structure(widths=(), adapters=8) == structure(widths=())


def test_adamw_is_adam_with_decoupled_decay():
    assert structure(optimizer="adamw") == structure(optimizer="adam", decay="decoupled")


@pytest.mark.parametrize("decay", ["none", "l2", "l1"])
def test_adamw_with_another_decay_is_refused(decay):
    with pytest.raises(
        InputError, match=rf"^optimizer 'adamw' is Adam with .*, and decay is '{decay}': take optimizer 'adam'\.$"
    ):
        structure(optimizer="adamw", decay=decay)


@pytest.mark.parametrize("name", CHOICES)
def test_json_gives_the_same_structure_back(name):
    for option in CHOICES[name].options:
        try:
            own = structure(**{name: option})
        except InputError:  # that one does not go with the rest
            continue
        assert Structure.from_json(json.loads(json.dumps(own.to_json()))) == own


def test_an_optax_transformation_is_written_as_custom_and_asks_for_no_setting():
    own = structure(optimizer=optax.adam(0.1), noises=("input",))
    back, again = (Structure.from_json(own.to_json()) for _ in range(2))
    assert own.to_json()["optimizer"] == "custom"
    assert set(hyperparameters_of(back)) == set(hyperparameters_of(own))
    assert back == again  # so that its members share a program
    assert hash(back) == hash(again)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("widths", 8),
        ("widths", ["8"]),
        ("batch_size", "16"),
        ("mixup", 1),
        ("noises", [3]),
        ("activation", None),
        ("outputs", 1.0),
    ],
)
def test_a_description_of_another_kind_is_refused(name, value):
    with pytest.raises(InputError) as refused:
        Structure.from_json({**EXAMPLE.to_json(), name: value})
    assert str(refused.value) == f"a network's description has {value!r} for {name}, which is not of the kind it must be."


def test_a_description_with_a_field_more_or_less_is_refused():
    plain = EXAMPLE.to_json()
    for other in ({**plain, "colour": "red"}, {name: plain[name] for name in plain if name != "loss"}):
        with pytest.raises(InputError, match=r"^a network's description has the fields .*, not .*\.$"):
            Structure.from_json(other)


def test_settings_are_named_after_their_techniques_and_only_those_in_use():
    plain = set(hyperparameters_of(structure(dropout="none", decay="none")))
    assert {name.split(".")[0] for name in plain} == {
        "binary_cross_entropy",
        "he_normal",
        "flat_cosine",
        "early_stopping",
        "adam",
    }
    more = structure(
        mixup=True, max_norm=True, noises=("weight", "gradient"), clip="value", first_pass="lsuv", batch_norm="after"
    )
    assert {name.split(".")[0] for name in hyperparameters_of(more)} >= {
        "mixup", "max_norm", "weight_noise", "gradient_noise", "clip_by_value", "lsuv", "orthogonal", "batch_norm", "dropout",
    }  # fmt: skip
    moving, exact = (
        hyperparameters_of(structure(batch_norm="before", batch_norm_test=at_test))
        for at_test in ("moving_average", "population")
    )
    assert set(moving) - set(exact) == {"batch_norm.momentum"}


def test_the_rate_of_dropout_adjusted_weights_is_that_of_the_dropout():
    assert "dropout_adjusted.rate" not in hyperparameters_of(structure(initializer="dropout_adjusted"))


def test_resolve_takes_the_chosen_and_the_defaults_and_refuses_the_rest():
    own = structure()
    settings = resolve(own, {"adam.beta2": "0.95"})
    assert settings["adam.beta2"] == 0.95
    assert settings["adam.learning_rate"] == hyperparameters_of(own)["adam.learning_rate"].default
    assert of("adam", settings).keys() == {"learning_rate", "beta1", "beta2", "epsilon"}
    for chosen, said in (
        ({"adam.beta2": 1.5}, r"^adam.beta2 is 1.5, allowed is 0.5 to 0.9999.$"),
        ({"adam.beta2": float("nan")}, r"^adam.beta2 is nan, allowed is 0.5 to 0.9999.$"),
        ({"adam.beta2": "much"}, r"^adam.beta2 is 'much', which is not a number from 0.5 to 0.9999.$"),
        ({"adam.beta_2": 0.9}, r"^'adam.beta_2' is no setting of this network, did you mean 'adam.beta2'\? it has "),
        ({"rmsprop.beta": 0.9}, "^'rmsprop.beta' is no setting of this network"),
    ):
        with pytest.raises(InputError, match=said):
            resolve(own, chosen)


def test_a_line_says_what_a_network_is():
    own = replace(structure(numeric_embedding="periodic", input_scaling="learned"), widths=(256, 128), batch_norm="before")
    assert own.describe() == "256-128 silu, periodic, batch norm before, batch 16"
    assert structure(widths=()).describe() == "linear silu, no input scaling, batch 16"
