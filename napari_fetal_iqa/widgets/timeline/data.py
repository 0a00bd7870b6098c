"""What the timeline draws, and says of a frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_models.thresholds import AREA_THRESHOLD, QUALITY_THRESHOLD


@dataclass(frozen=True)
class TimelineData:
    """What the timeline draws.

    Parameters
    ----------
    bounds : sequence of (start, stop)
    quality, area_fraction : (T,) float
        nan where not computed.
    computed : (T,) bool
    ac_mm : (T,) float
        nan where not measured.
    labels : (T,) int8
        -1 where nobody said anything.
    by_expert : (T,) bool
    best : int
        -1 for none.
    quality_threshold, area_threshold : float
    disagreements : sequence of int
        Frames of which another reviewer says otherwise.
    """

    bounds: Sequence[tuple[int, int]]
    quality: NDArray[np.float32]
    area_fraction: NDArray[np.float32]
    computed: NDArray[np.bool_]
    ac_mm: NDArray[np.float64]
    labels: NDArray[np.int8]
    by_expert: NDArray[np.bool_]
    best: int = -1
    quality_threshold: float = QUALITY_THRESHOLD
    area_threshold: float = AREA_THRESHOLD
    disagreements: Sequence[int] = ()


def describe(data: TimelineData, frame: int) -> str:
    """Say in one line what is known of a frame: sweep, quality, area, AC."""
    known = [f"Frame {frame}"]
    for number, (start, stop) in enumerate(data.bounds, start=1):
        if start <= frame < stop:
            known.append(f"sweep {number}, frame {frame - start}")
    if not data.computed[frame]:
        return ", ".join([*known, "not computed yet"])
    for value, text in (
        (data.quality[frame], "quality {:.2f}"),
        (100 * data.area_fraction[frame], "area {:.1f} %"),
        (data.ac_mm[frame], "AC {:.1f} mm"),
    ):
        if np.isfinite(value):
            known.append(text.format(value))
    return ", ".join(known)
