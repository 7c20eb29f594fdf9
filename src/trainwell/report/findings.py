"""What went wrong in training, and what was done: the findings of a run's networks, one entry for each cause."""

from collections.abc import Iterable
from dataclasses import dataclass

from trainwell.recipe.events import Event

SEVERITIES = ("problem", "warning")


@dataclass(frozen=True)
class Wrong:
    """A cause with all networks in which it was found.

    Parameters
    ----------
    cause, severity : of `trainwell.diagnosis`; the worst severity that it was found with.
    members : numbers of the networks, as texts.
    stages : where they were trained.
    says : the sentence of the first of them.
    remedies : what helps.
    done : what the run did.
    """

    cause: str
    severity: str
    members: tuple[str, ...]
    stages: tuple[str, ...]
    says: str
    remedies: tuple[str, ...]
    done: tuple[str, ...]


def went_wrong(events: Iterable[Event]) -> list[Wrong]:
    """By cause, problems first and then by how many networks have it."""
    groups: dict[str, list[Event]] = {}
    done: dict[str, list[str]] = {}
    for event in events:
        if event["event"] == "finding":
            groups.setdefault(str(event.get("cause")), []).append(event)
        elif event["event"] == "remedied":
            done.setdefault(str(event.get("cause")), []).append(str(event.get("says")))
    found = [_group(cause, group, done.get(cause, [])) for cause, group in groups.items()]
    return sorted(found, key=lambda one: (SEVERITIES.index(one.severity), -len(one.members), one.cause))


def _group(cause: str, group: list[Event], done: list[str]) -> Wrong:
    severity = "problem" if any(event.get("severity") == "problem" for event in group) else "warning"
    shown = next((event for event in group if "re-run" in str(event.get("says"))), group[0])
    return Wrong(
        cause,
        severity,
        tuple(sorted({str(event.get("member")) for event in group}, key=lambda name: (len(name), name))),
        tuple(dict.fromkeys(str(event.get("stage")) for event in group)),
        str(shown.get("says") or ""),
        tuple(map(str, shown.get("remedies") or ())),
        tuple(dict.fromkeys(done)),
    )
