"""What a user holds fixed with ``--set name=value``: choices that shape the networks, and numbers that all of them share.

Everything is read from the declarations beside the techniques: a name that none of them knows gets the nearest that one does, a
value that is not allowed gets what is.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from trainwell.errors import InputError, listed, nearest
from trainwell.hyperparameter import Choice
from trainwell.network.structure import CHOICES, NOISES, Structure, hyperparameters_of
from trainwell.techniques.activations import ACTIVATIONS
from trainwell.techniques.losses import LOSSES
from trainwell.techniques.regularizers import mixup, noise

Value = str | float | int
COLUMNS = Choice(
    "columns", "by_evidence", ("by_evidence", "all"), "whether columns that networks do better without are left out"
)
TARGET_TRANSFORM = Choice("target_transform", "none", ("none", "log"), "whether a number is learned as its logarithm")


def structural(settings: Mapping[str, Value], task: str, rows: int) -> dict[str, Any]:
    """The fixed choices as fields of a `Structure`, for a task and a number of training rows; ``target_transform`` becomes one
    once the training rows are known, see `trainwell.recipe.context.Context.structure`."""
    found: dict[str, Any] = {name: choice.check(settings[name]) for name, choice in CHOICES.items() if name in settings}
    readers: dict[str, Callable[[str], Any]] = {
        "loss": _loss_reader(task),
        "widths": widths_of,
        "batch_size": lambda text: rows if text == "full" else _whole("batch_size", text, "a number of rows or 'full'"),
        "noises": _noises,
        "adapters": lambda text: _whole("adapters", text, "how many networks share their matrices, 0 for none"),
        "mixup": lambda text: _yes_or_no("mixup", text),
        "max_norm": lambda text: _yes_or_no("max_norm", text),
        "target_transform": lambda text: _target_transform(text, task),
    }
    return found | {name: read(str(settings[name])) for name, read in readers.items() if name in settings}


STRUCTURAL = (*CHOICES, "loss", "widths", "batch_size", "noises", "mixup", "max_norm", "target_transform", "adapters")
OF_THE_RUN = (COLUMNS.name,)  # what shapes no network by itself, and what no search draws


def numbers(settings: Mapping[str, Value], structure: Structure) -> dict[str, float]:
    """The fixed numbers that this structure has, checked."""
    declared = hyperparameters_of(structure)
    return {name: declared[name].check(value, name) for name, value in settings.items() if name in declared}


def switched_on(named: Collection[str]) -> dict[str, float]:
    """Strengths of the regularizers that a user chose by name and that are off by default. A number that the user gives comes
    before; where networks are meant to overfit, the regularizers stay off."""
    places = [place for place in NOISES if place != "gradient"] if "noises" in named else []
    declared = {f"{place}_noise": noise.HYPERPARAMETERS for place in places}
    declared |= {"mixup": mixup.HYPERPARAMETERS} if "mixup" in named else {}
    return {f"{technique}.{one.name}": one.on for technique, group in declared.items() for one in group if one.on is not None}


def check(settings: Mapping[str, Value], *structures: Structure) -> None:
    """`InputError` for a name that neither shapes a network nor is a setting of one of these, or for a number out of range."""
    known = [*STRUCTURAL, *OF_THE_RUN, *dict.fromkeys(name for one in structures for name in hyperparameters_of(one))]
    for name in settings:
        if name not in known:
            hint = nearest(name, known) or ","
            raise InputError(f"{name!r} is no setting{hint} the settings are {listed(sorted(known), 80)}.")
    COLUMNS.check(settings.get(COLUMNS.name, COLUMNS.default))
    for structure in structures:
        held = numbers(settings, structure)
        if structure.weight_norm != "none" and structure.drawn_by == "constant" and held.get("constant.value") == 0:
            raise InputError("constant.value is 0, but weight_norm needs first weights with a direction: take another number.")


def remarks(settings: Collection[str], structure: Structure, task: str) -> list[str]:
    """Sentences about a choice of batch normalization that is allowed and mostly no good."""
    if "batch_norm" not in settings or structure.batch_norm == "none":
        return []
    found, kind = [], ACTIVATIONS[structure.activation].kind
    usual = {"relu-like": "before", "s-shaped": "after"}.get(kind, structure.batch_norm)
    if structure.batch_norm != usual:
        found.append(f"batch_norm is {structure.batch_norm!r} {structure.activation}: {usual!r} it is the usual place.")
    if structure.dropout != "none" and structure.batch_norm_test == "moving_average":
        found.append(
            "The moving averages of batch_norm record the variance that dropout makes in training, and predictions do not have "
            "it: take batch_norm_test=population."
        )
    if task == "regression":
        found.append(
            "batch_norm takes away how large features are, on which a number may hang: compare with a run without batch_norm."
        )
    if len(structure.widths) < 2:
        found.append("batch_norm helps deep networks most: with fewer than two hidden layers little is to be gained.")
    return found


def _loss_reader(task: str) -> Callable[[str], str]:
    allowed = tuple(loss.name for loss in LOSSES.values() if task in loss.tasks)
    return lambda text: Choice("loss", allowed[0], allowed).check(text, f"loss for a {task} target")


def _target_transform(text: str, task: str) -> str:
    chosen = TARGET_TRANSFORM.check(text)
    if chosen != "none" and task != "regression":
        raise InputError(
            f"target_transform is {chosen!r}, allowed for a target with classes is 'none': they have no logarithm."
        )
    return chosen


def _whole(name: str, text: str, allowed: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{name} is {text!r}, allowed is {allowed}.") from None


def widths_of(text: str) -> tuple[int, ...]:
    """``"256-128"`` is two hidden layers, ``"linear"`` is none."""
    if text == "linear":
        return ()
    return tuple(_whole("widths", part, "units of each layer such as 256-128, or 'linear'") for part in text.split("-"))


def _noises(text: str) -> tuple[str, ...]:
    """``"input-weight"`` is noise in two places."""
    return tuple(Choice("noises", NOISES[0], NOISES).check(part) for part in text.split("-"))


def _yes_or_no(name: str, text: str) -> bool:
    allowed = {"yes": True, "true": True, "no": False, "false": False}
    if text.lower() not in allowed:
        raise InputError(f"{name} is {text!r}, allowed is yes or no.")
    return allowed[text.lower()]
