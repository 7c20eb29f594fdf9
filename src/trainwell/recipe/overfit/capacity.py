"""Capacity against training loss: what each size of network could learn by heart, and what that was worth."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from trainwell.network.forward import shapes
from trainwell.network.structure import Structure
from trainwell.population.member import Training
from trainwell.recipe.evidence import Figure, Series

SAME = 0.02  # chosen: relative difference of losses that is none


class Size(NamedTuple):
    """A size of network: its name, how many weights, the lowest training loss of its members and their lowest validation
    loss."""

    name: str
    weights: int
    training: float
    validation: float


def weights_of(structure: Structure) -> int:
    """How many numbers are learned.

    >>> weights_of(Structure(3, 3, (), 1, "squared_error", widths=(4,), numeric_embedding="none"))
    24
    """
    return sum(math.prod(shape) for shape in shapes(structure)[0].values())


def by_size(trainings: Sequence[Training]) -> list[Size]:
    """The sizes that trained for as many epochs as any, smallest first."""
    longest = max((training.epochs for training in trainings), default=0)
    trainings = [training for training in trainings if training.epochs == longest]  # those cut short had less time to learn
    found = []
    for structure in dict.fromkeys(training.member.structure for training in trainings):
        own = [t.curves for t in trainings if t.member.structure == structure and t.sound]
        losses = [loss for curves in own for loss in curves.training_loss[-1:] if math.isfinite(loss)]
        others = [loss for curves in own for loss in curves.validation_loss if math.isfinite(loss)]
        if losses and others:
            name = "-".join(map(str, structure.widths)) or "linear"
            found.append(Size(name, weights_of(structure), min(losses), min(others)))
    return sorted(found, key=lambda size: size.weights)


def said(sizes: Sequence[Size]) -> str:
    """Whether more capacity lowered the training loss, as it must where something is left to learn."""
    if len(sizes) < 2:
        return ""
    falls = [after.training < (1 - SAME) * before.training for before, after in pairwise(sizes)]
    first, last = sizes[0], sizes[-1]
    told = f"from {first.training:.3g} with {first.name} ({first.weights:,} weights) to {last.training:.3g} with {last.name}"
    if all(falls):
        words = f"Each larger size lowers the training loss, {told}."
    elif last.training < (1 - SAME) * first.training:
        words = f"Larger sizes lower the training loss, {told}, though not at every step."
    else:
        return f"Larger sizes do not lower the training loss ({told}): the smallest learns what these epochs suffice for."
    best = min(sizes, key=lambda size: size.validation)
    return f"{words} The validation loss is lowest with {best.name}."


def figure(sizes: Sequence[Size]) -> Figure:
    weights = [size.weights for size in sizes]
    series = (
        Series("lowest validation loss", weights, [float(f"{size.validation:.4g}") for size in sizes]),
        Series("training loss at the end", weights, [float(f"{size.training:.4g}") for size in sizes], emphasis=True),
    )
    caption = (
        "Without regularization. The training loss falls with the size; the validation loss says how much of it is of use."
    )
    return Figure("lines", "Capacity and training loss", "weights", "loss", series, caption, log_x=True)
