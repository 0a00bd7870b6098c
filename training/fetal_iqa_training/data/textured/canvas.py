"""A standard plane as tissue round a point of it: levels in decibels on a grid in millimetres.

A scanner shows a sector with text beside it, from which a blind sweep's fan cuts other parts. So
the tissue goes on beyond the sector, mirrored at its edge, and fades there.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from skimage.morphology import convex_hull_image

from fetal_iqa_training.data.outlines import PlaneEllipse
from fetal_iqa_training.data.planes import TEXT_BOXES
from napari_fetal_iqa.geometry.ellipse import to_axes

STEP_MM = 0.4
REACH_MM = (120.0, 140.0)
"""Half of the canvas' height and width."""

SCANNER_RANGE_DB = 52.0
"""What the 256 grey values of a hospital scanner's image span."""
FLESH_DB = -23.0
"""Level of the median flesh: that of a drawn trunk."""

_DARK = 6  # grey values below this, smoothed, are fluid, shadow or nothing
_FADE_MM = 14.0  # tissue that is only guessed fades over this way
_LANDMARK_MM = 10.0  # stomach and vein are darker and narrower than this
_AROUND = 1.2  # of the semi-axes: beyond this lies no abdomen
_DETAIL_MM = 1.6  # what is finer is speckle

Image = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Canvas:
    """A plane as tissue; float32 arrays on one grid, its anchor in the middle.

    Parameters
    ----------
    base : (R, C) array
        Levels in decibels without the finest detail.
    detail : (R, C) array
        The finest detail: the scanner's own speckle, decibels.
    plain : (R, C) array
        ``base`` without the dark landmarks: what lies beside the standard plane.
    share : (R, C) array
        0 to 1: how far the tissue is known here.
    """

    base: Image
    detail: Image
    plain: Image
    share: Image

    def at(self, x: Image, z: Image, field: Image) -> Image:
        """Interpolate one of the arrays at millimetres right of and below the anchor."""
        rows, columns = field.shape
        place = z / STEP_MM + rows // 2, x / STEP_MM + columns // 2
        found = scipy.ndimage.map_coordinates(field, place, order=1, mode="nearest")
        return np.asarray(found, np.float32)


def grid_mm() -> tuple[Image, Image]:
    """Millimetres of a canvas' samples below and right of its anchor: (R, 1) and (1, C)."""
    half = [round(reach / STEP_MM) for reach in REACH_MM]
    down, right = (np.arange(-n, n + 1, dtype=np.float32) * STEP_MM for n in half)
    return down[:, None], right[None]


def seen(frame: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell where a scanner's image shows tissue: its sector, without text and what text hides.

    Parameters
    ----------
    frame : (H, W) uint8
        With text boxes blackened, as :func:`~fetal_iqa_training.data.planes.load_frame` gives it.
    """
    bright = scipy.ndimage.gaussian_filter(frame.astype(np.float32), 2) > _DARK
    bright = scipy.ndimage.binary_opening(bright, iterations=3)
    labels, n = scipy.ndimage.label(bright)
    if not n:
        return np.zeros(frame.shape, bool)
    sizes = np.bincount(labels.ravel())[1:]
    large = 1 + np.flatnonzero(sizes >= 0.02 * sizes.max())
    within = np.asarray(convex_hull_image(np.isin(labels, large)), bool)
    # above the probe's face a sector is hollow
    within &= np.logical_or.accumulate(bright, axis=0)
    rows, columns = frame.shape
    for top, bottom, left, right in TEXT_BOXES:
        box = round(top * rows), round(bottom * rows), round(left * columns), round(right * columns)
        within[box[0] : box[1], box[2] : box[3]] = False
    return within


def make_canvas(
    frame: NDArray[np.uint8],
    mm_per_pixel: float,
    anchor: tuple[float, float],
    abdomen: PlaneEllipse | None = None,
    around: bool = False,
) -> Canvas:
    """Make tissue of a plane.

    Parameters
    ----------
    frame : (H, W) uint8
        With text boxes blackened.
    mm_per_pixel : float
    anchor : (float, float)
        x and y of the pixel in the canvas' middle.
    abdomen : PlaneEllipse, optional
        Its flesh sets the levels, it is never faded, and never mirrored: there is only one.
    around : bool
        Only what lies round the plane's middle, or round the abdomen, everywhere: mother's tissue
        and fluid that may be anywhere.
    """
    down, right = grid_mm()
    rho = None if abdomen is None else _rho(abdomen, down, right, mm_per_pixel, anchor)
    grey, known = _resample(frame, mm_per_pixel, anchor, (down, right))
    flesh = known if rho is None else known & (rho < 0.9)
    flesh = flesh & (grey > 2 * _DARK)
    if around:
        rows, columns = frame.shape
        middle_part = PlaneEllipse(columns / 2, rows / 2, 0.36 * columns, 0.36 * rows)
        part = _rho(abdomen or middle_part, down, right, mm_per_pixel, anchor)
        known &= part > _AROUND
        rho = None
    middle = float(np.median(grey[flesh])) if flesh.any() else 80.0
    level = (grey - middle) * np.float32(SCANNER_RANGE_DB / 255) + np.float32(FLESH_DB)
    level, share = _extend(level, known, rho)
    base = scipy.ndimage.gaussian_filter(level, _DETAIL_MM / 2 / STEP_MM)
    if around:
        share = np.ones_like(share)
    plain = _without_landmarks(base, rho)
    return Canvas(base, level - base, plain, share)


def _rho(
    ellipse: PlaneEllipse,
    down: Image,
    right: Image,
    mm_per_pixel: float,
    anchor: tuple[float, float],
) -> Image:
    """(R, C): 0 in the ellipse's centre, 1 on its outline."""
    dx = right / np.float32(mm_per_pixel) + np.float32(anchor[0] - ellipse.cx)
    dy = down / np.float32(mm_per_pixel) + np.float32(anchor[1] - ellipse.cy)
    u, v = to_axes((ellipse.a, ellipse.b), ellipse.angle_rad, dx, dy)
    return np.asarray(np.hypot(u, v), np.float32)


def _resample(
    frame: NDArray[np.uint8],
    mm_per_pixel: float,
    anchor: tuple[float, float],
    grid: tuple[Image, Image],
) -> tuple[Image, NDArray[np.bool_]]:
    pixels = frame.astype(np.float32)
    within = seen(frame)
    coarser = STEP_MM / mm_per_pixel
    if coarser > 1:
        # black beyond the sector's edge must not bleed into it
        weight = scipy.ndimage.gaussian_filter(within.astype(np.float32), 0.4 * coarser)
        pixels = scipy.ndimage.gaussian_filter(pixels * within, 0.4 * coarser)
        pixels /= np.maximum(weight, np.float32(1e-3))
    down, right = grid
    y, x = down / mm_per_pixel + anchor[1], right / mm_per_pixel + anchor[0]
    place = np.broadcast_arrays(y, x)
    grey = scipy.ndimage.map_coordinates(pixels, place, order=1, mode="nearest")
    known = scipy.ndimage.map_coordinates(within.astype(np.float32), place, order=1, cval=0) > 0.5
    # the edge itself is soft in some scanners' images
    known = scipy.ndimage.binary_erosion(known, iterations=max(1, round(1.2 / STEP_MM)))
    return np.asarray(grey, np.float32), known


def _extend(level: Image, known: NDArray[np.bool_], rho: Image | None) -> tuple[Image, Image]:
    """Mirror the tissue at the edge of what is known, and let it fade."""
    if not known.any():
        return level, np.zeros_like(level)
    distance, nearest = scipy.ndimage.distance_transform_edt(~known, return_indices=True)
    place = np.indices(level.shape)
    mirrored = 2 * nearest - place
    for axis, length in enumerate(level.shape):
        mirrored[axis] = np.clip(mirrored[axis], 0, length - 1)
    rows, columns = mirrored
    for _ in range(4):  # a mirror image of a mirror image, where the known part is narrow
        again = ~known[rows, columns]
        rows[again], columns[again] = mirrored[:, rows[again], columns[again]]
    there = known[rows, columns]
    rows, columns = np.where(there, rows, nearest[0]), np.where(there, columns, nearest[1])
    share = np.exp(-((distance * STEP_MM / _FADE_MM) ** 2)).astype(np.float32)
    if rho is not None:
        share[(rho > 1) & (rho[rows, columns] < 1.1) & ~known] = 0
    share = scipy.ndimage.gaussian_filter(share, 2.0 / STEP_MM)
    if rho is not None:
        share = np.maximum(share, np.clip((np.float32(1.12) - rho) / np.float32(0.1), 0, 1))
    level = level[rows, columns]
    # the seams between mirror images are no anatomy
    guessed = np.clip(distance * STEP_MM / 12, 0, 1).astype(np.float32)
    fine = level - scipy.ndimage.gaussian_filter(level, _DETAIL_MM / STEP_MM)
    soft = scipy.ndimage.gaussian_filter(level, 4 / STEP_MM) + fine
    return level + guessed * (soft - level), share


def _without_landmarks(base: Image, rho: Image | None) -> Image:
    # every second sample is enough for something so smooth
    width = round(_LANDMARK_MM / STEP_MM / 2)
    closed = scipy.ndimage.grey_closing(base[::2, ::2], (width, width))
    closed = np.repeat(np.repeat(closed, 2, axis=0), 2, axis=1)[: base.shape[0], : base.shape[1]]
    closed = scipy.ndimage.gaussian_filter(closed, 2.5 / STEP_MM) - np.float32(3)
    # bright echoes, ribs and spine stay
    plain = np.maximum(closed, base - np.float32(4))
    if rho is None:
        return np.asarray(plain, np.float32)
    inside = np.clip((np.float32(0.92) - rho) / np.float32(0.12), 0, 1)
    return np.asarray(base + inside * (plain - base), np.float32)
