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
    # resampling makes no pixel brighter: where no probability near is above the threshold, none is
    for place in np.flatnonzero(probabilities.max((1, 2)) > threshold):
        above = probabilities[place] > threshold
        (top, height), (left, width) = (
            _reached(down, np.any(above, 1)),
            _reached(across, np.any(above, 0)),
        )
        part = down[top, height] @ (probabilities[place, height, width] @ across[left, width].T)
        masks[place, top, left] = part > threshold
    return masks


def _reached(weights: NDArray[np.float32], above: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the places of a line that those above the threshold reach, and all that reach them."""
    line = _whole(weights[:, _whole(above)].any(1))
    return line, _whole(weights[line].any(0))


def _whole(there: NDArray[np.bool_] | np.bool_) -> slice:
    """Return the slice from the first to the last."""
    places = np.flatnonzero(there)
    return slice(places[0], places[-1] + 1) if len(places) else slice(0)


@lru_cache(maxsize=16)
def _resampling(side: int, before: int, length: int, size: int) -> NDArray[np.float32]:
    """(length, S) matrix of bilinear resampling, antialiased where it makes smaller."""
    step = size / side
    centre = (np.arange(before, before + length) + 0.5)[:, None] * step
    distance = np.abs(np.arange(size) + 0.5 - centre) / max(step, 1.0)
    weights = np.maximum(1 - distance, 0)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
