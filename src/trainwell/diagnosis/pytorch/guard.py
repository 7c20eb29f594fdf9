"""What fails is named and nothing breaks: neither the loop that is watched nor the checks that follow."""

from collections.abc import Iterator
from contextlib import contextmanager


def sentence(problem: Exception) -> str:
    """The kind of a failure and the first line of what it says."""
    return f"{type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else ''}"


@contextmanager
def named(not_run: dict[str, str], name: str) -> Iterator[None]:
    """Whatever fails inside is an entry of `not_run` under this name; what comes after it goes on."""
    try:
        yield
    except Exception as problem:  # a user's modules, losses and rows may fail in any way
        not_run[name] = sentence(problem)
