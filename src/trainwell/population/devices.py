"""The machine's cores (or GPUs) as a pool of XLA devices, a core fed by one thread and a GPU by several.

A network for a table is too small for two cores to share one matrix product. So every core becomes a device of its own and
trains its own cohort. Each device has an XLA client of its own: the devices of one client share a pool of threads, which take
parts of each other's matrix products from core to core and cost a quarter of the speed where both are busy. ``NPROC=1`` leaves
a client no thread but the one that calls it.

A GPU waits while a program is compiled for it, and while what it computed is copied and sorted: that is why several threads
feed it, each with a cohort of its own. Compiling for a GPU takes several times as long as for a core, so that in a short run
the cores of its machine have trained more networks before it has begun.
"""

import os
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar, cast

import jax
from jaxlib import xla_client

from trainwell.cores import available_cores
from trainwell.errors import InputError
from trainwell.population.allocator import keep_apart
from trainwell.population.kept_programs import keep_programs_in
from trainwell.population.programs import Programs

Job = TypeVar("Job")
Result = TypeVar("Result")


LANES = 4  # chosen: threads that feed a GPU
AUTO, CPU, GPU = "auto", "cpu", "gpu"
CUDA_VERSIONS = (12, 13)  # of which there are plug-ins
GPU_FROM = 180.0  # chosen: seconds of a run; in 60 s an H100 searched nothing where its machine's 16 cores were done in 49 s
_CORES: list[jax.Device] = []  # one for each core asked for so far
_making = threading.Lock()


def device_for(chosen: str, seconds: float | None, networks: int | None) -> str:
    """What a run of so many seconds and networks (None is no limit) shall train on, where the user chose "auto": the GPUs
    ("auto", for there may be none) if it is long enough to compile for them.

    >>> device_for("auto", 60.0, 72), device_for("auto", 600.0, None), device_for("gpu", 60.0, 72), device_for("auto", None, 1)
    ('cpu', 'auto', 'gpu', 'cpu')
    """
    short = networks == 1 or (seconds is not None and seconds < GPU_FROM)
    return CPU if chosen == AUTO and short else chosen


def has_gpu_plugin() -> bool:
    """Whether JAX could use a GPU, which it is not asked for here: it would begin with it."""
    return any(find_spec(f"jax_cuda{version}_plugin") is not None for version in CUDA_VERSIONS)


def bound_to_cores() -> bool:
    """Whether an earlier run of this process has told JAX to leave the GPU alone."""
    return has_gpu_plugin() and cast(Any, jax.config).jax_platforms == CPU and os.environ.get("JAX_PLATFORMS") != CPU


def start(cores: int | None = None, device: str = AUTO) -> tuple[jax.Device, ...]:
    """One device for each of ``cores`` cores (all by default), or the GPUs where there are any and ``device`` allows it.

    Raises
    ------
    InputError : there is no GPU, and ``device`` is "gpu".
    """
    keep_apart()
    _keep_compiled_programs()
    if device == CPU and has_gpu_plugin():  # of no effect once JAX has begun with a GPU, which then goes on
        cast(Any, jax.config).update("jax_platforms", CPU)
    already = os.environ.get("NPROC")
    os.environ["NPROC"] = "1"
    try:
        devices = jax.devices()
        if devices[0].platform != CPU:
            return tuple(devices[:cores] if cores else devices)
        if device == GPU:
            raise InputError(
                "device is 'gpu', but JAX sees none: install the extra 'cuda', do not set JAX_PLATFORMS, and choose the GPU "
                "before the first run of a process."
            )
        with _making:
            wanted = cores or available_cores()
            while len(_CORES) < wanted:
                client: Any = xla_client.make_cpu_client(asynchronous=False, num_devices=1)
                _CORES.extend(client.devices())
        return tuple(_CORES[:wanted])
    finally:
        if already is None:
            del os.environ["NPROC"]
        else:
            os.environ["NPROC"] = already


def _keep_compiled_programs() -> None:
    """Programs compiled in one run are read back in the next, unless the user keeps a cache of their own."""
    if cast(Any, jax.config).jax_compilation_cache_dir is None:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        keep_programs_in(home / "trainwell" / "programs")
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


class _Lane(NamedTuple):
    """One thread that feeds a device."""

    device: jax.Device
    number: int


class Pool:
    """Runs jobs on whichever device is free; a job runs on one device, in a thread of that device.

    A free thread takes a job of a program that is compiled, else one of a program that no other has begun to compile, and only
    then one that another is compiling. ``programs`` has them all.

    Parameters
    ----------
    devices : as `start` gives them.
    lanes : threads that feed each device; by default 1 for a core and `LANES` for a GPU.
    """

    def __init__(self, devices: tuple[jax.Device, ...], lanes: int | None = None):
        self.devices = devices
        lanes = lanes or (1 if self.platform == CPU else LANES)
        self.programs = Programs(lanes)
        self._begun: dict[_Lane, set[Hashable]] = {
            _Lane(device, number): set() for number in range(lanes) for device in self.devices
        }

    @property
    def platform(self) -> str:
        """What the devices are: "cpu" or "gpu"."""
        return self.devices[0].platform

    @property
    def threads(self) -> int:
        """How many feed the devices."""
        return len(self._begun)

    @property
    def waited_seconds(self) -> float:
        """Seconds of wall time that the devices have stood still for compiling: on average where each has one thread; where it
        has several, in which one of these did."""
        return self.programs.waited / len(self.devices) if self.threads == len(self.devices) else self.programs.held_up

    def run(
        self,
        function: Callable[[Job, jax.Device], Result],
        jobs: Iterable[Job],
        program: Callable[[Job], Hashable] = lambda job: None,
        then: Callable[[Job, Result], Iterable[Job]] = lambda job, result: (),
    ) -> Iterator[tuple[Job, Result]]:
        """Yield (job, result) as they finish. When the caller stops early, or a job fails, no further job starts.

        ``then`` says what there is to do because a job is done; it is called by one thread at a time.
        """
        waiting, changed, running, closed = list(jobs), threading.Condition(), 0, False
        results: SimpleQueue[tuple[Job, Result] | BaseException | None] = SimpleQueue()

        def next_job(lane: _Lane) -> list[Job]:
            nonlocal running
            with changed:
                changed.wait_for(lambda: waiting or closed or not running)
                if closed or not waiting:
                    return []
                job = waiting.pop(self._choose(lane, [program(job) for job in waiting]))
                self._begun[lane].add(program(job))
                running += 1
                return [job]

        def done(job: Job, result: Result) -> None:
            nonlocal running
            with changed:
                running -= 1
                waiting.extend([] if closed else then(job, result))
                changed.notify_all()

        def close() -> None:
            nonlocal closed
            with changed:
                closed = True
                changed.notify_all()

        def work(lane: _Lane) -> None:
            try:
                while taken := next_job(lane):
                    result = function(taken[0], lane.device)
                    results.put((taken[0], result))
                    done(taken[0], result)
            except BaseException as error:
                results.put(error)
                close()
            results.put(None)

        threads = [threading.Thread(target=work, args=(lane,)) for lane in self._begun]
        for thread in threads:
            thread.start()
        try:
            ended = 0
            while ended < len(threads):
                result = results.get()
                if isinstance(result, BaseException):
                    raise result
                if result is None:
                    ended += 1
                else:
                    yield result
        finally:
            close()
            for thread in threads:
                thread.join()

    def _choose(self, lane: _Lane, programs: list[Hashable]) -> int:
        """The place of the job to take next."""
        elsewhere = set().union(*(programs for other, programs in self._begun.items() if other != lane))
        own = self._begun[lane]
        return min(
            range(len(programs)),
            key=lambda i: (programs[i] not in own, not self.programs.ready(programs[i]), programs[i] in elsewhere, i),
        )


def pool(cores: int | None = None, device: str = AUTO) -> Pool:
    """The one pool of these devices, so that everybody knows what each of them has compiled."""
    return _pool_of(start(cores, device))


@cache
def _pool_of(devices: tuple[jax.Device, ...]) -> Pool:
    return Pool(devices)
