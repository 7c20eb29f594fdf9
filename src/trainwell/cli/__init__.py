"""The command line: reads the words, calls the one function behind each command, and says errors in one sentence.

Exit codes: 0 done, 1 a bug in trainwell, 2 something given cannot be used, 3 a stage said that training on is no use,
130 stopped by Ctrl-C, 141 nobody reads what is printed.
"""

import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from trainwell import words
from trainwell.cli import fitting, models, runs  # noqa: F401 - they add their commands, in this order
from trainwell.cli.app import app
from trainwell.cli.failures import INTERRUPTED, NOBODY_READS, explain

__all__ = ["app", "main", "run_command"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit with its code."""
    if not _debugging():
        warnings.simplefilter("ignore")  # of libraries, to programmers; what a user must know is an event or an error
    sys.exit(run_command(arguments))


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run a command; whatever goes wrong becomes one sentence on standard error and an exit code."""
    _bear_any_letter()
    try:
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (BrokenPipeError, SystemExit):  # SystemExit: how rich says that nobody reads
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (or Python complains when it flushes at exit)
        return NOBODY_READS
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if _debugging():
            raise
        sentence, code = explain(error)
        print(f"trainwell: {words.printable(sentence)}", file=sys.stderr)
        return code


def _bear_any_letter() -> None:
    """Names of a table may have letters that a terminal's encoding has not: they are replaced, and the run goes on."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")


def _debugging() -> bool:
    return os.environ.get("TRAINWELL_DEBUG") == "1"
