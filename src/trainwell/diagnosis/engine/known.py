"""What a run knows of its rows before a network trains on them: what any answer costs, and what simple models reach."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from trainwell.population.metrics import Metric, metric_named

WORST = -1.0  # of a score, as in `trainwell.diagnosis.scoring`


@dataclass(frozen=True)
class Known:
    """The level against which a training is judged.

    Parameters
    ----------
    task, metric : what is predicted and what is maximized, by name or as it is.
    rows : training rows.
    prior_loss : loss of the best answer that ignores the inputs.
    constant : score of that answer.
    simple : scores of simple models on the validation rows, by name.
    seed : of the run, by which rows to score are picked.
    """

    task: str
    metric: str | Metric
    rows: int
    prior_loss: float
    constant: float
    simple: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0

    def score(self, value: float) -> float:
        """A score of the metric as the rules read it: 0 for an answer that ignores the inputs, 1 for a perfect one."""
        perfect = metric_named(self.metric).perfect
        if perfect is None:  # of a user's own metric nobody knows: what simple models reach must do
            perfect = max(self.simple.values(), default=self.constant)
        if not np.isfinite(value) or perfect == self.constant:
            return WORST
        return max(WORST, (value - self.constant) / (perfect - self.constant))

    @property
    def simple_scores(self) -> dict[str, float]:
        """The same of the simple models."""
        return {name: self.score(value) for name, value in self.simple.items()}
