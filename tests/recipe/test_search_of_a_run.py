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
high = 1e-5

["weight_decay.rate"]
values = [1e-4, 1e-3]

[activation]
values = ["relu", "silu"]
"""


LINEAR = {
    "widths": "linear",
    "numeric_embedding": "none",
}  # whose log loss after few small steps is the lower, the larger they are


class Stop(Exception):
    """As good as a kill."""


@pytest.fixture(scope="module")
def searched(table, tmp_path_factory):
    """Linear models at rates far too low, the best at the upper edge; stopped between two waves, resumed without the file."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "space.toml").write_text(TOML)

    def stop(event):
        if event["event"] == "widened":
            raise Stop

    with pytest.raises(Stop):
        fit(table, "left", out=folder / "run", trials=22, effort="fast", metric="log_loss", settings=LINEAR, keep_going=True,
            space=folder / "space.toml", listeners=[stop])  # fmt: skip
    (folder / "space.toml").unlink()
    return fit(table, resume=folder / "run")


@pytest.fixture(scope="module")
def members(searched):
    history = json.loads((searched.folder / "members" / "history.json").read_text())
    return [member for member in history["members"] if member["stage"] == "tune"]


@pytest.fixture(scope="module")
def widened(searched):
    events = [json.loads(line) for line in (searched.folder / "events.jsonl").read_text().splitlines()]
    return [event for event in events if event["event"] == "widened"]


def test_every_network_of_the_first_wave_lies_in_the_space(members):
    assert len(members) == 22
    for member in members[:18]:
        assert 1e-6 <= member["settings"][RATE] <= 1e-5
        assert member["settings"]["weight_decay.rate"] in (1e-4, 1e-3)
        assert member["structure"].split()[1] in ("relu,", "silu,")


def test_where_the_best_lay_at_the_edge_the_range_was_widened_for_the_second_wave(widened, members, searched):
    (event,) = widened
    assert (event["name"], event["end"], event["stage"]) == (RATE, "upper", "tune")
    assert event["before"] == [1e-6, 1e-5]
    assert event["after"] == [1e-6, pytest.approx(1e-5 * 10**0.3)]
    assert event["says"].startswith("best adam.learning_rate lies at the edge: widened to ")
    assert event["says"] in searched.evidence["tune"].explanation
    assert all(member["settings"][RATE] <= event["after"][1] for member in members)


def test_the_report_says_what_was_searched_what_mattered_and_which_were_best(searched):
    tune = searched.evidence["tune"]
    rows = {row["choice or setting"]: row for row in tune.tables["What was searched"]}
    assert rows["activation"]["searched"] == "relu, silu"
    assert (rows["activation"]["scale"], rows["activation"]["in the end"]) == ("choice", "the same")
    assert rows["weight_decay.rate"]["searched"] == "0.0001, 0.001"
    assert rows[RATE]["searched"] == "1e-06 to 1e-05"
    assert rows[RATE]["in the end"].endswith(" to 2e-05")
    assert len(tune.tables["The ten best"]) == 10
    assert {row["value"] for row in tune.tables["Choices"]} == {"relu", "silu"}
    assert ("importance" in tune.figures) == bool(tune.tables["What mattered"])
    page = searched.report.read_text()
    assert "What was searched" in page
    assert "lies at the edge: widened to" in page


def test_the_space_is_kept_whole_in_the_config(searched):
    config = json.loads((searched.folder / "config.json").read_text())
    assert config["search"] == "tpe"
    assert config["space"] == {
        RATE: {"low": 1e-6, "high": 1e-5, "scale": "log", "widen": True},
        "weight_decay.rate": {"values": [1e-4, 1e-3]},
        "activation": {"values": ["relu", "silu"]},
    }


def test_the_study_can_be_opened_with_optuna(searched, members):
    storage = JournalStorage(JournalFileBackend(str(searched.folder / "search.journal")))
    study = optuna.load_study(study_name="trainwell", storage=storage)
    assert [trial.user_attrs["member"] for trial in study.trials] == [member["member"] for member in members]
    assert [trial.params[RATE] for trial in study.trials] == [member["settings"][RATE] for member in members]
    best = min((m for m in members if m["status"] in ("finished", "stopped")), key=lambda member: member["score"])
    assert study.best_value == pytest.approx(best["score"])
    assert study.user_attrs == {"metric": "log loss", "sampler": "tpe"}
    assert study.best_trial.user_attrs["structure"] == best["structure"]


def test_nothing_is_widened_where_no_wave_follows(table, tmp_path):
    low = {RATE: {"low": 1e-6, "high": 1e-5}}
    run = fit(table, "left", out=tmp_path / "run", trials=18, effort="fast", metric="log_loss", settings=LINEAR, space=low,
              keep_going=True)  # fmt: skip
    tune = run.evidence["tune"]
    assert '"event": "widened"' not in (run.folder / "events.jsonl").read_text()
    assert "widened" not in tune.explanation
    assert [row["in the end"] for row in tune.tables["What was searched"] if row["choice or setting"] == RATE] == ["the same"]
    assert any(action.startswith(f"The best {RATE} lies at the edge") for action in tune.actions)
