"""The two criteria of the abdominal plane that an outline tells: how large it is, how elliptic."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.geometry.biometry import AbdomenMeasurement
from napari_fetal_iqa.geometry.overlap import dice

FILLS: Final = 0.30
"""Of the image, which is the field of view: beside the fan there is no picture."""
FOLLOWS: Final = 0.95
"""Dice of an outline and its ellipse, inside the field of view, from which on they are one."""

COMPUTED: Final = (Criterion.FILLS_IMAGE, Criterion.ELLIPSE_PLACED)


def computed_verdicts(
    mask: NDArray[np.bool_],
    measurement: AbdomenMeasurement | None,
    field_of_view: NDArray[np.bool_],
) -> dict[Criterion, bool]:
    """Say whether the abdomen fills the image, and whether its ellipse is placed right.

    It fills the image where the outline is at least :data:`FILLS` of the field of view. The ellipse
    is placed right where all of it is in view, and it and the outline overlap with a Dice
    coefficient of at least :data:`FOLLOWS`.

    Parameters
    ----------
    mask : (H, W) bool
        The outline that counts.
    measurement : AbdomenMeasurement or None
        Of the mask; None where it cannot be measured: nothing is then said of the ellipse.
    field_of_view : (H, W) bool

    Returns
    -------
    dict of Criterion to bool
        Empty without an outline.
    """
    if not mask.any():
        return {}
    found = {Criterion.FILLS_IMAGE: bool(mask.sum() >= FILLS * field_of_view.sum())}
    if measurement is not None:
        ellipse = measurement.ellipse.mask((mask.shape[0], mask.shape[1]), measurement.spacing_mm)
        overlap = dice(ellipse & field_of_view, mask & field_of_view, of_nothing=0.0)
        placed = overlap >= FOLLOWS and not measurement.truncated
        found[Criterion.ELLIPSE_PLACED] = bool(placed)
    return found
