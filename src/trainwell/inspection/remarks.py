"""What an inspection says: one remark with its columns, its figures, and what to do about it."""

import shlex
from dataclasses import dataclass
from typing import Literal

MOST_LETTERS = 60  # chosen: of a column's name in a sentence

Weight = Literal["stop", "warn", "note"]


@dataclass(frozen=True)
class Remark:
    """One thing that was found.

    Parameters
    ----------
    kind : what sort of thing, in a few words; see ``docs/look.md``.
    columns : the columns it is about.
    weight : ``"stop"`` where a model of this table would be worth nothing, ``"warn"`` where a score would flatter or mislead,
        ``"note"`` where it is worth knowing.
    says : one sentence with the figures.
    action : what to do, one sentence; empty where there is nothing to do.
    measured, limit : the figure that decided, and from where on it counts.
    """

    kind: str
    columns: tuple[str, ...]
    weight: Weight
    says: str
    action: str = ""
    measured: float | None = None
    limit: float | None = None


def short(name: object) -> str:
    """A name as a sentence can bear it: a very long one is cut.

    >>> short("age"), len(short("x" * 10_000))
    ('age', 60)
    """
    text = str(name)
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"


def quoted(names: tuple[str, ...] | list[str], most: int = 6) -> str:
    """Columns in a sentence.

    >>> quoted(["a"]), quoted(["a", "b", "c"]), quoted(list("abcdefgh"), most=2)
    ("'a'", "'a', 'b' and 'c'", "'a', 'b' and 6 more")
    """
    said = [repr(short(name)) for name in names]
    if len(said) > most:
        return ", ".join(said[:most]) + f" and {len(said) - most} more"
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def ignoring(names: tuple[str, ...] | list[str]) -> str:
    """The options that leave columns out, to be pasted: names are whole, however long.

    >>> print(ignoring(["age", "the owner's"]))
    --ignore 'age' --ignore 'the owner'"'"'s'
    """
    return " ".join(f"--ignore {in_shell(name)}" for name in names)


def in_shell(name: str) -> str:
    """A name as a shell takes it, always between quotes, so that the sentence around it is told from it."""
    safe = shlex.quote(name)
    return safe if safe != name else f"'{name}'"
