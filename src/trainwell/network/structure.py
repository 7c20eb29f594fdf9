"""Structure: everything about one network that changes its compiled program. Numbers that do not are settings.

Two networks with equal Structure share a program and train side by side; a setting (a rate, a strength) may differ between
them. A setting's full name is ``<technique>.<hyperparameter>``: ``adam.beta2``, ``dropout.rate``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import optax

from trainwell.errors import InputError, listed, nearest
from trainwell.hyperparameter import Choice, Hyperparameter
from trainwell.network.embeddings import FREQUENCY
from trainwell.techniques import gradients
from trainwell.techniques.activations import ACTIVATIONS
from trainwell.techniques.initializers import INITIALIZERS, default_for
from trainwell.techniques.losses import LOSSES
from trainwell.techniques.normalizers import batch_norm
from trainwell.techniques.optimizers import OPTIMIZERS
from trainwell.techniques.regularizers import dropout, early_stopping, max_norm, mixup, noise, weight_decay
from trainwell.techniques.schedules import SCHEDULES

CHOICES = {
    choice.name: choice
    for choice in (
        Choice("activation", "silu", tuple(ACTIVATIONS), "what a hidden unit does with its sum"),
        Choice("initializer", "by_activation", ("by_activation", *INITIALIZERS), "how the first weights are drawn"),
        Choice("first_pass", "none", ("none", "lsuv", "data_dependent"), "rescale the first weights on a batch of rows"),
        Choice("numeric_embedding", "periodic", ("none", "periodic"), "how a number enters the network"),
        Choice("batch_norm", "none", ("none", "before", "after"), "batch normalization before or after the activation"),
        Choice("batch_norm_test", "moving_average", ("moving_average", "population"), "its statistics at test time"),
        Choice("weight_norm", "none", ("none", "plain", "centered"), "re-parametrization of the weights"),
        Choice("dropout", "inverted", ("none", "inverted", "course"), "the form of dropout"),
        Choice("optimizer", "adam", (*OPTIMIZERS, "adamw"), "the update rule"),
        Choice("decay", "decoupled", ("none", "decoupled", "l2", "l1"), "how large weights are held back"),
        Choice("schedule", "flat_cosine", tuple(SCHEDULES), "how the learning rate changes over the training"),
        Choice("clip", "none", ("none", "global_norm", "value"), "what is cut off large gradients"),
    )
}
NOISES = ("input", "activation", "weight", "gradient")
WIDEST, DEEPEST = 8192, 64  # chosen: above them one layer's weights no longer fit a small machine


@dataclass(frozen=True)
class Structure:
    """One network's shape and techniques; hashable.

    Parameters
    ----------
    numeric : columns of numbers that enter.
    continuous : how many of them, from the first, are measurements (the rest are 0/1) and get a numeric embedding.
    cardinalities : size of each embedded category column, slot 0 for missing and unseen levels included.
    outputs : numbers that leave; one per class, or 1.
    loss : a name of `LOSSES`.
    widths : units of each hidden layer, from the input on; empty for a linear model.
    batch_size : rows per step; 1 is stochastic gradient descent, all rows is gradient descent.
    noises : where Gaussian noise is added in training, of ``"input"``, ``"activation"``, ``"weight"``, ``"gradient"``.
    mixup, max_norm : whether these regularizers are in the program.
    others : see `CHOICES`.
    """

    numeric: int
    continuous: int
    cardinalities: tuple[int, ...]
    outputs: int
    loss: str
    widths: tuple[int, ...] = (256, 256)
    batch_size: int = 256
    activation: str = CHOICES["activation"].default
    initializer: str = CHOICES["initializer"].default
    first_pass: str = CHOICES["first_pass"].default
    numeric_embedding: str = CHOICES["numeric_embedding"].default
    batch_norm: str = CHOICES["batch_norm"].default
    batch_norm_test: str = CHOICES["batch_norm_test"].default
    weight_norm: str = CHOICES["weight_norm"].default
    dropout: str = CHOICES["dropout"].default
    optimizer: str | optax.GradientTransformation = CHOICES["optimizer"].default
    decay: str = CHOICES["decay"].default
    schedule: str = CHOICES["schedule"].default
    clip: str = CHOICES["clip"].default
    noises: tuple[str, ...] = ()
    mixup: bool = False
    max_norm: bool = False

    def __post_init__(self) -> None:
        for name, choice in CHOICES.items():
            if name != "optimizer" or isinstance(self.optimizer, str):
                choice.check(getattr(self, name))
        if self.loss not in LOSSES:
            raise InputError(
                f"loss is {self.loss!r}{nearest(self.loss, LOSSES) or ','} allowed is one of {listed(LOSSES, 20)}."
            )
        if self.optimizer == "adamw":  # Adam with decoupled decay is two choices here
            object.__setattr__(self, "optimizer", "adam")
            object.__setattr__(self, "decay", "decoupled")
        if not (len(self.widths) <= DEEPEST and all(1 <= width <= WIDEST for width in self.widths)):
            raise InputError(f"widths is {self.widths}, allowed are up to {DEEPEST} layers of 1 to {WIDEST} units.")
        if self.batch_size < 1:
            raise InputError(f"batch_size is {self.batch_size}, allowed is 1 or more rows.")
        if self.batch_norm != "none" and self.batch_size < 2:
            raise InputError("batch_norm needs a batch_size of 2 or more: one row has no variance to divide by.")
        if unknown := set(self.noises) - set(NOISES):
            raise InputError(f"noises holds {listed(sorted(unknown))}, allowed are {listed(NOISES)}.")

    @property
    def drawn_by(self) -> str:
        """The initializer's name, the activation's own where none was chosen."""
        return default_for(self.activation) if self.initializer == "by_activation" else self.initializer

    def describe(self) -> str:
        """A short line for tables and figures: ``256-256 silu, periodic, batch norm before, batch 256``."""
        parts = ["-".join(map(str, self.widths)) or "linear", self.activation]
        if self.numeric_embedding != "none" and self.continuous:
            parts.append(self.numeric_embedding)
        if self.batch_norm != "none":
            parts.append(f"batch norm {self.batch_norm}")
        parts.append(f"batch {self.batch_size}")
        return " ".join(parts[:2]) + ", " + ", ".join(parts[2:])

    def to_json(self) -> dict[str, Any]:
        """Plain data; a given optax transformation is called ``"custom"``, since only training needs it."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return plain if isinstance(self.optimizer, str) else {**plain, "optimizer": "custom"}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Structure":
        """The structure that `to_json` wrote; `InputError` where a field is missing, unknown or of another kind."""
        expected = {field.name: field.type for field in fields(cls)}
        if set(data) != set(expected):
            raise InputError(
                f"a network's description has the fields {listed(sorted(data), 30)}, not {listed(sorted(expected), 30)}."
            )
        data = {**data, "optimizer": "gradient_descent"} if data["optimizer"] == "custom" else dict(data)
        for name, value in data.items():
            data[name] = tuple(value) if isinstance(value, list) else value
            holds = {type(item) for item in data[name]} if isinstance(data[name], tuple) else set()
            wanted = {"noises": str}.get(name, int)
            if type(data[name]) is not type(getattr(EXAMPLE, name)) or holds - {wanted}:
                raise InputError(f"a network's description has {value!r} for {name}, which is not of the kind it must be.")
        return cls(**data)


EXAMPLE = Structure(numeric=1, continuous=1, cardinalities=(), outputs=1, loss="squared_error")  # for the kinds of its fields


def hyperparameters_of(structure: Structure) -> dict[str, Hyperparameter]:
    """The settings that this structure's program reads, by full name."""
    families: list[tuple[str, tuple[Hyperparameter, ...]]] = [
        (structure.loss, LOSSES[structure.loss].hyperparameters),
        (structure.activation, ACTIVATIONS[structure.activation].hyperparameters),
        (structure.drawn_by, INITIALIZERS[structure.drawn_by].hyperparameters),
        (structure.schedule, SCHEDULES[structure.schedule].hyperparameters),
        ("early_stopping", early_stopping.HYPERPARAMETERS),
    ]
    if isinstance(structure.optimizer, str):
        families.append((structure.optimizer, OPTIMIZERS[structure.optimizer].hyperparameters))
    if structure.numeric_embedding == "periodic" and structure.continuous:
        families.append(("periodic", (FREQUENCY,)))
    if structure.batch_norm != "none":
        families.append(("batch_norm", batch_norm.HYPERPARAMETERS))
    if structure.dropout != "none":
        families.append(("dropout", dropout.HYPERPARAMETERS))
    if structure.decay != "none":
        families.append(("weight_decay", weight_decay.HYPERPARAMETERS))
    if structure.clip == "global_norm":
        families.append(("clip_by_global_norm", gradients.CLIP_BY_GLOBAL_NORM))
    if structure.clip == "value":
        families.append(("clip_by_value", gradients.CLIP_BY_VALUE))
    families += [(f"{place}_noise", noise.HYPERPARAMETERS) for place in structure.noises if place != "gradient"]
    if "gradient" in structure.noises:
        families.append(("gradient_noise", gradients.NOISE))
    if structure.mixup:
        families.append(("mixup", mixup.HYPERPARAMETERS))
    if structure.max_norm:
        families.append(("max_norm", max_norm.HYPERPARAMETERS))
    return {f"{technique}.{declared.name}": declared for technique, group in families for declared in group}


def resolve(structure: Structure, chosen: Mapping[str, object] | None = None) -> dict[str, float]:
    """Every setting of the structure, the chosen ones checked, the others at their default."""
    declared = hyperparameters_of(structure)
    settings = {name: hyperparameter.default for name, hyperparameter in declared.items()}
    for name, value in (chosen or {}).items():
        if name not in declared:
            hint = nearest(name, declared)
            raise InputError(f"{name!r} is no setting of this network{hint or ','} it has {listed(sorted(declared), 40)}.")
        settings[name] = declared[name].check(value, name)
    return settings


def of(technique: str, settings: Mapping) -> dict:
    """The settings of one technique by their short names: ``of("adam", settings)["beta2"]``."""
    start = technique + "."
    return {name[len(start) :]: value for name, value in settings.items() if name.startswith(start)}
