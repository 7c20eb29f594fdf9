"""The command line: what it understands, the sentences it says, the codes it exits with."""

import csv
import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import made_up_run
import trainwell
from trainwell import cli, words
from trainwell.data.tables import read_table
from trainwell.errors import InputError, StageStopped
from trainwell.predictions import output_file, prediction_table, write_predictions


@pytest.fixture
def command(capsys):
    """Run a command here; (exit code, standard output, standard error)."""

    def run(*arguments: object):
        code = cli.run_command([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fit"], "There is no table: say trainwell fit FILE --target COLUMN, or --resume FOLDER."),
        (["fit", "a.csv"], "There is no target: say which column of 'a.csv' to predict, with --target COLUMN."),
        (["fit", "a.csv", "--tarjet", "y"], "Unknown option: --tarjet. Did you mean --target?"),
        (["fti"],
         'Unknown command "fti". Did you mean "fit"? Available commands: '
         "fit, predict, export, info, report, watch, compare, serve, ..."),
        (["fit", "a.csv", "--target", "y", "--task", "binry"],
         'Invalid value "binry" for --task. Choose from: "binary", "multiclass", "regression". Did you mean "binary"?'),
        (["fit", "a.csv", "--target", "y", "--effort", "bset"],
         'Invalid value "bset" for --effort. Choose from: "minimal", "fast", "default", "best". Did you mean "best"?'),
        (["fit", "a.csv", "--target", "y", "--seed", "x"], 'Invalid value for --seed: unable to convert "x" into int.'),
        (["fit", "a.csv", "--target", "My", "Column"],
         "'Column': one word too many; a name with blanks needs quotes, a second column its own option."),
        (["fit", "a.csv", "--target", "y", "--time-limit", "soon"],
         "--time-limit is 'soon'; write a time like 90s, 5m or 1h30m, longer than nothing."),
        (["fit", "a.csv", "--target", "y", "--set", "dropout"],
         "--set is 'dropout'; write name=value, such as --set dropout.rate=0.3."),
        (["fit", "a.csv", "--target", "y", "--cost", "fp=1,fn=2,fn=3"], "--cost is 'fp=1,fn=2,fn=3'; fn is in it twice."),
        (["fit", "a.csv", "--target", "y", "--cost", "fp=1,fn"],
         "--cost is 'fp=1,fn'; write what the two mistakes cost, such as fp=1,fn=20."),
        (["predict", "runs/a", "new.csv", "-o", "new.csv", "--interval", "x"],
         'Invalid value for --interval: unable to convert "x" into float.'),
        (["fit", "--resume", "runs/a", "--seed", "1"],
         "--resume continues a run with the table and the options it was started with: give nothing else but --keep-going, "
         "or other limits with --from STAGE."),
        (["predict", "runs/a", "new.csv"], 'Command "predict" parameter --out requires an argument.'),
        (["predict", "runs/a", "new.csv", "-o", "new.xlsx"],
         "The output is 'new.xlsx'; it must end in .csv or .parquet, or be - for standard output."),
        (["predict", "runs/a", "new.csv", "-o", "nowhere/new.csv"],
         "The output 'nowhere/new.csv' cannot be written: there is no folder 'nowhere'."),
        (["report", "runs/nothing"], "There is no run folder 'runs/nothing'."),
    ],
)  # fmt: skip
def test_a_mistake_gets_one_sentence_and_exit_code_2(command, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    assert command(*arguments) == (2, "", f"trainwell: {sentence}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "0", "-5", "5 parsecs", "1m1h", "nan", "m", "1e3"])
def test_a_time_that_is_none_is_refused(text):
    with pytest.raises(InputError, match=r"^--time-limit is .*; write a time like 90s, 5m or 1h30m, longer than nothing\.$"):
        words.parse_duration(text)


class Recorded:
    """Stands in for the recipe: remembers what it was called with and does what it is told."""

    def __init__(self, monkeypatch, result=None, error=None):
        self.result, self.error, self.calls = result or SimpleNamespace(interrupted=False), error, []
        monkeypatch.setitem(sys.modules, "trainwell.recipe.run", SimpleNamespace(fit=self))

    def __call__(self, *arguments, **options):
        self.calls.append((arguments, options))
        if self.error:
            raise self.error
        return self.result


def test_options_reach_the_recipe_as_they_were_given_and_no_others(command, monkeypatch):
    recipe = Recorded(monkeypatch)
    code, _, said = command(
        "fit", "a.csv", "--target", "y", "--time-limit", "1h30m", "--ignore", "a", "--ignore", "b,c",
        "--set", "adam.beta2=0.95", "--set", "dropout = 0.3", "--keep-going", "--quiet", "--out", "runs/x",
        "--metric", "pinball:0.9", "--cost", "fp=1, fn=20",
        "--test", "b.csv", "--effort", "best",
    )  # fmt: skip
    assert (code, said) == (0, "")
    ((arguments, options),) = recipe.calls
    assert arguments == (Path("a.csv"), "y")
    (listener,) = options.pop("listeners")
    assert listener.quiet
    assert options.pop("started") == trainwell.STARTED  # the time limit counts from the start of the program
    assert options == {
        "resume": None, "time_limit": 5400.0, "ignore": ["a", "b,c"], "settings": {"adam.beta2": "0.95", "dropout": "0.3"},
        "keep_going": True, "out": Path("runs/x"), "metric": "pinball:0.9", "cost": {"fp": 1.0, "fn": 20.0},
        "test": Path("b.csv"), "effort": "best",
    }  # fmt: skip


def test_fit_hands_on_how_and_what_to_search(command, monkeypatch):
    recorded = Recorded(monkeypatch, result=SimpleNamespace(interrupted=False))
    assert command("fit", "a.csv", "--target", "y", "--search", "grid", "--space", "space.toml")[0] == 0
    ((_, options),) = recorded.calls
    assert (options["search"], options["space"]) == ("grid", Path("space.toml"))
    code, _, said = command("fit", "a.csv", "--target", "y", "--search", "tpee")
    assert (code, said) == (
        2,
        'trainwell: Invalid value "tpee" for --search. Choose from: "tpe", "random", "grid". Did you mean "tpe"?\n',
    )


USED_UP = "The memory is used up; try fewer rows, and in a fit --cores 1 or --stream-above 500MB."


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (InputError("Column 'y' is not there."), 2, "Column 'y' is not there."),
        (StageStopped("One column gives the target away."), 3, "One column gives the target away."),
        (PermissionError(13, "Permission denied", "/a/b"), 2, "'/a/b' cannot be used: Permission denied."),
        (MemoryError(), 2, USED_UP),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes"), 2, USED_UP),
        (InputError("Column '\x1b[2Jy' is not there."), 2, r"Column '\x1b[2Jy' is not there."),
    ],
)
def test_an_error_in_the_recipe_is_one_sentence(command, monkeypatch, error, code, sentence):
    Recorded(monkeypatch, error=error)
    assert command("fit", "a.csv", "--target", "y") == (code, "", f"trainwell: {sentence}\n")


def test_a_bug_is_called_a_bug_and_its_traceback_is_kept(command, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    Recorded(monkeypatch, error=ZeroDivisionError("division by zero"))
    code, _, said = command("fit", "a.csv", "--target", "y")
    (kept,) = tmp_path.iterdir()
    assert code == 1
    assert said == f"trainwell: This is a bug in trainwell (ZeroDivisionError); please report it with the details in {kept}.\n"
    assert kept.read_text().startswith("Traceback (most recent call last):")
    assert kept.read_text().endswith("ZeroDivisionError: division by zero\n")


def test_trainwell_debug_shows_the_traceback(command, monkeypatch):
    monkeypatch.setenv("TRAINWELL_DEBUG", "1")
    Recorded(monkeypatch, error=InputError("a mistake"))
    with pytest.raises(InputError, match="a mistake"):
        command("fit", "a.csv", "--target", "y")


def test_ctrl_c_exits_with_130_whether_a_model_was_kept_or_not(command, monkeypatch):
    Recorded(monkeypatch, result=SimpleNamespace(interrupted=True))
    assert command("fit", "a.csv", "--target", "y")[0] == 130
    Recorded(monkeypatch, error=KeyboardInterrupt())
    assert command("fit", "a.csv", "--target", "y") == (130, "", "")


def test_report_writes_the_page_again_and_says_where(command, tmp_path):
    folder = made_up_run.write_run(tmp_path / "run")
    assert command("report", folder) == (0, f"{folder / 'report.html'}\n", "note: profile.json is missing.\n")
    assert (folder / "report.html").stat().st_size > 1_000_000


def test_demo_writes_a_table_and_the_same_patients_to_neither_twice(command, tmp_path):
    code, said, _ = command("demo", "--folder", tmp_path / "demo")
    assert code == 0
    assert f"next: trainwell fit {tmp_path}/demo/breast_cancer.csv --target diagnosis" in said
    texts = [(tmp_path / "demo" / name).read_text() for name in ("breast_cancer.csv", "new_patients.csv")]
    train, new = (list(csv.DictReader(text.splitlines())) for text in texts)
    assert {row["diagnosis"] for row in train} == {"benign", "malignant"}
    assert "diagnosis" not in new[0]
    assert {"patient", "mean_radius", "worst_fractal_dimension"} <= set(new[0])
    assert len({row["patient"] for row in train + new}) == len(train) + len(new) == 569


# Predictions, of a model whose answers are known.


class Known:
    """Says "yes" with the probability that the column p holds."""

    classes = ("no", "yes")

    def outputs(self, table):
        return np.array([[float(cell)] for cell in table.column("p").to_pylist()], np.float32).reshape(-1, 1)

    def probabilities(self, outputs):
        return np.hstack([1 - outputs, outputs])

    def labels(self, outputs):
        return np.array(self.classes, dtype=object)[self.probabilities(outputs).argmax(axis=1)]


@pytest.fixture
def rows():
    return read_table({"p": [0.9, 0.25, 0.5], "name": ["Ann, B.", None, 'say "x"'], "code": ["007", "010", "3"]})


def test_predictions_keep_the_order_and_the_columns_asked_for(rows, tmp_path):
    assert write_predictions(Known(), rows, str(tmp_path / "out.csv"), ["code", "name"]) == 3
    assert (tmp_path / "out.csv").read_text() == (
        "code,name,prediction,probability_no,probability_yes\n"
        '007,"Ann, B.",yes,0.100000024,0.9\n'
        "010,,no,0.75,0.25\n"
        '3,"say ""x""",no,0.5,0.5\n'
    )


def test_predictions_of_a_number_have_no_probabilities(rows):
    known = Known()
    known.classes = ()
    known.labels = lambda outputs: outputs[:, 0] * 10
    assert prediction_table(known, rows).to_pydict() == {"prediction": [9.0, 2.5, 5.0]}


def test_an_interval_adds_its_ends_and_is_asked_for_before_anything_is_predicted(rows, tmp_path):
    known = Known()
    known.classes = ()
    known.labels = lambda outputs: outputs[:, 0].astype(float).round(6) * 10
    known.interval = lambda made, level: np.column_stack([made - 10 * level, made + 10 * level])
    found = prediction_table(known, rows, ["code"], 0.9).to_pydict()
    assert found == {
        "code": ["007", "010", "3"],
        "prediction": [9.0, 2.5, 5.0],
        "low": [0.0, -6.5, -4.0],
        "high": [18.0, 11.5, 14.0],
    }
    write_predictions(known, rows, str(tmp_path / "out.csv"), (), 0.5)
    assert (tmp_path / "out.csv").read_text() == "prediction,low,high\n9,4,14\n2.5,-2.5,7.5\n5,0,10\n"
    with pytest.raises(InputError, match=r"^--keep 'low': the predictions have a column of this name themselves\.$"):
        prediction_table(known, read_table({"p": [0.9], "low": ["old"]}), ["low"], 0.9)


def test_probabilities_are_written_no_longer_than_they_are_exact(rows, tmp_path):
    known = Known()
    known.probabilities = lambda outputs: np.hstack([1 - outputs, outputs]).astype(float) / 1.0000001
    write_predictions(known, rows, str(tmp_path / "out.csv"))
    assert max(len(cell) for line in (tmp_path / "out.csv").read_text().split() for cell in line.split(",")[1:]) < 16


def test_a_level_that_is_none_is_refused_before_the_model_is_read(command):
    assert command("predict", "nowhere", "new.csv", "-o", "out.csv", "--interval", "90") == (
        2,
        "",
        "trainwell: interval is 90, allowed are shares between 0 and 1, such as 0.9 for 90%.\n",
    )


def test_predictions_can_be_parquet(rows, tmp_path):
    from pyarrow import parquet

    write_predictions(Known(), rows, str(tmp_path / "out.parquet"), ["code"])
    read = parquet.read_table(tmp_path / "out.parquet")
    assert read.column_names == ["code", "prediction", "probability_no", "probability_yes"]
    assert read["prediction"].to_pylist() == ["yes", "no", "no"]


def test_predictions_can_go_to_standard_output(rows, capfdbinary):
    write_predictions(Known(), rows, "-")
    assert capfdbinary.readouterr().out.splitlines()[0] == b"prediction,probability_no,probability_yes"


def test_a_column_to_keep_that_is_not_there_is_named_with_the_nearest(rows):
    with pytest.raises(
        InputError, match=r"^--keep 'nme': .* has no such column, did you mean 'name'\? its columns are 'p', 'name', 'code'\.$"
    ):
        prediction_table(Known(), rows, ["nme"])


def test_a_column_to_keep_that_is_called_as_a_prediction_is_refused():
    table = read_table({"p": [0.9], "prediction": ["old"]})
    with pytest.raises(InputError, match=r"^--keep 'prediction': the predictions have a column of this name themselves\.$"):
        prediction_table(Known(), table, ["prediction"])


def half_of_it():
    yield b"half"
    raise OSError(28, "No space left on device")


def test_an_output_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("what was there before")
    with pytest.raises(InputError, match=r"cannot be written: No space left on device\.$"), output_file(path) as file:
        file.writelines(half_of_it())
    assert path.read_text() == "what was there before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_output_that_cannot_be_written_is_said_before_any_work(tmp_path, command):
    assert command("predict", "runs/a", "new.csv", "-o", f"{tmp_path}/a.csv/b.csv")[2] == (
        f"trainwell: The output '{tmp_path}/a.csv/b.csv' cannot be written: there is no folder '{tmp_path}/a.csv'.\n"
    )
    (tmp_path / "a.csv").mkdir()
    assert command("predict", "runs/a", "new.csv", "-o", tmp_path / "a.csv")[2] == (
        f"trainwell: The output '{tmp_path}/a.csv' is a folder;"
        f" name a file in it, such as '{tmp_path}/a.csv/predictions.csv'.\n"
    )


def test_a_reader_that_goes_away_is_no_error():
    """`trainwell --help | head -1`: the pipe closes early."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read(); from trainwell.cli import main; main(['fit', '--help'])"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stdout.close()
    process.stdin.close()  # now nobody reads any more, and the command begins
    assert process.stderr.read() == b""
    assert process.wait(timeout=300) == 141
    process.stderr.close()


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii"])
def test_a_terminal_that_cannot_write_a_name_gets_it_with_other_letters(tmp_path, monkeypatch, encoding):
    runs = [made_up_run.write_run(tmp_path / name) for name in ("größe 模型", "other")]
    screen = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", screen)
    assert cli.run_command(["compare", *map(str, runs)]) == 0
    said = screen.buffer.getvalue().decode(encoding)
    assert "ße ??" in said or "?e ??" in said
