"""Arrow arrays of numbers and texts, made of their bytes.

`pyarrow.array` asks pandas whether it knows the values, and imports it for that where it is installed: half a second, for which
whoever predicts one row would wait.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa


def of_numbers(values: np.ndarray, kind: pa.DataType | None = None) -> pa.Array:
    """Numbers as an array of their own type, or of another one of as many bytes.

    >>> of_numbers(np.array([1.5, 2.0])).to_pylist()
    [1.5, 2.0]
    """
    values = np.ascontiguousarray(values)
    kind = pa.from_numpy_dtype(values.dtype) if kind is None else kind
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def of_texts(texts: Sequence[str]) -> pa.Array:
    """Texts as an array of strings.

    >>> of_texts(["a", "", "ß"]).to_pylist()
    ['a', '', 'ß']
    """
    data = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, data)], dtype=np.int64)
    large = pa.LargeStringArray.from_buffers(len(data), pa.py_buffer(ends), pa.py_buffer(b"".join(data)))
    return large.cast(pa.string())


@lru_cache(maxsize=1024)  # chosen: columns whose levels are looked up again and again
def of_levels(levels: tuple[str, ...]) -> pa.Array:
    """The levels of a category, the same array every time."""
    return of_texts(levels)


def numpy_of(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Numbers as NumPy has them, NaN where one is missing; booleans, of which none may be.

    >>> numpy_of(pa.chunked_array([[1, None], [3]])).tolist(), numpy_of(pa.array([True, False])).tolist()
    ([1.0, nan, 3.0], [True, False])
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_boolean(array.type):
        return np.from_dlpack(array.cast(pa.uint8())).view(bool)
    if array.null_count:
        array = array.cast(pa.float64()).fill_null(np.nan)
    return np.from_dlpack(array)
