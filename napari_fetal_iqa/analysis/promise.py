"""What a frame that was not analysed yet promises, by what is known of its neighbours in time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.analysis.result import FrameResults, Thresholds

_FADING_FRAMES = 12.0
"""So far from the nearest known frame a promise has fallen to a third: runs of abdomen in blind
sweeps last 7 frames at the median and 32 at most."""


def worth_of(results: FrameResults, thresholds: Thresholds) -> NDArray[np.float64]:
    """Return what frames themselves are worth as the frame to measure, (n,), from 0 to 1.

    The quality, less in proportion where the mask is smaller than its threshold; by the mask
    alone where nothing scores the quality. A black frame is worth nothing.
    """
    large = np.ones(len(results.frames))
    if results.area_fraction is not None:
        large = np.asarray(results.area_fraction, float) / max(thresholds.area, 1e-9)
        large = np.clip(np.where(np.isnan(large), 1.0, large), 0.0, 1.0)
    quality = large if results.quality is None else np.asarray(results.quality, float) * large
    return np.where(results.non_black, np.nan_to_num(quality), 0.0)


def promise(worth: NDArray[np.float64], bounds: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Return what each frame that is not known promises, (T,).

    Between the known frames of one sweep the worth is interpolated, and fades with the distance
    to the nearest of them.

    Parameters
    ----------
    worth : (T,) float
        Of the known frames; nan elsewhere.
    bounds : sequence of (start, stop)
        Frame range of each sweep.

    Returns
    -------
    (T,) float array
        0 to 1; 0 for known frames, and in sweeps of which nothing is known.
    """
    promised = np.zeros(len(worth))
    for start, stop in bounds:
        known = np.flatnonzero(np.isfinite(worth[start:stop]))
        if not len(known):
            continue
        frames = np.arange(stop - start)
        after = np.clip(np.searchsorted(known, frames), 0, len(known) - 1)
        before = np.clip(after - 1, 0, len(known) - 1)
        nearest = np.minimum(np.abs(frames - known[after]), np.abs(frames - known[before]))
        between = np.interp(frames, known, worth[start:stop][known])
        fading = np.exp(-np.maximum(nearest - 1, 0) / _FADING_FRAMES)
        promised[start:stop] = np.where(nearest == 0, 0.0, between * fading)
    return promised
