"""Where the real tables lie: the folder TRAINWELL_DATA, or ``shared/data`` beside the checkout."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from trainwell.data.tables import Table, read_table

FOLDER = Path(os.environ.get("TRAINWELL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


@pytest.fixture
def real() -> Callable[[str], Table]:
    def read(name: str) -> Table:
        if not (FOLDER / name).is_file():
            pytest.skip(f"the real table {name} is not in {FOLDER}: set TRAINWELL_DATA to its folder")
        return read_table(FOLDER / name)

    return read


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a file and give its path."""

    def put(content: str | bytes, name: str = "table.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put
