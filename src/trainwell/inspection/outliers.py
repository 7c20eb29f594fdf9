"""Numbers with far-off values or a long tail, and numbers that say the same as another.

    far off   beyond three times the distance of the quartiles from them
    skewed    third standardized moment

Sources: Tukey (1977), "Exploratory data analysis", section 2D (three times: "far out"); West, Finch & Curran (1995), who call a
skewness of 2 substantial.
"""

from dataclasses import dataclass

import numpy as np

from trainwell.inspection.inspected import Inspected
from trainwell.inspection.leaks import standardized
from trainwell.inspection.remarks import Remark, quoted, short

FENCE = 3.0  # Tukey
FARTHEST = 1e6  # chosen: farther is said no more
SKEWED = 2.0  # West, Finch & Curran
FEWEST_VALUES = 20  # chosen: a number of fewer values is a code or a count
MUCH = 0.01  # chosen: share of values far off from which on they are worth a note
CORRELATED = 0.95  # chosen: rank correlation from which on two numbers say nearly the same
MOST_SHOWN = 12  # chosen: features of the figure
MOST_COLUMNS = 300  # chosen: numbers among which pairs are looked for


@dataclass(frozen=True)
class Spread:
    """One number: share of values far off, the farthest one (in distances of the quartiles), skewness."""

    name: str
    far_off: float
    farthest: float
    skewness: float


@dataclass(frozen=True)
class Pair:
    """Two features and their rank correlation."""

    first: str
    second: str
    correlation: float


@dataclass(frozen=True)
class Correlations:
    """Absolute rank correlations among some features."""

    names: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...]


def spreads(inspected: Inspected) -> list[Spread]:
    """Numbers that are skewed or have values far off, the worst first."""
    found = []
    for place in np.flatnonzero(~inspected.categorical):
        values = inspected.values[:, place]
        values = values[np.isfinite(values)]
        if len(np.unique(values)) < FEWEST_VALUES:
            continue
        lower, upper = np.quantile(values, (0.25, 0.75))
        between = upper - lower
        with np.errstate(over="ignore"):  # of quartiles that nearly meet
            beyond = np.maximum(lower - values, values - upper) / between if between > 0 else np.zeros(1)
        skewness = float((standardized(values[:, None])[:, 0] ** 3).mean())
        far = float((beyond > FENCE).mean())
        if far > 0 or abs(skewness) >= SKEWED:
            found.append(Spread(inspected.names[place], far, min(float(beyond.max()), FARTHEST), skewness))
    return sorted(found, key=lambda one: (-one.far_off, -abs(one.skewness)))


def pairs(inspected: Inspected) -> tuple[list[Pair], Correlations | None]:
    """Pairs of numbers that order the rows nearly alike, the closest first; and the correlations among some of those."""
    places = np.flatnonzero(~inspected.categorical)[:MOST_COLUMNS]
    if len(places) < 2 or len(inspected.rows) < FEWEST_VALUES:
        return [], None
    ranks = standardized(np.column_stack([_ranks(inspected.values[:, place]) for place in places]))
    related = np.minimum(np.abs(ranks.T @ ranks) / len(ranks), 1.0)
    first, second = np.nonzero(np.triu(related >= CORRELATED, k=1))
    names = [inspected.names[place] for place in places]
    found = [Pair(names[a], names[b], float(related[a, b])) for a, b in zip(first, second, strict=True)]
    if not found:
        return [], None
    shown = np.unique(np.concatenate([first, second]))[:MOST_SHOWN]
    matrix = tuple(tuple(float(value) for value in related[place][shown]) for place in shown)
    return sorted(found, key=lambda pair: -pair.correlation), Correlations(tuple(names[place] for place in shown), matrix)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values sharing their mean rank; the middle for what is missing."""
    known = np.isfinite(values)
    ranks = np.full(len(values), np.nan)
    _, inverse, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    ranks[known] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def remarks(spread: list[Spread], alike: list[Pair]) -> list[Remark]:
    """What to say of them."""
    said = []
    far = [one.name for one in spread if one.far_off >= MUCH]
    if far:
        said.append(
            Remark(
                "outliers",
                tuple(far),
                "note",
                f"{quoted(far)} {'has' if len(far) == 1 else 'have'} values far off in 1% of the rows or more "
                f"({short(spread[0].name)!r} in {spread[0].far_off:.1%}); the network sees them within bounds.",
                "Look whether these values are right: units, missing values written as numbers, typing errors.",
                spread[0].far_off,
                MUCH,
            )
        )
    if alike:
        names = [(pair.first, pair.second) for pair in alike]
        first = f"{quoted(list(names[0]))} (rank correlation {alike[0].correlation:.3f})"
        more = "" if len(alike) == 1 else f", and {len(alike) - 1} pairs more"
        said.append(
            Remark(
                "correlated",
                names[0],
                "note",
                f"Some features say nearly the same: {first}{more}.",
                "",
                alike[0].correlation,
                CORRELATED,
            )
        )
    return said
