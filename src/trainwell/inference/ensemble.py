"""The average of an ensemble's networks for any number of rows: blocks that stay in the cache, shared out over the cores.

A block of rows goes through all networks before the next one comes, so that it is read once; blocks are of the same size on
every machine, so that a row's bits depend neither on the number of cores nor on who took which block.
"""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

from trainwell.cores import available_cores
from trainwell.inference.activations import ACTIVATIONS
from trainwell.inference.entering import embedded
from trainwell.inference.folded import Folded

BLOCK = 256  # measured: rows at a time; with 256 units of float32 two layers are half of a core's second cache
MOST = 1e30  # chosen: of an output's size; the largest float32 is 3e38, and outputs are subtracted and multiplied
ONE_THREAD = 4 * BLOCK  # chosen: fewer rows are not worth a second core


def average(networks: Sequence[Folded], shares: Sequence[float], task: str, numeric: np.ndarray, categories: np.ndarray):
    """The average (rows, outputs) in float32 of the networks by their shares: probabilities, or standardized numbers.

    Parameters
    ----------
    networks, shares : equally many; the shares sum to 1.
    task : ``"binary"``, ``"multiclass"`` or ``"regression"``.
    numeric, categories : encoded rows, as `trainwell.data.encode.Arrays` has them.
    """
    rows = len(numeric)
    found = np.zeros((rows, networks[0].architecture.outputs), np.float32)

    def one_block(first: int) -> None:
        part = slice(first, first + BLOCK)
        for network, share in zip(networks, shares, strict=True):
            found[part] += np.float32(share) * predictions(network, task, numeric[part], categories[part])

    blocks = range(0, rows, BLOCK)
    if rows <= BLOCK:
        for first in blocks:
            one_block(first)
        return found
    with _one_thread_each:
        if rows <= ONE_THREAD:
            for first in blocks:
                one_block(first)
        else:
            list(_workers().map(one_block, blocks))
    return found


def predictions(network: Folded, task: str, numeric: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """What one network predicts (rows, outputs) for a block of rows.

    Of weights so large that a row overflows the outputs are no numbers, or endless: such a network says nothing of the row,
    which is an output of 0.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = np.nan_to_num(outputs_of(network, numeric, categories), nan=0.0, posinf=0.0, neginf=0.0)
        return _said(network, task, np.clip(outputs, -MOST, MOST, out=outputs))


def _said(network: Folded, task: str, outputs: np.ndarray) -> np.ndarray:
    """Probabilities, or standardized numbers, from outputs (rows, outputs)."""
    if task == "binary":
        return 1 / (1 + np.exp(np.minimum(-outputs, 88)))  # beyond it a float32 overflows
    if task == "multiclass":
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    if not network.architecture.logarithm:
        return outputs
    floor, mean, spread, most = np.asarray(network.architecture.logarithm, np.float32)
    return floor + np.exp(np.minimum(mean + spread * outputs, most))


def outputs_of(network: Folded, numeric: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """Logits, or what stands for the target (rows, outputs)."""
    architecture = network.architecture
    activation = ACTIVATIONS[architecture.activation]
    chosen = {name: architecture.setting(f"{architecture.activation}.{name}") for name in activation.settings}
    x = embedded(network, numeric, categories)
    for number, layer in enumerate(network.layers[:-1]):
        units = _space.array(number % 2, (len(layer.bias), x.shape[1]))
        np.matmul(layer.matrix, x, out=units)
        units += layer.bias
        activation.apply(units, _space.array(2, units.shape), **chosen)
        x = units
    last = network.layers[-1]
    return (last.matrix @ x + last.bias).T


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(available_cores(), thread_name_prefix="predict")


def _after_fork() -> None:
    """A child process has none of its parent's threads: what waits for them would wait for ever."""
    _workers.cache_clear()
    _one_thread_each.renew()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)


class Space(threading.local):
    """Arrays that a thread computes in again and again: new ones of this size come from the system page by page, which took a
    tenth of the time."""

    def __init__(self) -> None:
        self._held: dict[int, np.ndarray] = {}

    def array(self, place: int, shape: tuple[int, int]) -> np.ndarray:
        """A float32 array of a shape, of whatever content, at one of the places; the next call for the place takes it back."""
        size = shape[0] * shape[1]
        if place not in self._held or self._held[place].size < size:
            self._held[place] = np.empty(size, np.float32)
        return self._held[place][:size].reshape(shape)


_space = Space()


class OneThreadEach:
    """Keeps BLAS from sharing out its products while anybody computes here: those of a block are too small for that, and every
    thread of ours computes its own. The last to leave puts back what was before."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Nobody is inside."""
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._limit = _controller().limit(limits=1, user_api="blas")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limit.restore_original_limits()


_one_thread_each = OneThreadEach()


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
