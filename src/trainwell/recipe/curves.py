"""What networks did since they were last told of: for who watches a run while its networks train."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from trainwell.population.history import finite
from trainwell.population.member import Training
from trainwell.recipe.events import EventLog

WATCHED = ("overfit", "regularize", "tune", "squeeze")  # the stages whose networks have numbers of their own


@dataclass(frozen=True)
class CurveTeller:
    """Writes a ``curves`` event of the epochs that are new in some trainings: only these, so that the diary stays small.

    A resumed run tells of a network from its first epoch on again; who reads puts that in the place of what was told before.
    """

    log: EventLog
    told: dict[int, int] = field(default_factory=dict)

    def __call__(self, trainings: Sequence[Training]) -> None:
        """For `Population.on_advanced`."""
        new = [self._new(one) for one in trainings if one.member.stage in WATCHED and len(one.curves)]
        if new:
            self.log.add("curves", stage=trainings[0].member.stage, members=new)

    def _new(self, training: Training) -> dict[str, Any]:
        number, curves = training.member.number, training.curves
        first = min(self.told.get(number, 0), len(curves))
        self.told[number] = len(curves)
        return {
            "member": number,
            "after": first,
            "training_loss": [finite(loss, 4) for loss in curves.training_loss[first:]],
            "validation_loss": [finite(loss, 4) for loss in curves.validation_loss[first:]],
            "state": "failed" if training.failed else "stopped" if training.stopped else "going",
        }


Advanced = Callable[[Sequence[Training]], None]
