"""How many frames go through the networks at a time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BatchAim:
    """What batches are sized for.

    Parameters
    ----------
    first : int
        Frames of the first batch.
    largest : int
        Frames at most.
    seconds : float
        Aim of the time that one batch takes: long enough to be efficient, short enough to cancel.
    """

    first: int
    largest: int
    seconds: float = 1.0


AIMS = {"cuda": BatchAim(64, 256), "mps": BatchAim(16, 64), "cpu": BatchAim(8, 32)}
"""By type of the device."""

WATCHED = BatchAim(4, 64, 0.4)
"""Where somebody waits for each batch, whatever the device: results come two or three times a
second, and the first of them at once."""


class BatchSize:
    """Finds the number of frames per batch by the time that batches take.

    Parameters
    ----------
    aim : BatchAim
    fixed : int, optional
        The caller's own choice: only want of memory makes it smaller.

    Attributes
    ----------
    frames : int
        Of the next batch.
    """

    def __init__(self, aim: BatchAim, fixed: int | None = None) -> None:
        self._fixed = fixed
        self.frames = fixed or aim.first
        self._largest = fixed or aim.largest
        self._seconds = aim.seconds

    def took(self, frames: int, seconds: float) -> None:
        """Adapt to the time of a batch, if it was a whole one.

        A smaller one, as the last of a sweep, takes mostly what any batch costs before its first
        frame.
        """
        if self._fixed is None and frames == self.frames:
            wished = round(frames * self._seconds / max(seconds, 1e-3))
            self.frames = max(1, min(wished, 2 * frames, self._largest))

    def halve(self) -> None:
        """Ask less of the memory from now on."""
        self.frames = self._largest = self.frames // 2

    def start_again(self, aim: BatchAim) -> None:
        """Begin anew on another device; the caller's own choice stays as small as it became."""
        if self._fixed is None:
            self.frames, self._largest, self._seconds = aim.first, aim.largest, aim.seconds
