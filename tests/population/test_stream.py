"""Rows streamed from files train as rows in memory do; their order comes from the seed; files are whole or not there."""

import json
from dataclasses import replace

import numpy as np
import pytest

from small_networks import member, population, rows, structure, train
from trainwell.errors import InputError
from trainwell.population import stream as streams
from trainwell.population.budget import Budget
from trainwell.population.devices import Pool, start
from trainwell.population.epoch import Data
from trainwell.population.step import Rows
from trainwell.population.stream import Stream, Streamed, open_stream, writing

NUMBER = 320


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Blocks of 8 rows, chunks of 64."""
    monkeypatch.setattr(streams, "BLOCK_ROWS", 8)
    monkeypatch.setattr(streams, "CHUNK_ROWS", 64)


def written(folder, given: Rows | None = None, pieces: int = 3) -> Stream:
    given = rows(number=NUMBER) if given is None else given
    with writing(folder) as writer:
        for places in np.array_split(np.arange(len(given.target)), pieces):
            writer.append(Rows(*(x[places] for x in given[:3])))
    stream = open_stream(folder)
    assert stream is not None
    return stream


def streamed(stream: Stream, **changes):
    in_memory = population(**changes)
    return replace(in_memory, data=Streamed(stream, in_memory.data.validation))


def bits(training) -> list[bytes]:
    return [np.asarray(value).tobytes() for _, value in sorted(training.state.weights.items())]


def numbered_rows(count: int) -> Rows:
    """Rows that say which they are."""
    numbers = np.arange(count)
    return Rows(numbers[:, None].astype(np.float32), np.zeros((count, 0), np.int32), numbers.astype(np.int32))


def pass_of(stream: Stream, seed: int, first: int = 0) -> list[list[int]]:
    return [stream.chunk(seed, epoch).target.tolist() for epoch in range(first, first + stream.chunks)]


def test_several_threads_that_feed_a_device_read_the_same_chunks(tmp_path):
    stream = written(tmp_path / "rows")
    members = [member(number, structure(widths=(width,))) for number, width in enumerate((4, 6, 8))]
    one, three = streamed(stream), replace(streamed(stream), pool=Pool(start(1), lanes=3))
    for got, expected in zip(train(members, 4, of=three), train(members, 4, of=one), strict=True):
        assert got.curves == expected.curves
        assert bits(got) == bits(expected)


def test_an_epoch_trains_a_chunk_as_if_it_were_the_whole_table(tmp_path, network):
    of_files = streamed(written(tmp_path / "rows"))
    chunk = of_files.data.train.chunk(of_files.seed, 0)
    in_memory = replace(of_files, data=Data(chunk, of_files.data.validation))
    got, expected = (train([member(1, network, dropout__rate=0.2)], 1, of=of) for of in (of_files, in_memory))
    assert got[0].curves == expected[0].curves
    assert bits(got[0]) == bits(expected[0])


def test_every_row_is_trained_on_once_in_a_pass_and_its_columns_stay_together(tmp_path):
    stream = written(tmp_path / "rows", numbered_rows(NUMBER))
    assert (stream.chunk_rows, stream.chunks) == (64, 5)
    assert sorted(row for chunk in pass_of(stream, seed=3) for row in chunk) == list(range(NUMBER))
    chunk = stream.chunk(3, 7)
    np.testing.assert_array_equal(chunk.numeric[:, 0], chunk.target)


def test_chunks_are_drawn_anew_in_every_pass_and_come_from_the_seed_and_the_epoch(tmp_path):
    stream = written(tmp_path / "rows", numbered_rows(NUMBER))
    assert pass_of(stream, seed=3) == pass_of(stream, seed=3)
    assert pass_of(stream, seed=3) != pass_of(stream, seed=4)
    assert pass_of(stream, seed=3) != pass_of(stream, seed=3, first=stream.chunks)
    within = {block // 8 for block in pass_of(stream, seed=3)[0]}
    assert max(within) - min(within) > 8, "the blocks of a chunk lie far apart"


def test_rows_that_fill_no_block_have_their_turn_in_other_passes(tmp_path):
    stream = written(tmp_path / "rows", numbered_rows(NUMBER + 5))
    seen = {row for turn in range(12) for chunk in pass_of(stream, 0, turn * stream.chunks) for row in chunk}
    assert seen == set(range(NUMBER + 5))


def test_the_next_chunks_are_those_that_are_asked_for_one_by_one(tmp_path):
    stream = written(tmp_path / "rows", numbered_rows(NUMBER))
    ahead = [chunk.target.tolist() for chunk in stream.chunks_between(1, 3, 9)]
    assert ahead == [stream.chunk(1, epoch).target.tolist() for epoch in range(3, 9)]
    assert list(stream.chunks_between(1, 3, 3)) == []


def test_streamed_training_is_the_same_twice_whatever_the_cores_and_in_whichever_parts(tmp_path, network):
    stream = written(tmp_path / "rows")
    members = [member(number, network, adam__learning_rate=0.003 * (number + 1)) for number in range(3)]
    once = train(members, 7, of=streamed(stream))
    again = train(members, 7, of=streamed(stream, cores=2))
    in_parts = train(train(members, 3, of=streamed(stream), total=7), 7, of=streamed(stream))
    for first, second, third in zip(once, again, in_parts, strict=True):
        assert bits(first) == bits(second) == bits(third)
        assert first.curves == second.curves == third.curves


def test_streamed_networks_learn(tmp_path, network):
    stream = written(tmp_path / "rows", rows(number=2000))
    (trained,) = train([member(0, network, adam__learning_rate=0.01)], 60, of=streamed(stream))
    assert trained.score > 0.95


def test_training_ends_in_the_middle_of_a_pass_when_the_time_is_up(tmp_path, network):
    of = streamed(written(tmp_path / "rows"))
    seconds = iter(range(1000))
    budget = Budget(6.0, clock=lambda: float(next(seconds)))
    (stopped,) = of.train([member(0, network)], 50, 50, budget)
    assert 0 < stopped.epochs < of.data.train.chunks


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_kind_of_target_is_streamed(tmp_path, task):
    stream = written(tmp_path / "rows", rows(task, NUMBER))
    assert stream.target == ("float32" if task == "regression" else "int32")
    (trained,) = train([member(0, structure(task))], 3, of=streamed(stream, task=task))
    assert np.isfinite(trained.curves.training_loss).all()


def test_first_weights_are_rescaled_on_streamed_rows_too(tmp_path):
    (trained,) = train([member(0, structure(first_pass="lsuv"))], 1, of=streamed(written(tmp_path / "rows")))
    assert trained.sound


def test_programs_for_streamed_rows_are_compiled_ahead_and_only_once(tmp_path):
    network, of = structure(widths=(9,)), streamed(written(tmp_path / "rows"))
    of.prepare([network])
    train([member(0, network)], 2, of=of)
    assert sum(one.program == network for one in of.pool.programs.compilations) == 2, "first weights, and training"


def test_tables_smaller_than_a_chunk_and_wide_ones_have_smaller_chunks(tmp_path):
    tiny = Stream(tmp_path, rows=20, numeric=3, categories=0, target="int32")
    assert 0 < tiny.chunk_rows <= 20
    assert tiny.chunks == 1
    wide = Stream(tmp_path, rows=10**6, numeric=100_000, categories=0, target="int32")
    assert wide.chunk_rows * wide.row_bytes <= streams.CHUNK_BYTES


def test_files_are_whole_or_not_there(tmp_path):
    with pytest.raises(ValueError, match="invalid literal"):
        written(tmp_path / "rows", given=rows()._replace(target=np.array(["no number"] * 96)))
    assert open_stream(tmp_path / "rows") is None
    assert list(tmp_path.iterdir()) == []
    with writing(tmp_path / "rows") as writer:
        writer.append(rows())
        writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_written_anew(tmp_path):
    left = tmp_path / ".rows"
    left.mkdir()
    (left / streams.NUMERIC).write_bytes(b"half a row")
    assert written(tmp_path / "rows").rows == NUMBER


def test_damaged_files_are_refused_in_one_sentence(tmp_path):
    stream = written(tmp_path / "rows")
    path = stream.folder / streams.NUMERIC
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"numeric\.bin is damaged: it has not the size of 320 rows; remove .*rows\."):
        open_stream(stream.folder)
    (stream.folder / streams.INDEX).write_text(json.dumps({"rows": 3}))
    with pytest.raises(InputError, match="rows is damaged"):
        open_stream(stream.folder)
