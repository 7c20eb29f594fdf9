"""What members and rows cost of memory is what the formulas say; a streamed table costs the same however many rows it has.

Measured as the peak of resident memory of processes of their own, of which two differ in one number only.
"""

import subprocess
import sys

import jax
import numpy as np
import pytest

from small_networks import structure
from trainwell.network.structure import Structure
from trainwell.population import memory
from trainwell.population.stream import CHUNK_BYTES, CHUNK_ROWS, Stream

BEGIN = """
import ctypes, gc, resource, tempfile
from pathlib import Path
import numpy as np
from trainwell.network.structure import Structure, resolve
from trainwell.population.budget import Budget
from trainwell.population.cohort import Population
from trainwell.population.devices import pool
from trainwell.population.epoch import Data
from trainwell.population.member import Member, Training
from trainwell.population.step import Rows
from trainwell.population.stream import Streamed, open_stream, writing

COLUMNS, FEW, MANY = 50, 200_000, 1_200_000

def rows(count):
    chance = np.random.default_rng(0)
    return Rows(chance.random((count, COLUMNS), np.float32), np.zeros((count, 0), np.int32), np.zeros(count, np.int32))

def train(data, members, epochs=1, **chosen):
    chosen = {"widths": (8,), "batch_size": 1024, "numeric_embedding": "none", "loss": "binary_cross_entropy", **chosen}
    network = Structure(numeric=COLUMNS, continuous=COLUMNS, cardinalities=(), outputs=1, **chosen)
    of = Population(data, "binary", "auc", np.zeros(1, np.float32), 0, pool(1))
    trainings = [Training(Member(number, network, resolve(network))) for number in range(members)]
    trained = of.train(trainings, epochs, epochs, Budget())
    assert all(one.epochs == epochs for one in trained)
    return trained

def peak():  # of this program alone: ru_maxrss would begin with what its parent held
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024

def held():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what the allocator keeps of freed memory is not held by members
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
"""
IN_MEMORY = """
for count in (FEW, MANY):
    train(Data(rows(count), rows(64)), 1)
    print(peak())
"""
STREAMED = """
for count in (MANY, 2 * MANY):  # many chunks each time: the first few fill what is used again
    with tempfile.TemporaryDirectory() as folder:
        with writing(Path(folder) / "rows") as writer:
            for _ in range(count // 100_000):
                writer.append(rows(100_000))
        stream = open_stream(Path(folder) / "rows")
        train(Streamed(stream, rows(64)), 1, epochs=stream.chunks)
    print(peak())
"""
MEMBERS = """
for count in (8, 8, 104):
    trained = train(Data(rows(2048), rows(64)), count, widths=(256, 256), decay="none")
    print(held())
"""
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from Linux")


def grown(code: str) -> int:
    """By how many bytes the last figure that a process prints is larger than the one before."""
    process = subprocess.run([sys.executable, "-c", BEGIN + code], capture_output=True, text=True, check=True)
    *_, before, after = map(int, process.stdout.split())
    return after - before


@LINUX
def test_rows_in_memory_cost_what_the_formula_says():
    expected = 2 * 1_000_000 * memory.row_bytes(50, 0)  # the table, and a copy on the one device
    assert 0.7 * expected < grown(IN_MEMORY) < 1.4 * expected


@LINUX
def test_streamed_rows_cost_nothing_however_many_there_are():
    in_hand = 2 * CHUNK_ROWS * memory.row_bytes(50, 0)  # whether one more chunk is read already depends on the moment
    assert abs(grown(STREAMED)) < in_hand < 0.25 * 1_200_000 * memory.row_bytes(50, 0)


@LINUX
def test_members_cost_what_the_formula_says():
    network = Structure(
        numeric=50, continuous=50, cardinalities=(), outputs=1, widths=(256, 256), numeric_embedding="none",
        loss="binary_cross_entropy", decay="none",
    )  # fmt: skip
    expected = 96 * memory.training_bytes(network)
    assert 0.8 * expected < grown(MEMBERS) < 1.4 * expected


@pytest.mark.parametrize(("optimizer", "moments"), [("gradient_descent", 0), ("momentum", 1), ("adam", 2)])
def test_a_member_that_trains_carries_its_weights_the_best_ones_and_the_moments(optimizer, moments):
    network = structure(optimizer=optimizer, widths=(64, 32))
    one = memory.kept_bytes(network)
    assert memory.training_bytes(network) == pytest.approx((2 + moments) * one, rel=0.01)


def test_the_formulas_are_the_sizes_of_a_training(trained):
    (network,) = {training.member.structure for training in trained}
    going = trained[0]
    assert memory.training_bytes(network) == sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(going.state))
    kept = going.let_go().state
    assert memory.kept_bytes(network) == sum(
        np.asarray(leaf).nbytes for leaf in jax.tree.leaves((kept.best_weights, kept.best_statistics))
    )


def test_chunks_are_bounded_whatever_the_table(tmp_path):
    for columns in (1, 20, 1000, 100_000):
        stream = Stream(tmp_path, rows=10**9, numeric=columns, categories=3, target="int32")
        assert stream.row_bytes == memory.row_bytes(columns, 3)
        assert stream.chunk_rows <= CHUNK_ROWS
        assert memory.streaming_bytes(stream, devices=2) <= 6 * CHUNK_BYTES
