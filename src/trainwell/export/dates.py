"""Dates as texts to the numbers that are taken from them, as `trainwell.data.dates` does it, in operators of ONNX.

Texts are split at fixed marks. `StringSplit` makes as many pieces as the row with the most has, so a row with all of them goes
along and is cut off again. Days are counted as in Hinnant (2013), "chrono-compatible low-level date algorithms".
"""

from __future__ import annotations

import numpy as np

from trainwell.data.dates import STYLES
from trainwell.export.graph import ML, Graph

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# what is between year, month and day, and which comes first, second and third
ORDERS = {
    "year-month-day": ("-", "ymd"),
    "year/month/day": ("/", "ymd"),
    "month/day/year": ("/", "mdy"),
    "day/month/year": ("/", "dmy"),
    "month-day-year": ("-", "mdy"),
    "day-month-year": ("-", "dmy"),
    "day.month.year": (".", "dmy"),
    "day-Mon-year": ("-", "dny"),
    "day Mon year": (" ", "dny"),
    "Mon day, year": (" ", "ndy"),
}
EXAMPLES = {"y": "1970", "m": "01", "n": "Jan", "d": "01"}


class Numbers:
    """Arithmetic on float64 values of a graph, (rows, 1) each, so that equations can be written as such."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def of(self, value: float) -> str:
        return self.graph.constant(float(value), np.float64)

    def plus(self, a: str, b: str | float) -> str:
        return self.graph.add("Add", a, b if isinstance(b, str) else self.of(b))

    def minus(self, a: str, b: str | float) -> str:
        return self.graph.add("Sub", a, b if isinstance(b, str) else self.of(b))

    def times(self, a: str, b: str | float) -> str:
        return self.graph.add("Mul", a, b if isinstance(b, str) else self.of(b))

    def whole(self, a: str, b: float) -> str:
        """a / b, rounded down."""
        return self.graph.add("Floor", self.graph.add("Div", a, self.of(b)))

    def rest(self, a: str, b: float) -> str:
        """a - b floor(a / b)."""
        return self.minus(a, self.times(self.whole(a, b), b))

    def where(self, condition: str, yes: str | float, no: str | float) -> str:
        chosen = (value if isinstance(value, str) else self.of(value) for value in (yes, no))
        return self.graph.add("Where", condition, *chosen)

    def less(self, a: str | float, b: str | float) -> str:
        return self.graph.add("Less", *(value if isinstance(value, str) else self.of(value) for value in (a, b)))

    def equal(self, a: str, b: float) -> str:
        return self.graph.add("Equal", a, self.of(b))


def seconds(graph: Graph, text: str, style: str) -> tuple[str, str]:
    """(seconds since 1970 as float64, whether there is no date), of texts (rows, 1) in a style."""
    style = "year-month-day" if style == "timestamp" else style
    mark, order = ORDERS[style]
    fits = graph.add("RegexFullMatch", text, pattern=STYLES[style][0])
    example = mark.join(
        EXAMPLES[letter] + ("," if mark == " " and order[0] == "n" and letter == "d" else "") for letter in order
    )
    safe = graph.add("Where", fits, text, graph.texts(example))
    first, second, rest = _pieces(graph, safe, mark, 3)
    rest, after_blank, last = _pieces(graph, rest, " ", 3)
    third, after_t = _pieces(graph, rest, "T", 2)
    without_t = _is_empty(graph, after_t)
    clock, beside = (graph.add("Where", without_t, one, other) for one, other in ((after_blank, after_t), (last, after_blank)))
    halves = [graph.add("RegexFullMatch", safe, pattern=f".*[{letters}][Mm]") for letters in ("Aa", "Pp")]
    named = dict(zip(order, (first, second, third), strict=True))
    if order == "ndy":
        named["d"], _ = _pieces(graph, named["d"], ",", 2)
    numbers = Numbers(graph)
    year, day = _number(graph, named["y"]), _number(graph, named["d"])
    month = _month(graph, named["n"]) if "n" in named else _number(graph, named["m"])
    of_day, on_clock = _of_day(graph, numbers, clock, beside, halves)
    exists = _exists(graph, numbers, year, month, day)
    found = numbers.plus(numbers.times(_days(numbers, year, month, day), 86400), of_day)
    there = graph.add("And", graph.add("And", fits, exists), on_clock)
    missing = graph.add("Not", there)
    return numbers.where(missing, 0.0, found), missing


def _pieces(graph: Graph, text: str, mark: str, count: int) -> list[str]:
    """The parts (rows, 1) between marks: exactly so many, empty ones last, the last with whatever marks are left."""
    whole = graph.texts([[mark.join("0" * count)]])
    column = graph.add("Concat", text, whole, axis=0)
    flat = graph.add("Reshape", column, graph.constant([-1], np.int64))
    parts, _ = graph.add_many("StringSplit", [flat], [graph.name(), graph.name() + "n"], delimiter=mark, maxsplit=count - 1)
    ends = graph.constant([0], np.int64), graph.constant([-1], np.int64), graph.constant([0], np.int64)
    own = graph.add("Slice", parts, *ends)
    return [graph.add("Gather", own, graph.constant([place], np.int64), axis=1) for place in range(count)]


def _is_empty(graph: Graph, text: str) -> str:
    return graph.add("Equal", text, graph.texts(""))


def _number(graph: Graph, text: str) -> str:
    """The number that a text of digits stands for, 0 for an empty one."""
    digits = graph.add("Where", _is_empty(graph, text), graph.texts("0"), text)
    return graph.cast(digits, np.float64)


def _month(graph: Graph, text: str) -> str:
    """The number of a month by its short name, 0 for what is none."""
    spellings = {spelt: i for i, name in enumerate(MONTHS, start=1) for spelt in _spellings(name)}
    code = graph.add(
        "LabelEncoder",
        text,
        domain=ML,
        keys_strings=[name.encode() for name in spellings],
        values_int64s=list(spellings.values()),
        default_int64=0,
    )
    return graph.cast(code, np.float64)


def _spellings(name: str) -> list[str]:
    """A word of three letters in every mixture of small and large ones."""
    ways = [""]
    for letter in name:
        ways = [start + way for start in ways for way in (letter, letter.upper())]
    return ways


def _of_day(graph: Graph, numbers: Numbers, clock: str, beside: str, halves: list[str]) -> tuple[str, str]:
    """(seconds since midnight, less the time zone's; whether there is such a time), of ``10:20:30.5+02:00`` or nothing, with
    what stands ``beside`` it after a blank, and whether it is of the ``halves`` AM and PM."""
    local = clock
    for mark in "ZAaPp":
        local, _ = _pieces(graph, local, mark, 2)
    local, *zones = _without_zones(graph, local)
    _, *others = _without_zones(graph, beside)
    hour, minute, second = _pieces(graph, local, ":", 3)
    second, _ = _pieces(graph, second, ".", 2)
    h, m, s = (_number(graph, part) for part in (hour, minute, second))
    in_half = graph.add("Or", *halves)
    of_half = graph.add("And", numbers.less(0.5, h), numbers.less(h, 12.5))
    of_24 = graph.add("And", numbers.less(h, 24), graph.add("Not", in_half))
    there = graph.add("Or", graph.add("And", in_half, of_half), of_24)
    there = graph.add("And", graph.add("And", there, numbers.less(m, 60)), numbers.less(s, 61))
    h = numbers.where(in_half, numbers.rest(h, 12), h)
    h = numbers.plus(h, numbers.where(halves[1], 12.0, 0.0))
    time = numbers.plus(numbers.plus(numbers.times(h, 3600), numbers.times(m, 60)), s)
    for east, west in (zones, others):
        time = numbers.minus(time, numbers.minus(_zone(graph, numbers, east), _zone(graph, numbers, west)))
    return time, there


def _without_zones(graph: Graph, text: str) -> tuple[str, str, str]:
    """(what stands before, the zone east, the zone west) of a clock."""
    before, east = _pieces(graph, text, "+", 2)
    before, west = _pieces(graph, before, "-", 2)
    return before, east, west


def _zone(graph: Graph, numbers: Numbers, text: str) -> str:
    """Seconds of ``02:00``, ``0200`` or ``02``, 0 of nothing."""
    only_hours = graph.add("RegexFullMatch", text, pattern=r"\d{2}")
    hours, minutes = _pieces(graph, text, ":", 2)
    together = graph.add("And", _is_empty(graph, minutes), graph.add("Not", only_hours))
    h, m = _number(graph, hours), _number(graph, minutes)
    h, m = numbers.where(together, numbers.whole(h, 100), h), numbers.where(together, numbers.rest(h, 100), m)
    return numbers.plus(numbers.times(h, 3600), numbers.times(m, 60))


def _exists(graph: Graph, numbers: Numbers, year: str, month: str, day: str) -> str:
    """Whether the calendar has this day."""
    fourth, century, fourth_century = (numbers.equal(numbers.rest(year, every), 0) for every in (4, 100, 400))
    leap = graph.add("And", fourth, graph.add("Or", graph.add("Not", century), fourth_century))
    place = graph.add("Clip", numbers.minus(month, 1), numbers.of(0), numbers.of(11))
    days = graph.add("Gather", graph.constant(DAYS, np.float64), graph.cast(place, np.int64))
    in_leap = graph.add("And", leap, numbers.equal(month, 2))
    days = numbers.plus(days, graph.cast(in_leap, np.float64))
    of_year = graph.add("And", numbers.less(numbers.of(0), month), numbers.less(month, 13))
    of_month = graph.add("And", numbers.less(numbers.of(0), day), graph.add("LessOrEqual", day, days))
    return graph.add("And", of_year, of_month)


def _days(numbers: Numbers, year: str, month: str, day: str) -> str:
    """Days from 1 January 1970; the year is taken to begin in March, so that the leap day is its last."""
    year = numbers.where(numbers.less(month, 3), numbers.minus(year, 1), year)
    era = numbers.whole(year, 400)
    of_era = numbers.minus(year, numbers.times(era, 400))
    since_march = numbers.rest(numbers.plus(month, 9), 12)
    of_year = numbers.plus(numbers.whole(numbers.plus(numbers.times(since_march, 153), 2), 5), numbers.minus(day, 1))
    leaps = numbers.minus(numbers.whole(of_era, 4), numbers.whole(of_era, 100))
    days = numbers.plus(numbers.plus(numbers.times(of_era, 365), leaps), of_year)
    return numbers.minus(numbers.plus(numbers.times(era, 146097), days), 719468)


def parts(graph: Graph, found: str, first: float, wanted: set[str]) -> dict[str, str]:
    """The numbers of `trainwell.data.dates.PARTS` that are wanted, of seconds since 1970; ``first`` as there."""
    numbers = Numbers(graph)
    year, month, day = _calendar(numbers, numbers.whole(found, 86400))
    made = {"days": graph.add("Div", numbers.minus(found, first), numbers.of(86400)), "year": year}
    hour = graph.add("Div", numbers.rest(found, 86400), numbers.of(3600))
    weekday = numbers.rest(numbers.plus(numbers.whole(found, 86400), 3), 7)
    rounds = {
        "month": (numbers.minus(month, 1), 12),
        "day": (numbers.minus(day, 1), 31),
        "weekday": (weekday, 7),
        "hour": (hour, 24),
    }
    for name, (position, period) in rounds.items():
        angle = graph.add("Div", numbers.times(position, 2 * np.pi), numbers.of(period))
        for wave, operator in (("sine", "Sin"), ("cosine", "Cos")):
            if f"{name} {wave}" in wanted:
                made[f"{name} {wave}"] = graph.add(operator, angle)
    return made


def _calendar(numbers: Numbers, days: str) -> tuple[str, str, str]:
    """(year, month, day) of days since 1970."""
    days = numbers.plus(days, 719468)
    era = numbers.whole(days, 146097)
    of_era = numbers.rest(days, 146097)
    leaps = numbers.minus(numbers.whole(of_era, 1460), numbers.whole(of_era, 36524))
    leaps = numbers.plus(leaps, numbers.whole(of_era, 146096))
    year = numbers.whole(numbers.minus(of_era, leaps), 365)
    before = numbers.minus(numbers.plus(numbers.times(year, 365), numbers.whole(year, 4)), numbers.whole(year, 100))
    of_year = numbers.minus(of_era, before)
    since_march = numbers.whole(numbers.plus(numbers.times(of_year, 5), 2), 153)
    start = numbers.whole(numbers.plus(numbers.times(since_march, 153), 2), 5)
    day = numbers.plus(numbers.minus(of_year, start), 1)
    month = numbers.plus(numbers.rest(numbers.plus(since_march, 2), 12), 1)
    year = numbers.plus(year, numbers.times(era, 400))
    return numbers.where(numbers.less(month, 3), numbers.plus(year, 1), year), month, day
