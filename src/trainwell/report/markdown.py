"""The model card as Markdown, with the front matter that model hubs read. No text of a table is read as markup in it."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from trainwell.report.headline import scores
from trainwell.report.model_card import Section, model_card
from trainwell.report.record import Record
from trainwell.report.tables import columns_of
from trainwell.words import metric_name, number, shortened

SPOKEN = re.compile(
    r"([\\`*{}\[\]<>#|~$&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))"
)  # what Markdown, and the HTML and TeX in it, may read as markup
AT_START = re.compile(r"^([-+=!]|\d+(?=[.)](?: |$)))")  # what is a list, a rule or a heading there
CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # what a terminal that shows the file would obey
LONGEST_CELL = 120  # letters, chosen


def card_text(record: Record) -> str:
    """``model_card.md``."""
    title = f"# {_plain(shortened(record.target, 60))} from {_plain(shortened(record.file, 60))}"
    return "\n".join([_front_matter(record), title, "", *(_section(one) for one in model_card(record))])


def _front_matter(record: Record) -> str:
    """YAML; JSON's texts and lists are YAML, too, so that no name can be anything but a text."""
    kind = "tabular-regression" if record.schema["task"] == "regression" else "tabular-classification"
    found = scores(record)
    lines = [
        "---",
        "library_name: trainwell",
        f"pipeline_tag: {kind}",
        f"tags: {json.dumps(['trainwell', 'tabular', 'neural-network', kind])}",
        f"metrics: {json.dumps([record.metric] if record.metric else [])}",
    ]
    if found:
        data = {"name": shortened(record.file, 120), "type": "tabular"}
        metric = {"type": record.metric, "name": metric_name(record.metric), "value": found[0].value}
        lines += [
            "model-index:",
            f"- name: {json.dumps(shortened(record.target, 120))}",
            "  results:",
            f"  - task: {json.dumps({'type': kind})}",
            f"    dataset: {json.dumps(data)}",
            f"    metrics: {json.dumps([metric])}",
        ]
    return "\n".join([*lines, "---", ""])


def _section(one: Section) -> str:
    parts = [f"## {one.title}"]
    parts += [_plain(text) for text in one.paragraphs]
    if one.items:
        parts.append("\n".join(f"- {_plain(item)}" for item in one.items))
    if one.rows:
        parts.append(_table(one.rows))
    if one.code:
        parts.append(f"```python\n{one.code.rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = columns_of(rows)
    lines = [[_plain(column) for column in columns], ["---"] * len(columns)]
    lines += [[_plain(shortened(number(row.get(column)), LONGEST_CELL)) for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _plain(text: object) -> str:
    """A text that Markdown shows letter by letter, in one line."""
    line = SPOKEN.sub(r"\\\1", CONTROL.sub("", " ".join(str(text).split())))
    start = AT_START.match(line)
    if not start:
        return line
    return f"{start[0]}\\{line[start.end() :]}" if start[0].isdigit() else f"\\{line}"
