"""A search space of the user's own, from a TOML file or a dict: what is named is searched, the rest stays at the centre.

    ["adam.learning_rate"]
    low = 1e-4
    high = 1e-2

    [widths]
    values = ["128-128", "256-256-256"]

Everything is checked against the declarations beside the techniques before anything is trained; a mistake gets one sentence
with the file, the name, the value and what is allowed.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from trainwell.errors import InputError, listed, nearest
from trainwell.hyperparameter import Hyperparameter
from trainwell.network.structure import Structure, hyperparameters_of
from trainwell.recipe import fixed
from trainwell.recipe.context import Context
from trainwell.recipe.every_setting import every_setting, scheduled_settings
from trainwell.search.space import MOST_STRUCTURES, Space

Entries = dict[str, dict[str, Any]]
KEYS = ("low", "high", "scale", "values", "widen")
SCALES = ("linear", "log")
MOST_COMBINATIONS = 4096  # chosen: of choices that are looked at; far more than may be trained
THE_SPACE = "the space"


@contextmanager
def named(label: str) -> Iterator[None]:
    """Mistakes begin with where they are: the file, or "the space"."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{label}: {error}") from None


def label_of(given: object) -> str:
    """What a space is called in a sentence."""
    return str(given) if isinstance(given, str | Path) else THE_SPACE


def read(given: object, held: Mapping[str, object]) -> Entries:
    """The entries of a space, whole and checked as far as that goes without a table.

    Parameters
    ----------
    given : path of a TOML file, or a mapping of the same form.
    held : what is held fixed, which cannot be searched as well.
    """
    label = label_of(given)
    content = _file(Path(given)) if isinstance(given, str | Path) else given
    if not isinstance(content, Mapping):
        raise InputError(f"the space is {given!r}, allowed is the path of a TOML file or a dict of dicts.")
    with named(label):
        entries = dict(_flat(content))
        if not entries:
            raise InputError('it names nothing to search: give a setting such as ["adam.learning_rate"] with low and high.')
        for name in entries:
            if name in held:
                raise InputError(f"{name} is searched and held fixed at {held[name]!r} (--set): leave one of them out.")
        declared = _settings() | _of_schedules(entries, held)
        return {name: _checked(name, entry, declared) for name, entry in entries.items()}


def _file(path: Path) -> Mapping[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is no TOML: it is not UTF-8 text.") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is no TOML: {error}.") from None


def _flat(content: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Names to entries: ``[adam.learning_rate]`` without its quotes is a table in a table, and means the same."""
    for key, value in content.items():
        name = f"{before}{key}"
        if not isinstance(value, Mapping):
            yield name, value
            continue
        inner = {one: other for one, other in value.items() if isinstance(other, Mapping) and one not in KEYS}
        own = {one: other for one, other in value.items() if one not in inner}
        if own or not inner:
            yield name, own
        yield from _flat(inner, f"{name}.")


@cache
def _settings() -> dict[str, Hyperparameter]:
    return every_setting()


def _of_schedules(entries: Mapping[str, Any], held: Mapping[str, object]) -> dict[str, Hyperparameter]:
    """What numbers of dropout and decay schedules may be, by full name: what each of the schedules named allows, or where none
    is, any of them. What networks with one of these allow, `_check_ends` asks."""
    found = {}
    for name, by_schedule in scheduled_settings().items():
        place = name.partition(".")[0]
        entry = entries.get(place)
        values = entry.get("values") if isinstance(entry, Mapping) else [held.get(place)]
        named = [one for one in values if isinstance(one, str) and one in by_schedule] if isinstance(values, Sequence) else []
        own = [by_schedule[schedule] for schedule in named or by_schedule]
        inner, outer = (max, min) if named else (min, max)
        low, high = inner(one.low for one in own), outer(one.high for one in own)
        search = max(one.search_range[0] for one in own), min(one.search_range[1] for one in own)
        found[name] = replace(own[0], default=min(max(own[0].default, low), high), low=low, high=high, search=search)
    return found


def _checked(name: str, entry: Any, declared: Mapping[str, Hyperparameter]) -> dict[str, Any]:
    """The entry with everything that it leaves out."""
    known = [*fixed.STRUCTURAL, *declared]
    if name not in known:
        hint = nearest(name, known) or ","
        raise InputError(f"{name!r} is no setting{hint} the settings are {listed(sorted(known), 100)}.")
    choice = name in fixed.STRUCTURAL
    form = "values = [...]" if choice else "low and high, or values = [...]"
    if not isinstance(entry, Mapping):
        raise InputError(f"{name} is {entry!r}, allowed is a table with {form}.")
    for key in entry:
        if key not in KEYS:
            hint = nearest(str(key), KEYS) or ","
            raise InputError(f"{name} has the key {str(key)!r}{hint} allowed is {form}.")
    if choice and set(entry) != {"values"}:
        raise InputError(f"{name} is a choice and has {listed(entry) if entry else 'nothing'}: allowed is {form}.")
    if "values" in entry and len(entry) > 1:
        raise InputError(f"{name} has {listed(entry)}: allowed is a range or values, not both.")
    if "values" in entry:
        return {"values": _values(name, entry["values"], None if choice else declared[name])}
    return _range(name, entry, declared[name])


def _values(name: str, values: Any, declared: Hyperparameter | None) -> list[Any]:
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise InputError(f"{name} has values {values!r}, allowed is a list of one or more, such as values = [...].")
    if declared is None:
        if wrong := [one for one in values if not isinstance(one, str | int)]:
            raise InputError(f"{name} has the value {wrong[0]!r}, allowed are names and whole numbers.")
        return list(dict.fromkeys(str(one) for one in values))
    return list(dict.fromkeys(_number(f"{name} value", one, declared) for one in values))


def _range(name: str, entry: Mapping[str, Any], declared: Hyperparameter) -> dict[str, Any]:
    usual_low, usual_high = declared.search_range
    low = _number(f"{name} low", entry["low"], declared) if "low" in entry else None
    high = _number(f"{name} high", entry["high"], declared) if "high" in entry else None
    if low is None:
        low = usual_low if high is None or usual_low < high else declared.low
    if high is None:
        high = usual_high if low < usual_high else declared.high
    if not low < high:
        raise InputError(f"{name} has low {low:g} and high {high:g}, allowed is a low below the high.")
    scale = entry.get("scale", declared.scale)
    if scale not in SCALES:
        hint = nearest(str(scale), SCALES) or ","
        raise InputError(f"{name} has the scale {scale!r}{hint} allowed is one of {listed(SCALES)}.")
    if scale == "log" and low <= 0:
        raise InputError(f"{name} has low {low:g} on the scale 'log', allowed is a low above 0, or scale = 'linear'.")
    widen = entry.get("widen", True)
    if not isinstance(widen, bool):
        raise InputError(f"{name} has widen {widen!r}, allowed is true or false.")
    return {"low": low, "high": high, "scale": scale, "widen": widen}


def _number(label: str, value: Any, declared: Hyperparameter) -> float:
    if isinstance(value, bool):
        raise InputError(f"{label} is {value!r}, which is not a number from {declared.low:g} to {declared.high:g}.")
    return declared.check(value, label)


def structures_of(context: Context, entries: Entries, **usual: Any) -> tuple[Structure, ...]:
    """Every network that the choices of a space make, the usual one's own where it says nothing.

    Combinations that do not go together are left out; a value that goes with nothing is an `InputError`.
    """
    choices = {name: entry["values"] for name, entry in entries.items() if name in fixed.STRUCTURAL}
    rows = len(context.split.train)
    parsed = {
        name: [fixed.structural({name: value}, context.task, rows)[name] for value in values]
        for name, values in choices.items()
    }
    if math.prod(map(len, parsed.values())) > MOST_COMBINATIONS:
        counts = ", ".join(f"{name} ({len(values)} values)" for name, values in choices.items())
        raise InputError(
            f"its choices make far more different networks than the {MOST_STRUCTURES} that are allowed, each a program to "
            f"compile: take values out of {counts}."
        )
    found: dict[Structure, None] = {}
    fitting: set[tuple[str, Any]] = set()
    refused: dict[tuple[str, Any], InputError] = {}
    for combination in product(*parsed.values()):
        chosen = dict(zip(parsed, combination, strict=True))
        if chosen.get("batch_norm", "none") != "none":  # as where it is held fixed, see `Context.structure`
            chosen = {"batch_norm_test": "population", **chosen}
        try:
            found[context.structure(**(usual | chosen))] = None
            fitting |= set(chosen.items())
        except InputError as refusal:
            refused |= {item: refusal for item in chosen.items() if item not in refused}
    for item, first in refused.items():
        if item not in fitting:
            raise first
    return tuple(found)


def remarks(context: Context, entries: Entries) -> list[str]:
    """Sentences about choices of the space that are allowed and mostly no good, each said once."""
    if "batch_norm" not in entries:
        return []
    found = [one for structure in structures_of(context, entries) for one in fixed.remarks(entries, structure, context.task)]
    return [f"Of networks in the space: {one}" for one in dict.fromkeys(found)]


def _check_ends(numbers: Entries, structures: tuple[Structure, ...]) -> None:
    """`InputError` for a number that one of the networks could not have."""
    for structure in structures:
        declared = hyperparameters_of(structure)
        for name in numbers.keys() & declared.keys():
            entry = numbers[name]
            ends = {"value": entry["values"]} if "values" in entry else {key: [entry[key]] for key in ("low", "high")}
            for key, values in ends.items():
                for value in values:
                    _number(f"{name} {key}", value, declared[name])


def space_of(entries: Entries, structures: tuple[Structure, ...], centre: Mapping[str, float]) -> Space:
    """The space that the entries describe; `InputError` for a setting that none of the networks has."""
    numbers = {name: entry for name, entry in entries.items() if name not in fixed.STRUCTURAL}
    known = {name for structure in structures for name in hyperparameters_of(structure)}
    for name in numbers:
        if name not in known:
            technique = name.partition(".")[0]
            raise InputError(
                f"{name} is a setting of {technique}, which no network of this space uses: leave it out, or make "
                f"{technique} one of the choices."
            )
    _check_ends(numbers, structures)
    ranges = {name: entry for name, entry in numbers.items() if "values" not in entry}
    return Space(
        structures,
        tuple(numbers),
        centre,
        ranges={name: (entry["low"], entry["high"]) for name, entry in ranges.items()},
        values={name: tuple(entry["values"]) for name, entry in numbers.items() if "values" in entry},
        logarithmic={name: entry["scale"] == "log" for name, entry in ranges.items()},
        fenced=frozenset(name for name, entry in ranges.items() if not entry["widen"]),
    )
