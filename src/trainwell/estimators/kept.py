"""A finished run as bytes: what an estimator carries, so that copies and pickles of it need no folder.

The bytes are those of the run folder's own files, safetensors and JSON. Reading them back executes nothing.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any

from trainwell.model import load
from trainwell.recipe.events import read_events
from trainwell.recipe.evidence import read_evidence
from trainwell.recipe.result import Run
from trainwell.report.gallery import Figures
from trainwell.report.notebook import show, summary

KEPT = (".json", ".jsonl", ".safetensors", ".parquet")

Files = Mapping[str, bytes]


@dataclass
class KeptRun(Run):
    """A run whose folder may be gone: it is drawn and shown from its files."""

    files: Files = field(default_factory=dict, repr=False)

    @property
    def figures(self) -> Figures:
        with self._there() as folder:
            return Figures(folder)

    def _repr_html_(self) -> str:
        with self._there() as folder:
            return summary(folder)

    def _ipython_display_(self) -> None:
        with self._there() as folder:
            show(folder)

    @contextmanager
    def _there(self) -> Iterator[Path]:
        if self.folder.exists():
            yield self.folder
            return
        with tempfile.TemporaryDirectory(prefix="trainwell-") as temporary:
            _write(self.files, Path(temporary))
            yield Path(temporary)


def files_of(folder: Path) -> dict[str, bytes]:
    """The files of a run folder by their path in it, all but the report, which can be written from them."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in KEPT)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def next_folder(out: Path) -> Path:
    """``out``, or the first of ``out-2``, ``out-3``, ... where an earlier fit has written."""
    numbered = (out.with_name(f"{out.name}-{number}") for number in count(2))
    return next(folder for folder in chain([out], numbered) if not (folder.is_dir() and any(folder.iterdir())))


def write_files(files: Files, folder: Path) -> Path:
    """The run folder again, with its report."""
    from trainwell.report.page import write_report

    _write(files, folder)
    write_report(folder)
    return folder


def read_run(files: Files, folder: Path) -> tuple[Run, list[dict[str, Any]], list[dict[str, Any]]]:
    """(the run, the curves of its networks, what went wrong in them); ``folder`` is where the run was."""
    with tempfile.TemporaryDirectory(prefix="trainwell-") as temporary:
        there = Path(temporary)
        _write(files, there)
        run = KeptRun(folder, read_evidence(there / "evidence"), load(there), files=files)
        history = json.loads((there / "members" / "history.json").read_bytes())["members"]
        findings = [event for event in read_events(there / "events.jsonl") if event["event"] == "finding"]
    return run, history, findings


def _write(files: Files, folder: Path) -> None:
    for name, content in files.items():
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise ValueError(f"{name!r} is no file of a run: it lies outside of its folder.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
