"""What each member did, epoch by epoch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainwell.population.epoch import Record


@dataclass(frozen=True)
class Curves:
    """One value per epoch of each: mean training loss, validation loss, validation score (larger is better)."""

    training_loss: tuple[float, ...] = ()
    validation_loss: tuple[float, ...] = ()
    validation_score: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.training_loss)

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, whose weights are kept; 0 before the first."""
        scores = np.array(self.validation_score)
        return int(np.nanargmax(scores)) + 1 if np.isfinite(scores).any() else 0

    def extended(self, records: Sequence[Record], place: int) -> "Curves":
        """These curves and what the member in one place of a cohort did since, up to the epoch in which it stopped."""
        if not records:
            return self
        stopped = np.concatenate([record.stopped[:, place] for record in records])
        until = int(stopped.argmax()) + 1 if stopped.any() else len(stopped)
        added = [
            np.concatenate([getattr(record, name)[:, place] for record in records])[:until].astype(float).tolist()
            for name in ("training_loss", "validation_loss", "validation_score")
        ]
        return Curves(
            self.training_loss + tuple(added[0]),
            self.validation_loss + tuple(added[1]),
            self.validation_score + tuple(added[2]),
        )

    def to_json(self) -> dict[str, Any]:
        """Lists with None where a value is not finite: JSON knows neither NaN nor infinity."""
        return {
            name: [float(f"{value:.6g}") if np.isfinite(value) else None for value in getattr(self, name)]
            for name in ("training_loss", "validation_loss", "validation_score")
        }
