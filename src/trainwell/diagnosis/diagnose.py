"""From signals to findings: every rule is asked, and what it found is put in order."""

from trainwell.diagnosis import rules
from trainwell.diagnosis.findings import RULES, SEVERITIES, Finding
from trainwell.diagnosis.signals import Signals


def diagnose(signals: Signals) -> list[Finding]:
    """All findings, the most likely root cause first."""
    rules.load()
    found = [(declared.order, finding) for declared in RULES for finding in declared.find(signals)]
    return _ranked(found)


def _ranked(found: list[tuple[int, Finding]]) -> list[Finding]:
    """By severity, then certainty, then nearness to the root; what a surer finding explains comes after it."""
    found.sort(key=lambda pair: (SEVERITIES.index(pair[1].severity), -pair[1].certainty, pair[0]))
    kept: dict[tuple[str, str], Finding] = {}
    explained: set[str] = set()
    for _, finding in found:
        if finding.cause in explained and finding.severity != "note":
            continue
        kept.setdefault((finding.cause, finding.layer), finding)
        if finding.severity == "problem":
            explained |= set(finding.explains)
    return list(kept.values())
