"""Every number that can be held fixed or searched: the declarations of all techniques, by full name."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from trainwell.errors import InputError
from trainwell.hyperparameter import Hyperparameter
from trainwell.network.structure import CHOICES, NOISES, Structure, hyperparameters_of
from trainwell.techniques.losses import LOSSES
from trainwell.techniques.schedules import SCHEDULES

SCHEDULED = ("dropout_schedule", "decay_schedule")


def scheduled_settings() -> dict[str, dict[str, Hyperparameter]]:
    """The numbers that dropout and decay schedules share a name for, by full name, and what each schedule declares."""
    found: dict[str, dict[str, Hyperparameter]] = {}
    for place in SCHEDULED:
        for schedule in SCHEDULES.values():
            for declared in schedule.hyperparameters:
                found.setdefault(f"{place}.{declared.name}", {})[schedule.name] = declared
    return found


def every_setting() -> dict[str, Hyperparameter]:
    """The numbers of all techniques, by full name; of those in `scheduled_settings` any one schedule's."""
    return {name: declared for one in _one_of_each() for name, declared in hyperparameters_of(one).items()}


def _one_of_each() -> Iterator[Structure]:
    """Structures that together use every technique."""
    for loss in LOSSES.values():
        yield Structure(2, 2, (), 3 if "multiclass" in loss.tasks else 1, loss.name, noises=NOISES, mixup=True, max_norm=True)
    plain = Structure(2, 2, (), 1, "squared_error")
    for choice in CHOICES.values():
        for option in choice.options:
            change: dict[str, Any] = {choice.name: option}
            try:
                yield dataclasses.replace(plain, **change)
            except InputError:  # an option that only goes with another one; its numbers come with that one
                continue
