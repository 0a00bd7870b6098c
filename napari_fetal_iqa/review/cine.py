"""Which frame a film of a sweep shows at a time: by the clock, so that frames drop, not time."""

from enum import StrEnum

USUAL_RATE = 20.0
"""Frames a second where the file does not say: about that of the blind sweeps of ACOUSLIC-AI."""

FASTEST, SLOWEST = 240.0, 0.5
"""Frames a second; a header that says more or less is not believed."""


class CineMode(StrEnum):
    """In which direction a film runs."""

    FORWARD = "forward"
    BACKWARD = "backward"
    TO_AND_FRO = "to_and_fro"


def rate_of(frames_per_second: float | None) -> float:
    """Return the rate to play at: that of the file where it is sound, else the usual one."""
    if frames_per_second is None or not SLOWEST <= frames_per_second <= FASTEST:
        return USUAL_RATE
    return frames_per_second


def frame_at(
    seconds: float, rate: float, begin: int, bounds: tuple[int, int], mode: CineMode
) -> int:
    """Return the frame that is on the screen some time after the film began.

    At either end it goes on from the other, or turns round where it runs to and fro.

    Parameters
    ----------
    seconds : float
        Since the beginning.
    rate : float
        Frames a second.
    begin : int
        The frame that was on the screen then; the nearest within the bounds counts.
    bounds : (start, stop)
        Half-open range of frames.
    mode : CineMode
    """
    start, stop = bounds
    length = stop - start
    place = min(max(begin, start), stop - 1) - start
    steps = int(seconds * rate)
    if mode is CineMode.FORWARD:
        return start + (place + steps) % length
    if mode is CineMode.BACKWARD:
        return start + (place - steps) % length
    if length == 1:
        return start
    period = 2 * (length - 1)
    at = (place + steps) % period
    return start + min(at, period - at)
