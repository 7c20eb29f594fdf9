"""A file too large for memory: the first stages look at a sample, the search trains on all rows but those it is measured on."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from trainwell.data import large
from trainwell.errors import InputError
from trainwell.population import stream as streams
from trainwell.population.budget import Budget
from trainwell.recipe.options import Options
from trainwell.recipe.prepare import prepare
from trainwell.recipe.run import fit
from trainwell.recipe.tune import all_rows as reading
from trainwell.recipe.tune.all_rows import all_rows

ROWS, SAMPLE = 2400, 600
CHOSEN = {"trials": 2, "stream_above": 0, "settings": {"widths": "16"}}
SMALL = f"""
from trainwell.data import large
from trainwell.population import stream
large.SAMPLE_ROWS, stream.BLOCK_ROWS, stream.CHUNK_ROWS = {SAMPLE}, 32, 512
"""


@pytest.fixture(scope="module", autouse=True)
def small():
    """Samples and chunks fit the small table of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large, "SAMPLE_ROWS", SAMPLE)
        patch.setattr(streams, "BLOCK_ROWS", 32)
        patch.setattr(streams, "CHUNK_ROWS", 512)
        yield


@pytest.fixture(scope="module")
def path(make_table, tmp_path_factory):
    table = make_table(ROWS)
    table["family"] = [f"f{i // 4}" for i in range(ROWS)]
    table["left"][5] = None
    path = tmp_path_factory.mktemp("large") / "table.parquet"
    pyarrow.parquet.write_table(pa.table(table), path, row_group_size=300)
    return path


@pytest.fixture(scope="module")
def streamed(path, tmp_path_factory):
    """(run, its events)"""
    heard: list[dict] = []
    run = fit(path, "left", out=tmp_path_factory.mktemp("runs") / "run", listeners=[heard.append], ignore=("family",), **CHOSEN)
    return run, heard


def context_of(path, folder, **options):
    folder.mkdir()
    chosen = Options.checked(target="left", out=folder, **{"ignore": ("family",), **CHOSEN, **options})
    return prepare(path, chosen, Budget(), None, ())[0]


def of_all(stream):
    return np.concatenate([stream.chunk(0, epoch).numeric for epoch in range(40 * stream.chunks)])


def test_the_search_trains_on_all_rows_and_says_so(streamed):
    run, heard = streamed
    notes = [event["message"] for event in heard if event["event"] == "note"]
    assert any(
        "The table has 2,400 rows, too many for the memory that it may take: the stages before tuning look at" in n
        for n in notes
    )
    told = next(note for note in notes if "streamed from" in note)
    rows = int(told.split()[0].replace(",", ""))
    held_out = sum(int(run.evidence["look"].measures[f"{part}_rows"]) for part in ("validation", "test"))
    assert rows == ROWS - 1 - held_out
    assert f"The {rows:,} training rows were streamed from disk: an epoch is 512 of them" in run.evidence["tune"].explanation
    assert "of 2,400 rows" in run.evidence["look"].summary
    assert heard[0]["rows"] == ROWS


def test_the_model_of_a_streamed_table_is_as_good_as_any(streamed):
    run, _ = streamed
    assert run.evidence["squeeze"].measures["test_score"] > 0.85
    assert set(run.predict({"age": [30.0, 60.0], "income": [5000.0, 1000.0], "noise": [0, 0], "plan": ["max", "plus"]})) <= {
        "yes",
        "no",
    }


def test_the_networks_of_a_streamed_table_are_not_trained_again_on_a_sample_of_it(streamed):
    measures = streamed[0].evidence["squeeze"].measures
    assert measures["folds"] == 1
    assert measures["held_out_rows"] == streamed[0].evidence["look"].measures["validation_rows"]


def test_a_streamed_table_takes_no_other_to_test_on(path, tmp_path):
    with pytest.raises(InputError, match="is streamed from disk, which takes its test rows from itself: leave --test out"):
        fit(path, "left", out=tmp_path / "run", test=path, **CHOSEN)


def test_a_finished_run_keeps_no_rows_and_its_options_say_how_it_decided(streamed):
    run, _ = streamed
    assert not (run.folder / reading.FOLDER).exists()
    assert json.loads((run.folder / "config.json").read_text())["stream_above"] == 0


def test_a_table_that_fits_into_memory_is_not_streamed_and_its_options_hold_the_limit(run):
    assert json.loads((run.folder / "config.json").read_text())["stream_above"] > 1e8
    assert "streamed" not in run.evidence["tune"].explanation


@pytest.mark.parametrize("how", [{}, {"group": "family", "ignore": ()}, {"time": "age"}])
def test_no_row_that_validates_or_tests_is_streamed(path, tmp_path, how):
    context = all_rows(context_of(path, tmp_path / "run", **how))
    streamed_rows = {row.tobytes() for row in of_all(context.stream)}
    assert not streamed_rows & {row.tobytes() for part in (context.validation, context.test) for row in part.numeric}
    assert streamed_rows >= {row.tobytes() for row in context.train.numeric}
    if how:
        assert context.stream.rows < ROWS - len(context.split.validation) - len(context.split.test)


def test_a_killed_run_reads_the_rows_no_second_time_and_ends_with_the_same_model(streamed, path, tmp_path):
    folder = tmp_path / "killed"
    arguments = ["fit", str(path), "--target", "left", "--trials", "2", "--stream-above", "0", "--ignore", "family",
                 "--set", "widths=16", "--out", str(folder)]  # fmt: skip
    code = f"{SMALL}from trainwell.cli import main\nmain({arguments!r})"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    while not (folder / reading.FOLDER).exists():
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    written = os.stat(folder / reading.FOLDER / streams.NUMERIC).st_mtime_ns
    heard: list[dict] = []

    def listen(event: dict) -> None:
        heard.append(event)
        if event["event"] == "stage_started" and event["stage"] == "squeeze":
            assert os.stat(folder / reading.FOLDER / streams.NUMERIC).st_mtime_ns == written

    resumed = fit(resume=folder, listeners=[listen])
    assert any(event.get("stage") == "squeeze" for event in heard)
    weights = [(one / "model" / "weights.safetensors").read_bytes() for one in (resumed.folder, streamed[0].folder)]
    assert weights[0] == weights[1]


def test_reading_ends_with_its_time_and_what_was_read_trains(path, tmp_path):
    seconds = iter(range(10_000))
    context = context_of(path, tmp_path / "run")
    budget = Budget(60.0, clock=lambda: float(next(seconds)) * 10)
    heard: list[dict] = []
    context.log.listeners = (heard.append,)
    stream = all_rows(replace(context, budget=budget)).stream
    assert len(context.split.train) <= stream.rows < ROWS - 300
    assert any("The table has 2,400 rows, but the time for reading was used up" in event["message"] for event in heard)


def test_without_time_to_read_the_search_trains_on_the_sample(path, tmp_path):
    seconds = iter(range(10_000))
    context = replace(context_of(path, tmp_path / "run"), budget=Budget(1.0, clock=lambda: float(next(seconds))))
    assert all_rows(context).stream is None
    assert not (context.folder / reading.FOLDER).exists()


def test_rows_that_ctrl_c_cut_short_are_not_kept(path, tmp_path):
    context = context_of(path, tmp_path / "run")
    looks = iter(range(10))
    budget = Budget(1e6, clock=lambda: budget.interrupt() or 0.0 if next(looks) == 6 else 0.0)
    context = replace(context, budget=budget)
    assert all_rows(context).stream is None
    assert not (context.folder / reading.FOLDER).exists()


def test_a_size_that_is_none_is_refused(path):
    with pytest.raises(InputError, match="stream_above is -1, which should be greater than or equal to 0"):
        fit(path, "left", stream_above=-1)
