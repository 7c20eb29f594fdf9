"""Structure: everything about one network that changes its compiled program. Numbers that do not are settings.

Two networks with equal Structure share a program and train side by side; a setting (a rate, a strength) may differ between
them. A setting's full name is ``<technique>.<hyperparameter>``: ``adam.beta2``, ``dropout.rate``.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import optax

from trainwell.errors import InputError, listed, nearest
from trainwell.hyperparameter import Choice, Hyperparameter
from trainwell.network.limits import ADAPTERS, ADDED, DEEPEST, MOST, WIDEST
from trainwell.network.target_log import Logarithm
from trainwell.techniques import gradients, inputs
from trainwell.techniques.activations import ACTIVATIONS
from trainwell.techniques.initializers import INITIALIZERS, data_dependent, default_for
from trainwell.techniques.losses import LOSSES
from trainwell.techniques.normalizers import batch_norm
from trainwell.techniques.optimizers import OPTIMIZERS
from trainwell.techniques.regularizers import dropout, early_stopping, max_norm, mixup, noise, weight_averaging, weight_decay
from trainwell.techniques.schedules import REDUCE_ON_PLATEAU, SCHEDULES

PLATEAU = "reduce_on_plateau"
AT_TEST = ("moving_average", "population", "population_with_dropout")
EMBEDDED = {"none": 0, "periodic": inputs.EXTRA, "piecewise_linear": inputs.BINS - 1}  # numbers that each brings beside x
CHOICES = {
    choice.name: choice
    for choice in (
        Choice("activation", "silu", tuple(ACTIVATIONS), "what a hidden unit does with its sum"),
        Choice("initializer", "by_activation", ("by_activation", *INITIALIZERS), "how the first weights are drawn"),
        Choice("first_pass", "none", ("none", "lsuv", "data_dependent"), "rescale the first weights on a batch of rows"),
        Choice("class_weights", "none", ("none", "balanced"), "whether each class counts the same, however rare it is"),
        Choice("numeric_scaling", "robust", ("robust", "quantile"), "how numbers are brought to one scale"),
        Choice("numeric_embedding", "periodic", tuple(EMBEDDED), "how a scaled number enters the network"),
        Choice("input_scaling", "learned", ("none", "learned"), "a learned factor for each number that enters the first layer"),
        Choice("batch_norm", "none", ("none", "before", "after"), "batch normalization before or after the activation"),
        Choice(
            "batch_norm_test",
            "moving_average",
            AT_TEST,
            "its statistics at test time: moving, or of the training rows (of 32,768 drawn at random where there are more), "
            "passed forward without dropout or with it",
        ),
        Choice("weight_norm", "none", ("none", "plain", "centered"), "re-parametrization of the weights"),
        Choice("dropout", "inverted", ("none", "inverted", "course"), "the form of dropout"),
        Choice("optimizer", "adam", (*OPTIMIZERS, "adamw"), "the update rule"),
        Choice("decay", "decoupled", ("none", "decoupled", "l2", "l1"), "how large weights are held back"),
        Choice("schedule", "flat_cosine", (*SCHEDULES, PLATEAU), "how the learning rate changes over the training"),
        Choice("dropout_schedule", "constant", tuple(SCHEDULES), "how the dropout rate changes over the training"),
        Choice("decay_schedule", "constant", tuple(SCHEDULES), "how the weight decay changes over the training"),
        Choice("clip", "none", ("none", "global_norm", "value"), "what is cut off large gradients"),
        Choice(
            "weight_averaging",
            "none",
            ("none", "exponential"),
            "whether the weights that are kept are a mean of the last epochs'",
        ),
    )
}
WITHOUT_A_SETTING = optax.identity()  # in the place of a given optax transformation, once a network is trained
NOISES = ("input", "activation", "weight", "gradient")
PLATEAU_PATIENCE = 3.0  # chosen: below the 10 epochs after which early stopping would end the training


@dataclass(frozen=True)
class Structure:
    """One network's shape and techniques; hashable.

    Parameters
    ----------
    numeric : columns of numbers that enter.
    continuous : how many of them, from the first, are measurements (the rest are 0/1) and get a numeric embedding.
    cardinalities : size of each embedded category column, slot 0 for missing and unseen levels included.
    outputs : numbers that leave; one per class, or 1.
    loss : a name of `LOSSES`, one that serves the task.
    widths : units of each hidden layer, from the input on; empty for a linear model.
    batch_size : rows per step; 1 is stochastic gradient descent, all rows is gradient descent.
    noises : where Gaussian noise is added in training, of ``"input"``, ``"activation"``, ``"weight"``, ``"gradient"``.
    optimizer : a name, or any optax transformation; this brings its own rate and its own decoupled decay.
    mixup, max_norm : whether these regularizers are in the program.
    logarithm : of a target that is learned as its logarithm, see `trainwell.network.target_log`; empty where it is not.
    adapters : how many networks it is that share their matrices, see `trainwell.techniques.regularizers.adapters`; 0 is none,
        and without a hidden layer there is nothing to share.
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
    class_weights: str = CHOICES["class_weights"].default
    numeric_scaling: str = CHOICES["numeric_scaling"].default
    numeric_embedding: str = CHOICES["numeric_embedding"].default
    input_scaling: str = CHOICES["input_scaling"].default
    batch_norm: str = CHOICES["batch_norm"].default
    batch_norm_test: str = CHOICES["batch_norm_test"].default
    weight_norm: str = CHOICES["weight_norm"].default
    dropout: str = CHOICES["dropout"].default
    optimizer: str | optax.GradientTransformation = CHOICES["optimizer"].default
    decay: str = CHOICES["decay"].default
    schedule: str = CHOICES["schedule"].default
    dropout_schedule: str = CHOICES["dropout_schedule"].default
    decay_schedule: str = CHOICES["decay_schedule"].default
    clip: str = CHOICES["clip"].default
    weight_averaging: str = CHOICES["weight_averaging"].default
    noises: tuple[str, ...] = ()
    mixup: bool = False
    max_norm: bool = False
    logarithm: tuple[float, ...] = ()
    adapters: int = 0

    def __post_init__(self) -> None:
        for name, choice in CHOICES.items():
            if name != "optimizer" or isinstance(self.optimizer, str):
                choice.check(getattr(self, name))
        if self.loss not in LOSSES:
            raise InputError(
                f"loss is {self.loss!r}{nearest(self.loss, LOSSES) or ','} allowed is one of {listed(LOSSES, 20)}."
            )
        if self.optimizer == "adamw":  # Adam with decoupled decay is two choices here
            if self.decay != "decoupled":
                raise InputError(
                    f"optimizer 'adamw' is Adam with decay 'decoupled', and decay is {self.decay!r}: take optimizer 'adam'."
                )
            object.__setattr__(self, "optimizer", "adam")
            object.__setattr__(self, "decay", "decoupled")
        if not isinstance(self.optimizer, str) and self.decay == "decoupled":  # that needs the rate, which only optax knows
            object.__setattr__(self, "decay", "none")
        if not self.widths:
            object.__setattr__(self, "adapters", 0)
        for clash in _clashes(self):
            raise InputError(clash)

    @property
    def drawn_by(self) -> str:
        """The initializer's name; where none was chosen that of the first pass, or else the activation's own."""
        if self.initializer != "by_activation":
            return self.initializer
        return "orthogonal" if self.first_pass == "lsuv" else default_for(self.activation)

    @property
    def entering(self) -> int:
        """How many numbers reach the first dense layer."""
        extra = EMBEDDED[self.numeric_embedding] * self.continuous
        return self.numeric + extra + sum(map(inputs.category_width, self.cardinalities))

    @property
    def copies(self) -> int:
        """How many networks a row passes through."""
        return max(1, self.adapters)

    @property
    def products(self) -> int:
        """Multiplications of a row on its way through the layers of all of them."""
        return self.copies * sum(a * b for a, b in pairwise((self.entering, *self.widths, self.outputs)))

    def describe(self) -> str:
        """A short line for tables and figures: ``256-256 silu, periodic, batch norm before, batch 256``."""
        parts = ["-".join(map(str, self.widths)) or "linear", self.activation]
        if self.numeric_scaling != "robust" and self.continuous:
            parts.append(f"{self.numeric_scaling}-scaled")
        if self.numeric_embedding != "none" and self.continuous:
            parts.append(self.numeric_embedding.replace("_", " "))
        if self.input_scaling == "none":
            parts.append("no input scaling")
        if self.batch_norm != "none":
            parts.append(f"batch norm {self.batch_norm}")
        if self.clip != "none":
            parts.append("clipped")
        if self.weight_averaging != "none":
            parts.append("averaged")
        if self.adapters:
            parts.append(f"{self.adapters} adapters")
        if self.logarithm:
            parts.append("log target")
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
        data = {**ADDED, **data}
        if set(data) != set(expected):
            raise InputError(
                f"a network's description has the fields {listed(sorted(data), 30)}, not {listed(sorted(expected), 30)}."
            )
        for name, value in data.items():
            if (name, value) == ("optimizer", "custom"):
                data[name] = WITHOUT_A_SETTING
                continue
            data[name] = tuple(value) if isinstance(value, list) else value
            holds = {type(item) for item in data[name]} if isinstance(data[name], tuple) else set()
            wanted = {"noises": str, "logarithm": float}.get(name, int)
            if type(data[name]) is not type(getattr(EXAMPLE, name)) or holds - {wanted}:
                raise InputError(f"a network's description has {value!r} for {name}, which is not of the kind it must be.")
        return cls(**data)


def _clashes(structure: Structure) -> Iterator[str]:
    """A sentence for everything that does not go together, or is out of bounds."""
    sizes = (structure.numeric, structure.continuous, structure.outputs, *structure.cardinalities)
    if not (all(0 <= size <= MOST for size in sizes) and structure.continuous <= structure.numeric and structure.outputs >= 1):
        yield (
            f"a network of {structure.numeric} numbers, {structure.continuous} of them continuous, categories of "
            f"{structure.cardinalities} levels and {structure.outputs} outputs cannot be made."
        )
    if not (len(structure.widths) <= DEEPEST and all(1 <= width <= WIDEST for width in structure.widths)):
        yield f"widths is {structure.widths}, allowed are up to {DEEPEST} layers of 1 to {WIDEST} units."
    if structure.adapters and structure.adapters not in ADAPTERS:
        yield f"adapters is {structure.adapters}, allowed are 0, which is none, and {ADAPTERS[0]} to {ADAPTERS[-1]}."
    for name in ("batch_norm", "weight_norm", "first_pass"):
        if structure.adapters and getattr(structure, name) != "none":
            yield f"{name} is of one network, and adapters make many of it: take {name} 'none', or adapters 0."
    if structure.batch_size < 1:
        yield f"batch_size is {structure.batch_size}, allowed is 1 or more rows."
    if unknown := set(structure.noises) - set(NOISES):
        yield f"noises holds {listed(sorted(unknown))}, allowed are {listed(NOISES)}."
    if structure.batch_norm != "none" and structure.batch_size < 2:
        yield "batch_norm needs a batch_size of 2 or more: one row has no variance to divide by."
    if structure.mixup and structure.batch_size < 2:
        yield "mixup needs a batch_size of 2 or more: one row has no other to be mixed with."
    if structure.batch_norm != "none" and structure.first_pass == "data_dependent":
        yield "first_pass 'data_dependent' goes row by row, which batch_norm cannot: take 'lsuv', or batch_norm 'none'."
    if (
        structure.weight_averaging != "none"
        and structure.batch_norm != "none"
        and structure.batch_norm_test == "moving_average"
    ):
        yield (
            "weight_averaging needs batch_norm_test 'population' or 'population_with_dropout': moving averages are of the "
            "weights that train, not of their mean."
        )
    if structure.logarithm and "regression" not in LOSSES[structure.loss].tasks:
        yield f"a target is learned as its logarithm, but the loss {structure.loss!r} is one of classes."
    if structure.logarithm and not _is_logarithm(structure.logarithm):
        yield f"logarithm is {structure.logarithm}, allowed are a floor, a mean, a spread above 0 and a largest, all finite."
    if structure.class_weights != "none" and "regression" in LOSSES[structure.loss].tasks:
        yield f"class_weights is 'balanced', but the loss {structure.loss!r} knows no classes: take class_weights 'none'."
    if structure.dropout == "course" and structure.dropout_schedule != "constant":
        yield "dropout 'course' multiplies by a constant at test time: a dropout_schedule needs dropout 'inverted'."
    if structure.dropout == "course" and structure.drawn_by == "dropout_adjusted":
        yield "initializer 'dropout_adjusted' is made for dropout 'inverted', not for 'course'."
    if structure.weight_norm != "none" and structure.drawn_by == "zeros":
        yield "weight_norm needs first weights with a direction, which initializer 'zeros' has not."
    if structure.weight_norm == "centered" and structure.drawn_by == "constant":
        yield "weight_norm 'centered' needs first weights that differ, which those of initializer 'constant' do not."
    if structure.weight_norm == "centered" and min(structure.entering, *structure.widths, 2) < 2:
        yield "weight_norm 'centered' needs 2 or more numbers to enter every layer: one less its mean is nothing."


def _is_logarithm(values: tuple[float, ...]) -> bool:
    return len(values) == len(Logarithm._fields) and all(map(math.isfinite, values)) and Logarithm(*values).spread > 0


EXAMPLE = Structure(numeric=1, continuous=1, cardinalities=(), outputs=1, loss="squared_error")  # for the kinds of its fields


_PLATEAU = tuple(
    replace(declared, default=PLATEAU_PATIENCE, source="chosen: below the patience of early stopping; PyTorch has 10")
    if declared.name == "patience"
    else declared
    for declared in REDUCE_ON_PLATEAU
)


def hyperparameters_of(structure: Structure) -> dict[str, Hyperparameter]:
    """The settings that this structure's program reads, by full name."""
    families: list[tuple[str, tuple[Hyperparameter, ...]]] = [
        (structure.loss, LOSSES[structure.loss].hyperparameters),
        (structure.activation, ACTIVATIONS[structure.activation].hyperparameters),
        (structure.schedule, _PLATEAU if structure.schedule == PLATEAU else SCHEDULES[structure.schedule].hyperparameters),
        ("early_stopping", early_stopping.HYPERPARAMETERS),
    ]
    if structure.drawn_by != "dropout_adjusted":  # whose rate is that of the dropout
        families.append((structure.drawn_by, INITIALIZERS[structure.drawn_by].hyperparameters))
    if structure.first_pass == "lsuv":
        families.append(("lsuv", data_dependent.LSUV_HYPERPARAMETERS))
    if structure.first_pass == "data_dependent":
        families.append(("data_dependent", data_dependent.HYPERPARAMETERS))
    if isinstance(structure.optimizer, str):
        families.append((structure.optimizer, OPTIMIZERS[structure.optimizer].hyperparameters))
    if structure.numeric_embedding == "periodic" and structure.continuous:
        families.append(("periodic", (inputs.FREQUENCY,)))
    if structure.batch_norm != "none":
        moving = structure.batch_norm_test == "moving_average"
        declared = tuple(one for one in batch_norm.HYPERPARAMETERS if moving or one.name != "momentum")
        families.append(("batch_norm", declared))
    if structure.dropout != "none":
        families.append(("dropout", dropout.HYPERPARAMETERS))
        families.append(("dropout_schedule", SCHEDULES[structure.dropout_schedule].hyperparameters))
    if structure.decay != "none":
        families.append(("weight_decay", weight_decay.HYPERPARAMETERS))
        families.append(("decay_schedule", SCHEDULES[structure.decay_schedule].hyperparameters))
    if structure.clip == "global_norm":
        families.append(("clip_by_global_norm", gradients.CLIP_BY_GLOBAL_NORM))
    if structure.clip == "value":
        families.append(("clip_by_value", gradients.CLIP_BY_VALUE))
    families += [(f"{place}_noise", noise.HYPERPARAMETERS) for place in structure.noises if place != "gradient"]
    if "gradient" in structure.noises:
        families.append(("gradient_noise", gradients.NOISE))
    if structure.mixup:
        families.append(("mixup", mixup.HYPERPARAMETERS))
    if structure.weight_averaging == "exponential":
        families.append(("weight_averaging", weight_averaging.HYPERPARAMETERS))
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
