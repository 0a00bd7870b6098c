"""The outline of a mask: the points halfway between its outermost pixels and what is outside."""

import numpy as np
import scipy
from numpy.typing import NDArray

_WITH_CORNERS = np.ones((3, 3), bool)


def outer_contour(mask: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Return the outer contour of the largest part of a mask, in no order.

    The points are those of the marching squares at one half (``skimage.measure.find_contours``,
    whose loops are followed one point after the other): the middle of each side that a pixel of
    the part, whose pixels have sides in common, shares with the background around it. Holes count
    as the part's.

    Parameters
    ----------
    mask : (H, W) bool array

    Returns
    -------
    (N, 2) array of float64
        Rows and columns, in pixels; beyond the frame's edge by half a pixel where the part touches
        it. None where the mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) == 0:
        return None
    crop = np.pad(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)
    parts, count = scipy.ndimage.label(crop)
    if count > 1:
        crop = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    if _euler_number(crop) < 1:
        background, _ = scipy.ndimage.label(~crop, _WITH_CORNERS)
        crop = background != background[0, 0]
    below = np.argwhere(crop[1:] != crop[:-1]) + (0.5, 0)
    beside = np.argwhere(crop[:, 1:] != crop[:, :-1]) + (0, 0.5)
    return np.concatenate([below, beside]) + (rows[0] - 1, columns[0] - 1)


def _euler_number(padded: NDArray[np.bool_]) -> int:
    """Return parts (joined by sides) less holes of a mask with an empty rim (Gray 1971)."""
    one = padded.view(np.uint8)
    corner, opposite = one[:-1, :-1], one[1:, 1:]
    covered = corner + opposite + one[:-1, 1:] + one[1:, :-1]
    diagonal = np.count_nonzero((covered == 2) & (corner == opposite))
    ones, threes = (np.count_nonzero(covered == n) for n in (1, 3))
    return int(ones - threes + 2 * diagonal) // 4


def away_from_edge(
    points: NDArray[np.float64], field_of_view: NDArray[np.bool_], distance_px: float
) -> NDArray[np.bool_]:
    """Return which points have a circle around them inside the field of view and the frame.

    Parameters
    ----------
    points : (N, 2) array
        Rows and columns, in pixels.
    field_of_view : (H, W) bool array
    distance_px : float
        Radius of the circle.

    Returns
    -------
    (N,) bool array
    """
    shape = np.array(field_of_view.shape)
    (top, left), (bottom, right) = (
        np.floor(points.min(0) - distance_px).astype(np.intp),
        np.ceil(points.max(0) + distance_px).astype(np.intp) + 1,
    )
    inside_frame = top >= 0 and left >= 0 and bottom <= shape[0] and right <= shape[1]
    if inside_frame and field_of_view[top:bottom, left:right].all():
        return np.ones(len(points), bool)
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    circle = distance_px * np.stack([np.sin(angles), np.cos(angles)], -1)
    around = np.rint(points[:, None] + circle).astype(np.intp)
    visible = ((around >= 0) & (around < shape)).all(-1)
    around = np.clip(around, 0, shape - 1)
    visible &= field_of_view[around[..., 0], around[..., 1]]
    return np.asarray(visible.all(-1))
