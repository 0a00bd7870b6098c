"""How many frames go through the networks at a time."""

BATCH_SECONDS = 1.0
"""Aim of the time that one batch takes: long enough to be efficient, short enough to cancel."""

_FIRST = {"cuda": 64, "mps": 16, "cpu": 8}
_LARGEST = {"cuda": 256, "mps": 64, "cpu": 32}


class BatchSize:
    """Finds the number of frames per batch by the time that batches take.

    Parameters
    ----------
    device : "cuda", "mps" or "cpu"
        Type of the device.
    fixed : int, optional
        The caller's own choice: only want of memory makes it smaller.

    Attributes
    ----------
    frames : int
        Of the next batch.
    """

    def __init__(self, device: str, fixed: int | None = None) -> None:
        self._fixed = fixed
        self.frames = fixed or _FIRST[device]
        self._largest = fixed or _LARGEST[device]

    def took(self, frames: int, seconds: float) -> None:
        """Fit the next batch to the time that a whole one took; a shorter one is no measure."""
        if self._fixed is None and frames == self.frames:
            wished = round(frames * BATCH_SECONDS / max(seconds, 1e-3))
            # at most doubled: one odd time must not exhaust the memory
            self.frames = max(1, min(wished, 2 * frames, self._largest))

    def halve(self) -> None:
        """Ask less of the memory from now on."""
        self.frames = self._largest = self.frames // 2

    def start_again(self, device: str) -> None:
        """Begin anew on another device; the caller's own choice stays as small as it became."""
        if self._fixed is None:
            self.frames, self._largest = _FIRST[device], _LARGEST[device]
