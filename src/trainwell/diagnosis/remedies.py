"""Remedies as data: which thing to change, and how; a trial may have proven one."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Remedy:
    """One change.

    Parameters
    ----------
    change : the thing to change.
    to, times : its new value, or what the present one is multiplied by.
    says : the change in words; made of the others when left out.
    trial : which short re-run tries it; empty where none does.
    before, after : the score of that re-run without and with it; None where there was none.
    """

    change: str
    to: Any = None
    times: float | None = None
    says: str = ""
    trial: str = ""
    before: float | None = None
    after: float | None = None

    @property
    def proven(self) -> bool:
        return self.before is not None and self.after is not None and self.after > self.before

    def __str__(self) -> str:
        text = self.says or f"{self.change}" + (f" times {self.times:g}" if self.times else f" to {self.to}")
        return text + (f" (in a short re-run the score went from {self.before:.2f} to {self.after:.2f})" if self.proven else "")
