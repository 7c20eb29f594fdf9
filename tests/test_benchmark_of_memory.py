"""The benchmark of memory trains on the table that it says, and says what it measured."""

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from benchmarks import memory

from trainwell.population import stream


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "PIECE", 2000)
    monkeypatch.setattr(memory, "WIDTHS", (8,))
    monkeypatch.setattr(stream, "CHUNK_ROWS", 1024)
    memory.write_tables(tmp_path, rows=5000, columns=6, csv=True)
    return tmp_path


def test_both_files_hold_the_same_rows(folder):
    parquet, text = pyarrow.parquet.read_table(folder / "table.parquet"), pyarrow.csv.read_csv(folder / "table.csv")
    assert parquet.shape == text.shape == (5000, 7)
    for name in parquet.column_names:
        np.testing.assert_allclose(parquet[name].to_numpy(), text[name].to_numpy(), rtol=1e-6)
    assert 0.3 < np.mean(parquet["y"].to_numpy()) < 0.7


def test_the_engine_trains_on_all_rows_but_those_held_out(folder):
    found = memory.engine(folder / "table.parquet", folder)
    assert found["rows"] == 3201, "of 5,000 rows, all of them in the sample, 64% train"
    assert found["score"] > 0.6
    assert found["disk_bytes"] == 3201 * 4 * 7
    line = memory.line("engine", {**found, "seconds": 3.0, "peak_bytes": 1.6e9})
    assert line[0] == "`engine`"
    assert line[-2:] == ["1.60 GB", "no"]


def test_what_is_no_way_to_train_is_refused(capsys):
    with pytest.raises(SystemExit):
        memory.main(["engin"])
    assert "'engin' is no way to train on the table: there are engine, fit, csv." in capsys.readouterr().err
