"""Runs side by side: who is ahead and how surely, what cannot be compared and why, in words, on a page and in Python."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import made_up_run
import trainwell
from trainwell import cli
from trainwell.data.split import Split
from trainwell.errors import InputError
from trainwell.recipe.evidence import STAGES
from trainwell.report.comparison import compare


@pytest.fixture
def one(tmp_path):
    return made_up_run.write_run(tmp_path / "one")


def changed(run: Path, name: str, file: str = "", **fields) -> Path:
    """A copy of a run in which some fields of a file are others."""
    copy = shutil.copytree(run, run.parent / name)
    if file:
        content = json.loads((copy / file).read_text())
        for field, value in fields.items():
            part = content
            *path, last = field.split("__")
            for step in path:
                part = part[step]
            part[last] = value
        (copy / file).write_text(json.dumps(content))
    return copy


def scored(run: Path, name: str, **measures: float) -> Path:
    return changed(run, name, "evidence/squeeze.json", **{f"measures__{key}": value for key, value in measures.items()})


def test_scores_stand_beside_each_other_with_their_intervals(one):
    comparison = compare(one, scored(one, "other", test_score=0.854, low=0.850, high=0.858))
    assert [(row["run"], row["score"], row["95% interval"]) for row in comparison.table] == [
        ("one", "0.856", "0.852 to 0.860"),
        ("other", "0.854", "0.850 to 0.858"),
    ]
    assert comparison.table[0]["best simple model"] == "linear 0.842"
    assert comparison.sentences[0] == (
        "one has the best AUC on test rows, 0.856 (0.852 to 0.860); other 0.854. The intervals of the first two overlap: "
        "on so few test rows the difference may be chance."
    )


def test_a_difference_beyond_both_intervals_is_no_accident(one):
    worse = scored(one, "other", test_score=0.8, low=0.79, high=0.81)
    assert compare(worse, one).sentences[0].endswith("The intervals of the first two do not meet: the difference is no "
                                                     "accident of the test rows.")  # fmt: skip
    assert compare(worse, one).comparable == ["one", "other"]


def test_of_a_loss_the_smaller_is_better(one):
    events = (one / "events.jsonl").read_text().replace('"auc"', '"rmse"')
    (one / "events.jsonl").write_text(events)
    assert compare(one, scored(one, "other", test_score=0.5, low=0.4, high=0.6)).comparable == ["other", "one"]


def test_only_settings_that_differ_are_shown(one):
    comparison = compare(one, changed(one, "other", "config.json", seed=7, settings={"dropout.rate": 0.3}))
    assert comparison.settings == [
        {"setting": "seed", "one": "0", "other": "7"},
        {"setting": "dropout.rate", "one": "–", "other": "0.3"},
    ]


@pytest.mark.parametrize(
    ("file", "fields", "sentence"),
    [
        ("schema.json", {"target": "tenure"},
         "one predicts 'Churn' and other predicts 'tenure': their scores are not compared."),
        ("schema.json", {"task": "multiclass"},
         "one is a binary task and other a multiclass one: their scores are not compared."),
        ("schema.json", {"columns": [{"name": "x", "missing": 0, "distinct": 3}]},
         "one and other were made from churn.csv, but what it held was not the same: their scores are not compared."),
    ],
)  # fmt: skip
def test_runs_of_different_questions_are_told_apart(one, file, fields, sentence):
    comparison = compare(one, changed(one, "other", file, **fields))
    assert sentence in comparison.sentences
    assert comparison.comparable == ["one"]
    assert not any("has the best" in said for said in comparison.sentences)


@pytest.mark.parametrize(
    "uncounted",
    [
        {"role": "ignored", "why": "named in ignore", "missing": 0, "distinct": 0},
        {"role": "time", "why": "named as the time", "missing": 11, "distinct": 0},
    ],
)
def test_what_a_run_did_not_count_in_a_column_tells_no_tables_apart(one, uncounted):
    columns = json.loads((one / "schema.json").read_text())["columns"]
    others = [{**column, **(uncounted if column["name"] == "TotalCharges" else {})} for column in columns]
    assert compare(one, changed(one, "other", "schema.json", columns=others)).comparable == ["one", "other"]
    others[1]["distinct"] = 3
    assert compare(one, changed(one, "another", "schema.json", columns=others)).comparable == ["one"]


def test_other_tables_and_other_metrics_are_told_apart(one):
    table, metric = changed(one, "table"), changed(one, "metric")
    text = (one / "events.jsonl").read_text()
    (table / "events.jsonl").write_text(text.replace("churn.csv", "clients.csv").replace('"rows": 7043', '"rows": 12'))
    (metric / "events.jsonl").write_text(text.replace('"auc"', '"accuracy"'))
    sentences = compare(one, table, metric).sentences
    assert "one was made from churn.csv and table from clients.csv: scores on different rows are not compared." in sentences
    assert "one is scored by AUC and metric by accuracy: no score of one can stand beside the other's." in sentences
    assert compare(one, metric).figures == {}, "losses and scores of different kinds are not drawn on one axis"


def test_other_test_rows_of_the_same_table_are_said(one):
    (one / "split.parquet").write_bytes(b"a")
    other = changed(one, "other", "config.json", seed=1)
    (other / "split.parquet").write_bytes(b"b")
    assert (
        "one and other were tested on different rows of the same table (seeds 0 and 1): part of their difference is that of "
        "the rows." in compare(one, other).sentences
    )
    (other / "split.parquet").unlink()
    assert (
        "other does not say which rows it was tested on; that they are the same is not known." in compare(one, other).sentences
    )


def test_half_written_and_older_runs_are_read_as_far_as_they_go(one, tmp_path):
    half = made_up_run.write_run(tmp_path / "half", STAGES[:3], finished=False)
    with (half / "events.jsonl").open("a") as file:
        file.write('{"time": 1, "eve')
    old = changed(one, "old", "environment.json", trainwell="0.0.9")
    (old / "config.json").write_text("{")
    comparison = compare(one, half, old)
    assert [row["score"] for row in comparison.table] == ["0.856", "none yet", "0.856"]
    assert "half: These stages are missing: regularize, tune, squeeze." in comparison.sentences
    assert "half: 1 line of events.jsonl is cut off or damaged and left out." in comparison.sentences
    assert any(said.startswith("old: config.json is damaged and left out") for said in comparison.sentences)
    assert any("different versions of trainwell (one, half by 0.1.0; old by 0.0.9)" in said for said in comparison.sentences)
    assert [row["half"] for row in comparison.verdicts][2:4] == [
        "ok: 3x256 reaches training loss 0.02; it can learn everything there is", "not reached",
    ]  # fmt: skip


def test_the_command_prints_it_and_writes_a_page_with_the_curves_together(one, tmp_path, capsys):
    other = scored(one, "<i>other</i>".replace("/", ""), test_score=0.854, low=0.850, high=0.858)
    before = {path: path.stat().st_mtime_ns for path in one.rglob("*")}
    assert cli.run_command(["compare", str(one), str(other), "-o", str(tmp_path / "compare.html")]) == 0
    printed = capsys.readouterr().out
    assert "one has the best AUC on test rows" in printed
    assert "0.852 to 0.860" in printed
    page = (tmp_path / "compare.html").read_text()
    assert "The best network of each run" in page
    assert "What more networks brought" in page
    assert "<i>other" not in page
    assert "&lt;i&gt;other" in page
    assert {path: path.stat().st_mtime_ns for path in one.rglob("*")} == before


def test_it_is_there_in_python_for_runs_and_folders(one, tmp_path):
    run = SimpleNamespace(folder=scored(one, "other", test_score=0.8))  # what `trainwell.fit` gives has a folder
    comparison = trainwell.compare(one, run)
    assert list(comparison.runs) == ["one", "other"]
    assert comparison.write(tmp_path / "page.html").stat().st_size > 1_000_000


def test_runs_with_the_same_name_are_told_by_their_paths(one, tmp_path):
    twin = shutil.copytree(one, tmp_path / "elsewhere" / "one")
    assert list(compare(one, twin).runs) == [str(one), str(twin)]


def test_what_cannot_be_compared_gets_one_sentence(one, tmp_path):
    with pytest.raises(InputError, match=r"^Two or more runs are needed to compare, 1 given\.$"):
        compare(one)
    with pytest.raises(InputError, match=r"one' is given twice: a run is compared with other runs\.$"):
        compare(one, one.parent / "." / "one")
    with pytest.raises(InputError, match=r"^There is no run folder '.*nothing'\.$"):
        compare(one, tmp_path / "nothing")
    with pytest.raises(InputError, match=r"cannot be written: .*; name another place with -o PAGE\.html\.$"):
        compare(one, scored(one, "other")).write(one / "config.json" / "page.html")


def split(run: Path, train: int, test: int, shift: int = 0) -> Path:
    """Write the split of a run: the test rows are the last ones, or ``shift`` rows before; the others take turns."""
    part = np.arange(train + test) % 2
    part[train - shift : train + test - shift] = 2
    Split(*(np.flatnonzero(part == number) for number in range(3)), "random").save(run / "split.parquet")
    return run


def test_rows_of_one_test_file_are_the_same_whatever_the_others_validate_on(one):
    given = {"test": "later/test.csv"}
    first = split(changed(one, "first", "config.json", **given), 5000, 2043)
    second = split(changed(one, "second", "config.json", **given, seed=1), 5000, 2043)
    part = pq.read_table(second / "split.parquet").to_pylist()
    turned = [row["part"] if row["part"] == "test" else "train" if row["row"] % 3 else "validation" for row in part]
    pq.write_table(pa.table({"row": [row["row"] for row in part], "part": turned}), second / "split.parquet")
    comparison = compare(first, second)
    assert comparison.comparable == ["first", "second"]
    assert not any("tested on different rows" in said for said in comparison.sentences)


def test_a_run_with_a_file_of_test_rows_stands_beside_one_without_and_it_is_said(one):
    with_test = changed(split(one, 5000, 2043), "with", "config.json", test="later/test.csv")
    schema, started = json.loads((with_test / "schema.json").read_text()), '"rows": 7043'
    schema["columns"][3]["distinct"] = 9  # counted in both files together
    (with_test / "schema.json").write_text(json.dumps(schema))
    split(with_test, 7043, 500)
    events = (with_test / "events.jsonl").read_text()
    (with_test / "events.jsonl").write_text(events.replace(started, '"rows": 7543'))
    comparison = compare(one, with_test)
    assert comparison.comparable == ["one", "with"]
    assert (
        "one and with were tested on different rows, rows of the table and those of test.csv: part of their difference is that "
        "of the rows." in comparison.sentences
    )


def test_what_a_sample_counted_tells_no_streamed_tables_apart(one):
    (one / "profile.json").write_text(json.dumps({"rows": 1000}))
    other = changed(one, "other", "config.json", seed=1)
    schema = json.loads((other / "schema.json").read_text())
    schema["columns"][3]["distinct"] = 9
    (other / "schema.json").write_text(json.dumps(schema))
    assert compare(one, other).comparable == ["one", "other"]


def test_a_column_read_as_numbers_in_one_run_and_as_names_in_another_tells_no_tables_apart(one):
    schema = json.loads((one / "schema.json").read_text())
    schema["columns"][3] |= {"role": "category", "missing": 0, "distinct": 12}
    assert compare(one, changed(one, "other", "schema.json", columns=schema["columns"])).comparable == ["one", "other"]
