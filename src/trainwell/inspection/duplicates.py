"""Rows that come again: in every feature and the target, in the features alone, and on both sides of the split.

Source: Barz & Denzler (2020), "Do we train on test data?", who found such rows in 3 to 10% of well-known test sets.
"""

from dataclasses import dataclass

import numpy as np

from trainwell.data.encode import Arrays
from trainwell.data.split import Split
from trainwell.inspection.remarks import Remark

LEAKED = 0.02  # chosen: share of the test rows that repeat a training row, from which on the score flatters noticeably
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: Steele, Lea & Flood (2014), "SplitMix64"
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))  # the same source


@dataclass(frozen=True)
class Duplicates:
    """How many rows repeat.

    Parameters
    ----------
    whole : rows that repeat an earlier one in every feature and the target.
    contradicted : rows whose features another row has with another target.
    validation, test : rows of these parts that repeat a training row, target included.
    test_rows : rows of the test part.
    """

    whole: int
    contradicted: int
    validation: int
    test: int
    test_rows: int


def find(arrays: Arrays, split: Split) -> Duplicates:
    """All of them, among the rows as the network is fed them."""
    features = row_hashes(arrays)
    whole = _mixed(features + _MULTIPLIER * _bits(arrays.target))
    train = np.unique(whole[split.train])
    repeats = [int(np.isin(whole[part], train).sum()) for part in (split.validation, split.test)]
    return Duplicates(
        len(whole) - len(np.unique(whole)), _contradicted(features, whole), repeats[0], repeats[1], len(split.test)
    )


def duplicate_rows(arrays: Arrays) -> int:
    """Rows that repeat an earlier one in every feature and the target."""
    whole = _mixed(row_hashes(arrays) + _MULTIPLIER * _bits(arrays.target))
    return len(whole) - len(np.unique(whole))


def row_hashes(arrays: Arrays) -> np.ndarray:
    """64 bits for the features of each row: equal for equal rows; two different rows among a million have equal bits in one of
    30 million tables."""
    found = np.zeros(len(arrays.numeric), np.uint64)
    for columns in (arrays.numeric, arrays.categories):
        for column in columns.T:
            found = _mixed(found * _MULTIPLIER + _bits(column))
    return found


def _bits(values: np.ndarray) -> np.ndarray:
    """The bits of numbers; 0 for minus zero too."""
    values = values.astype(np.float32) if values.dtype.kind == "f" else values.astype(np.int32)
    return (values + 0).view(np.uint32).astype(np.uint64)


def _mixed(values: np.ndarray) -> np.ndarray:
    values = (values ^ (values >> np.uint64(30))) * _MIX[0]
    values = (values ^ (values >> np.uint64(27))) * _MIX[1]
    return values ^ (values >> np.uint64(31))


def _contradicted(features: np.ndarray, whole: np.ndarray) -> int:
    """Rows whose features come with more than one target."""
    order = np.argsort(features, kind="stable")
    features, whole = features[order], whole[order]
    start = np.flatnonzero(np.concatenate([[True], features[1:] != features[:-1]]))
    sizes = np.diff(np.append(start, len(features)))
    low, high = np.minimum.reduceat(whole, start), np.maximum.reduceat(whole, start)
    return int(sizes[low != high].sum())


def remarks(found: Duplicates, task: str) -> list[Remark]:
    """What to say of them."""
    said = []
    if found.whole:
        rows = "1 row repeats" if found.whole == 1 else f"{found.whole:,} rows repeat"
        across = found.validation + found.test
        also = f"; {across:,} of the validation and test rows repeat a training row" if across else ""
        share = found.test / max(1, found.test_rows)
        said.append(
            Remark(
                "duplicates",
                (),
                "warn" if share >= LEAKED and found.test > 1 else "note",
                f"{rows} another row in every feature and the target{also}.",
                "Check how the table was made: repeated rows on both sides of the split flatter the score.",
                share,
                LEAKED,
            )
        )
    if found.contradicted and task != "regression":
        said.append(
            Remark(
                "contradictions",
                (),
                "note",
                f"{found.contradicted:,} rows have the features of another row but another class: no model is right on all.",
                measured=float(found.contradicted),
            )
        )
    return said
