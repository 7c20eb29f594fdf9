"""The report's own page with what a live one needs beside it, and its parts again when the folder has changed."""

import hashlib
import threading
from pathlib import Path
from typing import Any

from trainwell.errors import InputError
from trainwell.report.page import TEMPLATES, render
from trainwell.report.plotting import layout
from trainwell.report.record import Record, read_record

MADE_OF = ("config.json", "schema.json", "profile.json", "environment.json", "evidence/*.json", "members/history.json")
HEIGHT = 300  # pixels of a live figure, chosen: both fit a screen with the line above them


class Pages:
    """The pages of one run folder. What was rendered is kept until a file changes, whoever asks."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._lock = threading.Lock()
        self._kept: tuple[str, str] = ("", "")

    def version(self, state: str) -> str:
        """Changes when the page would: with a file that it is made of, or with the run's state."""
        found = [state]
        for pattern in MADE_OF:
            for path in sorted(self.folder.glob(pattern)):
                try:
                    stat = path.stat()
                except OSError:
                    continue
                found.append(f"{path.name} {stat.st_mtime_ns} {stat.st_size}")
        return hashlib.sha256("\n".join(found).encode()).hexdigest()[:16]

    def whole(self, version: str) -> str:
        """The page as text."""
        with self._lock:
            if self._kept[0] != version:
                self._kept = (version, self._render(version))
            return self._kept[1]

    def body(self, version: str) -> str:
        """What a page that is open already needs: all that stands before the scripts."""
        return self.whole(version).partition("<body>")[2].partition("<script>")[0]

    def _render(self, version: str) -> str:
        try:
            record = read_record(self.folder)
        except InputError:  # not begun
            empty: dict[str, Any] = {}
            schema = {"columns": [], "task": "", "classes": []}
            record = Record(self.folder, empty, schema, empty, empty, empty, empty, ())
        script = (TEMPLATES / "live.js").read_text(encoding="utf-8")
        drawn = layout("epoch", "", height=HEIGHT, showlegend=True)
        return render(record, "live.html.jinja", (script,), live_layout=drawn, version=version)
