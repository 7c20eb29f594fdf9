"""Every error that a user can act on: one sentence with the place, the value and what is allowed."""

from collections.abc import Iterable
from difflib import get_close_matches


class TrainwellError(Exception):
    """A user's mistake or a limit reached. The text is one sentence; the command line prints it alone."""

    exit_code = 2


class InputError(TrainwellError, ValueError):
    """Something that was given (a file, a column, a value, an option) cannot be used."""


class StageStopped(TrainwellError):
    """A stage of the recipe found that training on would waste the user's time."""

    exit_code = 3


class NothingToLearn(InputError, StageStopped):
    """The target of a table has one value only: no network is needed to predict it, and ``--keep-going`` cannot help."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """``", did you mean 'target'?"`` for the nearest right spelling, or nothing when none is near.

    >>> nearest("lerning_rate", ["learning_rate", "momentum"])
    ", did you mean 'learning_rate'?"
    >>> nearest("xyz", ["learning_rate"])
    ''
    """
    by_lower = {str(option).lower(): str(option) for option in allowed}
    found = get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.6)
    return f", did you mean {by_lower[found[0]]!r}?" if found else ""


def listed(names: Iterable[object], most: int = 8) -> str:
    """Names for a sentence: all of a few, the first of many and how many more.

    >>> listed("abc")
    "'a', 'b', 'c'"
    >>> listed(range(20), most=3)
    "'0', '1', '2' and 17 more"
    """
    quoted = [f"{str(name)!r}" for name in names]
    return ", ".join(quoted[:most]) + (f" and {len(quoted) - most} more" if len(quoted) > most else "")
