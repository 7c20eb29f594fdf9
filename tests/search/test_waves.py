"""A search that is killed, at any moment and as often as you like, ends with the same bits; its files are read back or refused."""

import multiprocessing
import random
import time

import pytest

import search_to_kill
from small_networks import bits, member, population, structure
from trainwell.errors import InputError
from trainwell.files import UNFINISHED
from trainwell.population import checkpoint
from trainwell.population.budget import Budget
from trainwell.search.halving import Wave
from trainwell.search.waves import WAVE, read_waves, search, write_wave

PROCESSES = multiprocessing.get_context("forkserver")  # real processes, which need not import everything again
PROCESSES.set_forkserver_preload(["trainwell.search.waves"])
KILLS = 24  # eight of each kind
NETWORK = structure()


class Life:
    """One process of the search in `search_to_kill`, from its start to its end or to its death."""

    def __init__(self, folder, cache, halt_at: int | None = None):
        self.heard, said = PROCESSES.Pipe()
        self.process = PROCESSES.Process(target=search_to_kill.run, args=(folder, cache, said, halt_at))
        self.process.start()
        said.close()

    def hear(self, seconds: float | None = None):
        """What it says next; None where it says nothing for so long, or is dead."""
        try:
            return self.heard.recv() if self.heard.poll(seconds) else None
        except EOFError:
            return None

    def ends(self) -> bool:
        """Whether it comes to its end by itself."""
        heard = []
        while (said := self.hear()) is not None:
            heard.append(said)
        self.process.join()
        return heard[-1:] == ["done"] and self.process.exitcode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.heard.close()


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="module")
def uninterrupted(cache, tmp_path_factory):
    """(files of the search that nobody kills, seconds that it takes when its programs are compiled)."""
    for name in ("compiling", "compiled"):
        folder, began = tmp_path_factory.mktemp(name), time.monotonic()
        assert Life(folder, cache).ends()
    return contents(folder), time.monotonic() - began


def kill_at_a_moment(folder, cache, chance, seconds) -> bool:
    life = Life(folder, cache)
    time.sleep(chance.uniform(0, seconds))
    life.kill()
    return True


def kill_about_a_write(folder, cache, chance, seconds) -> bool:
    life, number = Life(folder, cache), chance.randint(1, 2)
    while (said := life.hear()) not in (number, "done", None):
        pass
    time.sleep(chance.uniform(0, 0.02))
    life.kill()
    return said == number


def kill_in_a_write(folder, cache, chance, seconds) -> bool:
    """When all is written, and the file has not yet taken its place."""
    life = Life(folder, cache, halt_at=chance.randint(1, 2))
    while (said := life.hear()) not in ("halted", "done", None):
        pass
    life.kill()
    if said == "halted":
        assert [path for path in folder.iterdir() if path.name.endswith(UNFINISHED)], "the kill came in a write"
    return said == "halted"


def test_a_search_killed_two_dozen_times_ends_with_the_same_bits(uninterrupted, cache, tmp_path):
    """At random moments, about a write, and in the middle of one; searches are begun until there were kills enough."""
    expected, seconds = uninterrupted
    chance, kills, searches = random.Random(5), 0, 0
    kinds = [kill_at_a_moment, kill_about_a_write, kill_in_a_write]
    while kills < KILLS:
        searches += 1
        folder = tmp_path / str(searches)
        folder.mkdir()
        for _ in range(KILLS // 3):
            kills += kinds[kills % 3](folder, cache, chance, seconds)
        assert Life(folder, cache).ends()
        assert contents(folder) == expected
    assert len(expected) == 2


def test_the_search_that_is_killed_is_one_with_failures_rungs_and_two_waves(uninterrupted, tmp_path):
    for name, content in uninterrupted[0].items():
        (tmp_path / name).write_bytes(content)
    waves = read_waves(tmp_path)
    assert [len(one.trainings) for one in waves] == [20, 4]
    assert [one.ends for one in waves] == [(4, 12), (4, 12)]
    assert {t.member.number for one in waves for t in one.trainings if t.failed} == {3, 11}
