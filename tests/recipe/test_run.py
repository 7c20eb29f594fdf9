"""The recipe from table to model: what it leaves behind, that it is exact, and what it refuses."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import trainwell
from trainwell.errors import InputError, StageStopped
from trainwell.model import CellWarning
from trainwell.population.metrics import log_loss_weight
from trainwell.recipe.evidence import STAGES
from trainwell.recipe.run import fit


def test_every_stage_leaves_its_evidence_with_a_verdict_and_a_reading(run):
    assert list(run.evidence) == list(STAGES)
    for stage, evidence in run.evidence.items():
        assert evidence.verdict in ("pass", "warn"), stage
        assert len(evidence.summary) > 20
        assert evidence.explanation.endswith(".")
        assert (run.folder / "evidence" / f"{stage}.json").exists()


CHECKS = ("loss at start", "one batch learned by heart", "rows stay apart", "inputs matter", "more capacity learns more")


def test_the_wiring_checks_pass_on_a_sound_network(run):
    checks = {row["check"]: row["passed"] for row in run.evidence["baselines"].tables["Is the network wired right?"]}
    assert checks == dict.fromkeys(CHECKS, "yes")
    measures = run.evidence["baselines"].measures
    assert measures["start_loss"] == pytest.approx(measures["prior_loss"], rel=1e-5)


def test_the_model_beats_the_base_rate_by_far_and_the_interval_holds_its_score(run):
    measures = run.evidence["squeeze"].measures
    assert measures["test_score"] > 0.85
    assert 0.5 < measures["low"] <= measures["test_score"] <= measures["high"]
    assert measures["majority.test_score"] == 0.5


def test_every_network_of_the_search_is_in_the_history_with_its_curves(run, trials):
    history = json.loads((run.folder / "members" / "history.json").read_text())
    assert history["metric"] == "AUC"
    by_stage = [member["stage"] for member in history["members"]]
    assert by_stage.count("tune") == trials
    numbers = [member["member"] for member in history["members"]]
    assert len(set(numbers)) == len(numbers)
    weight = log_loss_weight(run.evidence["look"].measures["validation_rows"])
    for member in history["members"]:
        assert len(member["training_loss"]) == len(member["validation_score"]) == member["epochs"]
        assert member["score"] == pytest.approx(member["validation_score"][member["best_epoch"] - 1])
        if member["stage"] == "tune":  # the loss is the log loss: networks of the cross-fit were measured on other rows
            best = np.array(member["validation_score"]) - weight * np.array(member["validation_loss"])
            assert best[member["best_epoch"] - 1] == pytest.approx(best.max(), abs=1e-5)


def test_the_saved_model_predicts_what_the_run_predicts(run, table):
    loaded = trainwell.load(run.folder)
    np.testing.assert_array_equal(loaded.predict_proba(table), run.predict_proba(table))
    assert set(loaded.predict(table)) == {"no", "yes"}
    assert loaded.test_score == run.evidence["squeeze"].measures["test_score"]


def test_predictions_do_not_depend_on_the_other_rows(run, table):
    all_rows = run.predict_proba(table)
    few = run.predict_proba({name: values[40:45] for name, values in table.items()})
    np.testing.assert_allclose(few, all_rows[40:45], rtol=1e-5)


def test_unseen_categories_and_missing_cells_are_predicted_and_missing_columns_are_named(run, table):
    odd = {name: values[:2] for name, values in table.items() if name != "left"}
    odd |= {"plan": ["never seen", None], "age": [None, "30"]}
    with pytest.warns(CellWarning) as noticed:
        assert np.isfinite(run.predict_proba(odd)).all()
    assert {word for word in ("'age'", "'plan'") for one in noticed if word in str(one.message)} == {"'age'", "'plan'"}
    del odd["income"]
    with pytest.raises(InputError, match="lacks a column of the training table: 'income'"):
        run.predict(odd)


def test_the_events_tell_the_run_in_order(run, events):
    kinds = [event["event"] for event in events]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "run_finished"
    assert [event["stage"] for event in events if event["event"] == "stage_finished"] == list(STAGES)
    written = [json.loads(line) for line in (run.folder / "events.jsonl").read_text().splitlines()]
    assert written == json.loads(json.dumps(events))


def killed_when_there_is(file, *arguments) -> None:
    command = [sys.executable, "-m", "trainwell", "fit", *arguments]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    while not file.exists():
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_the_same_seed_gives_the_same_model_and_a_run_killed_and_resumed_too(run, write_table, trials, tmp_path):
    """Killed as it began, in each of the stages, after a rung of the search, when the search was done, and with two of four
    folds cross-fitted; resumed from the command line."""
    folder = tmp_path / "killed"
    first = (write_table(tmp_path / "table.csv"), "--target", "left", "--trials", trials, "--cores", 2, "--out", folder)
    killed_when_there_is(folder / "config.json", *first)
    for stage in ("look", "baselines", "overfit"):  # in the stage after it
        killed_when_there_is(folder / "evidence" / f"{stage}.json", "--resume", folder)
    killed_when_there_is(folder / "members" / "wave-1.safetensors", "--resume", folder)
    killed_when_there_is(folder / "evidence" / "tune.json", "--resume", folder)
    killed_when_there_is(folder / "members" / "fold-2.safetensors", "--resume", folder)
    assert not (folder / "evidence" / "squeeze.json").exists()
    (folder / "members" / ".wave-1.safetensors.0a1b2c3d.unfinished").write_bytes(b"half of a file")
    resumed = fit(resume=folder)
    assert [path.name for path in (folder / "members").iterdir()] == ["history.json"]
    assert {path.name for path in folder.iterdir()} == {path.name for path in run.folder.iterdir()}
    assert json.loads((folder / "members" / "history.json").read_text()) == json.loads(
        (run.folder / "members" / "history.json").read_text()
    )
    assert (folder / "model" / "weights.safetensors").read_bytes() == (
        run.folder / "model" / "weights.safetensors"
    ).read_bytes()
    assert resumed.evidence["squeeze"].measures == run.evidence["squeeze"].measures


def test_a_finished_run_has_nothing_to_resume_and_is_handed_back(run, table):
    heard = []
    before = (run.folder / "model" / "weights.safetensors").stat().st_mtime_ns
    again = fit(resume=run.folder, listeners=[heard.append])
    assert (run.folder / "model" / "weights.safetensors").stat().st_mtime_ns == before
    assert [event["event"] for event in heard] == ["run_finished"]
    np.testing.assert_array_equal(again.predict_proba(table), run.predict_proba(table))


def test_a_run_is_not_resumed_with_another_table(run, make_table, tmp_path):
    unfinished = shutil.copytree(run.folder, tmp_path / "unfinished")
    (unfinished / "evidence" / "tune.json").unlink()
    before = {path: path.read_bytes() for path in unfinished.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="cannot be resumed with this table"):
        fit({**make_table(), "one more": list(range(300))}, resume=unfinished)
    with pytest.raises(InputError, match="cannot be resumed without its table: that was no file"):
        fit(resume=unfinished)
    with pytest.raises(InputError, match="there is no such file"):
        fit(unfinished / "moved.csv", resume=unfinished)
    after = {path: path.read_bytes() for path in unfinished.rglob("*") if path.is_file()}
    assert after == before, "a refusal leaves the model of the run where it is"


def test_what_is_no_run_folder_is_not_resumed(tmp_path):
    with pytest.raises(InputError, match=r"cannot be resumed: it is not the folder of a run \(there is no config.json"):
        fit(resume=tmp_path)


def test_a_folder_with_something_in_it_is_not_written_to(tmp_path, table):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(InputError, match="exists and is not an empty folder"):
        fit(table, "left", out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_out_folder_that_cannot_be_made_is_said_and_nothing_is_left(tmp_path, table):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written: Not a directory; name another folder with --out"):
        fit(table, "left", out=tmp_path / "file" / "run")


def test_a_bad_option_is_refused_before_a_folder_is_made(tmp_path, table):
    for options, sentence in {
        "metric": ("f2", r"metric is 'f2', allowed for a binary target is 'auc', 'average_precision'"),
        "trials": (0, "trials is 0, which should be greater than or equal to 1"),
        "settings": ({"dropout.rate": 2}, r"dropout.rate is 2, allowed is 0 to 0.95"),
        "metrc": ("auc", "'metrc' is no option, did you mean 'metric'"),
        "time_limit": (float("nan"), "time_limit is nan"),
        "cores": (0, "cores is 0"),
        "task": ("ranking", "task is 'ranking'"),
    }.items():
        with pytest.raises(InputError, match=sentence[1]):
            fit(table, "left", out=tmp_path / "run", **{options: sentence[0]})
    assert not (tmp_path / "run").exists()


def test_a_misspelt_setting_gets_the_nearest_name(tmp_path, table):
    with pytest.raises(InputError, match=r"'adam.lerning_rate' is no setting, did you mean 'adam.learning_rate'"):
        fit(table, "left", out=tmp_path / "run", settings={"adam.lerning_rate": 1e-3})


def test_a_network_that_cannot_learn_one_batch_stops_the_run_and_says_why(table, tmp_path):
    with pytest.raises(
        StageStopped, match=r"^Stage baselines stopped the run: .*failed: one batch learned by heart"
    ) as stopped:
        fit(table, "left", out=tmp_path / "run", trials=1, settings={"adam.learning_rate": 1e-6})
    assert stopped.value.exit_code == 3
    assert str(stopped.value).endswith("--keep-going goes on all the same.")
    assert (tmp_path / "run" / "report.html").exists()
    assert not (tmp_path / "run" / "model").exists()


def test_keep_going_goes_on_all_the_same_from_where_the_run_was_stopped(table, tmp_path):
    with pytest.raises(StageStopped):
        fit(table, "left", out=tmp_path / "run", trials=1, settings={"adam.learning_rate": 1e-6})
    run = fit(table, resume=tmp_path / "run", keep_going=True)
    assert run.evidence["baselines"].verdict == "stop"
    assert "squeeze" in run.evidence


@pytest.mark.parametrize("seconds", [2, 15])
def test_a_run_with_little_time_still_leaves_a_model_that_says_how_good_it_is(table, tmp_path, seconds):
    run = fit(table, "left", out=tmp_path / "run", time_limit=seconds)
    assert run.model is not None
    assert np.isfinite(run.predict_proba(table)).all()
    assert 0 <= run.evidence["squeeze"].measures["test_score"] <= 1


def test_ctrl_c_ends_in_order_with_the_best_model_so_far(table, tmp_path):
    pressed = []

    def interrupt(event):
        if (event["event"], event.get("stage")) == ("progress", "tune") and not pressed:
            pressed.append(True)
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()

    run = fit(table, "left", out=tmp_path / "run", trials=10_000, listeners=[interrupt])
    assert run.interrupted
    assert "tune" in run.evidence
    assert np.isfinite(run.predict_proba(table)).all()
    assert not (run.folder / "evidence" / "tune.json").exists(), "what was cut short is not done"
    assert (run.folder / "members" / "regularize.safetensors").exists(), "what a resumed run needs is kept"
    kept = sorted((run.folder / "members").glob("*.safetensors"))
    fit(table, resume=run.folder, only=["look"])
    assert sorted((run.folder / "members").glob("*.safetensors")) == kept, "also when a part of it is made in between"
    with pytest.raises(InputError, match="a resumed run has the options it was started with: leave out 'trials'"):
        fit(table, resume=run.folder, trials=3)
