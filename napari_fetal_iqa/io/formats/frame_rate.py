"""How many frames a second a file says that it holds; None where it does not say."""

import math
import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

_TIMESTAMP = re.compile(r"Seq_Frame\d+_Timestamp")
"""Seconds at which PLUS took a frame (its page "Sequence file")."""


@dataclass(frozen=True)
class FrameRate:
    """A rate, and what of a file says so.

    Parameters
    ----------
    per_second : float or None
        Frames; finite and positive.
    source : str
        In a few words, for people.
    """

    per_second: float | None = None
    source: str = ""

    @classmethod
    def of_file(cls, per_second: float | None, source: str) -> "FrameRate":
        """Return a rate that a file says, or none where no frames can come so."""
        if per_second is None or not 0 < per_second < math.inf:
            return cls()
        return cls(float(per_second), source)


def rate_of_steps(seconds: Iterable[float], source: str) -> FrameRate:
    """Return the rate by the times between frames: their median, as some may be missing."""
    steps = [step for step in seconds if 0 < step < math.inf]
    return FrameRate.of_file(1 / statistics.median(steps), source) if steps else FrameRate()


def rate_of_timestamps(fields: Mapping[str, str]) -> FrameRate:
    """Return the rate of a tracked sweep, by the timestamps that PLUS wrote."""
    times = []
    for key in sorted(filter(_TIMESTAMP.fullmatch, fields)):
        try:
            times.append(float(fields[key]))
        except ValueError:
            continue
    steps = (after - before for before, after in pairwise(times))
    return rate_of_steps(steps, "timestamps of its frames")
