"""What the networks say of some frames, whichever engine computed it; torch-free."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

STAGES = ("read", "preprocess", "cls", "seg", "restore")


@dataclass(frozen=True, eq=False)
class PredictionBatch:
    """Predictions of the networks for some frames.

    Parameters
    ----------
    frames : (n,) int64 array
        Frame numbers, 0-based.
    quality : (n,) float32 array or None
        Probability that the frame is good, at the temperature of the classifier's card; None
        without a classifier.
    area_fraction : (n,) float32 array or None
        Share of the padded square that the mask covers; None without a segmenter. nan where the
        cascade spared it the frame, whose mask is empty then.
    masks : (n, H, W) bool array or None
        On the frames' own grid; None without a segmenter.
    seconds : dict of str to float
        Of each of :data:`STAGES`; frames are read while the batch before is computed. OpenVINO's
        graphs preprocess by themselves.
    logits : (n,) float32 array or None
        The classifier's output before the temperature; None without one.
    plane : (n,) int64 array or None
        Which of the classifier's classes is the most probable, by its place among them; None
        without a classifier that tells classes apart.
    """

    frames: NDArray[np.int64]
    quality: NDArray[np.float32] | None
    area_fraction: NDArray[np.float32] | None
    masks: NDArray[np.bool_] | None
    seconds: dict[str, float] = field(default_factory=dict)
    logits: NDArray[np.float32] | None = None
    plane: NDArray[np.int64] | None = None


def nothing_outlined(shape: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return areas, nan, and empty masks of frames (n, H, W) that no segmenter saw."""
    return np.full(shape[0], np.nan, np.float32), np.zeros(shape, bool)
