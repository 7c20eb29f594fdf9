"""Freed memory handed back to the system: what a compiler or a decoder took for a moment must not count against the run."""

import ctypes
from functools import cache
from typing import Any


@cache
def _library() -> Any:
    """The C library, where it can give memory back (glibc's can)."""
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "malloc_trim") else None
    except (OSError, TypeError):  # no Unix
        return None


def give_back() -> None:
    """Hand back what was freed. Compiling a program leaves hundreds of megabytes in pieces that the C library keeps."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    if _library() is not None:
        _library().malloc_trim(0)
