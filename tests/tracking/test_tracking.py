"""A run in MLflow and TensorBoard is what the run folder says, read back with their own clients."""

import dataclasses
import json
import warnings
from pathlib import Path

import pytest

import made_up_run
from trainwell import cli, extras
from trainwell.errors import InputError
from trainwell.tracking.told import BEST, told
from trainwell.tracking.track import Tracked, track


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished run with a model and a report."""
    folder = made_up_run.write_run(tmp_path_factory.mktemp("tracked") / "churn")
    (folder / "model").mkdir()
    (folder / "model" / "model.json").write_text("{}")
    (folder / "report.html").write_text("<html>")
    return folder


@pytest.fixture(scope="module")
def best(folder):
    """The best network of the run, as its history has it."""
    members = json.loads((folder / "members" / "history.json").read_text())["members"]
    return max((one for one in members if one["score"] is not None), key=lambda one: one["score"])


def test_what_is_told_is_what_the_folder_says(folder, best):
    run = told(folder)
    assert run.name == "churn"
    assert run.complete
    assert run.parameters["target"] == "Churn"
    assert (run.parameters["rows"], run.parameters["option.time_limit"]) == ("7043", "60.0")
    assert (run.figures["squeeze.test_score"], run.figures["look.rows"]) == (0.856, 7043.0)
    losses = [point.value for point in run.curves[f"network_{best['member']}/validation_loss"]]
    assert losses == best["validation_loss"]
    assert len({name.split("/")[0] for name in run.curves} - {"search"}) == BEST
    ((done, value, _),) = run.curves["search/best"]
    assert (done, value) == (34, 0.8493)
    assert run.texts["overfit"].startswith("pass: 3x256 reaches")


def test_a_run_that_ended_early_is_told_as_far_as_it_came(tmp_path):
    run = told(made_up_run.write_run(tmp_path / "early", ("look", "baselines"), finished=False))
    assert not run.complete
    assert set(run.texts) == {"look", "baselines"}
    assert run.curves == {}


@pytest.fixture(scope="module")
def mlflow_run(folder, tmp_path_factory):
    """(a client of the store, the run in it, what was said)."""
    place = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MLflow, about its own database library
        patch.chdir(place)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        (said,) = track(folder, ["mlflow"])
        from mlflow.tracking import MlflowClient

        client = MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("trainwell")
        (run,) = client.search_runs([experiment.experiment_id])
        yield client, run, said
        client._tracking_client.store.engine.dispose()


def test_mlflow_has_the_parameters_and_the_figures(mlflow_run, folder):
    _, run, said = mlflow_run
    assert said.startswith("MLflow run 'churn' in sqlite:////")
    assert run.data.params["target"] == "Churn"
    assert run.data.params["option.seed"] == "0"
    assert run.data.metrics["squeeze.test_score"] == 0.856
    assert run.data.metrics["squeeze.boosted trees.test_score"] == 0.838
    assert run.data.tags["stage.squeeze"].startswith("pass: ensemble of 9")
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "churn"


def test_mlflow_has_the_whole_curves(mlflow_run, best):
    client, run, _ = mlflow_run
    history = client.get_metric_history(run.info.run_id, f"network_{best['member']}/validation_loss")
    assert [(point.step, point.value) for point in history] == list(enumerate(best["validation_loss"], start=1))


def test_mlflow_has_the_files(mlflow_run):
    client, run, _ = mlflow_run
    number = run.info.run_id
    names = {one.path for place in ("", "model", "evidence") for one in client.list_artifacts(number, place or None)}
    assert {"report.html", "events.jsonl", "config.json", "model/model.json", "evidence/squeeze.json"} <= names
    assert Path(client.download_artifacts(number, "report.html")).read_text() == "<html>"


def test_tensorboard_has_the_figures_the_curves_and_the_texts(folder, best):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in range(2):  # the second time in place of the first
        (said,) = track(folder, ["tensorboard"])
    assert said == f"TensorBoard files in {folder / 'tensorboard'}"
    read = EventAccumulator(str(folder / "tensorboard"))
    read.Reload()
    (figure,) = read.Scalars("figures/squeeze.test_score")
    assert figure.value == pytest.approx(0.856)
    points = read.Scalars(f"network_{best['member']}/validation_loss")
    assert [point.step for point in points] == list(range(1, len(best["validation_loss"]) + 1))
    assert [point.value for point in points] == pytest.approx(best["validation_loss"])
    (text,) = read.Tensors("parameters/text_summary")
    assert b"| target | Churn |" in text.tensor_proto.string_val[0]
    assert "stage/squeeze/text_summary" in read.Tags()["tensors"]


def test_what_cannot_be_tracked_gets_one_sentence(folder, tmp_path, monkeypatch, capsys):
    with pytest.raises(InputError, match=r"^'mlfow' is no tracker, did you mean 'mlflow'\?$"):
        track(folder, ["mlfow"])
    with pytest.raises(InputError, match=r"^There is no run folder "):
        track(tmp_path / "none", ["tensorboard"])
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    for command in (["fit", "a.csv", "--target", "y", "--track", "mlflow"], ["track", str(folder), "--to", "mlflow"]):
        code = cli.run_command(command)
        said = capsys.readouterr()
        assert (code, said.out, said.err) == (
            2, "", "trainwell: mlflow is not installed: pip install 'trainwell[mlflow]' brings it.\n",
        )  # fmt: skip


def test_the_command_says_where_the_run_is(folder, capsys):
    assert cli.run_command(["track", str(folder), "--to", "tensorboard"]) == 0
    assert capsys.readouterr().out == f"TensorBoard files in {folder / 'tensorboard'}\n"


@pytest.mark.parametrize("stops", [False, True])
def test_fit_tracks_its_run_when_it_ends_also_where_a_stage_stops_it(folder, monkeypatch, capsys, stops):
    import sys
    from types import SimpleNamespace

    from trainwell.errors import StageStopped

    def recipe(file, target, *, listeners, **options):
        for listener in listeners[1:]:
            listener({"event": "run_started", "folder": str(folder)})
        if stops:
            raise StageStopped("Stage look stopped the run.")
        return SimpleNamespace(interrupted=False)

    monkeypatch.setitem(sys.modules, "trainwell.recipe.run", SimpleNamespace(fit=recipe))
    code = cli.run_command(["fit", "a.csv", "--target", "y", "--track", "tensorboard"])
    said = capsys.readouterr()
    assert code == (3 if stops else 0)
    assert said.out == f"TensorBoard files in {folder / 'tensorboard'}\n"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A folder of its own for MLflow's database, whose path is given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "mlflow.db"


def told_by(tracked, *events: dict, problem: Exception | None = None) -> None:
    with tracked:
        for event in events:
            tracked(event)
        if problem is not None:
            raise problem


def test_a_store_that_cannot_be_written_gets_one_sentence_at_once(folder, store):
    store.mkdir()
    with pytest.raises(
        InputError, match=r"^The MLflow store sqlite:////.* did not take the run: unable to open database file$"
    ):
        track(folder, ["mlflow"])


def test_a_tracker_that_fails_is_said_and_changes_nothing_of_the_run(folder, store, capsys):
    from trainwell.errors import StageStopped

    store.mkdir()
    started = {"event": "run_started", "folder": str(folder)}
    told_by(Tracked(["mlflow", "tensorboard"]), started)
    said = capsys.readouterr()
    assert said.err.startswith("trainwell: mlflow did not take the run: The MLflow store sqlite:")
    assert said.err.count("\n") == 1
    assert said.out == f"TensorBoard files in {folder / 'tensorboard'}\n"
    with pytest.raises(StageStopped, match="no use"):
        told_by(Tracked(["mlflow"]), started, problem=StageStopped("no use"))


def test_a_run_that_was_finished_before_is_not_tracked_and_it_is_said_how(folder, capsys):
    told_by(Tracked(["mlflow"]), {"event": "run_finished", "report": str(folder / "report.html")})
    assert capsys.readouterr().out == (
        f"The run is finished already, nothing is tracked: trainwell track {folder} --to mlflow writes it.\n"
    )


def test_a_run_that_mlflow_took_half_of_is_not_one_that_goes_on(folder, store):
    from mlflow.tracking import MlflowClient

    from trainwell.tracking import mlflow_store

    half = dataclasses.replace(told(folder), files={"": [folder / "nothing.html"]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MLflow, about its own database library
        with pytest.raises(InputError, match=r"did not take the run: "):
            mlflow_store.write(half)
        client = MlflowClient(f"sqlite:///{store}")
        experiment = client.get_experiment_by_name("trainwell")
        (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"
    client._tracking_client.store.engine.dispose()
