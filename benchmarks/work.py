"""What is to be computed: the same table, the same networks and the same number of steps for everybody who is measured."""

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

NOISE = 0.5  # chosen: spread of what no network can learn, so that the losses of all who train settle at one level
LEARNING_RATES = (5e-4, 2e-3)  # chosen: from the first to the last of several networks, geometrically
FIRST_MOMENTS = (0.85, 0.95)  # chosen: beta1 of Adam, from the first to the last
ONE = (1e-3, 0.9)  # Adam's own default: the settings of one network alone
EXTRAS = ("dropout", "batch norm", "input noise", "activation noise")  # regularizers and what goes with them, in ours alone


@dataclass(frozen=True)
class Work:
    """Networks to be trained on a made-up table.

    Parameters
    ----------
    widths : units of each hidden layer.
    inputs, outputs : columns that enter, numbers that leave; one output is regression, two or more are classes.
    batch : rows per step.
    steps : steps per epoch, so that the table has ``steps`` x ``batch`` rows and nothing is left over.
    epochs : passes over the table.
    networks : how many, each with settings of its own.
    first : the number of the first of them, where several processes share the networks out.
    of : how many networks there are in all processes together; 0 is those of this one.
    validation : rows that are passed through after every epoch.
    extras : names of `EXTRAS` that are on.
    signals : with the signals of the layers taken inside the program, as by default.
    """

    widths: tuple[int, ...]
    inputs: int = 32
    outputs: int = 2
    batch: int = 256
    steps: int = 100
    epochs: int = 2
    networks: int = 1
    first: int = 0
    of: int = 0
    validation: int = 64
    extras: tuple[str, ...] = ()
    signals: bool = True

    @property
    def rows(self) -> int:
        return self.steps * self.batch

    @property
    def network_steps(self) -> int:
        """Steps of one network, over all networks."""
        return self.networks * self.epochs * self.steps

    @property
    def shape(self) -> str:
        return "-".join(map(str, (self.inputs, *self.widths, self.outputs)))

    def settings(self) -> list[tuple[float, float]]:
        """(learning rate, beta1) of each network."""
        number = self.of or self.networks
        if number == 1:
            return [ONE]
        rates, moments = np.geomspace(*LEARNING_RATES, number), np.linspace(*FIRST_MOMENTS, number)
        pairs = list(zip(rates.tolist(), moments.tolist(), strict=True))
        return pairs[self.first : self.first + self.networks]

    def flops_per_step(self) -> int:
        """Floating-point operations of the matrix products of one step of one network: forward, and backward to weights and
        to inputs, of which the first layer needs none."""
        sizes = (self.inputs, *self.widths, self.outputs)
        products = [a * b for a, b in pairwise(sizes)]
        return 2 * self.batch * (3 * sum(products) - products[0])

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Work":
        return cls(**{**data, "widths": tuple(data["widths"]), "extras": tuple(data["extras"])})


def table(work: Work) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(numbers, targets) to train on and to validate on: float32 (rows, inputs); int64 classes or float32 values (rows,)."""
    chance = np.random.default_rng(0)
    rows = work.rows + work.validation
    numeric = chance.standard_normal((rows, work.inputs), np.float32)
    slope = chance.standard_normal(work.inputs) / np.sqrt(work.inputs)
    signal = numeric @ slope + np.abs(numeric[:, 0]) + NOISE * chance.standard_normal(rows)
    signal = (signal - signal.mean()) / signal.std()
    if work.outputs == 1:
        target: np.ndarray = signal.astype(np.float32)
    else:
        target = np.digitize(signal, np.quantile(signal, np.arange(1, work.outputs) / work.outputs)).astype(np.int64)
    return numeric[: work.rows], target[: work.rows], numeric[work.rows :], target[work.rows :]
