"""Findings for a person: plain text, and one page."""

from pathlib import Path
from typing import Any

from trainwell.diagnosis.findings import Finding
from trainwell.diagnosis.signals import Signals


def text(findings: list[Finding], signals: Signals) -> str:
    return "\n".join(f"{finding.severity}: {finding.cause}: {finding.says}" for finding in findings)


def write_page(path: Any, findings: list[Finding], signals: Signals) -> None:
    Path(path).write_text(text(findings, signals))
