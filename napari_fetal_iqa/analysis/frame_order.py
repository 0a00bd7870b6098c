"""In which order the frames of a sweep are analysed, so that partial results are useful."""

import math
import time
from collections.abc import Iterable, Sequence

import numpy as np

from napari_fetal_iqa.analysis.promise import promise, worth_of
from napari_fetal_iqa.analysis.result import FrameResults, Thresholds

COARSEST_STEP = 16
REACH = 4
"""Frames on each side of the one being looked at that come before all others."""

LEAST_PROMISE = 0.3
"""Of a frame that comes before the coarse to fine order; see :mod:`.promise`."""

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
    """Frames that wait to be analysed.

    Those around the one being looked at come first; then those that promise most by what is known
    of their neighbours (:meth:`note`); then all others, coarse to fine.

    One thread may call :meth:`look_at` while another takes frames.

    Parameters
    ----------
    n_frames : int
    looked_at : int, optional
        Frame on the screen; None where nobody looks.
    bounds : sequence of (start, stop), optional
        Frame range of each sweep; one sweep by default.

    Attributes
    ----------
    cascade : float or None
        Least quality of a frame that the segmenter sees; None, as at first, where it sees all.
    """

    def __init__(
        self,
        n_frames: int,
        looked_at: int | None = 0,
        bounds: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        self._looked_at = looked_at
        self._moved = -math.inf
        self._waiting = dict.fromkeys(coarse_to_fine(n_frames))
        self._bounds = bounds or ((0, n_frames),)
        self._worth = np.full(n_frames, np.nan)
        self._spared: set[int] = set()
        self.cascade: float | None = None

    def look_at(self, frame: int) -> None:
        """Note which frame is on the screen now."""
        self._looked_at = frame
        self._moved = time.monotonic()

    @property
    def scrubbed(self) -> bool:
        """Whether frames go by on the screen just now."""
        return time.monotonic() - self._moved < _SCRUB_SECONDS

    @property
    def waiting(self) -> list[int]:
        """Frames that nobody took yet, coarse to fine."""
        return list(self._waiting)

    def leave_out(self, frames: Iterable[int]) -> None:
        """Take these off the queue, as they need not be analysed."""
        for frame in frames:
            self._waiting.pop(frame, None)

    def note(self, results: FrameResults, thresholds: Thresholds) -> None:
        """Learn from results where others may be worth more."""
        self._worth[results.frames] = worth_of(results, thresholds)
        if results.area_fraction is not None:
            spared = np.isnan(results.area_fraction)
            self._spared.update(results.frames[spared].tolist())
            self._spared.difference_update(results.frames[~spared].tolist())

    def take(self, count: int) -> list[int]:
        """Return up to ``count`` frames, nearest to the eye first; none when all are done."""
        taken = [frame for frame in self._near() if frame in self._waiting][:count]
        taken += self._promising(count - len(taken), taken)
        for frame in self._waiting:
            if len(taken) == count:
                break
            if frame not in taken:
                taken.append(frame)
        for frame in taken:
            del self._waiting[frame]
        return taken

    def take_spared(self) -> list[int]:
        """Return the frame on the screen where the cascade spared it the outline; once."""
        if self._looked_at not in self._spared:
            return []
        self._spared.remove(self._looked_at)
        return [self._looked_at]

    def _near(self) -> list[int]:
        centre = self._looked_at
        if centre is None:
            return []
        return sorted(range(centre - REACH, centre + REACH + 1), key=lambda f: abs(f - centre))

    def _promising(self, count: int, taken: Sequence[int]) -> list[int]:
        if count < 1 or not np.nanmax(self._worth, initial=0.0) >= LEAST_PROMISE:
            return []
        promised = promise(self._worth, self._bounds)
        best = np.argsort(-promised, kind="stable")[: int((promised >= LEAST_PROMISE).sum())]
        found = (frame for frame in best.tolist() if frame in self._waiting and frame not in taken)
        return [frame for frame, _ in zip(found, range(count), strict=False)]
