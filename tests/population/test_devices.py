"""The pool: every job once, on the device that has its program, and a failure that stops the rest."""

import subprocess
import sys
import threading
import time

import jax
import pytest

from trainwell.errors import InputError
from trainwell.population import devices
from trainwell.population.devices import GPU_FROM, Pool, available_cores, bound_to_cores, device_for, pool, start
from trainwell.recipe import prepare


def test_every_job_is_done_once_and_given_with_its_result():
    done = dict(pool(2).run(lambda job, device: job * job, range(20)))
    assert done == {job: job * job for job in range(20)}
    assert list(pool(2).run(lambda job, device: job, [])) == []


def test_one_core_does_the_jobs_in_their_order():
    assert [job for job, _ in pool(1).run(lambda job, device: None, "dbca")] == list("dbca")


def test_two_cores_work_at_the_same_time_on_devices_of_their_own():
    both = threading.Barrier(2, timeout=120)
    devices = {device for _, device in pool(2).run(lambda job, device: both.wait() * 0 or device, range(2))}
    assert len(devices) == 2


def test_a_device_takes_first_what_it_has_compiled_then_what_nobody_has():
    own = Pool(start(2))
    here, there = own._begun
    own._begun[here], own._begun[there] = {"a"}, {"b"}
    assert own._choose(here, ["b", "c", "a"]) == 2
    assert own._choose(here, ["b", "c", "d"]) == 1
    assert own._choose(here, ["b", "b"]) == 0


def test_several_threads_feed_one_device_where_there_are_lanes():
    together = threading.Barrier(3, timeout=120)
    own = Pool(start(1), lanes=3)
    devices = {device for _, device in own.run(lambda job, device: together.wait() * 0 or device, range(3))}
    assert devices == set(own.devices)


def test_a_failing_job_is_raised_and_no_further_job_begins():
    begun = []

    def work(job, device):
        begun.append(job)
        if job == 1:
            raise ZeroDivisionError("job 1")
        time.sleep(0.001)

    with pytest.raises(ZeroDivisionError, match="job 1"):
        list(pool(2).run(work, range(10_000)))
    assert len(begun) < 10_000


def test_who_stops_listening_stops_the_work():
    begun = []
    for job, _ in pool(1).run(lambda job, device: begun.append(job) or time.sleep(0.001), range(10_000)):
        if job == 2:
            break
    assert len(begun) < 10_000


def test_there_is_one_pool_for_each_number_of_cores():
    assert pool(1) is pool(1)
    assert len(pool(1).devices) == 1
    assert len(pool(2).devices) == 2
    assert available_cores() >= 1


@pytest.mark.parametrize(
    ("chosen", "seconds", "networks", "expected"),
    [
        ("auto", 15.0, 18, "cpu"),
        ("auto", GPU_FROM - 1, None, "cpu"),
        ("auto", GPU_FROM, None, "auto"),
        ("auto", None, 500, "auto"),
        ("auto", None, 1, "cpu"),
        ("gpu", 15.0, 18, "gpu"),
        ("cpu", None, None, "cpu"),
    ],
)
def test_a_run_too_short_to_compile_for_a_gpu_trains_on_the_cores(chosen, seconds, networks, expected):
    assert device_for(chosen, seconds, networks) == expected


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_one_sentence():
    with pytest.raises(
        InputError, match="device is 'gpu', but JAX sees none: install the extra 'cuda', do not set JAX_PLATFORMS"
    ):
        pool(1, "gpu")


CHOSEN_FIRST = """
from jax._src import xla_bridge
import trainwell
from trainwell.recipe import prepare
real = prepare.pool
def pool(*given):
    begun = xla_bridge.backends_are_initialized()
    devices = real(*given).devices
    raise SystemExit(f"{begun} {given} {len(devices)}")
prepare.pool = pool
trainwell.fit({"a": [i % 7 + 0.5 for i in range(40)], "y": ["p", "q"] * 20}, "y", cores=2, **OPTIONS)
"""


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="there is a GPU")
@pytest.mark.parametrize(("options", "expected"), [({}, "False (2, 'cpu') 2"), ({"time_limit": 600}, "False (2, 'auto') 2")])
def test_nothing_begins_jax_before_a_run_has_chosen_its_devices(options, expected, tmp_path):
    code = CHOSEN_FIRST.replace("**OPTIONS", f"out={str(tmp_path / 'run')!r}, **{options}")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip().splitlines()[-1] == expected


@pytest.mark.parametrize(("plugin", "platforms", "device", "after"), [
    (True, None, "cpu", "cpu"), (True, None, "auto", None), (False, None, "cpu", None), (True, "cuda", "cpu", "cpu"),
])  # fmt: skip
def test_jax_is_told_to_leave_a_gpu_alone_only_where_there_is_one_and_a_run_is_to_train_on_cores(
    plugin, platforms, device, after, monkeypatch
):
    monkeypatch.setattr(devices, "find_spec", lambda name: object() if plugin and name == "jax_cuda13_plugin" else None)
    before = jax.config.jax_platforms
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    try:
        jax.config.update("jax_platforms", platforms)
        start(1, device)
        assert jax.config.jax_platforms == after
        assert bound_to_cores() == (plugin and after == "cpu")
    finally:
        jax.config.update("jax_platforms", before)


def test_runs_on_the_same_cores_share_what_is_compiled_whatever_chose_them():
    assert pool(2, "cpu") is pool(2)


@pytest.mark.parametrize(
    ("wanted", "platform", "bound", "said"),
    [
        ("cpu", "gpu", False, "This run trains on the GPU, for the process has begun with it"),
        (
            "auto",
            "cpu",
            True,
            "This run trains on the cores, for a short one before it did",
        ),
        ("auto", "cpu", False, None),
        ("cpu", "cpu", True, None),
        ("auto", "gpu", False, None),
    ],
)
def test_a_note_says_where_a_process_has_begun_with_other_devices(wanted, platform, bound, said, monkeypatch):
    monkeypatch.setattr(prepare, "bound_to_cores", lambda: bound)
    assert [note.message.split(":")[0] for note in prepare._notes_of_devices(wanted, platform)] == ([said] if said else [])
