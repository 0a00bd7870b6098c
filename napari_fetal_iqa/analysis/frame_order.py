"""In which order the frames of a sweep are analysed, so that partial results are useful."""

import math
import time
from collections.abc import Iterable

COARSEST_STEP = 16
REACH = 4
"""Frames on each side of the one being looked at that come before all others."""

_SCRUB_SECONDS = 1.0
"""So long after a step the next is expected: a batch, which takes about half, leaves it room."""


def coarse_to_fine(n_frames: int) -> list[int]:
    """Order frames as every 16th, then every 8th between them, and so on to every one."""
    order: list[int] = list(range(0, n_frames, COARSEST_STEP))
    step = COARSEST_STEP // 2
    while step:
        order.extend(range(step, n_frames, 2 * step))
        step //= 2
    return order


class FrameQueue:
    """Frames that wait to be analysed: those around the one being looked at, then coarse to fine.

    One thread may call :meth:`look_at` while another takes frames.

    Parameters
    ----------
    n_frames : int
    looked_at : int
        Frame on the screen.
    """

    def __init__(self, n_frames: int, looked_at: int = 0) -> None:
        self._looked_at = looked_at
        self._moved = -math.inf
        self._waiting = dict.fromkeys(coarse_to_fine(n_frames))

    def look_at(self, frame: int) -> None:
        """Note which frame is on the screen now."""
        self._looked_at = frame
        self._moved = time.monotonic()

    @property
    def scrubbed(self) -> bool:
        """Whether frames go by on the screen just now."""
        return time.monotonic() - self._moved < _SCRUB_SECONDS

    def leave_out(self, frames: Iterable[int]) -> None:
        """Take these off the queue, as they need not be analysed."""
        for frame in frames:
            self._waiting.pop(frame, None)

    def take(self, count: int) -> list[int]:
        """Return up to ``count`` frames, nearest to the eye first; none when all are done."""
        centre = self._looked_at
        near = sorted(range(centre - REACH, centre + REACH + 1), key=lambda f: abs(f - centre))
        taken = [frame for frame in near if frame in self._waiting][:count]
        for frame in self._waiting:
            if len(taken) == count:
                break
            if frame not in taken:
                taken.append(frame)
        for frame in taken:
            del self._waiting[frame]
        return taken
