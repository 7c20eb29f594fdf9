"""How numbers, times and verdicts are said to a person: the terminal and the report use the same words."""

import math
import re
from collections.abc import Iterable

from trainwell.errors import InputError

VERDICTS = {"pass": "ok", "warn": "look", "stop": "stop"}
METRICS = {
    "auc": "AUC",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "average_precision": "average precision",
    "f1": "F1",
    "log_loss": "log loss",
    "r2": "R²",
    "R2": "R²",
    "rmse": "RMSE",
    "mae": "MAE",
}
LOSSES = ("log_loss", "rmse", "mae", "pinball")
ROUNDING = 1e-15  # about what float64 leaves of a difference of two equal numbers of size 1
SMALL = 0.1  # chosen: below, four digits behind the point are fewer than four that count
LONGEST_REASON = 300  # letters, chosen: of what a library says
LESS_IS_BETTER = "(less is better)"  # what the label of a user's own loss ends with
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_SIZES = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12}
_DURATION = re.compile(r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s?)?")


def metric_name(metric: object) -> str:
    """A metric as a person says it.

    >>> metric_name("auc"), metric_name("top_3_accuracy"), metric_name(None), metric_name("money lost (less is better)")
    ('AUC', 'top 3 accuracy', 'score', 'money lost')
    """
    name = str(metric).removesuffix(LESS_IS_BETTER).strip()
    return METRICS.get(name, name.replace("_", " ")) if metric else "score"


def is_loss(metric: object) -> bool:
    """Whether less of a metric is better, whichever way its name is written.

    >>> is_loss("rmse"), is_loss("log loss"), is_loss("auc"), is_loss("pinball loss (0.9)"), is_loss("cost (less is better)")
    (True, True, False, True, True)
    """
    name = str(metric).lower().replace(" ", "_")
    return name.split("_loss_(")[0].split(":")[0] in LOSSES or str(metric).endswith(LESS_IS_BETTER)


def number(value: object) -> str:
    """Any cell of a table, short enough to read: thousands separated, four digits that count.

    >>> [number(value) for value in (7043, 0.85612, 1234.5678, 1.5e-7, 2.0, True, None, "yes")]
    ['7,043', '0.8561', '1,235', '1.5e-07', '2', 'yes', '–', 'yes']
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"
    return str(value)


def score(value: object) -> str:
    """A score, to the digits in which two models are told apart.

    >>> score(0.85), score(12.3456), score(None), score(-1e-17), score(1.2345e-5)
    ('0.850', '12.35', '–', '0.000', '1.23e-05')
    """
    if not isinstance(value, int | float) or not math.isfinite(value):
        return "–"
    return fixed(value) if abs(value) < 10 else number(float(value))


def fixed(value: float, digits: int = 3) -> str:
    """A number with so many digits behind the point; a small one, of which those would say little, with three that count.

    >>> fixed(0.8561), fixed(0.0), fixed(0.00012345), fixed(0.5, digits=4)
    ('0.856', '0.000', '0.000123', '0.5000')
    """
    if ROUNDING < abs(value) < 10 * 10.0**-digits:
        return f"{value:.3g}"
    return f"{value:.{digits}f}" if abs(value) > ROUNDING else f"{0.0:.{digits}f}"


def rounded(value: float) -> float:
    """A number to four digits behind the point; a small one to four that count.

    >>> rounded(12345.67891), rounded(0.00001234567)
    (12345.6789, 1.235e-05)
    """
    return float(f"{value:.4g}") if abs(value) < SMALL else round(value, 4)


def first_line(error: BaseException) -> str:
    """What an exception says, as one line; its kind where it says nothing.

    >>> first_line(ValueError("no\\nyes")), first_line(ValueError())
    ('no', 'ValueError')
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:LONGEST_REASON]


def told_apart(texts: Iterable[object], most: int) -> dict[str, str]:
    """Each text shortened, with a number where the beginnings of two are the same.

    >>> told_apart(["north", "northern", "northerly", "south"], 6)
    {'north': 'north', 'northern': 'north…', 'northerly': 'north… (2)', 'south': 'south'}
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for text in dict.fromkeys(map(str, texts)):
        one, again = shortened(text, most), 1
        while one in taken:
            again += 1
            one = f"{shortened(text, most)} ({again})"
        found[text] = one
        taken.add(one)
    return found


def counted(count: int, name: str) -> str:
    """A number of things.

    >>> counted(1, "epoch"), counted(1200, "epoch")
    ('1 epoch', '1,200 epochs')
    """
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def things(count: object, name: str) -> str:
    """A number of things as a diary holds it, where it may be anything.

    >>> things(1, "network"), things(None, "row")
    ('1 network', '– rows')
    """
    return counted(count, name) if isinstance(count, int) else f"{number(count)} {name}s"


def shortened(text: str, most: int) -> str:
    """A text of at most so many letters, its end left out where it has more.

    >>> shortened("customer", 8), shortened("customers", 8)
    ('customer', 'custome…')
    """
    return text if len(text) <= most else text[: most - 1] + "…"


def printable(text: object) -> str:
    r"""A text without control characters, which a column's name could hold and a terminal would obey.

    >>> printable("a\x1b[31m\nb")
    'a\\x1b[31m\\nb'
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(text))


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> [duration(seconds) for seconds in (0.04, 3, 4.21, 27.4, 59.7, 62, 3909)]
    ['0 s', '3 s', '4.2 s', '27 s', '1 min', '1 min 2 s', '1 h 5 min']
    """
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    large, small, names = (whole // 60, whole % 60, "min s") if whole < 3600 else (whole // 3600, whole % 3600 // 60, "h min")
    first, second = names.split()
    return f"{large} {first}" + (f" {small} {second}" if small else "")


def parse_duration(text: str, label: str = "--time-limit") -> float:
    """Seconds of "90", "90s", "5m" or "1h30m"; an `InputError` for anything else.

    >>> [parse_duration(text) for text in ("90", "90s", "5m", "1h30m", "0.5h", "1m 30s")]
    [90.0, 90.0, 300.0, 5400.0, 1800.0, 90.0]
    >>> parse_duration("1h30")  # as it is said: what follows hours is minutes
    5400.0
    """
    found = _DURATION.fullmatch(text.strip().lower().replace(" ", ""))
    if found and found["h"] and found["s"] and not found["m"] and not text.strip().lower().endswith("s"):
        return parse_duration(f"{text.strip()}m", label)
    seconds = sum(float(found[unit] or 0) * worth for unit, worth in _UNITS.items()) if found else 0.0
    if seconds <= 0:
        raise InputError(f"{label} is {text!r}; write a time like 90s, 5m or 1h30m, longer than nothing.")
    return seconds


def parse_size(text: str, label: str = "size") -> int:
    """Bytes of ``500MB``, ``1.5 GB``, ``20000``.

    >>> parse_size("1.5GB"), parse_size("500 mb"), parse_size("20000")
    (1500000000, 500000000, 20000)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]b)?", text.strip().lower())
    if not found:
        raise InputError(f"{label} is {text!r}, allowed is a size such as 500MB or 2GB.")
    return int(float(found[1]) * _SIZES.get(found[2] or "", 1))
