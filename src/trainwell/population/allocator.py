"""Freed memory handed back to the system: what a compiler or a decoder took for a moment must not count against the run.

And how near the process is to the most areas of memory that Linux lets it have.
"""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

THRESHOLD_OPTION = -3  # M_MMAP_THRESHOLD of glibc's malloc.h
LARGE = 1 << 20  # chosen: bytes; a chunk of rows is far above, what a step works with stays below or is asked for once a call


@cache
def _library() -> Any:
    """The C library, where it can give memory back (glibc's can)."""
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "malloc_trim") else None
    except (OSError, TypeError):  # no Unix
        return None


@cache
def keep_apart() -> None:
    """From now on large blocks are pages of their own, which go back to the system when they are freed.

    glibc would learn from the first freed chunk of rows to take the next from a heap, one for each thread, and keep them all: a
    streamed table then grew in memory by what was read of it.
    """
    if _library() is not None:
        _library().mallopt(THRESHOLD_OPTION, LARGE)


def give_back() -> None:
    """Hand back what was freed. Compiling a program leaves hundreds of megabytes in pieces that the C library keeps."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    if _library() is not None:
        _library().malloc_trim(0)


def areas() -> int:
    """How many areas of memory the process has; 0 where the system does not say (none but Linux counts them)."""
    try:
        return Path("/proc/self/maps").read_bytes().count(b"\n")
    except OSError:
        return 0


@cache
def most_areas() -> int:
    """How many it may have (vm.max_map_count); beyond it the next memory asked for is refused and the process ends."""
    try:
        return int(Path("/proc/sys/vm/max_map_count").read_text())
    except (OSError, ValueError):
        return 65_530  # Linux's own default
