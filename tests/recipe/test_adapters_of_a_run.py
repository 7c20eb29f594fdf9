"""A run whose networks share matrices: found, told of, saved with one matrix for all, and predicting what it scored."""

import json

import numpy as np
import pytest

from trainwell.info import describe
from trainwell.model import load
from trainwell.recipe.run import fit


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    held = {"adapters": 3, "widths": "8", "numeric_embedding": "none"}
    return fit(table, "left", out=tmp_path_factory.mktemp("shared") / "run", trials=4, effort="fast", settings=held)


def test_all_members_are_several_networks_that_share_their_matrices(run):
    assert {member.structure.adapters for member in run.model.members} == {3}
    assert all(len(networks) == 3 for networks in run.model.networks)
    assert sum(share for share, _ in run.model.votes) == pytest.approx(1)
    assert run.model.test_score > 0.8


def test_the_saved_model_predicts_the_same_and_holds_each_matrix_once(run, table):
    rows = {name: cells for name, cells in table.items() if name != "left"}
    np.testing.assert_array_equal(load(run.folder).predict_proba(rows), run.model.predict_proba(rows))
    member = load(run.folder).members[0]
    assert member.weights["layer1.weight"].ndim == 2
    assert member.weights["layer1.entering_scale"].shape[1] == 3


def test_the_diary_and_the_facts_of_the_model_name_them(run):
    history = json.loads((run.folder / "members" / "history.json").read_text())
    searched = [member for member in history["members"] if member["stage"] == "tune"]
    assert searched
    assert all("3 adapters" in member["structure"] for member in searched)
    assert "3 adapters" in describe(run.folder)
