"""The model card: what the model is for, what it was made from, how good it is and for whom, where it must not be trusted.

The sections are those of Mitchell et al. (2019), "Model cards for model reporting". Everything in them is read from the run
folder; what was not measured is said to be unmeasured. The page shows the card, and ``model_card.md`` holds it with the front
matter that model hubs read.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from trainwell.recipe.evidence import columns_read
from trainwell.report.card_limits import limits, subgroups
from trainwell.report.headline import lead, scores
from trainwell.report.record import Record, is_sample
from trainwell.words import counted, metric_name, number, printable, score, shortened

USED = ("numeric", "category", "date")  # roles of columns that the model reads
MOST_NAMED = 12  # columns named in a sentence, chosen
MIDNIGHT = "T00:00:00"  # of a date without a time
LONGEST_NAME = 60  # letters of a name in a sentence, chosen


@dataclass(frozen=True)
class Section:
    """One heading of the card, with what stands below it: paragraphs, a list, a table, commands."""

    title: str
    paragraphs: Sequence[str] = ()
    items: Sequence[str] = ()
    rows: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    code: str = ""


def model_card(record: Record) -> list[Section]:
    """The sections of the card, in order."""
    return [
        Section("What it is", _what(record)),
        Section("Intended use", _use(record), _not_for(record)),
        Section("Data", _data(record), rows=_data_rows(record)),
        Section("Scores", _scores(record), rows=_score_rows(record)),
        Section("Scores by subgroup", _subgroup_words(record), rows=subgroups(record)),
        Section("Calibration", _calibration(record)),
        Section("Limits that were measured", () if limits(record) else ("None of the checks found one.",), limits(record)),
        Section("How to load and use it", (), code=_code(record)),
        Section("Versions", (), rows=_versions(record)),
    ]


def _what(record: Record) -> list[str]:
    measures = _last(record)
    networks, members = measures.get("networks"), measures.get("members")
    if networks is None:
        return ["The run has left no model yet."]
    what = "one neural network" if networks == 1 else f"the average of {number(networks)} neural networks"
    if networks != 1 and members not in (None, networks):
        what += f" in {number(members)} configuration{'s' if members != 1 else ''}"
    made = f" It was trained on {day(record)}" if day(record) else " It was trained"
    version = (
        (record.environment.get("libraries") or {}).get("trainwell") if _is_mapping(record.environment, "libraries") else None
    )
    return [
        f"{_article(record)} model for the column {_short(record.target)}: {what}, trained by a recipe "
        f"of {_stages(record)} stages.{made} by trainwell{f' {version}' if version else ''}, without anything pretrained."
    ]


def _use(record: Record) -> list[str]:
    kept = columns_read(record.evidence)
    names = [column["name"] for column in record.schema["columns"] if column["role"] in USED]
    used = [_short(name) for name in names if kept is None or name in kept]
    if not used:
        return ["The run ended before the table was understood."]
    named = ", ".join(used[:MOST_NAMED]) + (f" and {len(used) - MOST_NAMED} more" if len(used) > MOST_NAMED else "")
    what = f" ({_classes(record)})" if record.schema["classes"] else ", a number,"
    return [
        f"It predicts {_short(record.target)}{what} for new rows that were collected as those of {record.file} were. "
        f"It reads {counted(len(used), 'column')}"
        + (f" of the table's {len(names):,}" if kept is not None else "")
        + f": {named}."
    ]


def _not_for(record: Record) -> list[str]:
    test = record.config.get("test")
    if test:
        name = _short(Path(str(test)).name)
        said = [f"Not for rows from another place, period or way of collecting than those of {record.file} and {name}."]
    else:
        said = ["Not for rows from another place, period or way of collecting: nothing was measured there."]
    if not record.config.get("time") and not test:
        said.append(
            "Whether it holds as time goes on was not measured: the test rows are not later than the others (--time COLUMN)."
        )
    said.append("Not for causes: that a column helps to predict does not say what happens when somebody changes it.")
    if record.schema["classes"]:
        said.append("Not alone for decisions about people: look at the scores by subgroup and at the mistakes first.")
    return said


def _data(record: Record) -> list[str]:
    rows, test = record.started.get("rows"), record.config.get("test")
    which = f" and the rows of {_short(Path(str(test)).name)} to test on, together" if test else ""
    said = [
        f"The {'file' if record.config.get('source') else 'table'} {_short(record.file)}{which}"
        + (f" with {counted(int(rows), 'row')}" if rows else "")
        + f"; the target is {_short(record.target)}."
    ]
    look, kept = record.evidence.get("look"), columns_read(record.evidence)
    said += [look.explanation.split("\n")[0]] if look and look.explanation else []
    if kept is not None:
        said.append(f"Then {counted(len(kept), 'column')} were kept: small networks did clearly better without the others.")
    return said


def _data_rows(record: Record) -> list[dict[str, Any]]:
    profile, config = record.profile, record.config
    roles: dict[str, int] = {}
    for column in record.schema["columns"]:
        roles[column["role"]] = roles.get(column["role"], 0) + 1
    facts: list[tuple[str, Any]] = [
        ("rows with a target" if not is_sample(record) else "rows", record.started.get("rows")),
        ("of these looked at before tuning", profile.get("rows") if is_sample(record) else None),
        ("columns", len(record.schema["columns"]) or None),
        ("roles of the columns", ", ".join(f"{count} {role}" for role, count in roles.items())),
        ("classes", _shares(profile)),
        ("rows kept apart by", config.get("group")),
        ("latest rows tested, by", config.get("time")),
        ("test file", config.get("test")),
        *(("period by " + _short(name), said) for name, said in _periods(profile)),
    ]
    return [{"what": what, "value": _text(value)} for what, value in facts if value not in (None, "", [], {})]


def _stages(record: Record) -> str:
    return {3: "three", 6: "six"}.get(len(record.planned), str(len(record.planned)))


def _shares(profile: Mapping[str, Any]) -> str:
    target = profile.get("target")
    shares = target.get("shares") if isinstance(target, dict) else None
    if not isinstance(shares, dict):
        return ""
    parts = [f"{_short(name)} {share:.1%}" for name, share in shares.items() if isinstance(share, int | float)]
    return ", ".join(parts[:MOST_NAMED]) + (f" and {len(parts) - MOST_NAMED} more" if len(parts) > MOST_NAMED else "")


def _periods(profile: Mapping[str, Any]) -> list[tuple[str, str]]:
    """From when to when the date columns go, where the profile says so."""
    columns = profile.get("columns")
    dates = [one for one in columns if isinstance(one, dict) and one.get("role") == "date"] if isinstance(columns, list) else []
    found = []
    for one in dates:
        first, last = (str(one.get(end) or "").removesuffix(MIDNIGHT) for end in ("first", "last"))
        if first and last:
            found.append((str(one.get("name")), f"{first} to {last}"))
    return found


def _scores(record: Record) -> list[str]:
    return [lead(record, scores(record))]


def _score_rows(record: Record) -> list[dict[str, Any]]:
    name = metric_name(record.metric)
    return [
        {
            "model": one.name,
            name: score(one.value),
            "95% interval": f"{score(one.low)} to {score(one.high)}" if one.low is not None else None,
        }
        for one in scores(record)
    ]


def _subgroup_words(record: Record) -> list[str]:
    if subgroups(record):
        return [f"{metric_name(record.metric)} on the test rows of each group, with its 95% interval where the rows suffice."]
    return ["This run measured no scores by subgroup: do not assume that all groups are served equally well."]


def _calibration(record: Record) -> list[str]:
    measures = _last(record)
    error, temperature, held = (measures.get(name) for name in ("calibration_error", "temperature", "interval_90_held"))
    said = []
    if isinstance(error, int | float):
        said.append(
            f"On the test rows a probability is on average {100 * error:.1f} percentage points off (calibration error)."
        )
    if isinstance(temperature, int | float) and temperature != 1:
        said.append(
            f"The probabilities are those at a temperature of {temperature:.2f}, fitted on rows that were not trained on."
        )
    if isinstance(measures.get("threshold"), int | float) and record.schema["classes"]:
        said.append(
            f"{_short(record.schema['classes'][-1])} is predicted where its probability is above "
            f"{number(measures['threshold'])}."
        )
    if isinstance(held, int | float):
        said.append(f"Its intervals of 90% hold the truth of {held:.1%} of the test rows.")
    return said or ["It was not measured."]


def _code(record: Record) -> str:
    folder = str(record.folder)
    return (
        "import trainwell\n\n"
        f"model = trainwell.load({folder!r})\n"
        'model.predict("new.csv")\n'
        + ('model.predict_proba("new.csv")\n' if record.schema["classes"] else 'model.predict_interval("new.csv", level=0.9)\n')
        + f"\n# or on the command line:\n# trainwell predict {printable(shlex.quote(folder))} new.csv -o predictions.csv\n"
    )


def _versions(record: Record) -> list[dict[str, Any]]:
    environment = dict(record.environment)
    libraries = environment.pop("libraries", None)
    named = {**(libraries if isinstance(libraries, dict) else {}), **environment}
    return [{"what": name.replace("_", " "), "version": _text(value)} for name, value in named.items()]


def day(record: Record) -> str:
    """The day on which the run began, as a person there writes it, as the folder's name does; nothing where it is unknown."""
    when = record.started.get("time")
    try:
        return f"{datetime.fromtimestamp(when):%d %B %Y}".lstrip("0") if when else ""
    except (OverflowError, ValueError, OSError):
        return ""


def _last(record: Record) -> Mapping[str, Any]:
    squeeze = record.evidence.get("squeeze")
    return squeeze.measures if squeeze else {}


def _article(record: Record) -> str:
    return {"binary": "A binary", "multiclass": "A multiclass", "regression": "A regression"}.get(record.schema["task"], "A")


def _classes(record: Record) -> str:
    names = [_short(name) for name in record.schema["classes"]]
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


def _is_mapping(content: Mapping[str, Any], name: str) -> bool:
    return isinstance(content.get(name), dict)


def _short(name: object) -> str:
    return shortened(str(name), LONGEST_NAME)


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return number(value)
