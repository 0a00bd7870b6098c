"""Which frames of a sweep are worth the expert's time, and in which order."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_fetal_iqa.analysis.result import Analysis

POSITIVE: Final = 0.70
"""Weight of a frame with the abdomen: it is what is measured and exported, and outlines are learnt
from nothing else. So high that each run of abdomen is shown before the frames that are in doubt: of
blind sweeps one frame in forty shows it, and on a scanner that a model does not know most of the
frames where it finds one do not."""
UNCERTAIN: Final = 0.125
"""Weight of a score near its threshold: that answer teaches the model the most."""
DISAGREEING: Final = 0.10
"""Weight of two models that disagree: one of them is wrong."""
SUDDEN: Final = 0.075
"""Weight of a jump in time: anatomy comes and goes gradually at the pace of a sweep."""

MARGIN: Final = 0.2
"""How far from its threshold a score, 0 to 1, stops being uncertain."""
FLOOR: Final = 0.05
"""Frames worth less, and not positive, are no candidates: clear negatives."""
NEAR_FRAMES: Final = 5
"""Frames of one sweep this close look alike: each that was seen halves the worth of the rest, and
an abdomen that is there is found in most of them."""


def candidates(
    analysis: Analysis, by_expert: NDArray[np.bool_], bounds: Sequence[tuple[int, int]]
) -> list[int]:
    """Order the frames that are worth the expert's time, most first.

    The :func:`worth` of a frame is halved by each frame within 5 of the same sweep that the
    expert has corrected or that comes earlier in the order, so that what is looked at next is
    both telling and new. Correcting the first frame therefore leaves the order of the rest as it
    was. The earlier of equals comes first.

    Parameters
    ----------
    analysis : Analysis
        Of T frames; may be of one model only, and computed in part.
    by_expert : (T,) bool array
        Frames that the expert corrected: never candidates.
    bounds : sequence of (start, stop)
        Frame range of each sweep.

    Returns
    -------
    list of int
        Frames with an abdomen by the model, always; and others whose own worth is 0.05 or more.

    References
    ----------
    Uncertainty and disagreement as in Settles, Active learning literature survey (University of
    Wisconsin 2009), sections 3.1 and 3.2; the halving is a greedy form of its density and
    diversity weighting.
    """
    value = worth(analysis, bounds)
    chosen = ((value >= FLOOR) | (analysis.labels() == 1)) & ~by_expert
    first, last = np.zeros(len(value), np.intp), np.zeros(len(value), np.intp)
    for start, stop in bounds:
        frames = np.arange(start, stop)
        first[start:stop] = np.maximum(frames - NEAR_FRAMES, start)
        last[start:stop] = np.minimum(frames + NEAR_FRAMES + 1, stop)
    seen = np.concatenate([[0], np.cumsum(by_expert)])
    left = np.where(chosen, value * 0.5 ** (seen[last] - seen[first]), -1.0)
    order = []
    for _ in range(int(chosen.sum())):
        frame = int(left.argmax())
        order.append(frame)
        left[first[frame] : last[frame]] *= 0.5
        left[frame] = -1.0
    return order


def worth(analysis: Analysis, bounds: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Weigh how much is learnt from the expert's word on each frame.

    A sum of four terms, each from 0 to 1, with weights that sum to 1:

    - uncertain: 1 where the score is at its threshold, falling linearly to 0 at 0.2 from it;
    - disagreeing: 1 where quality says yes and area no, or the other way round;
    - positive: where every model that spoke finds the abdomen, the share of the frames within 5
      of it, in the same sweep, where they do: what flickers is more often wrong;
    - sudden: distance of the score from the mean of its neighbours in time, of the same sweep.

    The score is the quality; where there is none, half the area over its threshold, at most 1.

    Parameters
    ----------
    analysis : Analysis
        Of T frames.
    bounds : sequence of (start, stop)
        Frame range of each sweep.

    Returns
    -------
    (T,) float64 array
        0 to 1; 0 where nothing was computed or the frame is black.
    """
    thresholds = analysis.setup.thresholds
    known = analysis.computed & analysis.non_black
    quality = np.where(known, analysis.quality, np.nan).astype(float)
    area = np.where(known, analysis.area_fraction, np.nan).astype(float)
    both = np.isfinite(quality) & np.isfinite(area)
    disagreeing = both & ((quality > thresholds.quality) != (area >= thresholds.area))
    by_quality = np.isfinite(quality)
    by_area = np.clip(area / max(2 * thresholds.area, 1e-9), 0, 1)
    score = np.where(by_quality, quality, by_area)
    threshold = np.where(by_quality, thresholds.quality, 0.5)
    uncertain = np.clip(1 - np.abs(score - threshold) / MARGIN, 0, 1)
    terms = (
        UNCERTAIN * np.nan_to_num(uncertain)
        + DISAGREEING * disagreeing
        + POSITIVE * _steady(analysis.labels() == 1, bounds)
        + SUDDEN * _sudden(score, bounds)
    )
    return np.where(known, terms, 0.0)


def _steady(found: NDArray[np.bool_], bounds: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    steady = np.zeros(len(found))
    around = np.ones(2 * NEAR_FRAMES + 1)
    for start, stop in bounds:
        there = np.array([found[start:stop], np.ones(stop - start)])
        some, every = scipy.ndimage.correlate1d(there, around, mode="constant")
        steady[start:stop] = found[start:stop] * some / every
    return steady


def _sudden(score: NDArray[np.float64], bounds: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    sudden = np.zeros(len(score))
    for start, stop in bounds:
        part = score[start:stop]
        there = np.isfinite(part)
        total = scipy.ndimage.correlate1d(np.nan_to_num(part), [1, 0, 1], mode="constant")
        count = scipy.ndimage.correlate1d(there.astype(float), [1, 0, 1], mode="constant")
        known = there & (count > 0)
        sudden[start:stop][known] = np.abs(part[known] - total[known] / count[known])
    return np.clip(sudden, 0, 1)
