"""Whether a run is going on: its process holds a lock on the diary, and the system takes it back however the process ends.

A process number in a file would outlive a kill, and a silent diary may be that of a long training. The lock is advisory: it
keeps nobody from reading.

Source: flock(2); where the system or the drive has no such locks, nothing is known.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

TRIES, PAUSE = 20, 0.01  # chosen: who asks holds the lock for a moment only


class Held:
    """A lock that lasts until it is closed, or until nobody knows of it any more."""

    def __init__(self, handle: int):
        self._handle: int | None = handle

    def close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    __del__ = close


def hold(path: Path) -> Held | None:
    """The lock of a file, which is made where there is none; None where it cannot be had."""
    if fcntl is None:
        return None
    with suppress(OSError):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        held = Held(handle)
        for _ in range(TRIES):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return held
            except BlockingIOError:
                time.sleep(PAUSE)
    return None


def is_held(path: Path) -> bool | None:
    """Whether a process holds the lock of a file; None where that cannot be known."""
    if fcntl is None:
        return None
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False  # closing the file lets go
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    except OSError:
        return None


def is_going_on(folder: Path) -> bool | None:
    """Whether a process is at work on a run folder, on this machine or any that shares its locks; None where nobody knows."""
    return is_held(folder / "events.jsonl")
