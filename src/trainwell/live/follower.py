"""New lines of a diary as they are written, each given once; never half a line."""

import json
from pathlib import Path
from typing import Any

MOST_BYTES = 1 << 24  # chosen: read at a time, so that a long diary is no burden


class Follower:
    """Reads on where it last ended. A file that is not there yet has no events; one that was put in its place begins anew."""

    def __init__(self, path: Path):
        self.path = path
        self.began_anew = False
        self._file: tuple[int, int] | None = None  # which file it is: device and number
        self._read = 0
        self._rest = b""

    @property
    def cut_off(self) -> bool:
        """Whether the last line has no end: it is being written, or a kill cut it off."""
        return bool(self._rest)

    def new(self) -> list[dict[str, Any]]:
        """The events that were written since the last call; ``began_anew`` says whether those before count no more."""
        try:
            with self.path.open("rb") as file:
                stat = self.path.stat()
                self._look(stat.st_dev, stat.st_ino, stat.st_size)
                file.seek(self._read)
                text = file.read(MOST_BYTES)
        except OSError:
            return []
        self._read += len(text)
        *lines, self._rest = (self._rest + text).split(b"\n")
        return [event for line in lines if (event := _event(line)) is not None]

    def _look(self, device: int, number: int, size: int) -> None:
        same = self._file == (device, number) and size >= self._read
        self.began_anew = self._file is not None and not same
        if not same:
            self._file, self._read, self._rest = (device, number), 0, b""


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None
