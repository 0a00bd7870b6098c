"""Which frame of a sweep to measure."""

from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

SMOOTHING_FRAMES = 2.0
"""Standard deviation of the Gaussian along time; an abdomen stays in view for about 7 frames."""


def best_frame(
    score: ArrayLike,
    positive: NDArray[np.bool_],
    bounds: Sequence[tuple[int, int]],
    smoothing_frames: float = SMOOTHING_FRAMES,
) -> int:
    """Choose the frame to measure.

    The sweep with the most positive frames is taken (the first of equals); in it, the positive
    frame with the highest score after smoothing along time, so that a frame among good
    neighbours wins over a single flash. Frames without a score, and those beyond the ends of the
    sweep, count as zero.

    Parameters
    ----------
    score : (T,) float
        Quality of each frame; nan where not computed.
    positive : (T,) bool
        Frames on which every model finds the abdomen.
    bounds : sequence of (start, stop)
        Frame range of each sweep.
    smoothing_frames : float
        Standard deviation of the Gaussian along time; 0 for none.

    Returns
    -------
    int
        0-based frame, or -1 where no frame is positive.
    """
    start, stop = max(bounds, key=lambda bound: int(positive[slice(*bound)].sum()))
    if not positive[start:stop].any():
        return -1
    known = np.nan_to_num(np.asarray(score, float)[start:stop])
    smooth = known
    if smoothing_frames:
        smooth = scipy.ndimage.gaussian_filter1d(known, smoothing_frames, mode="constant")
    return start + int(np.argmax(np.where(positive[start:stop], smooth, -np.inf)))
