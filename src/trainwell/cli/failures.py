"""Whatever goes wrong as one sentence and an exit code."""

import errno
import os
import tempfile
import traceback

from cyclopts import CycloptsError
from cyclopts.exceptions import UnusedCliTokensError

from trainwell.errors import TrainwellError, listed

BUG, MISTAKE, INTERRUPTED, NOBODY_READS = 1, 2, 130, 141


def explain(error: Exception) -> tuple[str, int]:
    """One sentence for an exception, and the exit code that goes with it."""
    if isinstance(error, TrainwellError):
        return str(error), error.exit_code
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        extra = listed(error.unused_tokens)
        return f"{extra}: one word too many; a name with blanks needs quotes, a second column its own option.", MISTAKE
    if isinstance(error, CycloptsError):
        return " ".join(str(error).split()), MISTAKE
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):  # XLA's own is no MemoryError
        return "The memory is used up; try fewer rows, and in a fit --cores 1 or --stream-above 500MB.", MISTAKE
    if isinstance(error, OSError) and error.filename is not None:
        return f"{str(error.filename)!r} cannot be used: {error.strerror}.", MISTAKE
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):  # of a write: it names no file
        return f"A file cannot be written: {error.strerror}; a run that was begun goes on with fit --resume RUN.", MISTAKE
    handle, path = tempfile.mkstemp(prefix="trainwell-bug-", suffix=".txt", text=True)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(traceback.format_exception(error))
    kind = type(error).__name__
    return f"This is a bug in trainwell ({kind}); please report it with the details in {path}.", BUG
