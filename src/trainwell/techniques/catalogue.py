"""The catalogue: each technique by the names that courses use, and where it is.

`find` looks techniques up, `describe` tells of one. Equation, source and advice are read from the docstrings, so they are
written once. ``python -m trainwell.techniques.catalogue > docs/techniques.md`` writes the documentation.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from trainwell.errors import InputError, nearest
from trainwell.hyperparameter import Hyperparameter
from trainwell.techniques import (
    activations,
    curvature,
    gradients,
    initializers,
    inputs,
    landscapes,
    losses,
    optimizers,
    schedules,
)
from trainwell.techniques.entry import Entry, describe, table
from trainwell.techniques.initializers import data_dependent, dropout_adjusted, output_bias
from trainwell.techniques.normalizers import batch_norm, weight_norm
from trainwell.techniques.optimizers import gradient_descent
from trainwell.techniques.regularizers import (
    adapters,
    dropout,
    early_stopping,
    label_smoothing,
    max_norm,
    mixup,
    noise,
    weight_averaging,
    weight_decay,
)


def _optimizers() -> Iterator[Entry]:
    def row(name: str, key: str, *also: str) -> Entry:
        optimizer = {**optimizers.OPTIMIZERS, "adamw": optimizers.ADAMW}[key]
        return Entry(name, "optimizers", optimizer.update, optimizer.hyperparameters, (key, *also))

    descend, declared = gradient_descent.update, gradient_descent.HYPERPARAMETERS
    yield Entry("gradient descent", "optimizers", descend, declared, ("gd", "batch gradient descent"), 'batch_size="full"')
    yield Entry("stochastic gradient descent", "optimizers", descend, declared, ("sgd", "online learning"), "batch_size=1")
    yield Entry("mini-batch gradient descent", "optimizers", descend, declared, ("minibatch", "batch size"), "batch_size=B")
    yield row("momentum", "momentum", "exponentially weighted average")
    yield row("classical momentum", "classical_momentum", "heavy ball", "polyak momentum", "sgd with momentum")
    yield row("Nesterov momentum", "nesterov", "nesterov accelerated gradient", "nag")
    yield row("RMSprop", "rmsprop", "root mean square propagation")
    yield row("Adam", "adam", "adaptive moment estimation")
    yield row("Adam, epsilon inside the root", "adam_epsilon_inside")
    yield row("Adam without bias correction", "adam_uncorrected", "bias correction")
    yield row("AdamW", "adamw", "adam with decoupled weight decay")


def _gradients() -> Iterator[Entry]:
    clip = ("gradient clipping", "clipping")
    yield Entry("clip by global norm", "gradients", gradients.clip_by_global_norm, gradients.CLIP_BY_GLOBAL_NORM, clip)
    yield Entry("clip by value", "gradients", gradients.clip_by_value, gradients.CLIP_BY_VALUE, clip)
    yield Entry("gradient noise", "gradients", gradients.add_noise, gradients.NOISE, ("add noise", "annealed noise"))


def _schedules() -> Iterator[Entry]:
    names = {
        "constant": "constant schedule",
        "step": "step schedule",
        "exponential": "exponential decay",
        "inverse_time": "1/t decay",
        "warmup": "linear warm-up",
        "cosine": "cosine schedule",
        "flat_cosine": "flat-then-cosine",
        "one_cycle": "one-cycle",
        "coslog4": "coslog4",
    }
    for key, name in names.items():
        schedule = schedules.SCHEDULES[key]
        also = (key, "learning rate schedule", "multiplier schedule")
        yield Entry(name, "schedules", schedule.multiplier, schedule.hyperparameters, also)
    plateau = schedules.reduce_on_plateau
    yield Entry("reduce on plateau", "schedules", plateau, schedules.REDUCE_ON_PLATEAU, ("learning rate schedule",))


def _initializers() -> Iterator[Entry]:
    def row(name: str, key: str, *also: str) -> Entry:
        initializer = initializers.INITIALIZERS[key]
        return Entry(name, "initializers", initializer.draw, initializer.hyperparameters, (key, *also))

    def data_row(name: str, function: Callable[..., Any], declared: tuple[Hyperparameter, ...], *also: str) -> Entry:
        return Entry(name, "initializers", function, declared, also)

    yield row("zero weights", "zeros")
    yield row("constant weights", "constant", "symmetry")
    yield row("normal weights", "normal", "random normal")
    yield row("uniform weights", "uniform", "random uniform")
    yield row("Xavier normal", "xavier_normal", "glorot normal")
    yield row("Xavier uniform", "xavier_uniform", "glorot uniform")
    yield row("He normal", "he_normal", "kaiming normal")
    yield row("He uniform", "he_uniform", "kaiming uniform")
    yield row("LeCun normal", "lecun_normal")
    yield row("orthogonal weights", "orthogonal")
    yield data_row("LSUV", data_dependent.lsuv, data_dependent.LSUV_HYPERPARAMETERS, "layer-sequential unit variance")
    yield data_row(
        "data-dependent initialization",
        data_dependent.data_dependent,
        data_dependent.HYPERPARAMETERS,
        "kraehenbuehl",
        "krähenbühl",
    )
    yield data_row(
        "dropout-adjusted initialization", dropout_adjusted.draw, dropout_adjusted.HYPERPARAMETERS, "dropout_adjusted"
    )
    yield data_row("default initializer by activation", initializers.default_for, ())
    yield data_row("output bias from the prior", output_bias.log_prior, (), "log prior", "final bias")
    yield data_row("output bias from the target mean", output_bias.target_mean, (), "final bias")


def _activations() -> Iterator[Entry]:
    names = {
        "relu": "ReLU",
        "leaky_relu": "leaky ReLU",
        "elu": "ELU",
        "selu": "SELU",
        "gelu": "GELU",
        "silu": "SiLU",
        "mish": "Mish",
    }
    also = {"silu": ("swish",), "sigmoid": ("logistic",), "relu": ("rectified linear unit",)}
    for key, activation in activations.ACTIVATIONS.items():
        aliases = (key, *also.get(key, ()))
        yield Entry(
            names.get(key, key), "activations", activation.function, activation.hyperparameters, aliases, activation.kind
        )


def _losses() -> Iterator[Entry]:
    names = {"cross_entropy": "cross-entropy", "focal": "focal loss", "huber": "Huber loss", "quantile": "quantile loss"}
    also = {
        "cross_entropy": ("log loss", "negative log likelihood", "class weights"),
        "squared_error": ("mse", "mean squared error"),
        "absolute_error": ("mae", "mean absolute error"),
        "quantile": ("pinball loss",),
    }
    for key, loss in losses.LOSSES.items():
        name, aliases = names.get(key, key.replace("_", " ")), (key, *also.get(key, ()))
        yield Entry(name, "losses", loss.per_row, loss.hyperparameters, aliases, ", ".join(loss.tasks))


def _regularizers() -> Iterator[Entry]:
    def row(name: str, function: Callable[..., Any], declared: tuple[Hyperparameter, ...], *also: str) -> Entry:
        return Entry(name, "regularizers", function, declared, also)

    yield row("dropout", dropout.inverted, dropout.HYPERPARAMETERS, "inverted dropout")
    yield row("dropout, the course's form", dropout.course, dropout.HYPERPARAMETERS, "course dropout")
    yield row(
        "L2 penalty", weight_decay.l2_gradient, weight_decay.HYPERPARAMETERS, "weight decay", "ridge", "l2 regularization"
    )
    yield row("decoupled weight decay", weight_decay.decoupled, weight_decay.HYPERPARAMETERS)
    yield row("L1 penalty", weight_decay.l1_gradient, weight_decay.HYPERPARAMETERS, "lasso", "l1 regularization")
    yield row("early stopping", early_stopping.update, early_stopping.HYPERPARAMETERS, "patience")
    yield row("noise", noise.gaussian, noise.HYPERPARAMETERS, "gaussian noise", "jitter", "input noise", "weight noise")
    yield row("label smoothing", label_smoothing.smooth, label_smoothing.HYPERPARAMETERS)
    yield row("mixup", mixup.mix, mixup.HYPERPARAMETERS, "augmentation")
    averages = ("swa", "stochastic weight averaging", "ema", "exponential moving average of weights", "polyak averaging")
    yield row("weight averaging", weight_averaging.update, weight_averaging.HYPERPARAMETERS, *averages)
    yield row("adapters", adapters.layer, (), "tabm", "batch ensemble", "shared weights", "implicit ensemble")
    yield row("max-norm", max_norm.cap, max_norm.HYPERPARAMETERS, "max norm constraint")


def _normalizers() -> Iterator[Entry]:
    declared = batch_norm.HYPERPARAMETERS
    yield Entry("batch normalization", "normalizers", batch_norm.train, declared[:1], ("batch norm", "bn"))
    yield Entry("batch normalization at test time", "normalizers", batch_norm.test, declared[:1], ("batch norm",))
    yield Entry("moving average of batch statistics", "normalizers", batch_norm.moving_average, declared[1:], ("batch norm",))
    variance_shift = ("batch norm", "variance shift")
    yield Entry("exact population statistics", "normalizers", batch_norm.population_statistics, (), variance_shift)
    yield Entry("weight normalization", "normalizers", weight_norm.plain, (), ("weight norm",))
    yield Entry("centered weight normalization", "normalizers", weight_norm.centered, (), ("weight norm",))


def _inputs() -> Iterator[Entry]:
    def row(name: str, function: Callable[..., Any], *also: str, declared: tuple[Hyperparameter, ...] = ()) -> Entry:
        return Entry(name, "inputs", function, declared, also)

    yield row("quantile scaling", inputs.quantile_scaling, "quantile transformer", "rank transformation", "numeric scaling")
    numeric = ("numeric embedding", "embedding of numbers")
    yield row("periodic embedding", inputs.periodic, "pbld", *numeric, declared=(inputs.FREQUENCY,))
    yield row("piecewise-linear encoding", inputs.piecewise_linear, "ple", "bins", *numeric)
    yield row("learned scaling", inputs.learned_scaling, "scaling layer", "feature scaling", "input scaling")
    yield row("category embedding", inputs.category, "entity embedding", "embedding of categories")


def _landscapes() -> Iterator[Entry]:
    names = {"quadratic_furrow": "quadratic furrow", "saddle": "saddle"}
    for key, landscape in landscapes.LANDSCAPES.items():
        name = names.get(key, key.capitalize())
        yield Entry(name, "landscapes", landscape.height, landscape.hyperparameters, (key, "test surface", "landscape"))


def _curvature() -> Iterator[Entry]:
    def row(name: str, function: Callable[..., Any], *also: str) -> Entry:
        return Entry(name, "curvature", function, (), also)

    yield row("Hessian-vector product", curvature.hessian_vector_product, "hvp", "hessian", "pearlmutter")
    yield row("Lanczos", curvature.lanczos, "hessian eigenvalues")
    yield row("extreme eigenvalues", curvature.extreme_eigenvalues, "hessian eigenvalues", "sharpness", "curvature")
    yield row("spectral density", curvature.spectral_density, "stochastic lanczos quadrature", "slq", "hessian spectrum")
    yield row("condition number", curvature.condition_number, "ill-conditioning")
    yield row("landscape verdict", curvature.landscape, "local minimum", "saddle point", "plateau", "long furrow")


__all__ = ["CATALOGUE", "Entry", "describe", "find", "markdown"]

CATALOGUE: tuple[Entry, ...] = (
    *_optimizers(),
    *_gradients(),
    *_schedules(),
    *_initializers(),
    *_activations(),
    *_losses(),
    *_regularizers(),
    *_normalizers(),
    *_inputs(),
    *_landscapes(),
    *_curvature(),
)


def find(query: str, entries: tuple[Entry, ...] = CATALOGUE) -> tuple[Entry, ...]:
    """The techniques of this name; or those with it as a word in their names; or those with it anywhere in them.

    Examples
    --------
    >>> [entry.name for entry in find("he")]
    ['He normal', 'He uniform']
    >>> find("swish")[0].path
    'trainwell.techniques.activations.silu'
    >>> find("nestrov")
    Traceback (most recent call last):
        ...
    trainwell.errors.InputError: There is no technique 'nestrov', did you mean 'nesterov'?
    """
    wanted = _plain(query)
    names = {entry: [_plain(name) for name in (entry.name, *entry.also)] for entry in entries}
    as_word = tuple(entry for entry in entries if any(f" {wanted} " in f" {name} " for name in names[entry]))
    anywhere = tuple(entry for entry in entries if any(wanted in name for name in names[entry]))
    found = (as_word or anywhere) if wanted else ()
    if not found:
        hint = nearest(wanted, [name for entry in entries for name in names[entry]]) or "; `trainwell where` lists them."
        raise InputError(f"There is no technique {query!r}{hint}")
    return tuple(sorted(found, key=lambda entry: wanted not in names[entry]))


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name.lower()).strip()


def markdown(entries: tuple[Entry, ...] = CATALOGUE) -> str:
    """The page `docs/techniques.md`: a table for each family.

    Examples
    --------
    >>> markdown().splitlines()[0]
    '# Techniques'
    """
    parts = ["# Techniques", INTRODUCTION]
    for family in dict.fromkeys(entry.family for entry in entries):
        parts += [f"## {family.capitalize()}", table([entry for entry in entries if entry.family == family])]
    return "\n\n".join(parts) + "\n"


INTRODUCTION = """Each technique is one function that can be used on its own in any JAX code. This page is generated from the
docstrings and declarations beside the functions; `trainwell where NAME` shows the same in the terminal, with the line.
A value in brackets is the allowed range. The search over hyperparameters (`search/`) and the recipe (`recipe/`) are not
techniques of one network and have folders of their own."""


if __name__ == "__main__":
    print(markdown(), end="")
