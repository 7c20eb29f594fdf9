"""The pool: every job once, on the device that has its program, and a failure that stops the rest."""

import threading
import time

import pytest

from trainwell.population.devices import Pool, available_cores, pool


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
    own = Pool(2)
    here, there = own._begun
    own._begun[here], own._begun[there] = {"a"}, {"b"}
    assert own._choose(here, ["b", "c", "a"]) == 2
    assert own._choose(here, ["b", "c", "d"]) == 1
    assert own._choose(here, ["b", "b"]) == 0


def test_several_threads_feed_one_device_where_there_are_lanes():
    together = threading.Barrier(3, timeout=120)
    own = Pool(1, lanes=3)
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
