"""What a server takes, and the error that says that something is more."""

from dataclasses import dataclass

from trainwell.errors import InputError

MAX_BYTES = 10_000_000  # chosen: some 50,000 rows of 20 columns as JSON
MAX_ROWS = 100_000  # chosen: a second or so of computing on one core
MAX_HELD = 8  # chosen: bodies of the largest size that may be in memory at once
MAX_WAITING = 512  # chosen: requests that may wait for the worker; more would wait for longer than clients do


@dataclass(frozen=True)
class Limits:
    """Bytes and rows of one request; `InputError` for what is no limit."""

    bytes: int = MAX_BYTES
    rows: int = MAX_ROWS

    def __post_init__(self) -> None:
        for name, value in (("bytes", self.bytes), ("rows", self.rows)):
            if value < 1:
                raise InputError(f"the most {name} of a request are {value}, allowed is 1 or more.")


class RequestError(InputError):
    """A request that cannot be answered: the HTTP status and the sentence."""

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status = status


def too_many_rows(rows: int, limits: Limits) -> RequestError:
    return RequestError(413, f"the body has {rows:,} rows, allowed are {limits.rows:,} in one request: send fewer at a time.")


def too_many_bytes(limits: Limits) -> RequestError:
    return RequestError(413, f"the body has more than {limits.bytes:,} bytes, the most that one request may have.")
