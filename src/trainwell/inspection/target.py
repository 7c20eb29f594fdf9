"""The target by itself: classes that are rare, numbers that pile up at their end."""

import numpy as np

from trainwell.inspection.remarks import Remark, short

RARE = 0.05  # chosen: a class with a smaller share of the rows is called rare,
OF_EVEN_SHARE = 0.25  # chosen: and with less than a quarter of what each would have if all were as frequent
PILE = 0.02  # chosen: share of the rows at the largest or smallest number; the capped house values of California are 4.7%
FEWEST_NUMBERS = 50  # chosen: of fewer different numbers each is frequent


def shares(target: np.ndarray, classes: int) -> np.ndarray:
    """The share of each class."""
    return np.bincount(target, minlength=classes) / max(1, len(target))


def remarks(target: np.ndarray, names: tuple[str, ...]) -> list[Remark]:
    """Of class indices with the names of the classes; of numbers without names."""
    return _piles(np.asarray(target, np.float64)) if not names else _rare(shares(target, len(names)), names)


def _rare(found: np.ndarray, names: tuple[str, ...]) -> list[Remark]:
    return [
        Remark(
            "imbalance",
            (),
            "note",
            f"Class {short(name)!r} has only {share:.1%} of the rows.",
            f"Class {short(name)!r} has only {share:.1%} of the rows: look at its own share found, not at accuracy.",
            float(share),
            RARE,
        )
        for name, share in zip(names, found, strict=True)
        if share < RARE and share < OF_EVEN_SHARE / len(names)
    ]


def _piles(target: np.ndarray) -> list[Remark]:
    if len(np.unique(target)) < FEWEST_NUMBERS:
        return []
    said = []
    for end, what in ((target.max(), "largest"), (target.min(), "smallest")):
        share = float((target == end).mean())
        if share >= PILE:
            said.append(
                Remark(
                    "piled up",
                    (),
                    "note",
                    f"{share:.1%} of the rows have the {what} target there is, {end:,.6g}.",
                    f"Ask whether {end:,.6g} was measured or means a limit of the measurement: a model learns the limit, too.",
                    share,
                    PILE,
                )
            )
    return said
