"""Frames of one loop, seconds apart, told by their content where nobody names their subject.

Two images are compared at a small size, away from where scanners burn in text, and at a few shifts
of one against the other; their likeness is the correlation at the best shift. A stretch of the
whole image does not matter. Images of two subjects hardly reach :data:`PERHAPS`; two frames of one
loop mostly exceed :data:`SAME`.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SAME = 0.9
"""Likeness from which on two images count as of one subject."""

PERHAPS = 0.8
"""Likeness from which on nobody can say that they are not."""

_SIDE = 64
_ROWS, _COLUMNS = slice(8, 56), slice(8, 52)  # what TEXT_BOXES leave, with room for shifts
_SHIFTS = tuple(product((-4, -2, 0, 2, 4), repeat=2))


def small(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a (H, W) frame at the size at which frames are compared."""
    shrunk = Image.fromarray(frame).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(shrunk, np.float32)


def likeness(
    some: Sequence[NDArray[np.float32]], others: Sequence[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Correlate each of some images with each of others, at the best of few shifts.

    Parameters
    ----------
    some, others : sequences of (64, 64) arrays
        Of :func:`small`.

    Returns
    -------
    (len(some), len(others)) float32 array
        From -1 to 1; an even image is like no other.
    """
    best = np.full((len(some), len(others)), -1, np.float32)
    if not best.size:
        return best
    fixed = _unit(np.stack(others)[:, _ROWS, _COLUMNS])
    stacked = np.stack(some)
    for down, right in _SHIFTS:
        rows = slice(_ROWS.start + down, _ROWS.stop + down)
        columns = slice(_COLUMNS.start + right, _COLUMNS.stop + right)
        np.maximum(best, _unit(stacked[:, rows, columns]) @ fixed.T, out=best)
    return best


def _unit(images: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = images.reshape(len(images), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
