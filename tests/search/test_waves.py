"""A search that is killed, at any moment and as often as you like, ends with the same bits; its files come back."""

import multiprocessing
import random
import time

import pytest

import search_to_kill
from small_networks import bits, member, numbered, population, structure
from trainwell.errors import InputError
from trainwell.files import UNFINISHED
from trainwell.population import checkpoint
from trainwell.population.budget import Budget
from trainwell.population.member import Training
from trainwell.search.halving import NARROW, WIDE, Shape, Wave, wave
from trainwell.search.waves import members_of, read_waves, search, write_wave

PROCESSES = multiprocessing.get_context("forkserver")  # real processes, which need not import everything again
PROCESSES.set_forkserver_preload(["trainwell.search.waves"])
KILLS = 24  # eight of each kind
NETWORK = structure()


def drawn(numbers, waves=(), beside=()) -> list[Training]:
    return [member(number, NETWORK, adam__learning_rate=0.002 * (number + 1)) for number in numbers]


def searched(folder, trials: int | None = 4, budget: Budget | None = None, **more) -> list[Training]:
    return members_of(search(population(), drawn, lambda wave: 12, budget or Budget(), folder, trials=trials, **more))


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


def test_a_kill_in_a_write_costs_that_rung_and_no_other(uninterrupted, cache, tmp_path):
    life = Life(tmp_path, cache, halt_at=3)
    while life.hear() != "halted":
        assert life.process.is_alive()
    life.kill()
    (kept,) = read_waves(tmp_path)
    assert (kept.rung, len(kept.going)) == (2, 2)


def test_the_search_that_is_killed_is_one_with_failures_rungs_and_two_waves(uninterrupted, tmp_path):
    for name, content in uninterrupted[0].items():
        (tmp_path / name).write_bytes(content)
    waves = read_waves(tmp_path)
    assert [len(one.trainings) for one in waves] == [20, 4]
    assert [one.ends for one in waves] == [(1, 4, 12), (1, 4, 12)]
    assert {t.member.number for one in waves for t in one.trainings if t.failed} == {3, 11}


def test_members_are_numbered_from_the_first_on_and_trials_count_the_replacements(tmp_path):
    def numbered_as_drawn(numbers, waves, beside) -> list[Training]:
        drawn = search_to_kill.draw([number - 97 for number in numbers])  # numbers 100 and 108 fail
        return [numbered(one, number) for one, number in zip(drawn, numbers, strict=True)]

    found = search(population("regression"), numbered_as_drawn, lambda wave: 12, Budget(), tmp_path, first=97, trials=19)
    trainings = members_of(found)
    assert [training.member.number for training in trainings] == list(range(97, 116))
    assert [training.member.number for training in trainings if training.failed] == [100, 108]


def test_a_draw_may_hang_on_the_waves_before_it_and_on_those_whose_place_it_takes(tmp_path):
    asked = {}

    def draw(numbers, waves, beside) -> list[Training]:
        asked[tuple(numbers)] = [[t.member.number for t in trainings] for trainings in (members_of(waves), beside)]
        return search_to_kill.draw(numbers)

    search(population("regression"), draw, lambda wave: 12, Budget(), tmp_path, trials=21)
    assert asked == {
        tuple(range(18)): [[], []],
        (18, 19): [[], list(range(18))],  # two of the first rung failed
        (20,): [list(range(20)), []],  # the second wave comes after the whole first one
    }, "and nobody is asked once all are drawn"


def test_a_search_ends_where_there_are_no_more_members_to_draw(tmp_path):
    waves = search(population(), lambda numbers, *_: drawn([n for n in numbers if n < 3]), lambda wave: 2, Budget(), tmp_path)
    assert [len(one.trainings) for one in waves] == [3]


def test_a_wave_that_was_kept_in_the_middle_is_gone_on_with_and_not_begun_again(tmp_path):
    whole = searched(tmp_path)
    standing = []
    own = population()
    wave(own, Wave.of(drawn(range(4)), 12), Budget(), on_rung=standing.append)
    write_wave(standing[0], tmp_path, 1)
    (kept,) = read_waves(tmp_path)
    assert (kept.rung, kept.ends, len(kept.going)) == (1, (1, 4, 12), 1)
    heard = []
    resumed = searched(tmp_path, kept=[kept], on_rung=heard.append)
    assert len(heard) == 2, "two rungs were left"
    assert [bits(training) for training in resumed] == [bits(training) for training in whole]


def test_a_rung_that_was_cut_is_done_again_where_the_number_of_trials_is_fixed(tmp_path):
    whole, budget = searched(tmp_path / "whole"), Budget()
    cut = searched(tmp_path / "cut", budget=budget, on_rung=lambda waves: budget.interrupt())
    assert max(training.epochs for training in cut) == 1
    assert not (tmp_path / "cut").exists(), "nothing of it is kept"
    again = searched(tmp_path / "cut", kept=read_waves(tmp_path / "cut"))
    assert [bits(training) for training in again] == [bits(training) for training in whole]


def test_a_search_that_the_time_ended_keeps_what_it_has(tmp_path):
    budget = Budget()
    cut = searched(tmp_path, trials=None, budget=budget, on_rung=lambda waves: budget.interrupt())
    (kept,) = read_waves(tmp_path)
    assert kept.over
    assert [bits(training) for training in kept.trainings] == [bits(training) for training in cut]
    assert len(cut) == WIDE.members
    assert searched(tmp_path, trials=WIDE.members, kept=[kept])[0].epochs == 1, "it is over"


def test_a_search_in_narrow_waves_begins_with_so_many_and_keeps_their_shape(tmp_path):
    waves = search(population(), drawn, lambda wave: 3, Budget(), tmp_path, trials=8, shape=NARROW)
    assert [len(one.trainings) for one in waves] == [6, 2]
    assert [sum(training.ended for training in one.trainings) for one in waves] == [4, 1]
    kept = read_waves(tmp_path)
    assert [(one.shape, one.ends, one.over) for one in kept] == [(NARROW, (1, 3), True)] * 2
    assert type(kept[0].shape) is Shape


def test_a_narrow_wave_that_was_kept_in_the_middle_ends_with_the_same_bits_and_those_after_it_are_as_asked(tmp_path):
    whole = searched(tmp_path / "whole", trials=6, shape=NARROW)
    standing = []
    wave(population(), Wave.of(drawn(range(6)), 12, NARROW), Budget(), on_rung=standing.append)
    write_wave(standing[0], tmp_path, 1)
    (kept,) = read_waves(tmp_path)
    assert (kept.rung, kept.ends, len(kept.going), kept.shape) == (1, (4, 12), 4, NARROW)
    resumed = search(population(), drawn, lambda wave: 12, Budget(), tmp_path, trials=8, shape=WIDE, kept=[kept])
    assert [bits(training) for training in resumed[0].trainings] == [bits(training) for training in whole]
    assert [one.shape for one in resumed] == [NARROW, WIDE], "a wave that has begun goes on as it began"
    assert (tmp_path / "wave-1.safetensors").read_bytes() == (tmp_path / "whole" / "wave-1.safetensors").read_bytes()


def test_a_wave_without_a_whole_shape_gets_one_sentence(tmp_path):
    for shape in (None, [6], [6, 2, "all"]):
        checkpoint.save([member(1, NETWORK)], tmp_path / "wave-1.safetensors", {"ends": [1], "rung": 1, "shape": shape})
        with pytest.raises(InputError, match=r"wave-1\.safetensors is damaged \(.+\): remove it, and the run makes again"):
            read_waves(tmp_path)


def test_waves_are_read_up_to_the_first_that_is_missing(tmp_path):
    for number in (1, 2, 4):
        write_wave(Wave((member(number, NETWORK),), (), 0), tmp_path, number)
    assert [one.trainings[0].member.number for one in read_waves(tmp_path)] == [1, 2]
    assert read_waves(tmp_path / "nothing") == []


def test_a_file_of_something_else_gets_one_sentence(tmp_path):
    write_wave(Wave((member(1, NETWORK),), (), 0), tmp_path, 1)
    checkpoint.save([member(2, NETWORK)], tmp_path / "wave-2.safetensors")
    with pytest.raises(InputError, match=r"wave-2\.safetensors is damaged \('shape'\): remove it, and the run makes again"):
        read_waves(tmp_path)
