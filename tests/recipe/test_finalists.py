"""The finalists of a run: cross-fitted as far as rows and time allow, told of, and resumed to the same model."""

import csv
import json
import os
import shutil
import signal
import threading
from dataclasses import replace

import numpy as np
import pytest

from trainwell.data.split import Split
from trainwell.errors import InputError
from trainwell.info import describe
from trainwell.network.structure import resolve
from trainwell.population import checkpoint
from trainwell.population.budget import Budget
from trainwell.population.history import Curves
from trainwell.population.member import Member, Training
from trainwell.population.metrics import METRICS
from trainwell.recipe.options import EFFORTS, Options
from trainwell.recipe.prepare import prepare
from trainwell.recipe.run import fit
from trainwell.recipe.squeeze.finalists import affordable, with_each_structure

FOLDS = 5


def history(folder) -> list[dict]:
    return json.loads((folder / "members" / "history.json").read_text())["members"]


def test_a_run_without_a_time_limit_holds_every_row_out_once_but_those_of_the_test(run):
    look, squeeze = run.evidence["look"].measures, run.evidence["squeeze"].measures
    assert squeeze["folds"] == FOLDS
    assert look["rows"] - look["test_rows"] - squeeze["held_out_rows"] <= FOLDS * 2
    assert squeeze["networks"] == FOLDS * squeeze["members"] == len(run.model.members)
    assert squeeze["finalists"] <= EFFORTS["default"].finalists
    assert 0 <= squeeze["optimism"] < 0.2
    # the ensemble is chosen by the AUC less a part of the log loss, so that by the AUC alone one network may be a little ahead
    assert 0.8 < squeeze["best_single_held_out"] <= squeeze["held_out_score"] + 0.02


def test_the_networks_of_all_folds_are_in_the_history_and_vote_alike(run, events):
    squeeze = run.evidence["squeeze"].measures
    new = [one for one in history(run.folder) if one["stage"] == "squeeze"]
    assert len(new) == squeeze["finalists"] * (FOLDS - 1)
    assert {one["member"] for one in new} == {
        event["member"] for event in events if event["event"] == "member_finished" and event["stage"] == "squeeze"
    }
    assert sum(member.share for member in run.model.members) == pytest.approx(1)
    shares = [row["share"] for row in run.evidence["squeeze"].tables["Members of the ensemble"]]
    counted = sorted((round(member.share * FOLDS, 3) for member in run.model.members), reverse=True)
    assert counted == sorted((share for share in shares for _ in range(FOLDS)), reverse=True)


def test_the_page_ranks_no_network_that_was_measured_on_other_rows(run):
    from trainwell.report.record import read_record

    ranked = read_record(run.folder).ranked_members
    assert ranked
    assert "squeeze" not in {member["stage"] for member in ranked}


def stopped_in_squeeze(table, folder, trials):
    """A run that Ctrl-C ended when the networks of a fold or two were done."""
    pressed = []

    def interrupt(event):
        if event["event"] == "progress" and event.get("stage") == "squeeze" and event["done"] > 12 and not pressed:
            pressed.append(True)
            threading.Timer(0, os.kill, (os.getpid(), signal.SIGINT)).start()

    return fit(table, "left", out=folder, trials=trials, cores=2, listeners=[interrupt])


@pytest.fixture(scope="module")
def stopped(table, trials, tmp_path_factory):
    return stopped_in_squeeze(table, tmp_path_factory.mktemp("stopped") / "run", trials)


def test_ctrl_c_in_cross_fitting_leaves_a_model_of_the_folds_that_are_done(stopped, table):
    assert stopped.interrupted
    measures = stopped.evidence["squeeze"].measures
    assert 1 <= measures["folds"] < FOLDS
    assert np.isfinite(stopped.predict_proba(table)).all()
    assert (stopped.folder / "members" / "fold-1.safetensors").exists(), "what a resumed run needs is kept"


def test_and_the_resumed_run_ends_with_the_same_model(stopped, run, table, tmp_path):
    folder = shutil.copytree(stopped.folder, tmp_path / "run")
    resumed = fit(table, resume=folder)
    assert not resumed.interrupted
    model = [(one / "model" / "weights.safetensors").read_bytes() for one in (folder, run.folder)]
    assert model[0] == model[1]
    assert resumed.evidence["squeeze"].measures == run.evidence["squeeze"].measures
    assert [path.name for path in (folder / "members").iterdir()] == ["history.json"], "the folds' files are removed"


def test_a_finalist_whose_network_broke_down_in_one_fold_is_told_of(stopped, table, tmp_path):
    folder, heard = shutil.copytree(stopped.folder, tmp_path / "run"), []
    path = folder / "members" / "fold-1.safetensors"
    kept = checkpoint.load(path)
    kept[0] = replace(kept[0], state=kept[0].state._replace(failed=np.bool_(True)))
    checkpoint.save(kept, path)
    events = (folder / "events.jsonl").read_text().splitlines(keepends=True)  # as if it had not been told of
    told = f'"event": "member_finished", "member": {kept[0].member.number},'
    (folder / "events.jsonl").write_text("".join(line for line in events if told not in line))
    resumed = fit(table, resume=folder, listeners=[heard.append])
    lost = kept[0].member.number
    assert any(
        f"is no finalist: trained with other rows held out, as network {lost}, it broke down" in event["message"]
        for event in heard
        if event["event"] == "note"
    )
    assert [event["member"] for event in heard if event["event"] == "member_failed"] == [lost]
    assert [one["status"] for one in history(folder) if one["member"] == lost] == ["failed"]
    assert lost not in {member.number for member in resumed.model.members}
    assert resumed.evidence["squeeze"].measures["folds"] == FOLDS


def context_of(table, folder, budget=None, **options):
    folder.mkdir()
    chosen = Options.checked(target="left", out=folder, **options)
    return prepare(table, chosen, budget or Budget(chosen.time_limit), None, ())[0]


def trained(context, number: int, epochs: int, widths=(8,)) -> Training:
    structure = context.structure(widths=widths)
    member = Member(number, structure, resolve(structure), "tune")
    return Training(member, curves=Curves(*((0.5,) * epochs for _ in range(4))))


def test_there_are_as_many_finalists_as_the_time_suffices_for(table, tmp_path):
    now = [0.0]
    context = context_of(table, tmp_path / "run", Budget(100.0, clock=lambda: now[0]))
    trainings = [trained(context, number, 20) for number in range(30)]

    def found(seconds: float) -> int:
        now[0] = seconds
        return affordable(context, trainings, trainings, 30.0)

    # 30 networks took 30 s, 1 s each, so that the other folds take 4; a margin of 15% is kept
    assert [found(seconds) for seconds in (0, 80, 90, 96, 100)] == [8, 4, 2, 0, 0]
    now[0] = 80.0
    costly = [trained(context, 99, 20, widths=(256, 256)), *trainings]
    assert affordable(context, costly, trainings, 30.0) == 0, "the first alone takes longer"
    assert affordable(context, trainings, [], 30.0) == 0, "nothing says how long a network takes"


def test_after_the_first_few_comes_the_best_of_each_searched_structure_that_has_none(table, tmp_path):
    context = context_of(table, tmp_path / "run", trials=1)
    widths = [(8,)] * 7 + [(16,), (4,), (16,), (32,), (8,)]
    ranked = [trained(context, number, 20, one) for number, one in enumerate(widths)]
    ranked[8] = replace(ranked[8], member=replace(ranked[8].member, stage="overfit"))  # a size that was not searched
    numbers = [training.member.number for training in with_each_structure(ranked)]
    assert numbers == [0, 1, 2, 3, 4, 5, 7, 10, 6, 8, 9, 11]
    assert with_each_structure(ranked[:4]) == ranked[:4]


def test_without_a_time_limit_the_effort_says_how_many_finalists_there_are(table, tmp_path):
    for effort in EFFORTS:
        context = context_of(table, tmp_path / effort, effort=effort, trials=1)
        assert affordable(context, [], [], 0.0) == EFFORTS[effort].finalists


def test_rows_in_the_order_of_time_are_not_cross_fitted(table, tmp_path):
    timed = {**table, "when": list(range(300))}
    assert affordable(context_of(timed, tmp_path / "run", trials=1, time="when"), [], [], 0.0) == 0


def test_the_folds_are_all_rows_but_the_tests_and_train_on_what_they_do_not_hold_out(table, tmp_path):
    context = context_of(table, tmp_path / "run", trials=1)
    folds = context.folds()
    assert len(folds) == FOLDS
    np.testing.assert_array_equal(folds[0].train.numeric, context.train.numeric)
    np.testing.assert_array_equal(folds[0].validation.numeric, context.validation.numeric)
    own = {row.tobytes() for part in (context.train, context.validation) for row in part.numeric}
    for fold in folds:
        held_out, seen = ({row.tobytes() for row in part.numeric} for part in (fold.validation, fold.train))
        assert not held_out & seen
        assert held_out | seen == own
        assert fold.train.numeric.shape == folds[0].train.numeric.shape, "one program serves all"
        assert not held_out & {row.tobytes() for row in context.test.numeric}


# A table of rows to test on.


def write(path, table: dict):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([list(table), *zip(*table.values(), strict=True)])
    return path


def prices(rows: int, seed: int) -> dict[str, list]:
    """A number in thousands."""
    random = np.random.default_rng(seed)
    size = random.normal(size=rows)
    price = 100_000 + 20_000 * size + 5_000 * random.normal(size=rows)
    return {"size": size.round(3).tolist(), "noise": random.normal(size=rows).round(3).tolist(), "left": price.round().tolist()}


@pytest.fixture(scope="module")
def priced(tmp_path_factory):
    """(run of a regression whose test rows are a table of their own, given by a relative path, its events)"""
    place, heard, before = tmp_path_factory.mktemp("priced"), [], os.getcwd()
    write(place / "test.csv", prices(40, 1))
    os.chdir(place)
    try:
        run = fit(
            write(place / "own.csv", prices(160, 0)), "left", out=place / "run", test="test.csv", metric="rmse", trials=1,
            time_limit=3600, settings={"widths": "16"}, listeners=[heard.append],
        )  # fmt: skip
    finally:
        os.chdir(before)
    return run, heard


def test_given_test_rows_are_the_test_and_nothing_else_is(priced):
    run, heard = priced
    split = Split.load(run.folder / "split.parquet")
    assert split.test.tolist() == list(range(160, 200))
    assert len(split.train) + len(split.validation) == 160
    assert run.evidence["look"].measures["test_rows"] == 40
    assert any(
        event["event"] == "note" and event["message"] == "40 rows of test.csv are the test rows; they train and choose nothing."
        for event in heard
    )
    actual, guess = np.array(prices(40, 1)["left"]), run.predict(prices(40, 1))
    rmse = float(np.sqrt(np.mean((actual - guess) ** 2)))
    assert run.evidence["squeeze"].measures["test_score"] == pytest.approx(rmse, rel=1e-3)


def test_the_targets_of_the_test_rows_change_the_score_and_nothing_else(make_table, tmp_path):
    rows, runs = make_table(60, 1), []
    turned = rows | {"left": [{"yes": "no", "no": "yes"}[one] for one in rows["left"]]}
    for name, given in (("true", rows), ("turned", turned)):
        file = write(tmp_path / f"{name}.csv", given)
        runs.append(fit(make_table(160), "left", test=file, out=tmp_path / name, trials=6, settings={"widths": "8"},
                        keep_going=True, cores=1))  # fmt: skip
    true, other = runs
    np.testing.assert_array_equal(true.predict_proba(rows), other.predict_proba(rows))
    kept = [run.evidence["tune"].tables["The ten best"] for run in runs]
    assert kept[0] == kept[1]
    scores = [run.evidence["squeeze"].measures["test_score"] for run in runs]
    assert scores[0] == pytest.approx(1 - scores[1])
    assert scores[0] > 0.8


def test_scores_and_their_optimism_are_in_the_unit_of_the_target(priced):
    evidence = priced[0].evidence["squeeze"]
    measures = evidence.measures
    assert measures["folds"] == FOLDS
    assert 2_000 < measures["held_out_score"] < 20_000
    assert measures["best_single_held_out"] >= measures["held_out_score"] - 1e-3
    assert abs(measures["optimism"]) < measures["held_out_score"]
    said = f"flatters this figure by about {max(0.0, measures['optimism']):,.0f}"
    assert measures["optimism"] == 0 or said.split("about ")[0] in evidence.explanation
    rows = evidence.tables["Members of the ensemble"]
    assert all(1_000 < row["RMSE on rows not seen"] < 50_000 for row in rows)


def test_a_run_ends_when_its_networks_are_done_however_much_time_is_left(priced):
    run, heard = priced
    assert run.evidence["tune"].measures["trials"] == 1
    assert heard[-1]["event"] == "run_finished"
    assert heard[-1]["seconds"] < 3600


def test_what_was_chosen_is_kept_and_the_test_table_is_found_again_from_anywhere(priced, tmp_path, monkeypatch):
    run, _ = priced
    config = json.loads((run.folder / "config.json").read_text())
    assert (config["effort"], config["trials"], config["time_limit"]) == ("default", 1, 3600)
    assert config["test"] == str(run.folder.parent / "test.csv")
    folder = shutil.copytree(run.folder, tmp_path / "run")
    for name in STAGES_DONE:
        (folder / "evidence" / f"{name}.json").unlink()
    monkeypatch.chdir(tmp_path)
    resumed = fit(resume=folder)
    np.testing.assert_array_equal(Split.load(folder / "split.parquet").test, np.arange(160, 200))
    assert resumed.evidence["squeeze"].measures["test_score"] == run.evidence["squeeze"].measures["test_score"]


def test_info_names_the_table_that_a_model_was_made_from(priced, run):
    said = describe(priced[0].folder)
    assert f"{priced[0].folder.parent / 'own.csv'}, 200 rows" in said
    assert "a table in memory, 300 rows" in describe(run.folder)


STAGES_DONE = ("baselines", "overfit", "regularize", "tune", "squeeze")


def test_a_test_table_that_cannot_serve_is_refused_before_a_folder_is_made(table, tmp_path):
    few = {name: cells[:20] for name, cells in table.items()}
    for changed, sentence in (
        ({name: cells for name, cells in few.items() if name != "left"}, r"test\.csv lacks a column of dict: 'left'\."),
        ({**few, "left": ["maybe", "yes"] * 10}, r"class 'maybe' of 'left' has no row in dict but others in .*test\.csv;"),
        ({**few, "left": [""] * 20}, r"test\.csv has no row with a left that can be learnt: there is nothing to test on\."),
        ({**few, "left": ["no"] * 20}, r"test\.csv has rows of one class only, 'no' in 'left', which measure nothing"),
    ):
        with pytest.raises(InputError, match=sentence):
            fit(table, "left", out=tmp_path / "run", test=write(tmp_path / "test.csv", changed))
    with pytest.raises(InputError, match=r"tset\.csv: there is no such file, did you mean 'test\.csv'\?"):
        fit(table, "left", out=tmp_path / "run", test=tmp_path / "tset.csv")
    assert not (tmp_path / "run").exists()


def test_a_gap_of_scores_is_shown_in_the_unit_of_its_metric(tmp_path):
    for metric, unit in (("rmse", True), ("r2", False)):
        context = context_of(prices(60, 0), tmp_path / metric, metric=metric, trials=1)
        assert METRICS[metric].in_target_units == unit
        assert context.shown_gap(0.5) == pytest.approx(0.5 * (context.encoder.target_scale if unit else 1))
