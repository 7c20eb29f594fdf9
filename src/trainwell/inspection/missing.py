"""Missing cells: how many, which columns miss them together, and whether that they are missing says something of the target.

Source of the limits: Cohen (1988), "Statistical power analysis", who calls a correlation of 0.1 small.
"""

from dataclasses import dataclass

import numpy as np

from trainwell.inspection.inspected import Inspected
from trainwell.inspection.leaks import standardized, target_columns
from trainwell.inspection.remarks import Remark, quoted, short

TELLS = 0.1  # Cohen: correlation of being missing with the target
STANDARD_ERRORS = 4.0  # chosen: by chance once in 16,000 columns
TOGETHER = 0.99  # chosen: correlation of being missing, from which on columns miss their cells together
FEWEST = 10  # chosen: missing cells of which anything is said
MOST_COLUMNS = 2000  # chosen


@dataclass(frozen=True)
class Missing:
    """What misses cells.

    Parameters
    ----------
    shares : share of missing cells by column, the largest first; none where nothing is missing.
    tells : correlation of being missing with the target, by column, where it tells something.
    together : groups of columns that miss their cells in the same rows.
    """

    shares: dict[str, float]
    tells: dict[str, float]
    together: tuple[tuple[str, ...], ...]


def find(inspected: Inspected) -> Missing:
    """What is missing in these rows."""
    empty = ~np.isfinite(inspected.values)
    counts = empty.sum(axis=0)
    places = np.argsort(-counts, kind="stable")
    places = places[counts[places] > 0]
    rows = max(1, len(inspected.rows))
    shares = {inspected.names[place]: float(counts[place] / rows) for place in places}
    some = np.array([place for place in places if FEWEST <= counts[place] <= rows - FEWEST][:MOST_COLUMNS], int)
    if not len(some):
        return Missing(shares, {}, ())
    holes = standardized(empty[:, some].astype(np.float64))
    related = np.abs(holes.T @ standardized(target_columns(inspected))).max(axis=1, initial=0.0) / rows
    names = [inspected.names[place] for place in some]
    limit = max(TELLS, STANDARD_ERRORS / np.sqrt(rows))
    tells = {name: float(value) for name, value in zip(names, related, strict=True) if value >= limit}
    return Missing(shares, tells, _together(names, holes))


def _together(names: list[str], holes: np.ndarray) -> tuple[tuple[str, ...], ...]:
    alike = holes.T @ holes / len(holes) >= TOGETHER
    found, seen = [], np.zeros(len(names), bool)
    for place in range(len(names)):
        group = np.flatnonzero(alike[place] & ~seen)
        seen[group] = True
        if len(group) > 1:
            found.append(tuple(names[other] for other in group))
    return tuple(found)


def remarks(found: Missing) -> list[Remark]:
    """What to say of it; a column that is missing in half of the rows or more is worth a note."""
    said = [
        Remark(
            "missing tells",
            (name,),
            "note",
            f"That {short(name)!r} is missing says something of the target (correlation {value:.2f}).",
            f"Find out why {short(name)!r} is missing: if that comes after the target, its gaps give it away.",
            value,
            TELLS,
        )
        for name, value in sorted(found.tells.items(), key=lambda item: -item[1])
    ]
    said += [
        Remark("missing together", group, "note", f"{quoted(group)} are missing in the same rows: they come from one source.")
        for group in found.together
    ]
    mostly = [name for name, share in found.shares.items() if share >= 0.5]
    if mostly:
        verb = "is" if len(mostly) == 1 else "are"
        said.append(
            Remark("mostly missing", tuple(mostly), "note", f"{quoted(mostly)} {verb} missing in half of the rows or more.")
        )
    return said
