"""Masks back from the padded square to the frames, by matrix products and without torch."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def restored(
    probabilities: NDArray[np.float32], shape: tuple[int, int], threshold: float
) -> NDArray[np.bool_]:
    """Bring masks back to the frames.

    Parameters
    ----------
    probabilities : (N, S, S) float32 array
    shape : (H, W)
        Of the frames.
    threshold : float
        A pixel belongs to the mask where its probability is higher.

    Returns
    -------
    (N, H, W) bool array
    """
    rows, columns = shape
    side, size = max(shape), probabilities.shape[-1]
    down = _resampling(side, (side - rows) // 2, rows, size)
    across = _resampling(side, (side - columns) // 2, columns, size)
    masks = np.zeros((len(probabilities), rows, columns), np.bool_)
    # resampling makes no pixel brighter: where no probability is above the threshold, none will be
    for place in np.flatnonzero((probabilities > threshold).any((1, 2))):
        masks[place] = down @ (probabilities[place] @ across.T) > threshold
    return masks


@lru_cache(maxsize=16)
def _resampling(side: int, before: int, length: int, size: int) -> NDArray[np.float32]:
    """(length, S) matrix of bilinear resampling, antialiased where it makes smaller."""
    step = size / side
    centre = (np.arange(before, before + length) + 0.5)[:, None] * step
    distance = np.abs(np.arange(size) + 0.5 - centre) / max(step, 1.0)
    weights = np.maximum(1 - distance, 0)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
