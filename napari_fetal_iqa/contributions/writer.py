"""What napari calls to save a labels layer as a mask volume (npe2 writer contribution)."""

from typing import Any

import numpy as np

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.write import write_volume

MILLIMETRES = {
    "millimeter": 1.0,
    "centimeter": 10.0,
    "meter": 1000.0,
    "micrometer": 0.001,
    "micron": 0.001,
}


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one labels layer as ``.mha``, ``.nii.gz`` or ``.nrrd``, with its spacing.

    Parameters
    ----------
    path : str
    data : (T, H, W) or (H, W) integer array
        Labels 0 to 255.
    attributes : dict
        Of the layer; ``scale`` and ``units`` give the spacing.

    Returns
    -------
    list of str
        The path written, as npe2 asks for.

    Raises
    ------
    SweepError
        Where labels do not fit 8 bits, the layer has other dimensions, or the disk refuses.
    """
    labels = np.asarray(data)
    if labels.ndim == 2:
        labels = labels[np.newaxis]
    if labels.size and not 0 <= labels.min() <= labels.max() <= 255:
        raise SweepError(
            f"{attributes.get('name', 'layer')}: expected labels from 0 to 255, found "
            f"{labels.min()} to {labels.max()}; relabel the layer before saving"
        )
    write_volume(path, labels.astype(np.uint8, copy=False), _spacing_mm(attributes))
    return [path]


def _spacing_mm(attributes: dict[str, Any]) -> tuple[float, float] | None:
    """Spacing of rows and columns, whichever way; None where there is neither scale nor unit."""
    scale = [abs(float(step)) for step in attributes.get("scale", ())][-2:]
    units = [str(unit) for unit in attributes.get("units") or ()][-2:]
    # A scale of 1 without a unit is napari's default, and no spacing.
    if len(scale) < 2 or (scale == [1, 1] and not set(units) & set(MILLIMETRES)):
        return None
    row_mm, column_mm = (
        step * MILLIMETRES.get(unit, 1.0)
        for step, unit in zip(scale, units or ["millimeter"] * 2, strict=True)
    )
    return row_mm, column_mm
