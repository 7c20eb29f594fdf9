"""A part of the recipe: which stages are made, what they take from the folder, what is refused; and the gates of a run."""

import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest

from trainwell import cli
from trainwell.errors import InputError, NothingToLearn, StageStopped
from trainwell.population.budget import Budget
from trainwell.population.history import Curves
from trainwell.population.member import Member, Training
from trainwell.recipe.chosen_stages import chosen_stages
from trainwell.recipe.events import closed_by_ctrl_c
from trainwell.recipe.evidence import STAGES, Evidence, read_evidence
from trainwell.recipe.gates import beaten
from trainwell.recipe.options import Options
from trainwell.recipe.order import Recipe
from trainwell.recipe.prepare import prepare
from trainwell.recipe.run import fit
from trainwell.recipe.running import hold
from trainwell.report.record import read_record


@pytest.fixture
def again(run, tmp_path):
    """A copy of the finished run, to make parts of it anew."""
    return shutil.copytree(run.folder, tmp_path / "again")


def contents(folder) -> dict:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def history(folder) -> list[dict]:
    return json.loads((folder / "members" / "history.json").read_text())["members"]


def test_stages_are_made_in_the_recipes_order_and_from_one_to_the_last():
    assert chosen_stages(["tune", "look"]) == ("look", "tune")
    assert chosen_stages(from_stage="regularize") == ("regularize", "tune", "squeeze")
    assert chosen_stages() == ()
    with pytest.raises(InputError, match=r"^'tuen' is no stage, did you mean 'tune'\? the stages are 'look', 'baselines'"):
        chosen_stages(["tuen"])
    with pytest.raises(InputError, match=r"^--only and --from are two ways to say which stages are made: give one of them\.$"):
        chosen_stages(["look"], "tune")


def test_only_looking_leaves_one_stage_and_a_page(table, tmp_path):
    heard = []
    run = fit(table, "left", out=tmp_path / "run", only=["look"], listeners=[heard.append])
    assert list(run.evidence) == ["look"]
    assert run.model is None
    assert [event["stage"] for event in heard if event["event"] == "stage_started"] == ["look"]
    assert "not finished" in run.report.read_text()


def test_a_run_of_parts_is_the_run_of_the_whole(run, table, trials, tmp_path):
    """Stage by stage, in five calls: the same bits as in one."""
    fit(table, "left", out=tmp_path / "run", trials=trials, cores=2, only=["baselines"])
    fit(table, resume=tmp_path / "run", only=["look", "overfit"])
    fit(table, resume=tmp_path / "run", only=["regularize"])
    fit(table, resume=tmp_path / "run", only=["tune"])
    parts = fit(table, resume=tmp_path / "run", from_stage="squeeze")
    assert parts.evidence["squeeze"].measures == run.evidence["squeeze"].measures
    weights = [one.folder / "model" / "weights.safetensors" for one in (parts, run)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert history(parts.folder) == history(run.folder)


def test_a_search_is_made_anew_with_more_networks_from_what_a_finished_run_has_left(again, table, trials):
    before = {stage: (again / "evidence" / f"{stage}.json").read_bytes() for stage in STAGES[:4]}
    earlier = [member for member in history(again) if member["stage"] in ("overfit", "regularize")]
    assert len(json.loads((again / "environment.json").read_text())["devices"]) == 2
    run = fit(table, resume=again, from_stage="tune", trials=trials + 2, cores=1)
    assert len(json.loads((again / "environment.json").read_text())["devices"]) == 1, "what trained this part"
    assert run.evidence["tune"].measures["trials"] == trials + 2
    assert {stage: (again / "evidence" / f"{stage}.json").read_bytes() for stage in STAGES[:4]} == before
    assert [member for member in history(again) if member["stage"] in ("overfit", "regularize")] == earlier
    numbers = [member["member"] for member in history(again)]
    assert len(set(numbers)) == len(numbers)
    assert json.loads((again / "config.json").read_text())["trials"] == trials + 2
    assert [path.name for path in (again / "members").iterdir()] == ["history.json"]
    assert np.isfinite(run.predict_proba(table)).all()
    told = [event for event in read_record(again).events if event["event"] in ("stage_finished", "note")]
    assert len({json.dumps({**event, "time": 0}) for event in told}) == len(told)
    assert [event["stage"] for event in told if event["event"] == "stage_finished"] == list(STAGES)


def test_how_fast_networks_train_is_known_when_the_search_of_a_finished_run_is_made_anew(again, table):
    found = read_evidence(again / "evidence")
    assert all(found[stage].measures["full_training_seconds"] > 0 for stage in ("overfit", "regularize"))
    options = Options.checked(target="left", out=again, trials=1)
    context = prepare(table, options, Budget(), again, (), stages=("tune", "squeeze"))[0]
    recipe = Recipe(context, (), ("tune", "squeeze"))
    for stage in ("overfit", "regularize"):
        getattr(recipe, f"_{stage}")(context)
        recipe.result.evidence[stage] = recipe.done[stage]
    assert not recipe.result.trainings
    assert recipe._full_training == found["regularize"].measures["full_training_seconds"]


def test_looking_again_at_a_finished_run_keeps_its_model(again, table):
    before = (again / "model" / "weights.safetensors").read_bytes()
    run = fit(table, resume=again, only=["look"])
    assert list(run.evidence) == list(STAGES)
    assert (again / "model" / "weights.safetensors").read_bytes() == before
    assert run.model is not None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"only": ["regularize"]},
         r"tune and squeeze in .* were made from what regularize found: --from regularize makes them"),
        ({"only": ["tune"]}, r"squeeze in .* was made from what tune found: --from tune makes it anew, too\.$"),
        ({"only": ["squeeze"]}, r"stage squeeze needs the networks that tune trained, and .* does not hold them any more \(a"),
        ({"from_stage": "tune", "seed": 3},
         r"was made with the options that it was started with: beside tune only .*'trials' can be others, not 'seed'"),
        ({"from_stage": "squeeze", "trials": 9}, r"beside squeeze only .* can be others, not 'trials'; leave it out"),
        ({"from_stage": "tune", "space": {"batch_size": {"values": ["full"]}, "activation": {"values": ["relu"]}}},
         r"^the space: activation is searched and held fixed at 'relu' \(--set\): leave one of them out\.$"),
        ({"from_stage": "tune", "trials": 0}, r"^trials is 0, which should be greater"),
    ],
)  # fmt: skip
def test_what_would_make_a_run_untrue_is_refused_and_nothing_is_touched(again, table, options, sentence):
    if "space" in options:
        config = json.loads((again / "config.json").read_text())
        (again / "config.json").write_text(json.dumps(config | {"settings": {"activation": "relu"}}))
    before = contents(again)
    with pytest.raises(InputError, match=sentence):
        fit(table, resume=again, **options)
    assert contents(again) == before


def test_what_a_stage_needs_and_is_not_there_is_named(table, tmp_path):
    with pytest.raises(
        InputError,
        match=r"^stage tune needs what overfit and regularize found, and a new run has nothing yet: say --only overfit "
        r"--only regularize --only tune, or --from overfit for a run that was begun\.$",
    ):
        fit(table, "left", out=tmp_path / "run", only=["tune"])
    with pytest.raises(InputError, match=r"^--from tune goes on in a run that was begun: say which, with --resume RUN\.$"):
        fit(table, "left", out=tmp_path / "run", from_stage="tune")
    assert not (tmp_path / "run").exists()


def test_another_table_of_the_same_columns_is_told_apart(again, table):
    other = {**table, "noise": [value + 1 for value in table["noise"]]}
    before = contents(again)
    with pytest.raises(InputError, match=r"was made from another table: .* has its columns, but not its contents; begin a new"):
        fit(other, resume=again, from_stage="tune")
    assert contents(again) == before


def test_a_run_that_is_going_on_is_not_begun_a_second_time(again, table):
    held = hold(again / "events.jsonl")
    try:
        with pytest.raises(InputError, match=r"again is going on in another process: trainwell watch .*again shows it\.$"):
            fit(table, resume=again, from_stage="tune")
    finally:
        held.close()


# The gates: what ends a run with exit code 3.


def gate(tmp_path, columns: dict, *more: str) -> tuple[int, str]:
    path = tmp_path / "table.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])
    given = ["fit", path, "--target", "y", "--out", tmp_path / "run", "--trials", "1", "--cores", "1", "--quiet", *more]
    return cli.run_command([str(word) for word in given])


def test_one_class_only_ends_with_exit_code_3(tmp_path, capsys):
    assert gate(tmp_path, {"x": range(60), "y": ["a"] * 60}, "--keep-going") == 3
    assert capsys.readouterr().err.endswith("the target 'y' has one class only, 'a'; there is nothing to learn.\n")
    assert issubclass(NothingToLearn, InputError)
    assert issubclass(NothingToLearn, StageStopped)


def test_a_leak_ends_with_exit_code_3(tmp_path, capsys):
    random = np.random.default_rng(0)
    target = random.integers(0, 2, 200)
    leak = {"x": random.normal(size=200), "copy": target * 3.0, "y": target}
    assert gate(tmp_path, leak) == 3
    said = capsys.readouterr().err
    assert said.startswith("trainwell: Stage look stopped the run: ")
    assert "'copy'" in said
    assert said.endswith("--keep-going goes on all the same.\n")


@pytest.fixture
def context(table, tmp_path):
    return prepare(table, Options.checked(target="left", trials=1, out=tmp_path / "given"), Budget(), None, ())[0]


def judged(context, guess: float, stage: str, scores: list[float], loss: float = 0.7) -> Evidence:
    """What becomes of a stage after which networks have these validation scores and losses, and one who guesses that score."""
    structure = context.structure()
    trainings = [
        Training(Member(number, structure, {}, "tune"), None, Curves((0.5,), (loss,), (one,), (True,)))
        for number, one in enumerate(scores)
    ]
    done = {"baselines": Evidence("baselines", "pass", "", measures={"majority.score": guess})}
    return beaten(context, stage, Evidence(stage, "pass", "said", "Found."), done, trainings)


@pytest.mark.parametrize("stage", ["regularize", "tune"])
def test_networks_that_do_no_better_than_a_guess_stop_the_run(context, stage):
    found = judged(context, 0.5, stage, [0.5, 0.41, 0.48, 0.5])
    assert found.verdict == "stop"
    assert found.summary == "no network predicts better than a guess (majority): AUC 0.5000 at best, the guess has 0.5000"
    assert found.actions[0].startswith("The inputs may say nothing of the target")
    assert found.explanation.endswith("Found.")


def test_one_that_does_better_is_enough_to_go_on_and_of_a_few_nothing_is_concluded(context):
    assert judged(context, 0.5, "tune", [0.4, 0.41, 0.48, 0.51]).verdict == "pass"
    assert judged(context, 0.5, "tune", [0.4, 0.41, 0.48]).verdict == "pass"
    assert judged(context, 0.5, "overfit", [0.4, 0.41, 0.48, 0.5]).verdict == "pass"


def test_networks_that_name_the_same_class_as_a_guess_but_are_far_surer_of_it_have_learned(context):
    assert judged(context, 0.5, "tune", [0.5, 0.41, 0.48, 0.5], loss=0.4).verdict == "pass"
    assert judged(context, 0.5, "tune", [0.5, 0.41, 0.48, 0.5], loss=0.65).verdict == "stop"


def test_of_a_handful_of_validation_rows_nothing_is_concluded(context):
    few = dataclasses.replace(context.split, validation=context.split.validation[:9])
    assert judged(dataclasses.replace(context, split=few), 0.5, "tune", [0.0, 0.1, 0.2, 0.3]).verdict == "pass"


def test_a_run_whose_closing_was_cut_short_stays_unfinished_when_a_part_of_it_is_made(tmp_path):
    closing = [{"event": "run_started"}, {"event": "stage_started", "stage": "squeeze"}]
    part = [{"event": "run_started"}, {"event": "stage_started", "stage": "look"}, {"event": "run_finished"}]
    for events, cut in (
        (closing, False), ([*closing, {"event": "interrupted"}], True), ([*closing, {"event": "interrupted"}, *part], True),
        ([*closing, {"event": "interrupted"}, *part, *closing], False), ([*closing, *part, {"event": "interrupted"}], False),
    ):  # fmt: skip
        (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
        assert closed_by_ctrl_c(tmp_path) is cut


def test_a_run_of_the_least_effort_is_begun_anew_from_a_stage_without_those_that_it_has_not(table, tmp_path):
    few = {name: values[:60] for name, values in table.items()}
    fit(few, "left", out=tmp_path / "run", effort="minimal", cores=1)
    run = fit(few, resume=tmp_path / "run", from_stage="tune")
    assert list(run.evidence) == ["look", "tune", "squeeze"]
    assert run.model is not None
    with pytest.raises(InputError, match=r"stage tune needs what overfit and regularize found, and .*run does not hold it"):
        fit(few, resume=tmp_path / "run", from_stage="tune", effort="fast")
