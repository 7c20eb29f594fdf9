"""One network of a population, and how far its training has come."""

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from trainwell.network.structure import Structure
from trainwell.population.history import Curves
from trainwell.population.step import MemberState


@dataclass(frozen=True)
class Member:
    """One network of the population: its number (and so its randomness), its structure and all its settings."""

    number: int
    structure: Structure
    settings: dict[str, float]
    stage: str = ""


@dataclass(frozen=True)
class Training:
    """How far a member has come. ``state`` is None before the first epoch; ``ended`` where a search took it to its end."""

    member: Member
    state: MemberState | None = None
    curves: Curves = field(default_factory=Curves)
    ended: bool = False

    @property
    def epochs(self) -> int:
        return len(self.curves)

    @property
    def score(self) -> float:
        """The validation score of the best weights, larger is better; -inf where there is none."""
        return self.curves.best_score

    @property
    def rank(self) -> float:
        """What members are compared by, `Metric.criterion` of the best epoch; -inf where there is none."""
        return -np.inf if self.state is None else float(self.state.stopping.best)

    @property
    def stopped(self) -> bool:
        return self.state is not None and bool(self.state.stopping.stopped)

    @property
    def failed(self) -> bool:
        return self.state is not None and bool(self.state.failed)

    @property
    def sound(self) -> bool:
        """Whether it has trained and did not fail."""
        return bool(self.curves) and not self.failed

    @property
    def going(self) -> bool:
        """Whether it can train on."""
        return self.state is not None and bool(self.state.weights) and not self.stopped

    def let_go(self) -> "Training":
        """The same with only its best weights: no longer able to train on, a quarter of the memory."""
        if self.state is None:
            return self
        return dataclasses.replace(self, state=self.state._replace(weights={}, statistics={}, moments={}, averaged=None))
