"""The single measures that the challenge's score is made of."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_fetal_iqa.labels import Label

_EPSILON = 1e-6
"""Keeps the error of two circumferences of 0 defined (Sappia et al. 2025)."""

SUBOPTIMAL_WEIGHT = 0.6
"""What a suboptimal frame earns where the case has an optimal one (Sappia et al. 2025)."""


def normalised_absolute_error(true_mm: float | None, found_mm: float | None) -> float:
    """Compare two circumferences: ``|true - found| / max(true, found, 1e-6)``.

    Parameters
    ----------
    true_mm, found_mm : float or None
        In one unit; None or nan where there is none.

    Returns
    -------
    float
        0 to 1 for circumferences that are not negative; 1 where either is missing.

    References
    ----------
    Sappia et al., Medical Image Analysis 105 (2025) 103640: NAE of the abdominal circumference.
    """
    if true_mm is None or found_mm is None or math.isnan(true_mm) or math.isnan(found_mm):
        return 1.0
    return abs(true_mm - found_mm) / max(true_mm, found_mm, _EPSILON)


def frame_selection_score(plane: int, *, case_has_optimal: bool) -> float:
    """Weigh the choice of a frame: the weighted frame selection score (WFSS).

    Parameters
    ----------
    plane : int
        Of the chosen frame: 1 optimal, 2 suboptimal, 0 neither, or no frame was chosen.
    case_has_optimal : bool

    Returns
    -------
    float
        1 for an optimal frame, and for a suboptimal one where the case has no optimal; 0.6 for a
        suboptimal one where it has; else 0.

    References
    ----------
    Sappia et al., Medical Image Analysis 105 (2025) 103640.
    """
    if plane == Label.SUBOPTIMAL:
        return SUBOPTIMAL_WEIGHT if case_has_optimal else 1.0
    return 1.0 if plane == Label.OPTIMAL else 0.0


def hausdorff_px(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Hausdorff distance of two masks in pixels, over all their pixels.

    Parameters
    ----------
    one, other : (H, W) bool arrays

    Returns
    -------
    float

    Raises
    ------
    ValueError
        Where one of them is empty.

    References
    ----------
    Huttenlocher et al., IEEE TPAMI 15 (1993) 850.
    """
    if not (one.any() and other.any()):
        raise ValueError("the Hausdorff distance of an empty mask is not defined")
    either = one | other
    crop = tuple(
        slice(int(covered[0]), int(covered[-1]) + 1)
        for covered in (np.flatnonzero(either.any(axis)) for axis in (1, 0))
    )
    one, other = one[crop], other[crop]
    return float(max(_farthest(one, other), _farthest(other, one)))


def _farthest(here: NDArray[np.bool_], there: NDArray[np.bool_]) -> float:
    """Return how far a pixel of one mask can be from the other mask."""
    return float(ndimage.distance_transform_edt(~there)[here].max())
