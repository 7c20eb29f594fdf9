"""What each member did, epoch by epoch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainwell.population.epoch import Progress
from trainwell.population.signals import taken

CURVES = ("training_loss", "validation_loss", "validation_score", "improved")


@dataclass(frozen=True)
class Curves:
    """One value per epoch of each: mean training loss, validation loss, validation score (larger is better), and
    whether the epoch was the best so far, so that its weights were kept. ``signals`` holds (epoch, what was measured in each
    layer at its end) for some of the epochs, see `trainwell.population.signals.Signals`."""

    training_loss: tuple[float, ...] = ()
    validation_loss: tuple[float, ...] = ()
    validation_score: tuple[float, ...] = ()
    improved: tuple[float, ...] = ()
    signals: tuple[tuple[int, dict[str, tuple[float, ...]]], ...] = ()

    def __len__(self) -> int:
        return len(self.training_loss)

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, whose weights are kept; 0 before the first."""
        kept = np.flatnonzero(self.improved)
        return int(kept[-1]) + 1 if len(kept) else 0

    @property
    def best_score(self) -> float:
        """The validation score of the best epoch; -inf before the first."""
        return self.validation_score[self.best_epoch - 1] if self.best_epoch else -np.inf

    def score_at(self, epoch: int) -> float:
        """The validation score of the weights that were the best up to an epoch, from 1; NaN where there were none."""
        kept = np.flatnonzero(self.improved[:epoch])
        return self.validation_score[kept[-1]] if len(kept) else np.nan

    def extended(self, calls: Sequence[Progress], place: int) -> "Curves":
        """These curves and what the member in one place of a cohort did since, up to the epoch in which it stopped."""
        curves = self
        for call in calls:
            stopped = call.record.stopped[: call.epochs, place]
            until = int(stopped.argmax()) + 1 if stopped.any() else int(call.epochs)
            added = [getattr(call.record, name)[:until, place].astype(float).tolist() for name in CURVES]
            lists = {name: getattr(curves, name) + tuple(new) for name, new in zip(CURVES, added, strict=True)}
            new = () if call.signals is None else ((len(curves) + until, taken(call.signals, place)),)
            curves = Curves(**lists, signals=curves.signals + new)
            if stopped.any():
                break
        return curves

    def to_json(self) -> dict[str, Any]:
        """Lists with None where a value is not finite: JSON knows neither NaN nor infinity."""
        return {name: [finite(value, 6) for value in getattr(self, name)] for name in CURVES[:3]}


def finite(value: float, digits: int) -> float | None:
    """A number to so many digits that count, or None where it is none."""
    return float(f"{value:.{digits}g}") if np.isfinite(value) else None
