"""A file too large for memory is read in parts: the same rows, the same cells, each row once."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from trainwell.data import csv_parts, large
from trainwell.data.encode import fit_encoder
from trainwell.data.large import draw_sample, other_rows, too_large
from trainwell.data.other_rows import encode_parts, gathered, held_out
from trainwell.data.roles import Note
from trainwell.data.schema import infer_schema, usable_rows
from trainwell.data.split import split_table
from trainwell.data.tables import read_table, sample_of
from trainwell.errors import InputError

ROWS = 3000


def columns(rows: int = ROWS, seed: int = 0) -> dict[str, list]:
    """Numbers with gaps, categories of few and many levels, dates, a group, and a target with a gap."""
    random = np.random.default_rng(seed)
    size = random.normal(100, 20, rows).round(3)
    target = np.where(size + random.normal(0, 10, rows) > 100, "yes", "no").tolist()
    return {
        "size": [None if i % 50 == 7 else value for i, value in enumerate(size.tolist())],
        "colour": random.choice(["red", "green, light", 'the "blue"'], rows).tolist(),
        "town": [f"town {n}" for n in random.integers(0, 30, rows)],
        "day": [f"2024-{1 + n // 28:02}-{1 + n % 28:02}" for n in random.integers(0, 336, rows)],
        "family": [f"f{n}" for n in random.integers(0, 200, rows)],
        "bought": [None if i % 100 == 3 else value for i, value in enumerate(target)],
    }


def write_parquet(path: Path, table: dict[str, list], group: int = 400) -> Path:
    pyarrow.parquet.write_table(pa.table(table), path, row_group_size=group)
    return path


def write_csv(path: Path, table: dict[str, list]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = [["" if cell is None else cell for cell in row] for row in zip(*table.values(), strict=True)]
        csv.writer(file).writerows([list(table), *rows])
    return path


@pytest.fixture(params=["csv", "parquet"])
def path(request, tmp_path, monkeypatch) -> Path:
    """A file of several parts."""
    monkeypatch.setattr(csv_parts, "PART_BYTES", 20_000)
    write = write_csv if request.param == "csv" else write_parquet
    return write(tmp_path / f"table.{request.param}", columns())


def opened(path: Path):
    file = too_large(path, limit=1000)
    assert file is not None
    return file


def test_a_small_table_is_no_large_one_and_what_is_in_memory_already_never_is(path):
    assert too_large(path) is None
    assert too_large({"a": [1]}, limit=0) is None
    assert too_large(path, limit=10 * large.BYTES_PER_CELL * ROWS * 6) is None
    assert opened(path).parts > 3


def test_the_memory_that_is_free_is_what_the_system_and_the_container_leave(tmp_path):
    assert 1e7 < large.free_memory() < 1e14
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 8000 kB\n")
    assert large.free_memory(tmp_path, tmp_path) == 8000 * 1024
    (tmp_path / "memory.current").write_text("5000000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert large.free_memory(tmp_path, tmp_path) == 8000 * 1024
    (tmp_path / "memory.max").write_text("6000000\n")
    (tmp_path / "memory.stat").write_text("anon 100\ninactive_file 2000000\n")
    assert large.free_memory(tmp_path, tmp_path) == 3_000_000, "what is cached of files can be had"


def test_a_small_table_is_held_however_little_memory_is_free(monkeypatch):
    monkeypatch.setattr(large, "free_memory", lambda: 0)
    assert large.memory_limit() == large.LEAST
    monkeypatch.setattr(large, "free_memory", lambda: 40 * 10**9)
    assert large.memory_limit() == 10 * 10**9


def test_the_sample_and_the_other_rows_are_all_rows_each_once(path):
    file, whole = opened(path), read_table(path)
    sample = draw_sample(file, seed=1, rows=500)
    assert file.rows == whole.rows
    assert file.columns == whole.columns
    assert 400 < sample.table.rows < 600
    schema, _ = infer_schema(sample.table, "bought", time="day")
    parts = [sample.table, *(load() for load in other_rows(sample, schema, seed=1))]
    numbers = np.concatenate([np.asarray(part.row_numbers) for part in parts])
    assert sorted(numbers.tolist()) == list(range(whole.first_row, whole.first_row + whole.rows))
    together = pa.concat_tables([part.frame for part in parts]).take(pa.array(np.argsort(numbers)))
    assert together.to_pydict() == whole.frame.to_pydict()


def test_columns_that_do_not_reach_the_network_are_read_no_second_time(path):
    sample = draw_sample(opened(path), seed=1, rows=500)
    schema, _ = infer_schema(sample.table, "bought", ignore=("town",), group="family")
    for load in other_rows(sample, schema, seed=1):
        assert load().columns == ("size", "colour", "day", "family", "bought")


@pytest.mark.parametrize("signs", [True, False])
def test_a_minus_is_a_sign_or_a_missing_cell_in_every_part_as_in_the_sample(tmp_path, signs):
    letters = (["+", "-"] if signs else ["a", "-"]) * 50 + ["-", "+"] * 50 + ["-", "b"] * 50
    path = write_parquet(tmp_path / "t.parquet", {"n": list(range(300)), "letter": letters}, group=100)
    file = opened(path)
    first = pa.table({"n": list(range(100)), "letter": letters[:100]})
    sample = large.Sample(file, sample_of(first, path, (), 1, np.arange(1, 101)), {0: np.arange(100)})
    schema, _ = infer_schema(sample.table, "n", task="regression")
    seen = {value for load in other_rows(sample, schema, 0) for value in load().column("letter").to_pylist()}
    assert seen == {"+", "b", "-" if signs else None}


def test_the_sample_is_spread_over_the_file_and_comes_from_the_seed(path):
    file = opened(path)
    once, again, other = (draw_sample(file, seed, rows=300).table.row_numbers for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert set(once.tolist()) != set(other.tolist())
    counts, _ = np.histogram(once, bins=5, range=(0, ROWS))
    assert counts.min() > 30


def test_a_file_of_many_parts_is_not_read_whole_for_its_sample(tmp_path, monkeypatch):
    monkeypatch.setattr(large, "MOST_PARTS", 6)
    file = opened(write_parquet(tmp_path / "t.parquet", columns(), group=100))
    assert len(draw_sample(file, seed=0, rows=100).taken) == 6
    assert len(draw_sample(file, seed=0, rows=1000).taken) == 10


def test_the_rows_of_wide_tables_in_a_sample_are_fewer(tmp_path):
    wide = {f"c{i}": list(range(300)) for i in range(50)}
    file = opened(write_parquet(tmp_path / "t.parquet", wide, group=100))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large, "SAMPLE_CELLS", 50 * 90)
        assert 80 < draw_sample(file, seed=0).table.rows < 100


def encoded(path: Path, **asked):
    """(file, sample of usable rows, its schema, split, and the parts that train)."""
    file = opened(path)
    sample = draw_sample(file, seed=0, rows=600)
    schema, _ = infer_schema(sample.table, "bought", **asked)
    table = sample.table.take(usable_rows(sample.table, schema))
    split = split_table(table, schema, seed=0)
    encoder = fit_encoder(table, schema, split.train)
    parts = list(encode_parts(other_rows(sample, schema, 0), encoder, held_out(table, schema, split), threads=2))
    return sample, table, schema, split, encoder, parts


def test_parts_are_encoded_as_the_whole_table_is_and_rows_without_a_target_are_counted(path):
    sample, _, schema, _, encoder, parts = encoded(path)
    whole = read_table(path)
    rest = whole.take(np.setdiff1d(np.arange(whole.rows), np.asarray(sample.table.row_numbers) - whole.first_row))
    expected = encoder.transform(rest.take(usable_rows(rest, schema)))
    for name in ("numeric", "categories", "target"):
        got = np.concatenate([getattr(part.arrays, name) for part in parts])
        assert got.dtype == getattr(expected, name).dtype
        assert sorted(map(tuple, np.atleast_2d(got.T).T.tolist())) == sorted(
            map(tuple, np.atleast_2d(getattr(expected, name).T).T.tolist())
        )
    assert sum(part.unusable for part in parts) == rest.rows - len(expected.target)
    assert sum(part.held_out for part in parts) == 0


def test_no_group_that_validates_or_tests_is_among_the_other_rows(path):
    _, table, _, split, _, parts = encoded(path, group="family")
    whole = read_table(path)
    measured_on = set(table.take(np.concatenate([split.validation, split.test])).frame["family"].to_pylist())
    families, known = whole.frame["family"].to_pylist(), whole.frame["bought"].is_valid().to_pylist()
    training = sum(ok and family not in measured_on for family, ok in zip(families, known, strict=True))
    assert len(split.train) + sum(len(part.arrays.target) for part in parts) == training
    assert sum(part.held_out for part in parts) > 0


def test_no_row_as_late_as_those_that_validate_or_test_is_among_the_other_rows(path):
    _, table, _, split, _, parts = encoded(path, time="day")
    whole = read_table(path)
    from_day = min(table.take(split.validation).frame["day"].to_pylist())
    days, known = whole.frame["day"].to_pylist(), whole.frame["bought"].is_valid().to_pylist()
    training = sum(ok and day < from_day for day, ok in zip(days, known, strict=True))
    assert len(split.train) + sum(len(part.arrays.target) for part in parts) == training
    assert sum(part.held_out for part in parts) > 0


def test_quoted_cells_of_several_lines_stay_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_parts, "PART_BYTES", 700)
    table = {"text": [f"line one of {i},\nline two" if i % 3 else f"plain {i}" for i in range(200)], "n": list(range(200))}
    path = write_csv(tmp_path / "t.csv", table)
    file = opened(path)
    assert file.parts > 5
    assert file.rows == 200
    rows = pa.concat_tables([frame.load() for part in range(file.parts) for frame in file.frames(part)])
    assert rows.to_pydict() == {"text": table["text"], "n": [str(n) for n in table["n"]]}


def test_a_stray_quote_does_not_swallow_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_parts, "PART_BYTES", 300)
    path = tmp_path / "t.csv"
    path.write_text("size,n\n" + "".join(f'{i}" pipe,{i}\n' if i == 5 else f"{i} pipe,{i}\n" for i in range(400)))
    file = opened(path)
    assert file.parts > 3
    assert sum(frame.load().num_rows for part in range(file.parts) for frame in file.frames(part)) == 400


@pytest.mark.parametrize(
    "text", ["\ufeffa,b\n1,x\n", "\n\na,b\n1,x\n", "a,b\n1,x", "a b\n1 2\n", 'a, b\n1, "x, y"\n', "1,2\n3,4\n"]
)
def test_what_is_unusual_in_a_text_file_is_read_in_parts_as_it_is_whole(tmp_path, monkeypatch, text):
    monkeypatch.setattr(csv_parts, "PART_BYTES", 64)
    head, *body = text.splitlines(keepends=True)
    path = tmp_path / "t.csv"
    path.write_text(head + (body[-1].rstrip("\n") + "\n" if body else "") * 40 + "".join(body[:-1]) + "".join(body[-1:]))
    if text.startswith("\n"):
        path.write_text("\n\na,b\n" + "1,x\n" * 40)
    file, whole = csv_parts.open_csv(path), read_table(path)
    assert file is not None
    assert file.parts > 2
    assert (file.columns, file.first_row, file.notes) == (whole.columns, whole.first_row, whole.notes)
    rows = pa.concat_tables([frame.load() for part in range(file.parts) for frame in file.frames(part)])
    assert rows.to_pydict() == whole.frame.to_pydict()


def test_text_that_is_not_utf8_is_read_in_parts_too(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_parts, "PART_BYTES", 50)
    path = tmp_path / "t.csv"
    path.write_bytes(("town,n\n" + "Köln,1\n" * 60).encode("cp1252"))
    file = csv_parts.open_csv(path)
    cells = [cell for part in range(file.parts) for frame in file.frames(part) for cell in frame.load()["town"].to_pylist()]
    assert cells == ["Köln"] * 60
    assert file.notes == ("the file is not UTF-8: read as cp1252",)


@pytest.mark.parametrize("content", [gzip.compress(b"a,b\n" * 500, mtime=0), ("a,b\n" * 500).encode("utf-16"), b"a,b\r" * 500])
def test_what_cannot_be_read_in_parts_is_read_whole(tmp_path, content):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    assert too_large(path, limit=0) is None


def test_a_line_of_too_many_cells_is_named_by_its_number_in_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_parts, "PART_BYTES", 100)
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 200 + "1,2,3\n" + "1,2\n" * 10)
    file = opened(path)
    with pytest.raises(InputError, match=r"t\.csv, line 202: 3 cells .*the first line has 2"):
        [frame.load() for part in range(file.parts) for frame in file.frames(part)]


def test_a_damaged_file_is_one_sentence(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(InputError, match="is not a Parquet file or is damaged"):
        too_large(path, limit=0)
    with pytest.raises(InputError, match="there is no such file"):
        too_large(tmp_path / "missing.csv", limit=0)


def test_dictionaries_that_differ_from_part_to_part_are_one_category(tmp_path):
    column = pa.chunked_array([pa.array(["a", "b"] * 50).dictionary_encode(), pa.array(["c", "b"] * 50).dictionary_encode()])
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table({"letter": column, "n": list(range(200))}), path, row_group_size=100)
    sample = draw_sample(opened(path), seed=0, rows=200)
    assert sorted(set(sample.table.column("letter").to_pylist())) == ["a", "b", "c"]


def test_notes_of_many_parts_are_gathered_to_one_of_each_kind():
    of_parts = [
        Note("a", f"{n} cells of 'a' are no number (for example 'x' in row {n}): treated as missing.") for n in (2, 5, 9)
    ]
    (one,) = gathered(of_parts)
    assert one == Note("a", of_parts[0].message + " The like in 2 other parts of the table.")
    assert gathered([Note("b", "1 missing in 'b': unknown.")]) == [Note("b", "1 missing in 'b': unknown.")]
