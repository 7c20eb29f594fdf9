"""The commands as a stranger runs them: a process of their own, a small table, a true run."""

import csv
import json
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import trainwell

ROOT = Path(__file__).parent.parent
TRAINWELL = (sys.executable, "-m", "trainwell")
QUICK = ("--trials", "1", "--set", "batch_size=full", "--cores", "1")


def write_fruit(path: Path, rows: int = 160) -> Path:
    """A table with an identifier, a category, missing cells, and a target that size and weight tell well."""
    chance = random.Random(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "size", "colour", "weight", "sort"])
        for number in range(rows):
            ripe = chance.random() < 0.4
            weight = "" if chance.random() < 0.1 else round(chance.gauss(-ripe, 1), 2)
            colour = chance.choice(["red", "green"] if ripe else ["red", "blue", "green"])
            writer.writerow([f"x{number}", round(chance.gauss(2 * ripe, 1), 3), colour, weight, "ripe" if ripe else "raw"])
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("end to end")
    write_fruit(folder / "fruit.csv")
    return folder


def call(place: Path, *arguments: object) -> subprocess.CompletedProcess:
    words = [*TRAINWELL, *map(str, arguments)]
    return subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=900, check=False)


@pytest.fixture(scope="module")
def done(place):
    return call(place, "fit", "fruit.csv", "--target", "sort", "--out", "run", *QUICK)


def test_a_run_says_six_stages_and_where_everything_is(done):
    assert (done.returncode, done.stderr) == (0, "")
    stages = re.findall(r"^([1-6]) (\w+) .*  (?:ok|look)$", done.stdout, re.M)
    assert [name for _, name in stages] == ["look", "baselines", "overfit", "regularize", "tune", "squeeze"]
    assert "id looks like an identifier" in done.stdout
    assert re.search(r"^score +0\.\d+ AUC on rows that nothing had seen", done.stdout, re.M)
    assert "model         run/model\nreport        run/report.html\n" in done.stdout
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", done.stdout)


def test_the_run_folder_holds_what_the_documentation_says(done, place):
    table = (ROOT / "docs" / "run-folder.md").read_text().split("## ")[0]
    named = re.findall(r"^\| `([^`]+)`", table, re.M)
    for name in named:
        for stage in ("look", "squeeze"):
            assert (place / "run" / name.replace("<stage>", stage)).exists(), name
    found = {path.name + "/" * path.is_dir() for path in (place / "run").iterdir()}
    assert found == {name.partition("/")[0] + "/" * ("/" in name) for name in named}


def test_the_events_are_those_that_the_documentation_lists(done, place):
    table = (ROOT / "docs" / "run-folder.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|.]+)", table, re.M))
    for line in (place / "run" / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        allowed = set(re.findall(r"\w+", rows[event["event"]])) | {"time", "event"}
        assert set(event) <= allowed, event


def test_predictions_are_the_models_in_the_order_of_the_rows(done, place):
    said = call(place, "predict", "run", "fruit.csv", "-o", "out.csv", "--keep", "id")
    assert (said.returncode, said.stdout, said.stderr) == (0, "160 predictions in out.csv\n", "")
    rows = list(csv.DictReader((place / "out.csv").read_text().splitlines()))
    assert list(rows[0]) == ["id", "prediction", "probability_raw", "probability_ripe"]
    assert [row["id"] for row in rows] == [f"x{number}" for number in range(160)]
    model = trainwell.load(place / "run")
    assert [row["prediction"] for row in rows] == model.predict(place / "fruit.csv").tolist()
    probabilities = [[float(row["probability_raw"]), float(row["probability_ripe"])] for row in rows]
    np.testing.assert_allclose(probabilities, model.predict_proba(place / "fruit.csv"), atol=1e-6)
    np.testing.assert_allclose(np.sum(probabilities, axis=1), 1, atol=1e-6)


def test_new_tables_may_lack_the_target_and_hold_the_unknown(done, place):
    (place / "new.csv").write_text("extra,colour,weight,size\n1,purple,,0.5\n2,,3.5,\n")
    said = call(place, "predict", "run/model", "new.csv", "-o", "-")
    assert said.returncode == 0
    notes = said.stderr.splitlines()
    assert all(note.startswith("note: ") for note in notes)
    assert any(
        "'colour' holds a category that training rows had seldom or never (for example 'purple' in row 2)" in note
        for note in notes
    )
    assert said.stdout.splitlines()[0] == "prediction,probability_raw,probability_ripe"
    assert len(said.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("file", "content", "pattern"),
    [
        ("lacks.csv", "size,colour\n1,red\n", r"^trainwell: .*'weight'.*\n$"),
        ("types.csv", "size,colour,weight\nlarge,red,1\nsmall,red,2\n", r"^trainwell: .*'size'.*\n$"),
        ("empty.csv", "", r"^trainwell: .*empty\.csv.* empty.*\n$"),
    ],
)
def test_a_table_that_does_not_fit_the_model_gets_one_sentence(done, place, file, content, pattern):
    (place / file).write_text(content)
    said = call(place, "predict", "run", file, "-o", f"{file}.out.csv")
    assert (said.returncode, said.stdout) == (2, "")
    assert re.search(pattern, said.stderr), said.stderr
    assert not (place / f"{file}.out.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["fit", "fruits.csv", "--target", "sort"], r"fruits\.csv: there is no such file, did you mean 'fruit\.csv'\?"),
        (["fit", "fruit.csv", "--target", "srot"], r"'srot'.*did you mean 'sort'\?"),
        (["fit", ".", "--target", "sort"], r"\. is a folder"),
        (["fit", "fruit.csv", "--target", "sort", "--metric", "acc"], r"'acc'.*'accuracy'"),
        (
            ["fit", "fruit.csv", "--target", "sort", "--set", "dropout.rte=0.1"],
            r"'dropout\.rte'.*did you mean 'dropout\.rate'\?",
        ),
        (["fit", "fruit.csv", "--target", "sort", "--ignore", "szie"], r"'szie'.*did you mean 'size'\?"),
        (["fit", "fruit.csv", "--target", "sort", "--out", "run"], r"run exists and is not an empty folder"),
        (["fit", "--resume", "nothing"], r"nothing cannot be resumed: it is not the folder of a run"),
        (["predict", "nothing", "fruit.csv", "-o", "-"], r"nothing holds no model"),
    ],
)
def test_a_mistake_gets_one_sentence_and_leaves_nothing_behind(done, place, monkeypatch, capsys, arguments, pattern):
    from trainwell.cli import run_command

    monkeypatch.chdir(place)
    before = sorted(place.rglob("*"))
    assert run_command(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(rf"trainwell: .*{pattern}.*\n", said.err), said.err
    assert sorted(place.rglob("*")) == before


def test_the_report_is_the_same_when_it_is_made_again(done, place):
    before = (place / "run" / "report.html").read_bytes()
    assert call(place, "report", "run").stdout == "run/report.html\n"
    assert (place / "run" / "report.html").read_bytes() == before


def test_ctrl_c_leaves_the_best_model_so_far_and_says_so(place):
    words = [*TRAINWELL, "fit", "fruit.csv", "--target", "sort", "--out", "cut", "--trials", "1000", "--set", "batch_size=full"]
    process = subprocess.Popen(words, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    events, deadline = place / "cut" / "events.jsonl", time.monotonic() + 900
    while '"stage_finished", "stage": "overfit"' not in (events.read_text() if events.exists() else ""):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=900)
    assert (process.returncode, errors) == (130, "")
    assert re.search(r"^Stopped by you in stage \w+; what was trained so far is put together\.$", said, re.M)
    assert "model         cut/model\n" in said
    assert set(trainwell.load(place / "cut").predict(place / "fruit.csv")) <= {"raw", "ripe"}
