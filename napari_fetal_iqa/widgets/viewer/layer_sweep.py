"""From a napari image layer to a sweep volume."""

from pathlib import Path

import numpy as np
from napari.layers import Image, Layer

from napari_fetal_iqa.contributions.layers import METADATA_KEY
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.sweep import SweepVolume


def sweep_of(layer: Layer) -> SweepVolume | None:
    """Return the sweep that a layer shows, or None where it shows something else.

    Our own reader leaves the sweep in the layer's metadata, which holds for the pixels that it
    brought and no others; any other stack of 8-bit frames,
    whoever opened it, is taken as a sweep whose spacing is the layer's scale where that is in
    millimetres.
    """
    if not isinstance(layer, Image):
        return None
    sweep = layer.metadata.get(METADATA_KEY)
    data = layer.data
    if isinstance(sweep, SweepVolume) and data is sweep.frames:
        return sweep
    if layer.rgb or layer.multiscale or data.ndim != 3 or data.dtype != np.uint8:
        return None
    in_mm = all(str(unit) in ("millimeter", "mm") for unit in layer.units[1:])
    spacing_mm = (float(layer.scale[1]), float(layer.scale[2])) if in_mm else None
    path = Path(layer.source.path) if layer.source.path else None
    try:
        return SweepVolume(
            data, spacing_mm, name=layer.name, source_format="napari layer", path=path
        )
    except SweepError:
        return None


def can_come_back(layer: Layer) -> bool:
    """Whether a sweep may leave the viewer: it lies in a file, or is a phantom, as it was read."""
    sweep = sweep_of(layer)
    if sweep is None or sweep is not layer.metadata.get(METADATA_KEY):
        return False  # somebody else's, or with pixels that somebody put there
    return sweep.path is not None or sweep.simulated
