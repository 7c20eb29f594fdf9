"""Findings for a person: plain text, and one self-contained page."""

from html import escape
from pathlib import Path
from typing import Any

from trainwell.diagnosis import curves
from trainwell.diagnosis.findings import Finding
from trainwell.diagnosis.signals import Signals

ROUND = 4  # chosen: digits of a measured number


def text(findings: list[Finding], signals: Signals) -> str:
    """The findings in order, the reading of the curves, and what was not checked and why."""
    parts = [_headline(findings, signals)]
    parts += [_paragraph(place, finding) for place, finding in enumerate(findings, start=1)]
    if said := curves.read(signals.curves):
        parts.append("The curves: " + "; ".join(said) + ".")
    if signals.not_run:
        parts.append("Not checked:\n" + "\n".join(f"  {name}: {why}" for name, why in _reasons(signals).items()))
    return "\n\n".join(parts)


def _headline(findings: list[Finding], signals: Signals) -> str:
    problems = [finding for finding in findings if finding.severity == "problem"]
    if not problems and "everything" in signals.not_run:
        return "Nothing was looked at."
    if not problems:
        return "No problem was found."
    others = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
    return f"Most likely cause: {problems[0].cause}{others}."


def _paragraph(place: int, finding: Finding) -> str:
    where = f" in {finding.layer}" if finding.layer else ""
    lines = [f"{place}. {finding.severity}: {finding.cause}{where}", f"   {_sentence(finding.says)}"]
    if finding.measured is not None:
        lines.append(f"   measured {_shown(finding.measured)}, limit {_shown(finding.limit)}")
    lines += [f"   remedy: {remedy}" for remedy in finding.remedies]
    if finding.severity == "problem" and finding.explains:
        lines.append(f"   may also look like: {', '.join(finding.explains[:4])}")
    return "\n".join(lines)


def _sentence(says: str) -> str:
    return says[:1].upper() + says[1:] + "."


def _shown(value: Any) -> str:
    return f"{value:.{ROUND}g}" if isinstance(value, float | int) else str(value)


def _reasons(signals: Signals) -> dict[str, str]:
    """Checks that could not be run; a re-run that does not apply is none."""
    return {name: why for name, why in signals.not_run.items() if why != "it does not apply"}


def write_page(path: Any, findings: list[Finding], signals: Signals) -> None:
    """One HTML file with nothing to load."""
    rows = "".join(map(_section, findings))
    missing = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in _reasons(signals).items())
    said = "".join(f"<li>{escape(line)}</li>" for line in curves.read(signals.curves))
    Path(path).write_text(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Diagnosis of a training run</title><style>"
        "body{font:16px/1.5 sans-serif;max-width:46rem;margin:2rem auto;padding:0 "
        "1rem}section{border-left:4px solid #999;padding-left:1rem}"
        ".problem{border-color:#b00020}.warning{border-color:#c77700}</style></head><body><h1>Diagnosis of a training run</h1>"
        f"<p>{escape(_headline(findings, signals))}</p>{_drawn(signals)}{rows}<h2>The curves</h2><ul>{said}</ul>"
        f"<h2>Not checked</h2><ul>{missing}</ul></body></html>",
        encoding="utf-8",
    )


def _section(finding: Finding) -> str:
    remedies = "".join(f"<li>{escape(str(remedy))}</li>" for remedy in finding.remedies)
    return (
        f"<section class='{finding.severity}'><h2>{escape(finding.cause)}</h2>"
        f"<p><b>{finding.severity}</b> {escape(finding.layer)}</p>"
        f"<p>{escape(_sentence(finding.says))}</p><ul>{remedies}</ul></section>"
    )


def _drawn(signals: Signals) -> str:
    """Training and validation loss by epoch as two lines."""
    series = {"training": curves.finite(signals.curves.train), "validation": curves.finite(signals.curves.validation)}
    values = [value for line in series.values() for value in line]
    if len(values) < 4:
        return ""
    low, high = min(values), max(values)
    lines = ""
    for colour, (name, line) in zip(("#1f5fa8", "#c77700"), series.items(), strict=True):
        points = " ".join(
            f"{20 + 560 * at / max(len(line) - 1, 1):.1f},{10 + 160 * (high - value) / max(high - low, 1e-12):.1f}"
            for at, value in enumerate(line)
        )
        lines += f"<polyline fill='none' stroke='{colour}' stroke-width='2' points='{points}'><title>{name}</title></polyline>"
    legend = (
        "<text x='430' y='20' fill='#1f5fa8'>training loss</text><text x='430' y='40' fill='#c77700'>validation loss</text>"
    )
    return f"<svg viewBox='0 0 600 180' role='img' aria-label='loss by epoch'>{lines}{legend}</svg>"
