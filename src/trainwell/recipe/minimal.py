"""Stage 5 at the least effort: one small network of usual settings, where code is tried out and nothing is compared.

Compiling takes far longer than training it. So small tables are brought to a few sizes, each of which is compiled once.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from trainwell import random_bits
from trainwell.data.encode import Arrays
from trainwell.network import dense
from trainwell.network.structure import Structure
from trainwell.population.cohort import Population
from trainwell.population.member import Member, Training
from trainwell.recipe import fixed
from trainwell.recipe.context import SMALLEST_BATCH, Context
from trainwell.recipe.evidence import Evidence
from trainwell.recipe.tune.stage import CENTRE

WIDTHS = (64,)  # chosen: the smallest that bends
RATE = 3.0  # chosen: times the default learning rate, as small networks on few rows do well with
SIZES = (64, 256, 1024)  # chosen: numbers of rows that fewer are repeated to
COLUMNS = (4, 16, 64)  # chosen: numbers of inputs that fewer are filled up to

AS_THEY_ARE = {
    "cardinalities": (),
    "numeric_embedding": "none",
    "numeric_scaling": "robust",
    "input_scaling": "none",
    "noises": (),
    "first_pass": "none",
    "weight_norm": "none",
    "adapters": 0,
}  # what a structure must be for columns of zeros to change nothing but the first weights, which `_started` draws without them
LEFT_OUT = {
    "numeric_embedding": ("none", "periodic."),
    "dropout": ("none", "dropout"),
    "noises": ((), "input_noise."),
}  # what the least effort does without, and how the settings begin for which it does not


def one_network(context: Context, number: int) -> tuple[Evidence, list[Training]]:
    """(evidence, the network alone), trained to where early stopping ends it."""
    structure = _structure(context)
    settings = context.settings(structure, usual(context, structure))
    wide = widened(structure)
    train, validation = (
        _with_columns(repeated(part, context.options.seed), wide.numeric) for part in (context.train, context.validation)
    )
    population, epochs = context.population(train, validation, members=1, signals=False), context.epochs(structure)
    training = _started(population, Training(Member(number, wide, settings, "tune")), structure)
    (trained,) = population.train([training], epochs, epochs, context.budget)
    trained = narrowed(trained.let_go(), structure)
    return _evidence(context, trained), [trained]


def usual(context: Context, structure: Structure) -> dict[str, float]:
    """Settings of the one network, where the user says nothing."""
    return CENTRE | fixed.switched_on(context.options.settings) | context.learning_rate(structure, RATE)


def _structure(context: Context) -> Structure:
    """A small network, without what costs time to compile unless the user holds one of its settings fixed."""
    held = context.options.settings
    left_out = {
        name: value
        for name, (value, start) in LEFT_OUT.items()
        if not any(setting.startswith(start) for setting in held if setting not in LEFT_OUT)
    }
    return context.structure(widths=WIDTHS, batch_size=SMALLEST_BATCH, input_scaling="none", **left_out)


def _started(population: Population, training: Training, structure: Structure) -> Training:
    """The network before its first step, its first layer drawn for its own inputs alone: the spread of first weights goes by
    their number, and the inputs that are always 0 count for none."""
    member = training.member
    if member.structure == structure or not structure.numeric:
        return training
    state = population.started(training)
    key = jax.random.fold_in(random_bits.jax_key(state.key), 0)
    drawn = dense.init(key, "layer1", structure.entering, structure.widths[0], structure, member.settings)["layer1.weight"]
    none = member.structure.numeric - structure.numeric
    weights = state.weights | {"layer1.weight": jnp.pad(drawn, ((0, 0), (0, none)))}
    return dataclasses.replace(training, state=state._replace(weights=weights, best_weights=weights))


def widened(structure: Structure) -> Structure:
    """The same with one of a few numbers of inputs, where it takes numbers as they are: those beyond its own are always 0."""
    as_they_are = {name: getattr(structure, name) for name in AS_THEY_ARE} == AS_THEY_ARE
    if not (as_they_are and structure.widths):
        return structure
    size = next((size for size in COLUMNS if structure.numeric <= size), structure.numeric)
    return dataclasses.replace(structure, numeric=size, continuous=0)


def narrowed(training: Training, structure: Structure) -> Training:
    """The network without the inputs that were always 0, which changes none of its outputs."""
    member = dataclasses.replace(training.member, structure=structure)
    if training.state is None or not structure.numeric < training.member.structure.numeric:
        return dataclasses.replace(training, member=member)
    weights = dict(training.state.best_weights)
    weights["layer1.weight"] = weights["layer1.weight"][:, : structure.numeric]
    return dataclasses.replace(training, member=member, state=training.state._replace(best_weights=weights))


def _with_columns(rows: Arrays, columns: int) -> Arrays:
    more = columns - rows.numeric.shape[1]
    return dataclasses.replace(rows, numeric=np.pad(rows.numeric, ((0, 0), (0, more))))


def repeated(rows: Arrays, seed: int) -> Arrays:
    """Few rows repeated to one of a few numbers of rows, each row with the weight of one among its copies: so one compiled
    program serves many small tables."""
    count = len(rows.target)
    size = next((size for size in SIZES if count <= size), count)
    order = np.random.default_rng(seed).permutation(count)[np.arange(size) % count]
    copies = np.bincount(order, minlength=count)[order]
    weights = (1.0 if rows.weights is None else rows.weights[order]) / copies * (size / count)
    return dataclasses.replace(rows.take(order), weights=weights.astype(np.float32))


def _evidence(context: Context, trained: Training) -> Evidence:
    advice = "Compare networks before you rely on one (--effort fast, default or best)."
    if not trained.sound or not math.isfinite(trained.score):
        said = "The network came to nothing: its loss left the finite numbers, or there was no time."
        return Evidence("tune", "stop", "the one network came to nothing", said, (advice,))
    label, score = context.metric.label, context.said(trained.score)
    return Evidence(
        "tune",
        "warn",
        f"one network, nothing compared, validation {label} {score}",
        explanation=f"At the effort minimal one network of usual settings is trained, {trained.member.structure.describe()}, "
        f"for {trained.epochs} epochs. On the validation rows it scores {label} {score}. No simple model was measured and no "
        "setting compared, so this says nothing of what could be reached.",
        actions=(advice,),
        measures={"trials": 1, "best_score": trained.score, "epochs": trained.epochs},
    )
