"""The time that a run may take, and whether somebody asked it to stop."""

import time
from collections.abc import Callable


class Budget:
    """Seconds from now on; None is as long as it takes. Training asks `passed` after every call of a compiled program.

    Parameters
    ----------
    seconds : the limit.
    clock : gives seconds; another one for tests.
    """

    def __init__(self, seconds: float | None = None, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self.start = clock()
        self.seconds = seconds
        self._interrupted = False

    def interrupt(self) -> None:
        """End now: whoever trains stops at its next look and keeps what it has."""
        self._interrupted = True

    @property
    def interrupted(self) -> bool:
        """Whether somebody asked to end now."""
        return self._interrupted

    @property
    def used(self) -> float:
        return self._clock() - self.start

    @property
    def left(self) -> float:
        """Seconds left; infinite without a limit, none after an interrupt."""
        if self.interrupted:
            return 0.0
        return float("inf") if self.seconds is None else self.seconds - self.used

    @property
    def passed(self) -> bool:
        return self.left <= 0

    def until(self, share: float) -> "Budget":
        """A budget that ends when this share (0 to 1) of the whole is used, or when the whole is interrupted."""
        return _Part(self, share)


class _Part(Budget):
    def __init__(self, whole: Budget, share: float):
        super().__init__(None if whole.seconds is None else whole.seconds * share, whole._clock)
        self.start, self._whole = whole.start, whole

    def until(self, share: float) -> Budget:
        return self._whole.until(share)

    @property
    def interrupted(self) -> bool:
        return self._whole.interrupted
