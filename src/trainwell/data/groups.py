"""Groups whose names are numbered row by row: ``309_1``, ``309_2`` are two rows of the group ``309``."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

PREFIX = "name and number"  # the style of a column whose groups are what stands before the number
_NUMBERED = r"^(?P<name>.*[^_\-:./# ])[_\-:./# ]+\d+$"
GROUP_ROWS = 2  # chosen: rows of a group on average; with fewer the number is part of the name


def before_number(labels: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """What stands before the number of each label; None where the labels are not all different, some have no such form, or the
    names do not come again.

    >>> before_number(pa.chunked_array([["a_1", "a_2", "b_1", "b_2"]])).to_pylist()
    ['a', 'a', 'b', 'b']
    """
    known = labels.drop_null()
    if not len(known) or len(pc.unique(known)) < len(known):
        return None
    names = prefixes(labels)
    if names.null_count > labels.null_count or GROUP_ROWS * len(pc.unique(names.drop_null())) > len(known):
        return None
    return names


def prefixes(labels: pa.ChunkedArray) -> pa.ChunkedArray:
    """What stands before the number of each label, null where there is none."""
    return pc.struct_field(pc.extract_regex(labels, _NUMBERED), "name")


def labels_of(labels: pa.ChunkedArray, style: str) -> pa.ChunkedArray:
    """The name of the group of each row, of a column written in this style; a label without a number is its own."""
    if style != PREFIX:
        return labels
    names = prefixes(labels)
    return pc.if_else(pc.is_null(names), labels, names)


def codes(labels: pa.ChunkedArray) -> np.ndarray:
    """A whole number for every label, -1 where it is missing."""
    coded = labels.combine_chunks().dictionary_encode().indices
    return np.asarray(coded.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
