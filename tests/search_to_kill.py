"""A small search for a process of its own, which says when it writes, so that a test can kill it there."""

import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import jax
import numpy as np

from small_networks import member, population, structure
from trainwell.files import UNFINISHED, remove_unfinished
from trainwell.population.budget import Budget
from trainwell.population.member import Training
from trainwell.search.waves import read_waves, search

NETWORK = structure("regression", widths=(4,), optimizer="momentum", decay="none", schedule="reduce_on_plateau")
TRIALS, EPOCHS = 24, 12  # a wave of 18 with 2 in the places of those that fail, and one of 4; three rungs each


def draw(numbers, waves=(), beside=()) -> list[Training]:
    """The members of these numbers; two fail at once."""
    return [drawn(number) for number in numbers]


def drawn(number: int) -> Training:
    chance = np.random.default_rng(number)
    rate, dropped = 10 ** chance.uniform(-3, -1), chance.uniform(0, 0.5)
    training = member(number, NETWORK, momentum__learning_rate=rate, dropout__rate=dropped, early_stopping__patience=99)
    if number in (3, 11):
        training.member.settings["momentum.learning_rate"] = 1e6
    return training


def run(folder: Path, cache: Path, said: Connection, halt_at: int | None = None) -> None:
    """Search, or go on with it. Every write is announced as it begins; that of number ``halt_at`` never takes its place."""
    os.environ["XDG_CACHE_HOME"] = str(cache)
    own = population("regression")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    begun = 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal begun
        if event == "open" and str(arguments[0]).endswith(UNFINISHED) and arguments[1] == "x":
            begun += 1
            said.send(begun)
        if event == "os.rename" and begun == halt_at:
            said.send("halted")
            said.recv()  # until it is killed

    sys.addaudithook(watch)
    remove_unfinished(folder)
    search(own, draw, lambda wave: EPOCHS, Budget(), folder, trials=TRIALS, kept=read_waves(folder))
    said.send("done")
