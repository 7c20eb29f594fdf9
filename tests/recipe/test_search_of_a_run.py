"""The search of a whole run: over a space from a file, its choices in the config, the study, the events and the report."""

import json

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from trainwell.recipe.run import fit

RATE = "adam.learning_rate"
TOML = """
["adam.learning_rate"]
low = 1e-6
high = 3e-6

["dropout.rate"]
values = [0.0, 0.25]

[widths]
values = ["8", "12"]
"""


@pytest.fixture(scope="module")
def searched(table, tmp_path_factory):
    """Rates far too low, so that the best lie at the upper edge; two waves."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "space.toml").write_text(TOML)
    run = fit(table, "left", out=folder / "run", trials=24, space=folder / "space.toml", settings={"batch_size": 64})
    (folder / "space.toml").unlink()
    return run


@pytest.fixture(scope="module")
def members(searched):
    history = json.loads((searched.folder / "members" / "history.json").read_text())
    return [member for member in history["members"] if member["stage"] == "tune"]


@pytest.fixture(scope="module")
def widened(searched):
    events = [json.loads(line) for line in (searched.folder / "events.jsonl").read_text().splitlines()]
    return [event for event in events if event["event"] == "widened"]


def test_every_network_of_the_first_wave_lies_in_the_space(members):
    assert len(members) == 24
    for member in members[:18]:
        assert 1e-6 <= member["settings"][RATE] <= 3e-6
        assert member["settings"]["dropout.rate"] in (0.0, 0.25)
        assert member["structure"].split()[0] in ("8", "12")


def test_where_the_best_lay_at_the_edge_the_range_was_widened_for_the_second_wave(widened, members, searched):
    (event,) = widened
    assert (event["name"], event["end"], event["stage"]) == (RATE, "upper", "tune")
    assert event["before"] == [1e-6, 3e-6]
    assert event["after"][0] == 1e-6
    assert event["after"][1] > 3e-6
    assert event["says"].startswith("best adam.learning_rate lies at the edge: widened to ")
    assert event["says"] in searched.evidence["tune"].explanation
    assert all(member["settings"][RATE] <= event["after"][1] for member in members)


def test_the_report_says_what_was_searched_what_mattered_and_which_were_best(searched):
    tune = searched.evidence["tune"]
    rows = {row["choice or setting"]: row for row in tune.tables["What was searched"]}
    assert rows["widths"] == {"choice or setting": "widths", "searched": "8, 12", "scale": "choice", "in the end": "the same"}
    assert rows["dropout.rate"]["searched"] == "0, 0.25"
    assert rows[RATE]["searched"] == "1e-06 to 3e-06"
    assert rows[RATE]["in the end"].startswith("1e-06 to ")
    assert len(tune.tables["The ten best"]) == 10
    assert {row["value"] for row in tune.tables["Choices"]} == {"8", "12"}
    assert ("importance" in tune.figures) == bool(tune.tables["What mattered"])
    page = searched.report.read_text()
    assert "What was searched" in page
    assert "lies at the edge: widened to" in page


def test_the_space_is_kept_whole_in_the_config(searched):
    config = json.loads((searched.folder / "config.json").read_text())
    assert config["search"] == "tpe"
    assert config["space"] == {
        RATE: {"low": 1e-6, "high": 3e-6, "scale": "log", "widen": True},
        "dropout.rate": {"values": [0.0, 0.25]},
        "widths": {"values": ["8", "12"]},
    }


def test_the_study_can_be_opened_with_optuna(searched, members):
    storage = JournalStorage(JournalFileBackend(str(searched.folder / "search.journal")))
    study = optuna.load_study(study_name="trainwell", storage=storage)
    assert [trial.user_attrs["member"] for trial in study.trials] == [member["member"] for member in members]
    assert [trial.params[RATE] for trial in study.trials] == [member["settings"][RATE] for member in members]
    best = max((m for m in members if m["status"] in ("finished", "stopped")), key=lambda member: member["score"])
    assert study.best_value == pytest.approx(best["score"])
    assert study.user_attrs == {"metric": "AUC", "sampler": "tpe"}
    assert study.best_trial.user_attrs["structure"] == best["structure"]


def test_a_run_over_a_space_that_was_stopped_goes_on_without_the_file(searched, table, tmp_path):
    class Stop(Exception):
        pass

    def stop(event):
        if event["event"] == "widened":
            raise Stop

    space = json.loads((searched.folder / "config.json").read_text())["space"]
    with pytest.raises(Stop):
        fit(table, "left", out=tmp_path / "run", trials=24, space=space,
            settings={"batch_size": 64}, listeners=[stop])  # fmt: skip
    resumed = fit(table, resume=tmp_path / "run")
    own, other = (json.loads((one.folder / "members" / "history.json").read_text()) for one in (resumed, searched))
    assert own == other
    assert resumed.evidence["tune"].tables == searched.evidence["tune"].tables
