"""Memory that was freed in many pieces goes back to the system."""

import resource
import sys
from pathlib import Path

import numpy as np
import pytest

from trainwell.population.allocator import give_back


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from Linux")
def test_freed_memory_goes_back_to_the_system():
    pieces = [(np.ones(15_000, np.float32), np.ones(500, np.float32)) for _ in range(2000)]
    between = [small for _, small in pieces]  # 120 MB of the C library's heap, with something that stays after every piece
    held = resident()
    del pieces
    give_back()
    assert resident() < held - 80_000_000
    assert all(piece.sum() == 500 for piece in between)
