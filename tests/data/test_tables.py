"""Whatever a table comes as, it is the same table; whatever is wrong with it is one sentence."""

import datetime
import decimal
import gzip
import os
from pathlib import Path

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

from trainwell.data.tables import Table, read_table
from trainwell.errors import InputError

PEOPLE = {"name": ["Ann", "Bob", None], "age": [31, 42, 53]}


def cells(table: Table) -> dict[str, list]:
    return table.frame.to_pydict()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(write, delimiter):
    path = write(delimiter.join("abc") + "\n" + delimiter.join(["1", '"x, y; z"', "3"]) + "\n")
    assert cells(read_table(path)) == {"a": ["1"], "b": ["x, y; z"], "c": ["3"]}


def test_decimal_commas_do_not_make_a_semicolon_file_a_comma_file(write):
    assert read_table(write("a;b\n1,5;2,5\n2,5;3,5\n")).columns == ("a", "b")
    assert read_table(write("1,5;2,5\n2,5;3,5\n")).columns == ("column_1", "column_2")


def test_columns_of_numbers_with_blanks_between_them_are_a_table(write):
    table = read_table(write("1  2.5 \n 3 4.5 \n"))
    assert cells(table) == {"column_1": ["1", "3"], "column_2": ["2.5", "4.5"]}


def test_words_with_blanks_between_them_are_one_column(write):
    assert read_table(write("greeting\nhello world\ngood evening\n")).columns == ("greeting",)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_read(write, line_end):
    assert cells(read_table(write(f"a,b{line_end}1,2{line_end}3,4{line_end}"))) == {"a": ["1", "3"], "b": ["2", "4"]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_encodings_are_found_out(write, encoding):
    table = read_table(write("größe,ort\n1,Köln\n2,Łódź\n".encode(encoding)))
    assert cells(table) == {"größe": ["1", "2"], "ort": ["Köln", "Łódź"]}
    assert table.notes == ()


@pytest.mark.parametrize(("byte", "letter", "encoding"), [(b"\x80", "€", "cp1252"), (b"\x81", "\x81", "latin-1")])
def test_what_is_not_utf8_is_read_as_an_old_encoding_and_said_so(write, byte, letter, encoding):
    table = read_table(write(b"a,b\n1," + byte + b"x\n"))
    assert cells(table) == {"a": ["1"], "b": [letter + "x"]}
    assert table.notes == (f"the file is not UTF-8: read as {encoding}",)


def test_quoted_cells_may_hold_delimiters_quotes_and_line_ends(write):
    table = read_table(write('a,b\n"x, ""y""","two\nlines"\nz,3\n'))
    assert cells(table) == {"a": ['x, "y"', "z"], "b": ["two\nlines", "3"]}


def test_a_quoted_cell_of_many_lines_may_lie_anywhere_in_a_large_file(write):
    cell = "line\n" * 1000
    table = read_table(write("a,b\n" + f'1,"{cell}"\n' * 4000))  # 20 MB: the reader works on blocks of 16
    assert table.rows == 4000
    assert table.column("b").unique().to_pylist() == [cell.strip()]


def test_single_quotes_and_quotes_after_a_blank_are_quotes(write):
    assert cells(read_table(write("a,b\n'x, y',1\n'z',2\n"))) == {"a": ["x, y", "z"], "b": ["1", "2"]}
    assert cells(read_table(write('a, b\n1, "x, y"\n2, "z"\n'))) == {"a": ["1", "2"], "b": ["x, y", "z"]}
    assert cells(read_table(write('a, b, c\n1, "", "x ""y"""\n'))) == {"a": ["1"], "b": [None], "c": ['x "y"']}


def test_gzip_is_seen_by_its_bytes(write):
    assert cells(read_table(write(gzip.compress(b"a,b\n1,2\n"), "plain.csv"))) == {"a": ["1"], "b": ["2"]}


def test_blanks_around_cells_and_names_go_and_missing_words_become_null(write):
    table = read_table(write("a , b,c\n x ,?,none\n,NA,  -\n"))
    assert cells(table) == {"a": ["x", None], "b": [None, None], "c": ["none", None]}
    assert table.notes == (
        "missing cells: blanks (1 in a)",
        "missing cells: '?' (1 in b)",
        "missing cells: 'NA' (1 in b)",
        "missing cells: '-' (1 in c)",
    )


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("a,b\n1,2\n", True),
        ("a,b\nx,y\n", True),
        ("id,2019,2020\n1,5,6\n2,7,8\n", True),  # years above numbers: the text above numbers decides
        ("1,2\n3,4\n", False),
        ("?,x\n1,y\n", False),
        ("x,2020-01-01\ny,2020-01-02\n", False),
        ("x,s,n\nx,s,w\nb,s,n\n", False),  # its cells come again below
        ("39, Private\n50, State\n", False),
        ("0,1,2,3,label\n5.1,3.5,1.4,2,a\n4.9,3.0,1.4,2,b\n6.3,2.9,5.6,1,a\n", True),  # by place, the label is no label
        ("country,2019,2020,class\nChad,5,60.5,low\nPeru,7,80,high\nMali,8,90,low\n", True),  # years above no years
        ("wave,400,405,410\nleaf,0.1,0.3,0.2\nsoil,0.2,0.2,0.4\n", True),  # even steps above other numbers
        ("1,2,3,a\n4,5,6,b\n7,8,9,a\n", False),  # its label comes again
        ("1,2,3,a\n4,5,6,b\n7,8,9,c\n", False),  # no label ever does
        ("Chad,2019,2020,low\nPeru,2015,2021,high\nMali,2020,2022,high\n", False),  # years above years
        ("0,1,x\n3,1,y\n0,2,y\n", False),
        ("1,2,b\n5,6,a\n7,8,a\n", False),
        ("2020-01-01,0,1,2,label\n2020-01-02,5,6,7,a\n2020-01-03,8,9,7,a\n", False),
    ],
)
def test_a_line_of_column_names_is_told_from_data(write, content, named):
    table = read_table(write(content))
    lines = content.count("\n")
    assert table.rows == lines - named
    assert table.columns[0] == (content.split(",")[0] if named else "column_1")
    assert bool(table.notes) != named or "?" in content
    assert table.row_number(0) == 1 + named


def test_whether_there_is_a_header_can_be_said(write):
    assert cells(read_table(write("x,y\nz,w\n"), header=False)) == {"column_1": ["x", "z"], "column_2": ["y", "w"]}
    assert read_table(write("1,2\n3,4\n"), header=True).columns == ("1", "2")


def test_the_name_is_the_file_without_its_endings(write):
    assert read_table(write("a,b\n1,2\n", "churn.v2.csv")).name == "churn.v2"
    assert read_table(write(gzip.compress(b"a,b\n1,2\n"), "churn.csv.gz")).name == "churn"
    assert read_table({"a": [1]}, name="mine").name == "mine"


def frames() -> dict[str, object]:
    arrow = pa.table(PEOPLE)
    made = {"dict": PEOPLE, "arrow": arrow, "pandas": pd.DataFrame(PEOPLE), "polars": pl.DataFrame(PEOPLE)}
    return {**made, "narwhals": nw.from_native(made["polars"]), "pandas-arrow": arrow.to_pandas(types_mapper=pd.ArrowDtype)}


@pytest.mark.parametrize("kind", list(frames()))
def test_every_kind_of_frame_is_the_same_table(kind):
    table = read_table(frames()[kind])
    assert cells(table) == PEOPLE
    assert str(table.frame.schema.field("name").type) == "string"
    assert table.row_number(0) == 1


def test_parquet_is_read_whatever_it_is_called(tmp_path):
    for name in ("people.parquet", "people.csv"):
        pyarrow.parquet.write_table(pa.table(PEOPLE), tmp_path / name)
        assert cells(read_table(tmp_path / name)) == PEOPLE


def test_an_array_has_numbered_columns():
    assert cells(read_table(np.array([[1.5, 2.0], [3.0, 4.0]]))) == {"column_1": [1.5, 3.0], "column_2": [2.0, 4.0]}
    assert cells(read_table(np.array([["x", 2], [None, 4]], object))) == {"column_1": ["x", None], "column_2": [2, 4]}


def test_mixed_cells_of_a_pandas_column_become_their_text():
    frame = pd.DataFrame({"mixed": [1, "x", None, 2.5, np.nan], "flag": [True, None, False, True, True]})
    assert cells(read_table(frame)) == {
        "mixed": ["1", "x", None, "2.5", None],
        "flag": ["True", None, "False", "True", "True"],
    }


def test_whole_numbers_beyond_64_bits_become_their_text():
    assert cells(read_table({"a": [10**20, 1, None]})) == {"a": ["100000000000000000000", "1", None]}
    assert cells(read_table(pd.DataFrame({"a": [10**20, 1]}))) == {"a": ["100000000000000000000", "1"]}


def test_every_cell_type_becomes_one_of_a_few():
    day = datetime.date(2024, 2, 29)
    table = read_table(
        {
            "date": [day],
            "decimal": [decimal.Decimal("1.50")],
            "duration": [datetime.timedelta(minutes=2)],
            "large": pa.array(["x"], pa.large_string()),
            "view": pa.array(["x"], pa.string_view()),
            "category": pa.array(["x"]).dictionary_encode(),
            "half": np.array([0.5], np.float16),
        }
    )
    types = [str(kind) for kind in table.frame.schema.types]
    assert types[:5] == ["timestamp[s]", "double", "double", "string", "string"]
    assert types[5].startswith("dictionary<values=string")
    assert cells(table)["duration"] == [120.0]
    assert cells(table)["half"] == [0.5]


def test_taken_rows_keep_the_numbers_that_the_user_sees(write):
    table = read_table(write("a,b\n1,2\n3,4\n5,6\n")).take(np.array([2, 0]))
    assert cells(table) == {"a": ["5", "1"], "b": ["6", "2"]}
    assert [table.row_number(position) for position in (0, 1)] == [4, 2]
    assert table.take(np.array([1])).row_number(0) == 2


def test_a_table_is_handed_through():
    table = read_table(PEOPLE)
    assert read_table(table) is table


def refused(source, **options) -> str:
    with pytest.raises(InputError) as caught:
        read_table(source, **options)
    return str(caught.value)


def test_a_file_that_is_not_there_is_named_with_its_nearest_neighbour(write):
    path = write("a\n1\n", "churn.csv")
    wrong = path.with_name("chrun.csv")
    assert refused(wrong) == f"{wrong}: there is no such file, did you mean 'churn.csv'?"
    lost = path.with_name("zzz.parquet")
    assert refused(lost) == f"{lost}: there is no such file."
    homeless = path.parent / "no" / "churn.csv"
    assert refused(homeless) == f"{homeless}: there is no folder {homeless.parent}."


def test_a_pipe_and_a_device_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        assert refused(path) == f"{path} is a pipe or a device and no file; save the table to a file and give that."


def test_a_folder_is_refused(tmp_path):
    assert refused(tmp_path) == f"{tmp_path} is a folder; give one CSV or Parquet file."


@pytest.mark.parametrize("content", [b"", b"\n\n", b"  \n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_refused(write, content):
    path = write(content)
    assert refused(path) == f"{path} is empty; a table needs a line of column names and rows below it."


def test_a_header_alone_is_refused(write):
    path = write("age,income,job\n")
    assert refused(path) == f"{path} has column names ('age', 'income', 'job') but no rows."


def test_equal_column_names_are_refused(write):
    path = write("a,b,a,b,c\n1,2,3,4,5\n")
    rule = "has more than one column named 'a', 'b'; every column needs its own name."
    assert refused(path) == f"{path} {rule}"
    assert refused(pd.DataFrame([[1, 2, 3, 4]], columns=["a", "b", "a", "b"])) == f"the data frame {rule}"
    assert "named '1'" in refused({1: [2], "1": [3]})


def test_a_ragged_row_is_named_with_its_line(write):
    path = write('a,b\n1,2\n\n"two\nlines",3\n4,5,6\n7,8\n')
    assert refused(path) == f"{path}, line 6: 3 cells ('4,5,6'), but the first line has 2; every line needs as many."
    path = write("\n\na,b\n1,2\n7\n")
    assert refused(path) == f"{path}, line 5: 1 cells ('7'), but the first line has 2; every line needs as many."


def test_a_quote_that_is_never_closed_is_refused(write):
    path = write('a,b\n1,"2\n3,4\n5,6\n')
    assert refused(path) == f'{path} ends inside a quoted cell: a " that opens a cell is never closed.'


@pytest.mark.parametrize("junk", [bytes(range(256)) * 8, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 9, bytes(range(1, 32)) * 9])
def test_binary_junk_is_refused(write, junk):
    path = write(junk)
    rule = "is not a text file (it holds bytes that no text has); allowed are CSV (also .gz) and Parquet."
    assert refused(path) == f"{path} {rule}"


def test_a_broken_utf16_file_is_refused(write):
    path = write("a,b\n1,2\n".encode("utf-16") + b"\x00")
    assert refused(path).startswith(f"{path} begins as utf-16 text but cannot be read at byte")


def test_an_excel_file_is_refused(write):
    path = write(b"PK\x03\x04 and so on", "table.xlsx")
    assert refused(path) == f"{path} is a zip or Excel file; save the table as CSV or Parquet and give that file."


def test_a_gzip_file_that_ends_early_is_refused(write):
    path = write(gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:-20], "table.csv.gz")
    assert refused(path).startswith(f"{path} is a gzip file that ends early or is damaged (")
    assert refused(path).endswith("); copy or download it again.")


def test_a_parquet_file_that_is_none_or_is_cut_is_refused(write, tmp_path):
    path = write("a,b\n1,2\n", "table.parquet")
    assert refused(path).startswith(f"{path} is not a Parquet file or is damaged (")
    pyarrow.parquet.write_table(pa.table(PEOPLE), tmp_path / "whole.parquet")
    path = write((tmp_path / "whole.parquet").read_bytes()[:-30], "cut.parquet")
    assert refused(path).startswith(f"{path} is not a Parquet file or is damaged (")


def test_what_is_no_table_is_refused():
    allowed = "is no table; allowed are a path, a pandas, Polars or Arrow table, a dict of columns or a 2-D NumPy array."
    assert refused([1, 2]) == f"a list {allowed}"
    assert refused(None) == f"a NoneType {allowed}"
    assert refused(pl.LazyFrame(PEOPLE)) == f"a LazyFrame (a lazy frame: call collect() first) {allowed}"
    assert refused(np.zeros(3)) == "the array has shape (3,); a table is a 2-D array of rows and columns."
    assert refused(np.zeros((3, 0))) == "array has no columns."
    assert refused({"a": 3}) == "column 'a' is a int; a column is a sequence of cells."
    assert refused({"a": [1, 2], "b": [1]}) == "the columns of the dict differ in length: 'b' has 1 rows, 'a' 2."
    assert refused("x" * 300) == f"{'x' * 300} cannot be read: File name too long."
    assert refused({"a": []}) == "dict has column names ('a') but no rows."
