"""A sweep volume as a napari layer: plain tuples, no napari imported."""

from typing import Any

import numpy as np

from napari_fetal_iqa.io.frames.lazy_inflate import InflatingFrames
from napari_fetal_iqa.phantom.simulated_frames import SimulatedFrames
from napari_fetal_iqa.sweep import SweepVolume

METADATA_KEY = "fetal_iqa_sweep"
"""Where the layer's metadata holds its :class:`~napari_fetal_iqa.sweep.SweepVolume`."""

AXIS_LABELS = ("frame", "row", "column")
MAX_LABEL = 2
"""Highest value of a mask volume: 1 optimal, 2 suboptimal plane."""

LayerData = tuple[Any, dict[str, Any], str]


def grid_attributes(sweep: SweepVolume) -> dict[str, Any]:
    """Return the scale, units and axis labels of every layer on the grid of a sweep.

    Rows and columns are in mm where the spacing is known, frames are counted.
    """
    if sweep.spacing_mm is None:
        return {"scale": (1.0, 1.0, 1.0), "units": ("pixel",) * 3, "axis_labels": AXIS_LABELS}
    return {
        "scale": (1.0, *sweep.spacing_mm),
        "units": ("pixel", "mm", "mm"),
        "axis_labels": AXIS_LABELS,
    }


def sweep_layer(sweep: SweepVolume) -> LayerData:
    """Return the image layer of a sweep; or a labels layer where it holds nothing but masks.

    Frames of a compressed file go on being inflated, and those of a phantom being simulated, in the
    background.
    """
    if isinstance(sweep.frames, InflatingFrames):
        sweep.frames.inflate_in_background()
    if isinstance(sweep.frames, SimulatedFrames):
        sweep.frames.simulate_in_background()
    elif _holds_masks(sweep):
        masks = np.array(sweep.frames)  # a copy, as labels are painted on
        return masks, {"name": sweep.name, **grid_attributes(sweep)}, "labels"
    attributes = {
        "name": sweep.name,
        "colormap": "gray",
        "contrast_limits": (0, 255),  # given, so that napari does not scan the volume
        "rgb": False,
        "multiscale": False,
        "metadata": {METADATA_KEY: sweep},
        **grid_attributes(sweep),
    }
    return sweep.frames, attributes, "image"


def _holds_masks(sweep: SweepVolume) -> bool:
    """Return whether a volume is one of masks; a picture shows in its first non-black frames."""
    highest = 0
    for frame in sweep.frames:
        highest = max(highest, int(np.max(frame)))
        if highest > MAX_LABEL:
            return False
    return highest > 0
