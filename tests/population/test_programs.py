"""Compiled programs: each compiled once for all devices, in the background if asked in time, the same results everywhere."""

import sys

import jax
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

from trainwell.population.allocator import areas, most_areas
from trainwell.population.devices import pool
from trainwell.population.programs import Programs, _loaded_onto


def squares(numbers):
    return {"squares": jax.tree.map(lambda x: x * x + 1, numbers)}


def squares_anew():
    """The same program, as a function that JAX has not seen."""
    return jax.jit(lambda numbers: squares(numbers))


NUMBERS = {"a": np.arange(5, dtype=np.float32), "b": np.ones((2, 3), np.float32)}


@pytest.fixture(autouse=True)
def nothing_kept():
    """No program of this module is read back from the disk, where a slow machine may have kept one."""
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()
    yield
    jax.config.update("jax_enable_compilation_cache", True)
    compilation_cache.reset_cache()


@pytest.fixture
def all_kept(nothing_kept, tmp_path):
    """Every program is kept, in a folder of its own."""
    wanted = {
        "jax_enable_compilation_cache": True,
        "jax_compilation_cache_dir": str(tmp_path),
        "jax_persistent_cache_min_compile_time_secs": 0,
    }
    before = {name: getattr(jax.config, name) for name in wanted}
    for name, value in wanted.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def on_every_device(programs: Programs, function) -> list:
    found = []
    for device in pool(2).devices:
        result = programs.run("squares", function, device, jax.device_put(NUMBERS, device))
        assert {leaf.devices().pop() for leaf in jax.tree.leaves(result)} == {device}
        found.append(result)
    return found


def test_a_program_is_compiled_for_one_device_and_runs_on_all_with_the_same_bits():
    programs = Programs()
    function = jax.jit(squares)
    assert not programs.ready("squares", function)
    first, second = on_every_device(programs, function)
    jax.tree.map(np.testing.assert_array_equal, first, second)
    np.testing.assert_array_equal(first["squares"]["a"], NUMBERS["a"] ** 2 + 1)
    assert [one.program for one in programs.compilations] == ["squares"]
    assert programs.ready("squares")
    assert not programs.ready("cubes")
    assert programs.ready("squares", function)
    assert not programs.ready("squares", jax.jit(np.cbrt)), "another program of the same network"
    assert 0 < programs.slowest <= programs.waited


def test_a_program_read_back_from_the_disk_is_read_back_for_every_device_and_marks_no_other(all_kept):
    for rows in range(40, 70):
        kept, fresh = np.ones(rows, np.float32), np.ones((rows, 2), np.float32)
        Programs().run("squares", squares_anew(), pool(2).devices[0], kept)
        for numbers, compiled in ((kept, 2), (fresh, 1)):
            programs, function = Programs(), squares_anew()
            for device in pool(2).devices:
                found = programs.run("squares", function, device, jax.device_put(numbers, device))["squares"]
                np.testing.assert_array_equal(found, 2 * numbers)
            assert len(programs.compilations) == compiled


def test_the_slowest_is_that_of_the_run_that_has_begun_and_waiting_is_counted_once_for_all_threads():
    programs, device = Programs(), pool(1).devices[0]
    programs.run("squares", jax.jit(squares), device, NUMBERS)
    assert 0 < programs.slowest <= programs.held_up <= programs.waited
    assert programs.held_up == pytest.approx(programs.waited, abs=1)
    programs.begin_run()
    assert programs.slowest == 0
    programs.run("squares", jax.jit(squares), device, NUMBERS)
    assert programs.slowest > 0


def test_other_shapes_are_another_program():
    programs, function, device = Programs(), jax.jit(squares), pool(1).devices[0]
    for rows in (3, 4, 3):
        programs.run("squares", function, device, np.ones(rows, np.float32))
    assert len(programs.compilations) == 2


def test_where_memory_areas_run_short_the_programs_used_longest_ago_go_and_are_made_again(monkeypatch):
    programs, function, device = Programs(), jax.jit(squares), pool(1).devices[0]

    def run(rows: int) -> None:
        found = programs.run("squares", function, device, np.ones(rows, np.float32))["squares"]
        np.testing.assert_array_equal(found, np.full(rows, 2.0))

    monkeypatch.setattr("trainwell.population.programs.areas", lambda: 100)  # other tests of the process have some, too
    for rows in (13, 14, 15, 13):
        run(rows)
    programs.make_room()
    assert len(programs._entries) == 3  # far from the limit
    programs.make_room(most=0)
    assert len(programs._entries) == 1
    run(13)
    assert len(programs.compilations) == 3
    run(14)
    assert len(programs.compilations) == 4


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux counts the areas of memory of a process")
def test_programs_that_go_give_back_their_areas_of_memory():
    programs, device = Programs(), pool(1).devices[0]
    for rows in range(20, 26):
        programs.run(
            "squares", jax.jit(lambda x: {"squares": jax.numpy.sort(x @ x.T) + 1}), device, np.ones((rows, 3), np.float32)
        )
    before = areas()
    programs.make_room(most=0)
    assert 0 < areas() < before < most_areas()


def test_what_was_prepared_in_the_background_is_not_compiled_again():
    programs, function, device = Programs(), jax.jit(squares), pool(1).devices[0]
    programs.prepare("squares", function, device, NUMBERS)
    programs._background.submit(lambda: None).result()  # what was prepared comes before it
    programs.run("squares", function, device, NUMBERS)
    assert [one.background for one in programs.compilations] == [True]


def test_a_program_that_jax_still_holds_serves_a_second_collection_on_every_device():
    function = jax.jit(squares)
    for _ in range(3):
        for result in on_every_device(Programs(), function):
            np.testing.assert_array_equal(result["squares"]["b"], 2 * NUMBERS["b"])


def test_a_background_failure_is_met_by_whoever_needs_the_program():
    def refused(numbers):
        raise ValueError("no such program")

    programs, device = Programs(), pool(1).devices[0]
    programs.prepare("refused", jax.jit(refused), device, NUMBERS)
    with pytest.raises(ValueError, match="no such program"):
        programs.run("refused", jax.jit(refused), device, NUMBERS)


def test_this_version_of_jax_can_load_a_program_onto_another_core():
    first, second = pool(2).devices
    compiled = jax.jit(lambda x: x + 1).lower(jax.ShapeDtypeStruct((2,), np.float32)).compile()
    assert _loaded_onto(second, compiled) is not None or first == second
