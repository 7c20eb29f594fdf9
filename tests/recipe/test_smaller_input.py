"""Whether networks are given fewer columns: by evidence, by hand, and the same in the model and after a kill."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trainwell
from trainwell.errors import InputError
from trainwell.population.budget import Budget
from trainwell.population.metrics import metric_named
from trainwell.recipe.events import read_events
from trainwell.recipe.options import Options
from trainwell.recipe.order import Recipe
from trainwell.recipe.overfit import smaller_input as module
from trainwell.recipe.overfit.smaller_input import FEWEST, MANY, MOST_TRIED, by_importance, narrowed, numbers_of_columns
from trainwell.recipe.overfit.smaller_input import smaller_input as choose
from trainwell.recipe.prepare import prepare
from trainwell.recipe.run import fit
from trainwell.recipe.tune import spaces

ROWS, NOISE = 500, 90
TOLD = {"first", "second", "kind"}
LIGHT = {"numeric_embedding": "none", "batch_size": 32}
QUICK = {"trials": 1, "cores": 1, "settings": {**LIGHT, "widths": "16"}}


def wide(told: int = NOISE, seed: int = 0, task: str = "binary") -> dict[str, list]:
    """Two numbers and a category that decide, among ``told`` columns of noise: numbers, two levels, towns, dates."""
    chance = np.random.default_rng(seed)
    first, second = chance.normal(size=(2, ROWS))
    kind = chance.choice([*"abc"], ROWS)
    signal = first * (1 + 0.5 * second) + second + 2 * (kind == "b") + 0.2 * chance.normal(size=ROWS)
    columns = {f"noise{i}": chance.normal(size=ROWS).tolist() for i in range(told - 3)}
    columns |= {"day": [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in chance.integers(0, 336, ROWS)]}
    columns |= {"town": [f"town {i}" for i in chance.integers(0, 12, ROWS)]}  # of so many levels that they are embedded
    columns |= {"coin": chance.choice(["heads", "tails"], ROWS).tolist()}
    columns |= {"first": first.tolist(), "second": second.tolist(), "kind": kind.tolist()}
    y = signal.tolist() if task == "regression" else np.where(signal > np.median(signal), "yes", "no").tolist()
    return {**columns, "y": y}


def context_of(rows, tmp_path, **options):
    chosen = Options.checked(target="y", out=tmp_path / "run", **{"trials": 3, "cores": 1, "settings": LIGHT, **options})
    return prepare(rows, chosen, Budget(), None, (), "the space")[0]


@given(st.integers(MANY, 100_000))
def test_fewer_and_fewer_columns_are_tried_down_to_the_fewest(columns):
    found = numbers_of_columns(columns)
    assert 1 < len(found) <= MOST_TRIED
    assert found == sorted(set(found), reverse=True)
    assert found[0] < columns
    assert found[-1] == FEWEST


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_columns_that_say_nothing_are_left_out_and_the_stage_says_so(task, tmp_path):
    context = context_of(wide(task=task), tmp_path)
    ranked = by_importance(context)
    assert set(ranked) == {column.name for column in context.encoder.columns}
    assert set(ranked[:8]) >= TOLD
    found = choose(context)
    assert found.columns is not None
    assert set(found.columns) >= TOLD
    assert len(found.columns) <= numbers_of_columns(len(ranked))[0]
    order = [column.name for column in context.encoder.columns]
    assert list(found.columns) == sorted(found.columns, key=order.index)
    label = context.metric.label
    assert found.says.startswith(f"A forest ranked the {len(ranked)} columns, and small networks learned from all and")
    assert f"{label} on the validation rows is" in found.says
    assert f"The networks read {len(found.columns)} of them, the most telling first: " in found.says
    (rows,) = found.tables.values()
    assert [row["columns"] for row in rows] == [len(ranked), *numbers_of_columns(len(ranked))]
    assert found.measures["columns_gain"] > 0
    assert json.loads(found.measures["columns"]) == list(found.columns)


def test_where_every_column_says_something_none_is_left_out(tmp_path):
    chance = np.random.default_rng(1)
    numbers = chance.normal(size=(ROWS, 40))
    columns = {f"x{i}": column.tolist() for i, column in enumerate(numbers.T)}
    found = choose(context_of({**columns, "y": numbers.sum(axis=1).tolist()}, tmp_path))
    assert found.columns is None
    assert found.says.endswith("Fewer are not clearly better: the networks read all.")
    assert "columns" not in found.measures


def test_nothing_is_tried_with_few_columns_or_against_the_users_word(tmp_path):
    assert choose(context_of(wide(told=MANY - 5), tmp_path)) == module.ALL
    assert choose(context_of(wide(), tmp_path / "held", settings={**LIGHT, "columns": "all"})) == module.ALL


def test_nothing_is_tried_where_rows_are_many_times_the_columns_or_the_table_is_large(tmp_path):
    context = context_of(wide(), tmp_path)
    columns, inputs = len(context.encoder.columns), context.arrays.numeric.shape[1] + context.arrays.categories.shape[1]

    def of_rows(rows: int):
        return replace(context, split=replace(context.split, train=np.arange(rows)))

    assert module.worth_trying(of_rows(module.ENOUGH_ROWS * columns - 1))
    assert not module.worth_trying(of_rows(module.ENOUGH_ROWS * columns))
    sample = SimpleNamespace(file=SimpleNamespace(rows=module.ENOUGH_ROWS * columns))
    assert not module.worth_trying(replace(context, sample=sample))
    wider = replace(context, arrays=replace(context.arrays, numeric=np.zeros((1, 10 * inputs), np.float32)))
    assert module.worth_trying(replace(wider, split=replace(context.split, train=np.arange(1000))))
    assert not module.worth_trying(replace(wider, split=replace(context.split, train=np.arange(10_000))))


def test_without_time_all_columns_are_read(tmp_path):
    context = context_of(wide(), tmp_path)
    context.budget.interrupt()
    found = choose(context)
    assert found.columns is None
    assert found.says == "There was no time to find out whether fewer columns do better."


def test_small_networks_that_would_take_longer_than_their_share_are_not_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_tried", lambda *given: pytest.fail("it was begun"))
    context = context_of(wide(), tmp_path)
    context = replace(context, options=context.options.model_copy(update={"time_limit": 100.0}), budget=Budget(100.0))
    monkeypatch.setattr(module, "SECONDS_OF_A_NUMBER", 1.0)
    found = choose(context)
    assert found.says == "There was no time to find out whether fewer columns do better."
    assert 0 < found.measures["choosing_seconds"] < 100


def test_columns_that_what_the_user_holds_needs_are_not_left_out(tmp_path):
    held = {"numeric_embedding": "periodic", "periodic.frequency": 1.0, "batch_size": 32}
    context = context_of(wide(), tmp_path, settings=held)
    assert Recipe._suits(context)
    assert Recipe._suits(narrowed(context, ["first", "kind"]))
    assert not Recipe._suits(narrowed(context, ["town", "kind"])), "which have no number to embed"
    assert choose(context, lambda narrower: False) == module.ALL
    found = choose(context, lambda narrower: len(narrower.encoder.columns) > 30)
    (rows,) = found.tables.values()
    assert [row["columns"] for row in rows] == [93, 41]
    space = spaces.read({"periodic.frequency": {"low": 0.1, "high": 1.0}}, {})
    searched = context_of(wide(), tmp_path / "searched", space=space, settings={})
    assert Recipe._suits(narrowed(searched, ["first"]))
    assert not Recipe._suits(narrowed(searched, ["town"]))


def test_small_networks_learn_rows_by_their_weights(tmp_path):
    context = context_of(wide(), tmp_path)
    weighted = replace(context, arrays=replace(context.arrays, weights=np.where(context.arrays.target == 1, 9.0, 1.0)))
    assert module._tried(weighted, 93).predictions.mean() > module._tried(context, 93).predictions.mean() + 0.1


def compared(right: np.ndarray, weights=None, metric: str = "auc") -> bool:
    """Whether networks that are sure of every row, ``right`` (rows,) or not, are clearly better than ones that know nothing."""
    target = np.arange(len(right)) % 2
    sure = np.where((target == 1) == right, 0.9, 0.1).astype(np.float32)[:, None]
    measure, held_out = metric_named(metric), SimpleNamespace(target=target, weights=weights)
    split = SimpleNamespace(validation=np.arange(len(right)))
    given = SimpleNamespace(
        validation=held_out, metric=measure, options=SimpleNamespace(seed=0), split=split, groups_of=lambda rows: None
    )
    fewer, whole = (
        module._Tried(9, one, float(measure.score(one, target, weights)), module._losses(one, target, "binary"))
        for one in (sure, np.full_like(sure, 0.5))
    )
    return module._clearly_better(fewer, whole, given)


def test_fewer_columns_must_be_better_by_more_than_chance_in_score_and_in_loss():
    right = np.ones(200, bool)
    assert compared(right)
    assert not compared(np.arange(200) % 4 < 2)
    assert not compared(np.arange(20) % 20 < 13)  # of so few rows a score like that is luck
    assert compared(np.arange(200) % 20 < 18, metric="accuracy")


def test_a_row_counts_by_its_weight_in_the_comparison():
    right = np.arange(200) % 4 < 2
    weights = np.where(right, 2.0, 0.0).astype(np.float32)
    assert not compared(right)
    assert compared(right, weights)
    assert not compared(~right, weights)


@pytest.mark.parametrize("kept", [["kind"], ["day", "second", "coin"], ["noise3", "first"], ["town", "noise3"]])
def test_a_narrower_context_is_that_of_a_table_without_the_others(kept, tmp_path):
    context = context_of(wide(), tmp_path)
    own = narrowed(context, kept)
    assert [column.name for column in own.schema.features] == [column.name for column in own.encoder.columns]
    assert {column.name for column in own.encoder.columns} == set(kept)
    assert own.schema.column("noise4").role == "ignored"
    encoded = own.encoder.transform(context.table.take(np.arange(context.table.rows)))
    np.testing.assert_array_equal(own.arrays.numeric, encoded.numeric)
    np.testing.assert_array_equal(own.arrays.categories, encoded.categories)
    assert own.structure().numeric == own.train.numeric.shape[1]
    assert narrowed(context, None) is context
    assert narrowed(context, [column.name for column in context.encoder.columns]) is context


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run on a wide table, with a fixed number of networks."""
    return fit(wide(), "y", out=tmp_path_factory.mktemp("wide") / "run", **QUICK)


def kept_by(run) -> list[str]:
    return json.loads(run.evidence["overfit"].measures["columns"])


def test_the_model_asks_only_for_the_columns_that_networks_read(made):
    kept = kept_by(made)
    assert [column.name for column in made.model.encoder.columns] == kept
    new = wide(seed=5)
    own = {name: new[name] for name in kept}
    np.testing.assert_array_equal(made.predict(own), made.predict(new))
    assert np.mean(made.predict(new) == np.array(new["y"])) > 0.75
    loaded = trainwell.load(made.folder / "model")
    np.testing.assert_array_equal(loaded.predict(own), made.predict(own))
    with pytest.raises(InputError, match=r"lacks a column of the training table: 'second'"):
        made.predict({name: values for name, values in own.items() if name != "second"})


def test_what_is_left_out_is_an_event_and_every_column_stays_in_the_schema_of_the_run(made):
    notes = [event["message"] for event in read_events(made.folder / "events.jsonl") if event["event"] == "note"]
    count = len(kept_by(made))
    assert (
        f"{93 - count} of 93 columns are left out, small networks do clearly better without them "
        "(--set columns=all keeps them)."
    ) in notes
    schema = json.loads((made.folder / "schema.json").read_text())
    assert "ignored" not in {column["role"] for column in schema["columns"]}


def test_the_model_card_says_that_columns_were_left_out(made):
    kept, card = len(kept_by(made)), (made.folder / "model_card.md").read_text()
    assert f"Then {kept} columns were kept: small networks did clearly better without the others." in card


def test_a_run_made_anew_from_a_later_stage_reads_the_same_columns(made):
    again = fit(resume=made.folder, source=wide(), from_stage="tune", trials=1)
    assert kept_by(again) == kept_by(made) == [column.name for column in again.model.encoder.columns]


def test_a_run_that_ends_before_the_search_goes_on_with_the_same_columns(tmp_path):
    folder = tmp_path / "run"

    def ends(event):
        if event["event"] == "stage_finished" and event["stage"] == "overfit":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(wide(), "y", out=folder, listeners=[ends], **QUICK)
    resumed = fit(wide(), resume=folder)
    assert [column.name for column in resumed.model.encoder.columns] == kept_by(resumed)
    assert len(kept_by(resumed)) < 93


def test_another_word_for_the_columns_is_refused_and_no_space_draws_them(tmp_path):
    with pytest.raises(InputError, match=r"^columns is 'some', allowed is one of 'by_evidence', 'all'\.$"):
        context_of(wide(), tmp_path, settings={"columns": "some"})
    with pytest.raises(InputError, match="columns"):
        fit(wide(), "y", out=tmp_path / "run", space={"columns": ["all"]}, trials=1)
