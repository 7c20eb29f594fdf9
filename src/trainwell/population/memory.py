"""What members and rows cost of memory, in bytes; `docs/memory.md` explains it, the tests hold it against what is measured.

    a member that trains    4 (2 + m) P                       its weights, the best ones, m moments of each
    its average, if kept    4 P
    a step of a member      4 P + 8 B W                       the gradient; W units for each of B rows, there and back
    a member that is kept   4 P                               its best weights
    a row in memory         4 (numbers + categories + 1)      once for the table, and once for each device
    a streamed row          nothing, however many there are; a few chunks for each device

P is the number of weights and m that of the optimizer's moments (2 for Adam). Statistics of batch
normalization count as weights; with adapters a row counts as many times as there are networks in one.
"""

from functools import cache
from typing import Any

import jax
import numpy as np

from trainwell.network.structure import Structure, resolve
from trainwell.population.epoch import starter
from trainwell.population.step import MemberState
from trainwell.population.stream import Stream


def training_bytes(structure: Structure) -> int:
    """A member that trains, between its steps: all that is carried from step to step."""
    return _size(_state(structure))


def step_bytes(structure: Structure) -> int:
    """What a step of a member takes besides: a gradient, and every layer's units for every row, there and back."""
    units = structure.entering + sum(structure.widths) + structure.outputs
    return _size(_state(structure).weights) + 2 * 4 * structure.batch_size * structure.copies * units


def kept_bytes(structure: Structure) -> int:
    """A member that is kept with its best weights alone, as a search keeps those that it has left behind."""
    state = _state(structure)
    return _size((state.best_weights, state.best_statistics))


def row_bytes(numeric: int, categories: int) -> int:
    """An encoded row: numbers, categories and the target."""
    return 4 * (numeric + categories + 1)


def streaming_bytes(stream: Stream, devices: int) -> int:
    """All that streamed rows take, however many they are: for each device the chunk that trains, the next one that is read, and
    the copy on its way from one to the other."""
    return 3 * devices * stream.chunk_rows * stream.row_bytes


@cache
def _state(structure: Structure) -> MemberState:
    """Shapes of a member's state."""
    settings = {name: np.zeros(1, np.float32) for name in resolve(structure)}
    arguments = (np.zeros(1, np.uint32), settings, np.zeros(structure.outputs, np.float32))
    shapes: MemberState = jax.eval_shape(starter(structure), *arguments)
    return shapes


def _size(tree: Any) -> int:
    """Bytes of all arrays."""
    return sum(int(np.prod(leaf.shape)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
