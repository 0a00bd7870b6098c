"""Grey 8-bit frames from colour, 16-bit and floating-point ones."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LUMA = (19595, 38470, 7471)
"""Weights of red, green and blue in grey, in 1/65536 (ITU-R BT.601, section 2.5.1).

The integers are those of libjpeg and Pillow, so that grey drawn as colour comes back exactly.
"""

BLOCK_PIXELS = 1 << 18
"""Worked on at a time."""


Padding = tuple[int, int] | None
"""Lowest and highest stored value that means "nothing here"."""


def to_grey_frames(
    frames: Any, slope: float = 1.0, intercept: float = 0.0, padding: Sequence[Padding] = ()
) -> Any:
    """Make 8-bit grey frames of any numeric frames.

    Colour becomes luma by :data:`LUMA`; an alpha channel is ignored. uint8 stays as it is, as
    do other integers that all lie within 0..255; bool becomes 0 and 1. Everything else is
    windowed linearly: 0, or the lowest finite value where that is negative, becomes 0; the
    highest finite value becomes 255. So the black outside of the field of view stays black.
    NaN becomes as dark as the lowest, infinities the ends of the range.

    Parameters
    ----------
    frames : (T, H, W) or (T, H, W, C) array of bool, integers or floats
        C is 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. Worked on frame by frame, so that it may
        be read as it is looked at.
    slope, intercept : float
        Applied first: values are ``slope * frames + intercept``.
    padding : (T,) sequence of (low, high) or None, optional
        Of each frame, for (T, H, W) frames: stored values from low to high become black, and
        have no part in the window.

    Returns
    -------
    (T, H, W) uint8 array
        ``frames`` itself where nothing is to be done.
    """
    scaled = (slope, intercept) != (1, 0)
    eight_bit = frames.dtype in (np.uint8, np.bool_) and not scaled
    paddings = padding or (None,) * len(frames)
    if eight_bit and frames.dtype == np.uint8 and frames.ndim == 3 and not any(paddings):
        return frames

    def values(frame: NDArray[Any]) -> NDArray[Any]:
        grey = luma(frame)
        return slope * grey.astype(np.float64) + intercept if scaled else grey

    def shown() -> Iterator[NDArray[Any]]:
        for frame, ends in zip(frames, paddings, strict=True):
            for rows in _row_blocks(frame):
                grey = values(frame[rows])
                yield grey[~_between(frame[rows], *ends)] if ends else grey

    window = None if eight_bit else _window(shown())
    result = np.empty(frames.shape[:3], np.uint8)
    for source, target, ends in zip(frames, result, paddings, strict=True):
        for rows in _row_blocks(source):
            grey = values(source[rows])
            target[rows] = grey if window is None else _windowed(grey, *window)
            if ends:
                target[rows][_between(source[rows], *ends)] = 0
    return result


def _between(stored: NDArray[Any], low: int, high: int) -> NDArray[np.bool_]:
    return np.asarray((stored >= low) & (stored <= high))


def _row_blocks(frame: NDArray[Any]) -> Iterator[slice]:
    """Split a frame into blocks of rows, so that working on it takes little more than itself."""
    rows = max(1, BLOCK_PIXELS // max(1, frame.shape[1]))
    return (slice(start, start + rows) for start in range(0, len(frame), rows))


def luma(frame: NDArray[Any]) -> NDArray[Any]:
    """Return the grey of one frame.

    Parameters
    ----------
    frame : (H, W) or (H, W, C) array
        C as for :func:`to_grey_frames`.

    Returns
    -------
    (H, W) array
        Of the type of the frame; integers are rounded to the nearest.
    """
    if frame.ndim == 2:
        return frame
    if frame.shape[-1] < 3:
        return frame[..., 0]
    grey = np.empty(frame.shape[:2], frame.dtype)
    for rows in _row_blocks(frame):
        grey[rows] = _mixed(frame[rows])
    return grey


def _mixed(frame: NDArray[Any]) -> NDArray[Any]:
    red, green, blue = (frame[..., channel] for channel in range(3))
    if frame.dtype == np.uint8:
        weights = np.array(LUMA, np.uint32)
        return (red * weights[0] + green * weights[1] + blue * weights[2] + 32768) >> 16
    mixed = (red * float(LUMA[0]) + green * float(LUMA[1]) + blue * float(LUMA[2])) / 65536
    return mixed if frame.dtype.kind == "f" else np.rint(mixed)


def _windowed(grey: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    with np.errstate(invalid="ignore"):  # signalling NaN
        grey = np.nan_to_num(grey.astype(np.float64), nan=low, posinf=high, neginf=low)
    # Halves, because the difference of two floats may be too large for one, or nothing at all.
    span = high / 2 - low / 2
    if span == 0:
        return np.where(grey > low, 255, 0)
    return np.rint((grey / 2 - low / 2) / span * 255)


def _window(blocks: Iterable[NDArray[Any]]) -> tuple[float, float] | None:
    """Lowest and highest value to show, or None where integers fit 8 bits as they are."""
    low, high = 0.0, 0.0
    whole = True
    for grey in blocks:
        if grey.dtype.kind == "f":
            whole = False
            grey = grey[np.isfinite(grey)]
        if grey.size:
            low, high = min(low, float(grey.min())), max(high, float(grey.max()))
    if whole and low == 0 and high <= 255:
        return None
    return low, high if high > low else low + 1
