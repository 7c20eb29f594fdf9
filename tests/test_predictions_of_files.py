"""A file is predicted some rows at a time and comes out as if it had been read whole, in order, whatever its kind and size."""

import csv
import gzip
import io
import json
import threading
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import made_models
from trainwell.data import csv_parts
from trainwell.data.tables import read_table
from trainwell.errors import InputError
from trainwell.model import CellWarning
from trainwell.predictions import ahead, cell_notes, predict_file, write_predictions

ROWS = 700


@pytest.fixture(scope="module")
def model():
    return made_models.model("binary", {"widths": (4,), "numeric_embedding": "none"})


@pytest.fixture(scope="module")
def table():
    rows = made_models.columns("binary", ROWS, seed=3)
    return {"id": [f"{i:05d}" for i in range(ROWS)], **rows, "note": ["-" if i % 3 else 'said "yes, no"' for i in range(ROWS)]}


@pytest.fixture(scope="module")
def files(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    with (folder / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([list(table), *zip(*table.values(), strict=True)])
    (folder / "rows.csv.gz").write_bytes(gzip.compress((folder / "rows.csv").read_bytes()))
    pyarrow.parquet.write_table(pa.table(table), str(folder / "rows.parquet"), row_group_size=300)
    return folder


def read(path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz", "rows.parquet"])
def test_chunks_come_out_as_the_whole_table_does_and_in_its_order(model, table, files, tmp_path, monkeypatch, name):
    monkeypatch.setattr(csv_parts, "PART_BYTES", 10_000)
    assert predict_file(model, files / name, str(tmp_path / "out.csv"), ["id"], chunk=64) == ROWS
    head, *rows = read(tmp_path / "out.csv")
    assert head == ["id", "prediction", "probability_no", "probability_yes"]
    assert [row[0] for row in rows] == table["id"]
    assert [row[1] for row in rows] == model.predict(table).tolist()
    np.testing.assert_allclose([[float(cell) for cell in row[2:]] for row in rows], model.predict_proba(table), atol=1e-6)


def test_what_is_kept_is_kept_as_it_stands_also_where_it_needs_quotes(model, table, files, tmp_path):
    predict_file(model, files / "rows.csv", str(tmp_path / "out.csv"), ["note"], chunk=50)
    assert [row[0] for row in read(tmp_path / "out.csv")[1:]] == table["note"]


def test_parquet_comes_out_as_parquet_of_as_many_rows(model, table, files, tmp_path):
    predict_file(model, files / "rows.parquet", str(tmp_path / "out.parquet"), ["id"], chunk=128)
    found = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert found["id"].to_pylist() == table["id"]
    assert found["prediction"].to_pylist() == model.predict(table).tolist()


def test_few_rows_are_in_memory_however_many_there_are():
    held, most, lock = 0, 0, threading.Lock()

    def job():
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        return

    for _ in ahead((job for _ in range(50)), 2):
        held -= 1
    assert (held, most <= 4) == (0, True)


def test_what_a_job_raises_is_raised_in_its_turn_and_ends_the_others():
    def fails():
        raise InputError("The second part is damaged.")

    found = ahead(iter([lambda: 1, fails, lambda: 3]), 2)
    assert next(found) == 1
    with pytest.raises(InputError, match=r"^The second part is damaged\.$"):
        list(found)


@pytest.mark.parametrize("blank", ["\n", "\r\n\n"])
def test_column_names_above_blank_lines_are_no_rows(model, tmp_path, blank):
    (tmp_path / "rows.csv").write_text("amount,price\n" + blank)
    with pytest.raises(InputError, match=r"rows\.csv has column names \('amount', 'price'\) but no rows\.$"):
        predict_file(model, tmp_path / "rows.csv", str(tmp_path / "out.csv"))
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_a_damaged_line_far_down_leaves_no_output(model, files, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_parts, "PART_BYTES", 10_000)
    lines = (files / "rows.csv").read_text().splitlines()
    (tmp_path / "rows.csv").write_text("\n".join([*lines[:650], "too,few,cells", *lines[650:]]))
    with pytest.raises(InputError, match=r"rows\.csv, line 651: 3 cells \('too,few,cells'\), but the first line has "):
        predict_file(model, tmp_path / "rows.csv", str(tmp_path / "out.csv"))
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_damage_to_any_row_group_of_a_parquet_file_is_said_of_the_input(model, files, tmp_path):
    whole = (files / "rows.parquet").read_bytes()
    footer = int.from_bytes(whole[-8:-4], "little")
    groups = pyarrow.parquet.ParquetFile(files / "rows.parquet").metadata
    pages = [groups.row_group(number).column(2).data_page_offset for number in range(groups.num_row_groups)]
    for begin in (*pages, len(whole) - 8 - footer):
        (tmp_path / "rows.parquet").write_bytes(whole[:begin] + bytes(40) + whole[begin + 40 :])
        with pytest.raises(InputError, match=r"rows\.parquet is not a Parquet file or is damaged \([^\n]+\)\.$"):
            predict_file(model, tmp_path / "rows.parquet", str(tmp_path / "out.csv"))
        with pytest.raises(InputError, match=r"rows\.parquet is not a Parquet file or is damaged \([^\n]+\)\.$"):
            read_table(tmp_path / "rows.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def test_a_damaged_line_of_the_first_part_has_its_own_number(model, tmp_path):
    (tmp_path / "rows.csv").write_text("\namount,price\n1,2\n3\n")
    with pytest.raises(InputError, match=r"rows\.csv, line 4: 1 cells \('3'\), but the first line has 2"):
        predict_file(model, tmp_path / "rows.csv", str(tmp_path / "out.csv"))


def test_a_column_that_is_not_there_is_said_before_anything_is_written(model, files, tmp_path):
    with pytest.raises(InputError, match=r"^--keep 'idd': .* has no such column, did you mean 'id'\?"):
        predict_file(model, files / "rows.csv", str(tmp_path / "out.csv"), ["idd"])
    lines = [line.partition(",")[2].partition(",")[2] for line in (files / "rows.csv").read_text().splitlines()]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"lacks a column of the training table: 'amount'\.$"):
        predict_file(model, tmp_path / "rows.csv", str(tmp_path / "out.csv"))
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_the_table_to_predict_is_not_replaced_by_its_predictions(model, files, tmp_path):
    rows, other = tmp_path / "rows.csv", tmp_path / "other.csv"
    rows.write_bytes((files / "rows.csv").read_bytes())
    other.symlink_to(rows)
    for out in (rows, other):
        with pytest.raises(InputError, match=r"is the table to predict itself, which it would replace: name another file\.$"):
            predict_file(model, rows, str(out))
    assert rows.read_bytes() == (files / "rows.csv").read_bytes()


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz", "rows.parquet"])
@pytest.mark.parametrize("chunk", [1, 100])
def test_a_cell_that_cannot_be_read_refuses_no_file_however_small_its_chunk(model, tmp_path, name, chunk):
    rows = made_models.columns("binary", 150, seed=4)
    rows["amount"] = ["4x", *map(str, rows["amount"][1:])]
    rows["size"] = [*map(str, rows["size"][:-1]), "big"]
    _write(rows, tmp_path / name)
    with cell_notes() as notes:
        assert predict_file(model, tmp_path / name, str(tmp_path / "out.csv"), chunk=chunk) == 150
    assert sum("'4x'" in note or "'big'" in note for note in notes) == 2
    rows["amount"] = ["4x"] * 150
    _write(rows, tmp_path / name)
    with pytest.raises(InputError, match=r"holds no number in any row \(for example '4x' in row \d\)"):
        predict_file(model, tmp_path / name, str(tmp_path / "out.csv"), chunk=chunk)


def _write(rows, path) -> None:
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pa.table(rows), str(path))
        return
    text = io.StringIO(newline="")
    csv.writer(text).writerows([list(rows), *zip(*rows.values(), strict=True)])
    path.write_bytes(gzip.compress(text.getvalue().encode()) if path.suffix == ".gz" else text.getvalue().encode())


@pytest.mark.parametrize("chunk", [0, -5, 10_000_001])
def test_a_chunk_that_cannot_be_is_refused(model, files, tmp_path, chunk):
    with pytest.raises(InputError, match=r"^--chunk is [-\d,]+, allowed are 1 to 10,000,000 rows\.$"):
        predict_file(model, files / "rows.csv", str(tmp_path / "out.csv"), chunk=chunk)


def test_a_note_of_many_chunks_is_told_once():
    with cell_notes() as notes:
        for row in (5, 900, 2000):
            said = f"1 cell of 'town' holds a category that training rows had seldom or never (for example 'x' in row {row}): "
            warnings.warn(said + "treated as unknown.", CellWarning, stacklevel=1)
        warnings.warn("3 missing in 'flag', none in training rows: no level is used.", CellWarning, stacklevel=1)
    first, second = notes
    assert first.endswith("in row 5): treated as unknown. So it is in 2 more parts of the file.")
    assert second == "3 missing in 'flag', none in training rows: no level is used."


def test_notes_of_columns_whose_names_differ_by_a_number_are_apart():
    with cell_notes() as notes:
        for column in ("V1", "V28", "V1"):
            warnings.warn(CellWarning(f"3 missing in {column!r}, none in training rows: it is.", column), stacklevel=1)
    assert [note.partition(",")[0] for note in notes] == ["3 missing in 'V1'", "3 missing in 'V28'"]
    assert [note.endswith("So it is in 1 more parts of the file.") for note in notes] == [True, False]


def test_a_sign_alone_in_its_row_is_the_level_that_it_was_in_training(model):
    row = {name: cells[:1] for name, cells in made_models.columns("binary", 5, seed=8).items()}
    found = {sign: model.predict_proba({**row, "sign": [sign]})[0, 1] for sign in ("+", "-", "0")}
    assert len(set(found.values())) == 3


@pytest.mark.parametrize("sign", ["+", "-", "0"])
def test_a_sign_alone_in_a_request_is_the_level_that_it_was_in_training(model, sign):
    from trainwell.serving.bodies import CSV, JSON, Reader
    from trainwell.serving.limits import Limits

    row = {name: cells[:1] for name, cells in made_models.columns("binary", 5, seed=8).items() if name != "y"}
    row = {name: cells[0] for name, cells in row.items()} | {"sign": sign, "price": 1234.5}
    text = ",".join(row) + "\n" + ",".join('"' + str("" if cell is None else cell) + '"' for cell in row.values()) + "\n"
    reader, expected = Reader(model, Limits()), model.predict_proba({name: [cell] for name, cell in row.items()})[:, 1:]
    for body, kind in ((json.dumps({"rows": [row]}), JSON), (text, CSV)):
        np.testing.assert_allclose(model.outputs(reader.read(body.encode(), kind)), expected, atol=1e-6)


def test_a_table_given_whole_is_written_the_same_way(model, table, files, tmp_path):
    write_predictions(model, read_table(table, unsigned=model.encoder.unsigned), str(tmp_path / "whole.csv"), ["id"])
    predict_file(model, files / "rows.parquet", str(tmp_path / "parts.csv"), ["id"], chunk=1_000)
    whole, parts = read(tmp_path / "whole.csv"), read(tmp_path / "parts.csv")
    assert [row[:2] for row in whole] == [row[:2] for row in parts]
