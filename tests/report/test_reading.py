"""A run folder that is half-written, damaged, moved, read-only or of another version is opened as far as it goes."""

import dataclasses
import json
import random
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import made_up_run
from trainwell.cli import run_command
from trainwell.errors import InputError
from trainwell.recipe.evidence import Figure, Series, write_evidence
from trainwell.recipe.opened import open_run
from trainwell.report.markdown import card_text
from trainwell.report.page import render, write_report
from trainwell.report.record import read_record

LONG_NUMBER = "9" * 5000
AXES = {"structure": ["a", "b", None], "rate": [0.1, 0.001, 0.01], "auc": [0.8, 0.9, None]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = made_up_run.write_run(tmp_path_factory.mktemp("reading") / "run")
    axes = [Series(name, [1, 2, 3], values, name == "auc") for name, values in AXES.items()]
    tune = made_up_run.evidence()["tune"]
    figures = {**tune.figures, "parallel": Figure("parallel", "Settings and score", "", "", axes)}
    write_evidence(dataclasses.replace(tune, figures=figures), folder / "evidence")
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "run"))


def written(folder: Path) -> str:
    return write_report(folder).read_text()


def test_a_whole_run_lacks_nothing(whole):
    assert read_record(whole).shortcomings == ("profile.json is missing.",)


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("schema.json", "{", r"schema.json is damaged and left out: Expecting property name"),
        ("schema.json", '{"target": "Churn", "columns": [{"name": "a"}, 7]}', "Columns in schema.json: 1 of 2 cannot be read"),
        ("config.json", "[" * 100_000, "config.json is damaged and left out: "),
        ("environment.json", "\x00", "environment.json is damaged and left out: "),
        ("members/history.json", "[1]", "members/history.json is damaged and left out: it holds a list, not named values."),
        ("members/history.json", '{"members": [{"member": 1}, {"score": "high"}]}', "Networks in members/history.json: 1 of 2"),
        ("evidence/look.json", "", "evidence/look.json is damaged and left out: Expecting value"),
        ("evidence/look.json", '{"stage": "look"}', "evidence/look.json is damaged at verdict and left out: Field required."),
    ],
)
def test_a_damaged_file_is_named_and_the_rest_is_shown(folder, file, content, sentence):
    (folder / file).write_text(content)
    shown = written(folder)
    assert sentence in " ".join(read_record(folder).problems)
    assert "Not everything of this run could be read." in shown or "This run is not finished." in shown
    assert "0.856 AUC" in shown


def test_a_line_cut_off_is_said_and_the_others_are_read(folder):
    whole = (folder / "events.jsonl").read_text()
    (folder / "events.jsonl").write_text(whole[:-30])
    record = read_record(folder)
    assert "1 line of events.jsonl is cut off or damaged and left out." in record.problems
    assert len(record.events) == len(whole.splitlines()) - 1


def test_a_figure_that_only_a_newer_version_knows_is_left_out_alone(folder):
    path = folder / "evidence" / "look.json"
    content = json.loads(path.read_text())
    content["figures"]["hologram"] = {**content["figures"]["classes"], "kind": "hologram"}
    content["tables"]["odd"] = [{"a": [1, 2]}]
    content |= {"confidence": 0.9, "seconds": "a while"}
    path.write_text(json.dumps(content))
    record = read_record(folder)
    assert list(record.evidence["look"].figures) == ["classes"]
    assert list(record.evidence["look"].tables) == ["Columns that say most about the target alone"]
    assert "evidence/look.json: figures.hologram cannot be read by this version and is left out." in record.problems
    assert "How often each class occurs" in written(folder)


def test_evidence_of_an_older_version_with_fewer_parts_is_read(folder):
    (folder / "evidence" / "look.json").write_text('{"stage": "look", "verdict": "pass", "summary": "7,043 rows"}')
    assert read_record(folder).evidence["look"].summary == "7,043 rows"
    assert read_record(folder).problems == ("profile.json is missing.",)


def test_numbers_beyond_all_measure_are_nothing(folder):
    history = {"metric": "auc", "members": [{**made_up_run.members(1)[0], "training_loss": "HERE"}]}
    text = json.dumps(history).replace('"HERE"', f"[1e999, NaN, {LONG_NUMBER}, 0.3]")
    (folder / "members" / "history.json").write_text(text)
    assert read_record(folder).members[0]["training_loss"] == [None, None, None, 0.3]
    assert "Every network" in written(folder)


def test_a_moved_folder_names_its_new_place(folder, tmp_path):
    moved = folder.rename(tmp_path / "a new place")
    shown = written(moved)
    assert f"trainwell predict &#39;{moved}&#39; new.csv" in shown
    assert repr(str(moved)) in (moved / "model_card.md").read_text()


def test_the_page_alone_is_written_where_it_is_asked_for(folder, tmp_path, capsys):
    assert run_command(["report", str(folder), "-o", str(tmp_path / "elsewhere" / "page.html")]) == 0
    assert (tmp_path / "elsewhere" / "page.html").is_file()
    assert not (folder / "report.html").exists()
    assert not (folder / "model_card.md").exists()
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'elsewhere' / 'page.html'}\n"
    assert said.err == "note: profile.json is missing.\n"


def test_a_folder_that_cannot_be_written_is_one_sentence(folder):
    (folder / "report.html").mkdir()
    with pytest.raises(InputError, match=r"^'.*report\.html' cannot be written: .*; name another place with -o PAGE\.html\.$"):
        write_report(folder)


def test_the_terminal_says_what_is_missing(tmp_path, capsys):
    folder = made_up_run.write_run(tmp_path / "run", stages=("look",), finished=False)
    (folder / "schema.json").unlink()
    assert run_command(["report", str(folder)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "note: These stages are missing: baselines, overfit, regularize, tune, squeeze.",
        "note: schema.json and profile.json are missing.",
    ]


def test_a_run_that_a_stage_stopped_says_so(folder):
    for path in (folder / "evidence").glob("*.json"):
        if path.stem != "look":
            path.unlink()
    look = json.loads((folder / "evidence" / "look.json").read_text())
    (folder / "evidence" / "look.json").write_text(json.dumps({**look, "verdict": "stop"}))
    lines = [line for line in (folder / "events.jsonl").read_text().splitlines() if "run_finished" not in line]
    (folder / "events.jsonl").write_text("\n".join(lines))
    shown = written(folder)
    assert "This run was stopped by stage look." in shown
    assert "Churn: training on is no use, says stage look" in shown
    assert "--keep-going" in shown


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FILES = ("config.json", "schema.json", "environment.json", "members/history.json", "events.jsonl",
         "evidence/squeeze.json", "evidence/tune.json")  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(file=st.sampled_from(FILES), value=json_values, place=st.integers(0, 10**6))
def test_whatever_stands_in_a_file_the_page_is_written(tmp_path_factory, whole, file, value, place):
    """Some value anywhere in one of the files is replaced by another of any kind."""
    folder = Path(shutil.copytree(whole, tmp_path_factory.mktemp("any") / "run"))
    lines = (folder / file).read_text().splitlines() if file == "events.jsonl" else [(folder / file).read_text()]
    line = place % len(lines)
    lines[line] = json.dumps(replaced(json.loads(lines[line]), value, random.Random(place)))
    (folder / file).write_text("\n".join(lines))
    record = read_record(folder)
    assert render(record).rstrip().endswith("</html>")
    assert card_text(record).startswith("---\n")
    shutil.rmtree(folder)


def replaced(content, value, chance: random.Random):
    """The content with one of its parts, however deep, replaced."""
    if not isinstance(content, dict | list) or not content or chance.random() < 0.15:
        return value
    place = chance.choice(list(content) if isinstance(content, dict) else range(len(content)))
    copy = dict(content) if isinstance(content, dict) else list(content)
    copy[place] = replaced(content[place], value, chance)
    return copy


def test_a_run_of_the_least_effort_is_finished_after_its_three_stages(tmp_path):
    folder = made_up_run.write_run(tmp_path / "run", ("look", "tune", "squeeze"))
    assert "not finished" in written(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "effort": "minimal"}))
    assert read_record(folder).missing_stages == ()
    assert "not finished" not in written(folder)
    assert not open_run(folder).interrupted
    (folder / "evidence" / "tune.json").unlink()
    assert read_record(folder).missing_stages == ("tune",)
