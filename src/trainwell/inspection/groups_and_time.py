"""How much a random split flatters: the score on random rows beside that on groups, or on later rows, that training never saw.

    random     as many random rows by turns
    by group   parts of the groups by turns
    by time    the later rows in blocks, each predicted from the rows before it

Each time the same cheap model, as many training rows, and the same measure. The name of a group stays among the features, as it
does in a run; a clock does not, since trees cannot count on beyond what they saw. Numbers are kept within their outermost
hundredths, for a few huge ones would be all that R² sees. The random score is far better where its error is smaller by as much
as the limits say, in most comparisons of a random turn with another.

Source: Roberts et al. (2017), "Cross-validation strategies for data with temporal, spatial, hierarchical, or phylogenetic
structure".
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from trainwell.inspection.candidates import Candidate
from trainwell.inspection.inspected import Inspected
from trainwell.inspection.quick_models import SCORES, filled, held_out_score
from trainwell.inspection.remarks import Remark, in_shell, short

TURNS = 4  # chosen
MOST_TURNS = 0.75  # chosen: share of the pairs of turns
OUTERMOST = 0.01  # chosen
ERROR_TIMES, ERROR_MORE = (
    1.6,
    0.05,
)  # chosen; over six seeds traps measure 1.8 and 0.10 at least, other tables 1.5 or 0.05 at most
MOST_TESTED = 4000  # chosen: rows of a comparison


@dataclass(frozen=True)
class Compared:
    """One comparison: ``random`` and ``apart`` are scores, 1 at best; ``alarm`` is true where the first is far better."""

    column: str
    kind: str
    why: str
    metric: str
    random: float
    apart: float
    rows: int
    alarm: bool


def compare(inspected: Inspected, candidate: Candidate, seed: int) -> Compared | None:
    """The comparison for one column; None where its rows are too few, or too unlike, to be measured.

    Parameters
    ----------
    inspected : features that do not leak, of `rows_to_compare`.
    candidate : the column.
    seed : draws the parts.
    """
    part = inspected if candidate.kind == "group" else inspected.without({candidate.name})
    times = candidate.values[part.rows]
    if len(times) < 10 * TURNS or not part.names:
        return None
    random = np.random.default_rng(seed)
    by_column = _by_group(times, random) if candidate.kind == "group" else _by_time(times)
    at_random = [_like(turn, len(times), random) for turn in by_column]
    values, target = filled(part.values), part.target
    if part.task == "regression":
        target = np.clip(target, *np.quantile(target, (OUTERMOST, 1 - OUTERMOST)))
    scores = [
        [held_out_score(values, target, part.task, train, test, seed) for train, test in turns]
        for turns in (at_random, by_column)
    ]
    if not all(np.isfinite(some).any() for some in scores):
        return None
    usual, apart = (float(np.nanmean(some)) for some in scores)
    far = 1 - apart > ERROR_TIMES * (1 - usual) and usual - apart > ERROR_MORE
    alarm = bool(far and np.mean([other < one for one in scores[0] for other in scores[1]]) >= MOST_TURNS)
    return Compared(candidate.name, candidate.kind, candidate.why, SCORES[part.task], usual, apart, len(times), alarm)


def rows_to_compare(candidate: Candidate, own: np.ndarray, seed: int) -> np.ndarray:
    """Positions among ``own``: of groups whole ones, since a few rows of each would tell little of the others."""
    known = own[np.isfinite(candidate.values[own])]
    if len(known) <= MOST_TESTED:
        return known
    random = np.random.default_rng(seed)
    if candidate.kind == "time":
        return np.sort(random.choice(known, MOST_TESTED, replace=False))
    groups = np.unique(candidate.values[known], return_inverse=True)[1]
    order = random.permutation(groups.max() + 1)
    sizes = np.bincount(groups)[order]
    taken = order[: max(3 * TURNS, int(np.searchsorted(np.cumsum(sizes), MOST_TESTED)) + 1)]
    rows = known[np.isin(groups, taken)]
    return rows if len(rows) <= 2 * MOST_TESTED else np.sort(random.choice(rows, 2 * MOST_TESTED, replace=False))


Turn = tuple[np.ndarray, np.ndarray]


def _by_group(values: np.ndarray, random: np.random.Generator) -> list[Turn]:
    groups = np.unique(values, return_inverse=True)[1]
    part = np.arange(groups.max() + 1) % TURNS
    turn_of = random.permutation(part)[groups]
    return [(np.flatnonzero(turn_of != turn), np.flatnonzero(turn_of == turn)) for turn in range(TURNS)]


def _by_time(values: np.ndarray) -> list[Turn]:
    """The second half of the rows in as many blocks, each predicted from all rows before it."""
    order = np.argsort(values, kind="stable")
    edges = np.linspace(len(order) // 2, len(order), TURNS + 1).astype(int)
    turns = []
    for start, end in pairwise(edges):
        train = order[:start][values[order[:start]] < values[order[start]]]
        turns.append((train, order[start:end]))
    return turns


def _like(turn: Turn, rows: int, random: np.random.Generator) -> Turn:
    """Random rows, as many to train and to test on."""
    order = random.permutation(rows)
    train, test = len(turn[0]), len(turn[1])
    return np.sort(order[:train]), np.sort(order[train : train + test])


def remark_of(compared: Compared) -> Remark | None:
    """A warning where the random score is far better than the other."""
    if not compared.alarm:
        return None
    option = f"--{compared.kind} {in_shell(compared.column)}"
    what = "groups that training never saw" if compared.kind == "group" else "rows later than those of training"
    return Remark(
        "groups" if compared.kind == "group" else "time",
        (compared.column,),
        "warn",
        f"A random split flatters: by {short(compared.column)!r} ({compared.why}), {compared.metric} is {compared.random:.3f} "
        f"on random rows but {compared.apart:.3f} on {what}.",
        f"Split with {option}, if the model shall predict {'other groups' if compared.kind == 'group' else 'what is to come'}.",
        compared.random - compared.apart,
        ERROR_MORE,
    )
