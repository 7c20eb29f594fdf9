"""What can be held fixed with --set: every name from the declarations, every wrong one with the nearest right one."""

from dataclasses import replace
from pathlib import Path

import pytest

from small_networks import structure
from trainwell.errors import InputError
from trainwell.network.structure import CHOICES, Structure
from trainwell.recipe import fixed
from trainwell.recipe.every_setting import every_setting
from trainwell.recipe.settings_page import OTHERS, markdown
from trainwell.techniques.losses import LOSSES
from trainwell.techniques.optimizers import OPTIMIZERS

PLAIN = Structure(2, 2, (), 1, "binary_cross_entropy")
PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_of_settings_is_up_to_date():
    assert PAGE.read_text() == markdown(), "run `python -m trainwell.recipe.settings_page > docs/settings.md`"


def test_numbers_that_schedules_declare_differently_are_on_the_page_once_for_each():
    page = markdown()
    for place in ("decay_schedule", "dropout_schedule"):
        for schedule, default in (("exponential", "0.01"), ("cosine", "0"), ("one_cycle", "4e-06")):
            assert f"| `{place}.final` (schedule `{schedule}`) | {default} |" in page
        assert f"| `{place}.peak` | 0.3 |" in page


def test_the_page_says_what_is_chosen_here_and_in_which_unit_a_number_is():
    declared = every_setting()
    assert declared["reduce_on_plateau.patience"].source.startswith("chosen")
    for name in ("huber.delta", "early_stopping.min_delta"):
        assert "standard deviations of the training target" in declared[name].meaning


def test_the_page_names_everything_that_can_be_held_fixed():
    assert {name for name, *_ in OTHERS} | set(CHOICES) == {*fixed.STRUCTURAL, *fixed.OF_THE_RUN}
    assert {f"{name}.learning_rate" for name in OPTIMIZERS} <= set(every_setting())


@pytest.mark.parametrize(
    ("settings", "field", "value"),
    [
        ({"widths": "128-64"}, "widths", (128, 64)),
        ({"widths": "linear"}, "widths", ()),
        ({"widths": 32}, "widths", (32,)),
        ({"batch_size": "full"}, "batch_size", 500),
        ({"batch_size": 1}, "batch_size", 1),
        ({"noises": "input-weight"}, "noises", ("input", "weight")),
        ({"mixup": "yes"}, "mixup", True),
        ({"max_norm": False}, "max_norm", False),
        ({"loss": "focal"}, "loss", "focal"),
        ({"activation": "relu"}, "activation", "relu"),
    ],
)
def test_a_choice_becomes_a_field_of_the_structure(settings, field, value):
    assert fixed.structural(settings, "binary", rows=500) == {field: value}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"widths": "big"}, "widths is 'big', allowed is units of each layer such as 256-128, or 'linear'."),
        ({"batch_size": "some"}, "batch_size is 'some', allowed is a number of rows or 'full'."),
        ({"noises": "inputs"}, "noises is 'inputs', did you mean 'input'? allowed is one of"),
        ({"mixup": "maybe"}, "mixup is 'maybe', allowed is yes or no."),
        ({"loss": "huber"}, "loss for a binary target is 'huber', allowed is one of 'binary_cross_entropy', 'focal'."),
        ({"activation": "rellu"}, "activation is 'rellu', did you mean 'relu'? allowed is one of"),
        ({"optimizer": "adm"}, "optimizer is 'adm', did you mean 'adam'? allowed is one of"),
    ],
)
def test_a_wrong_choice_gets_what_is_allowed(settings, sentence):
    with pytest.raises(InputError) as error:
        fixed.structural(settings, "binary", rows=500)
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_loss_of_a_task_can_be_chosen(task):
    for loss in LOSSES.values():
        if task in loss.tasks:
            assert fixed.structural({"loss": loss.name}, task, rows=9) == {"loss": loss.name}


def test_a_number_is_checked_against_its_declaration():
    assert fixed.numbers({"adam.beta2": "0.95", "rmsprop.beta": "0.5"}, PLAIN) == {"adam.beta2": 0.95}
    for value, said in (("nan", "nan"), ("1.5", "1.5"), ("-1", "-1")):
        with pytest.raises(InputError, match=rf"^adam.beta2 is {said}, allowed is 0.5 to 0.9999\.$"):
            fixed.check({"adam.beta2": value}, PLAIN)
    with pytest.raises(InputError, match=r"^adam.beta2 is 'high', which is not a number from 0.5 to 0.9999\.$"):
        fixed.check({"adam.beta2": "high"}, PLAIN)


def test_weights_of_nothing_have_no_direction_for_weight_normalization():
    held = {"initializer": "constant", "weight_norm": "plain", "constant.value": "0"}
    own = replace(PLAIN, **fixed.structural(held, "binary", 9))
    with pytest.raises(InputError, match=r"^constant.value is 0, but weight_norm needs first weights with a direction: take"):
        fixed.check(held, own)
    fixed.check({**held, "constant.value": "0.2"}, own)
    fixed.check({**held, "weight_norm": "none"}, replace(own, weight_norm="none"))


def test_what_is_switched_on_by_name_has_a_strength_that_does_something():
    assert fixed.switched_on({"mixup": "yes"}) == {"mixup.strength": 0.2}
    places = ("input", "activation", "weight")
    assert fixed.switched_on(["noises"]) == {f"{place}_noise.standard_deviation": 0.075 for place in places}
    assert fixed.switched_on(["widths", "mixup.strength"]) == {}


def test_a_setting_of_a_technique_that_is_not_chosen_is_said():
    with pytest.raises(InputError, match=r"^'rmsprop.beta' is no setting"):
        fixed.check({"rmsprop.beta": 0.5}, PLAIN)


@pytest.mark.parametrize(
    ("settings", "task", "said"),
    [
        ({"batch_norm": "after", "widths": "8-8"}, "binary", ["batch_norm is 'after' silu: 'before' it is the usual place."]),
        (
            {"batch_norm": "before", "activation": "tanh", "widths": "8-8"},
            "binary",
            ["batch_norm is 'before' tanh: 'after' it is the usual place."],
        ),
        (
            {"batch_norm": "before", "batch_norm_test": "moving_average", "widths": "8-8"},
            "binary",
            ["The moving averages of batch_norm record the variance that dropout makes in training, and predictions do not "
             "have it: take batch_norm_test=population."],
        ),
        (
            {"batch_norm": "before", "widths": "8"},
            "regression",
            ["batch_norm takes away how large features are, on which a number may hang: compare with a run without batch_norm.",
             "batch_norm helps deep networks most: with fewer than two hidden layers little is to be gained."],
        ),
        ({"batch_norm": "before", "widths": "8-8"}, "binary", []),
        ({"activation": "tanh"}, "regression", []),
    ],
)  # fmt: skip
def test_batch_normalization_where_it_is_mostly_no_good_is_remarked_on(settings, task, said):
    usual = {"batch_norm_test": "population"} if "batch_norm" in settings else {}
    own = structure(task, activation="silu", dropout="inverted")
    own = replace(own, **{**usual, **fixed.structural(settings, task, 100)})
    assert fixed.remarks(settings, own, task) == said
