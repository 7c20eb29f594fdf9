"""Remedies as data: which thing to change, and how; a trial may have proven one."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Remedy:
    """One change. `times` multiplies the present value, `to` replaces it; `proof` is what a short re-run with it reached."""

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
