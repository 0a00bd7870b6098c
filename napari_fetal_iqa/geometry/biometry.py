"""Abdominal biometry: ellipse, circumference and diameters of a mask; gestational age."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np
import scipy
import skimage
from numpy.typing import NDArray

from napari_fetal_iqa.geometry.ellipse import Ellipse, ramanujan_perimeter
from napari_fetal_iqa.geometry.outline import away_from_edge, outer_contour

EDGE_PX = 3
"""Outline points this near the edge of the field of view are no outline (Sappia et al. 2025)."""
FEWEST_POINTS = 6
HADLOCK_WEEKS = (14.0, 42.0)
"""Menstrual ages of the fetuses that Hadlock et al. (1984) measured."""


@dataclass(frozen=True)
class AbdomenMeasurement:
    """Ellipse fitted to one abdomen mask.

    Parameters
    ----------
    circumference_mm : float
    semi_axes_mm : (float, float)
        The longer one first.
    center_px : (float, float)
        Row and column.
    angle_deg : float
        Of the longer axis, in mm space: 0 along the rows to the right, growing downwards, below
        180.
    truncated : bool
        Part of the outline lies on the edge of the field of view; the fit goes on without it.
    spacing_mm : (float, float)
        Millimetres per pixel along rows and columns.
    """

    circumference_mm: float
    semi_axes_mm: tuple[float, float]
    center_px: tuple[float, float]
    angle_deg: float
    truncated: bool
    spacing_mm: tuple[float, float]

    @property
    def diameters_mm(self) -> tuple[float, float]:
        """Longer and shorter diameter.

        Sonographers read the transverse and the anteroposterior abdominal diameter; which of the
        two is which a mask does not show.
        """
        return 2 * self.semi_axes_mm[0], 2 * self.semi_axes_mm[1]

    @property
    def ellipse(self) -> Ellipse:
        """The ellipse in mm of the frame, its first diameter the longer one."""
        row, column = np.multiply(self.center_px, self.spacing_mm).tolist()
        return Ellipse((row, column), self.semi_axes_mm, self.angle_deg)


def measure_abdomen(
    mask: NDArray[Any],
    spacing_mm: Sequence[float],
    field_of_view: NDArray[np.bool_] | None = None,
) -> AbdomenMeasurement | None:
    """Measure the abdominal circumference of one mask.

    Only the largest connected part of the mask counts, by its outer contour. On rasterised
    ellipses with semi-axes of 20 to 70 pixels the circumference is that of a mean radius true to
    0.14 pixels (the tests hold it to that): within 0.7 % at 20 pixels, 0.2 % at 70, and with no
    bias. Smoothing the mask before its contour is taken makes it no better.

    Parameters
    ----------
    mask : (H, W) array
        Abdomen where it is not 0.
    spacing_mm : (float, float)
        Millimetres per pixel along rows and columns.
    field_of_view : (H, W) bool array, optional
        Outline points within 3 pixels of its edge are left out of the fit; by default the frame's
        own edge counts.

    Returns
    -------
    AbdomenMeasurement
        Or None where the mask is empty, fewer than 6 outline points remain, or they fit no
        ellipse.

    Raises
    ------
    ValueError
        Where the mask is not 2D, the field of view has another shape, or the spacing is not
        two positive numbers.

    References
    ----------
    Sappia et al., Medical Image Analysis 105 (2025) 103640; Ramanujan's first formula; direct
    least squares by Halir and Flusser (WSCG 1998), as in scikit-image.
    """
    mask = np.asarray(mask)
    mask = mask if mask.dtype == bool else mask != 0
    spacing = np.asarray(spacing_mm, np.float64)
    if mask.ndim != 2:
        raise ValueError(f"expected a mask (H, W), found {mask.shape}")
    if field_of_view is not None and field_of_view.shape != mask.shape:
        raise ValueError(f"mask {mask.shape} and field of view {field_of_view.shape} differ")
    if spacing.shape != (2,) or not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise ValueError(f"expected spacing in mm along rows and columns, found {spacing_mm}")
    outline = outer_contour(mask)
    if outline is None:
        return None
    view = np.ones(mask.shape, bool) if field_of_view is None else field_of_view
    inside = away_from_edge(outline, view, EDGE_PX)
    points = outline[inside] * spacing
    if len(points) < FEWEST_POINTS:
        return None
    origin = points.mean(0)
    with np.errstate(invalid="ignore", divide="ignore"):  # a perfect circle has no direction
        model = skimage.measure.EllipseModel.from_estimate((points - origin)[:, ::-1])
    if not model:
        return None
    (x, y), (a, b), turn = model.center, model.axis_lengths, model.theta
    if not np.isfinite([x, y, a, b, turn]).all() or min(a, b) <= 0:
        return None
    if b > a:
        a, b, turn = b, a, turn + pi / 2
    row, column = (np.array([y, x]) + origin) / spacing
    return AbdomenMeasurement(
        circumference_mm=ramanujan_perimeter(float(a), float(b)),
        semi_axes_mm=(float(a), float(b)),
        center_px=(float(row), float(column)),
        angle_deg=float(np.degrees(turn) % 180),
        truncated=not bool(inside.all()),
        spacing_mm=(float(spacing[0]), float(spacing[1])),
    )


def gestational_age_weeks(ac_mm: float) -> float | None:
    """Estimate gestational age from the abdominal circumference.

    Parameters
    ----------
    ac_mm : float

    Returns
    -------
    float
        Weeks; None where they lie outside the 14 to 42 weeks that the formula was made from, or
        the circumference is nan.

    References
    ----------
    Hadlock et al., Radiology 152 (1984) 497: 8.14 + 0.753 AC + 0.0036 AC^2, AC in cm, from 361
    fetuses of 14 to 42 weeks.
    """
    ac_cm = ac_mm / 10
    weeks = 8.14 + 0.753 * ac_cm + 0.0036 * ac_cm**2
    youngest, oldest = HADLOCK_WEEKS
    return weeks if ac_cm > 0 and youngest <= weeks <= oldest else None


def format_gestational_age(weeks: float) -> str:
    """Write weeks as obstetricians do: 27.14 is ``"27w1d"``."""
    whole, days = divmod(round(weeks * 7), 7)
    return f"{whole}w{days}d"


WHOLE_SHARE = 0.9
"""Of a mask's pixels, at least so many are in its largest part where it is one outline."""


def is_in_pieces(mask: NDArray[np.bool_]) -> bool:
    """Return whether a mask, (H, W), has no part that is nearly all of it: it outlines nothing."""
    parts, count = scipy.ndimage.label(mask)
    if count < 2:
        return False
    sizes = np.bincount(parts.ravel())[1:]
    return bool(sizes.max() < WHOLE_SHARE * sizes.sum())
