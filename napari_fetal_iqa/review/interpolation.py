"""Masks for the frames between two that an expert drew."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_fetal_iqa.corrections import FrameCorrection, Label
from napari_fetal_iqa.geometry.mask_codec import decode_mask

_MARGIN_PX = 2  # room around a shape: for its outline, and to shift it by part of a pixel


def interpolate_masks(
    first: NDArray[np.bool_], last: NDArray[np.bool_], n_between: int
) -> list[NDArray[np.bool_]]:
    """Interpolate the masks between two masks by their shape.

    Each shape is turned into signed distances to its outline, in pixels, around its centroid;
    the distances are blended linearly while the centroid moves on a straight line, so that an
    abdomen that moves through the frame neither shrinks nor vanishes on its way. Where shapes are
    so thin or ragged that nothing of the blend is left, the nearer of the two stands in.

    Parameters
    ----------
    first, last : (H, W) bool array
        The masks at both ends; what of a shape moves beyond the frame is cut off.
    n_between : int
        Number of masks wanted, at equal steps.

    Returns
    -------
    list of (H, W) bool array
        ``n_between`` masks without the ends, none of them empty.

    Raises
    ------
    ValueError
        Where a mask is empty, the two are not of one 2D shape, or ``n_between`` is negative.

    References
    ----------
    Raya and Udupa, Shape-based interpolation of multidimensional objects, IEEE Transactions on
    Medical Imaging 9 (1990) 32-42.
    """
    first, last = np.asarray(first, bool), np.asarray(last, bool)
    if first.ndim != 2 or first.shape != last.shape:
        raise ValueError(
            f"expected two masks (H, W) of one shape, found {first.shape} and {last.shape}"
        )
    if n_between < 0:
        raise ValueError(f"expected a number of masks of 0 or more, found {n_between}")
    if not (first.any() and last.any()):
        empty = "second" if first.any() else "first"
        raise ValueError(f"the {empty} mask is empty: there is no shape to interpolate")
    centroids = np.array([_centroid(first), _centroid(last)])
    places = np.rint(centroids).astype(np.intp)
    reach = np.max([_reach(first, places[0]), _reach(last, places[1])], 0)
    distances = [_signed_distances(first, places[0], reach)]
    distances += [_signed_distances(last, places[1], reach)]
    masks = []
    for fraction in np.linspace(0, 1, n_between + 2)[1:-1]:
        centroid = (1 - fraction) * centroids[0] + fraction * centroids[1]
        place = np.rint(centroid).astype(np.intp)
        # by which part of a pixel each shape lies off this centroid, once its place lies on it
        off = (centroid - place) - (centroids - places)
        blend = (1 - fraction) * scipy.ndimage.shift(distances[0], off[0], order=1, mode="nearest")
        blend += fraction * scipy.ndimage.shift(distances[1], off[1], order=1, mode="nearest")
        mask = _window(blend > 0, reach - place, first.shape)
        if not mask.any():
            mask = (first if fraction <= 0.5 else last).copy()
        masks.append(mask)
    return masks


def fill_gaps(
    frame: int,
    bounds: tuple[int, int],
    corrections: Mapping[int, FrameCorrection],
    shape: tuple[int, int],
) -> dict[int, NDArray[np.bool_]]:
    """Interpolate the masks around a frame, between those nearest to it that an expert drew.

    The ends are the nearest frames with an expert's mask before and after the frame. A frame
    that has such a mask itself is an end too: then the gaps on both its sides are filled, where
    they have two ends. An expert's correction of a frame in between is never overruled: not its
    mask, an empty one included, nor the label that there is no abdomen.

    Parameters
    ----------
    frame : int
    bounds : (int, int)
        Half-open frame range of the sweep that holds the frame; no end lies outside.
    corrections : mapping of int to FrameCorrection
        The expert's corrections, by frame.
    shape : (H, W)
        Of the masks.

    Returns
    -------
    dict of int to (H, W) bool array
        New masks by frame, in order; empty where there are no two ends or nothing between them.
    """
    start, stop = bounds
    searched = (range(frame - 1, start - 1, -1), [frame], range(frame + 1, stop))
    ends: dict[int, NDArray[np.bool_]] = {}
    for frames in searched:
        for other in frames:
            mask = _drawn(corrections.get(other), shape)
            if mask is not None:
                ends[other] = mask
                break
    filled: dict[int, NDArray[np.bool_]] = {}
    for before, after in pairwise(ends):
        gap = range(before + 1, after)
        free = [other for other in gap if _is_free(corrections.get(other))]
        if free:
            masks = interpolate_masks(ends[before], ends[after], len(gap))
            filled.update((other, masks[other - before - 1]) for other in free)
    return filled


def _drawn(correction: FrameCorrection | None, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    if correction is None or correction.mask is None:
        return None
    mask = decode_mask(correction.mask, shape)
    return mask if mask.any() else None


def _is_free(correction: FrameCorrection | None) -> bool:
    return correction is None or (correction.mask is None and correction.label is not Label.NONE)


def _centroid(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    rows, columns = mask.sum(1), mask.sum(0)
    return np.array([np.average(np.arange(len(sums)), weights=sums) for sums in (rows, columns)])


def _reach(mask: NDArray[np.bool_], place: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rows and columns that a window centred on a place needs on each side for the shape."""
    extents = [np.flatnonzero(mask.any(axis))[[0, -1]] for axis in (1, 0)]
    return np.abs(np.array(extents) - place[:, None]).max(1) + _MARGIN_PX


def _window(
    mask: NDArray[np.bool_], corner: NDArray[np.intp], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Cut a window out of a mask from a corner on; nothing lies beyond the mask."""
    window = np.zeros(shape, bool)
    low, high = np.maximum(corner, 0), np.minimum(corner + shape, mask.shape)
    target = tuple(map(slice, low - corner, high - corner))
    window[target] = mask[tuple(map(slice, low, high))]
    return window


def _signed_distances(
    mask: NDArray[np.bool_], place: NDArray[np.intp], reach: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Distances to the outline, positive inside, in a window centred on a place."""
    window = _window(mask, place - reach, tuple(2 * reach + 1))
    # the outline runs half a pixel from the pixel centres on both its sides
    inside = scipy.ndimage.distance_transform_edt(window) - 0.5
    outside = scipy.ndimage.distance_transform_edt(~window) - 0.5
    return np.where(window, inside, -outside).astype(np.float32)
