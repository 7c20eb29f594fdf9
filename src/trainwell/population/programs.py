"""Compiled programs: each is compiled once, in the background where somebody asked in time, and loaded onto every device.

XLA compiles for one device; on a machine whose cores are devices that would be the same work again for each core. So a program
is compiled for the device that needs it first and its machine code is loaded onto the others, in a hundredth of the time.
A program that JAX read back from its cache of an earlier run cannot be written down a second time: the others read it, too.

Machine code takes about 90 areas of memory for each program and device (measured over the networks of this project's tests), of
which a process may have 65,530 on Linux; beyond that loading one more ends the process. So where half of them are taken the
programs used longest ago go, which matters to whoever fits many tables in one process.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

import jax
from jax.experimental import serialize_executable
from jax.sharding import SingleDeviceSharding

from trainwell.cores import available_cores
from trainwell.population.allocator import areas, give_back, most_areas

GPU_OPTIONS = {  # measured: 3.4 s for a program that takes 15.7 s with the first alone, and trains about as fast
    "xla_gpu_enable_triton_gemm": False,  # products of cuBLAS
    "xla_gpu_autotune_level": 0,  # none of which are tried out
    "xla_gpu_force_compilation_parallelism": available_cores(),
}


@dataclass
class Compilation:
    """One program compiled, or read from the cache of programs: which, in how many seconds, and whether in the background."""

    program: Any
    seconds: float
    background: bool


@dataclass
class _Entry:
    lock: Any = field(default_factory=threading.Lock)
    compiled: dict[jax.Device, Any] = field(default_factory=dict)
    source: Any = None  # what can be loaded onto other devices


class Programs:
    """All programs of a pool. Safe to use from several threads.

    ``compilations`` lists what was compiled; ``waited`` is how many seconds the threads of the devices stood still for it, all
    together, and ``held_up`` in how many seconds at least one of them did.

    Parameters
    ----------
    at_once : how many programs are compiled in the background at the same time.
    """

    def __init__(self, at_once: int = 1) -> None:
        self.compilations: list[Compilation] = []
        self.waited = self.held_up = 0.0
        self._waiting, self._waiting_since = 0, 0.0
        self._of_this_run = 0  # the place of the first compilation since a run began
        self._entries: dict[Any, _Entry] = {}  # the one used last comes last
        self._lock = threading.Lock()
        self._background = ThreadPoolExecutor(at_once, thread_name_prefix="compile")

    @property
    def slowest(self) -> float:
        """Seconds of the slowest compilation since a run began."""
        return max((one.seconds for one in self.compilations[self._of_this_run :]), default=0.0)

    def begin_run(self) -> None:
        """From now on `slowest` speaks of what this run compiles: another table's programs say little of its own."""
        self._of_this_run = len(self.compilations)

    def run(self, program: Any, function: Any, device: jax.Device, *arguments: Any) -> Any:
        """What the jitted function returns on the device; compiles it first where nobody has."""
        began = time.monotonic()
        self._count_waiting(1)
        try:
            compiled = self._get(program, function, _shapes(arguments), device, background=False)
        finally:
            self._count_waiting(-1)
        with self._lock:
            self.waited += time.monotonic() - began
        return compiled(*arguments)

    def _count_waiting(self, more: int) -> None:
        with self._lock:
            now = time.monotonic()
            if self._waiting:
                self.held_up += now - self._waiting_since
            self._waiting, self._waiting_since = self._waiting + more, now

    def prepare(self, program: Any, function: Any, device: jax.Device, *arguments: Any) -> None:
        """Compile in the background what will be run with arguments of these shapes."""
        shapes = _shapes(arguments)
        self._background.submit(self._get, program, function, shapes, device, True)

    def ready(self, program: Any, function: Any = None) -> bool:
        """Whether some device has compiled a program of this name; given a jitted function, whether one has compiled that,
        for arguments of whatever shapes."""
        if function is None:
            return any(one.program == program for one in list(self.compilations))
        with self._lock:
            return any(key[0] is function and entry.compiled for key, entry in self._entries.items())

    def _get(self, program: Any, function: Any, shapes: Any, device: jax.Device, background: bool) -> Any:
        leaves, tree = jax.tree.flatten(shapes)
        key = (function, tree, tuple((x.shape, x.dtype) for x in leaves))
        with self._lock:
            entry = self._entries.pop(key, None) or _Entry()
            self._entries[key] = entry
        with entry.lock:
            if device not in entry.compiled:
                self.make_room()
                entry.compiled[device] = self._made(program, function, shapes, device, entry, background)
            return entry.compiled[device]

    def make_room(self, most: int | None = None) -> None:
        """Let go of the programs used longest ago where the process has more areas of memory than ``most`` (half the limit).

        What JAX keeps of the small programs between ours goes last: it is compiled again when it is next asked for.
        """
        most = most_areas() // 2 if most is None else most
        while areas() > most:
            with self._lock:
                oldest = list(self._entries)[: (len(self._entries) + 1) // 2]
                for key in oldest[: len(self._entries) - 1]:  # the one asked for stays
                    del self._entries[key]
            if len(oldest) < 2:
                jax.clear_caches()
                return

    def _made(self, program: Any, function: Any, shapes: Any, device: jax.Device, entry: _Entry, background: bool) -> Any:
        began = time.monotonic()
        if entry.source is not None and (loaded := _loaded_onto(device, entry.source)) is not None:
            return loaded
        own = SingleDeviceSharding(device)
        placed = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=own), shapes)
        read_before = _read_back()
        compiled = function.lower(*placed).compile(GPU_OPTIONS if device.platform == "gpu" else None)
        give_back()
        fingerprint = getattr(compiled.runtime_executable(), "fingerprint", None)
        if _read_back() != read_before:
            _FROM_CACHE.add(fingerprint)
        if fingerprint not in _FROM_CACHE:
            entry.source = compiled
        with self._lock:
            self.compilations.append(Compilation(program, time.monotonic() - began, background))
        return compiled


_thread = threading.local()
_FROM_CACHE: set[bytes | None] = set()  # fingerprints, since JAX hands out what it holds without saying where it came from


def _read_back() -> int:
    """How many programs this thread has read back from JAX's cache."""
    return getattr(_thread, "read_back", 0)


def _listen(event: str, **more: Any) -> None:
    if event == "/jax/compilation_cache/cache_hits":
        _thread.read_back = _read_back() + 1


jax.monitoring.register_event_listener(_listen)


def _shapes(arguments: Any) -> Any:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), arguments)  # NumPy's, JAX's or shapes themselves


def _loaded_onto(device: jax.Device, compiled: Any) -> Any | None:
    """The compiled program on another core; None where JAX cannot do it, as where it calls back a Python function."""
    if device.platform != "cpu":
        return None
    try:
        written, takes, gives = serialize_executable.serialize(compiled)
        return serialize_executable.deserialize_and_load(written, takes, gives, cast(Any, device.client), [device])
    except (AttributeError, KeyError, NotImplementedError, TypeError, ValueError, RuntimeError):
        return None
