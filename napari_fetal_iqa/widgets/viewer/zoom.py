"""Zoom: the whole frame, the fan in it, or one pixel of the frame to one of the screen."""

from enum import StrEnum

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image

from napari_fetal_iqa.sweep import SweepVolume

_MARGIN = 0.05
"""Of the canvas, as napari leaves around what it fits."""


class Zoom(StrEnum):
    """What fills the canvas."""

    FIT = "fit"
    FAN = "fan"
    ONE_TO_ONE = "one_to_one"


def zoom_to(
    zoom: Zoom, viewer: ViewerModel, layer: Image, sweep: SweepVolume, screen_scale: float
) -> None:
    """Zoom the frames of a sweep, frame by frame as they are looked at.

    Parameters
    ----------
    zoom : Zoom
    viewer : napari.components.ViewerModel
    layer : Image
        Of the sweep, whose fan was looked for beforehand.
    sweep : SweepVolume
    screen_scale : float
        Pixels of the screen for one of Qt's; on a dense screen more than 1.
    """
    camera = viewer.scene.camera
    spacing, origin = layer.scale[-2:], layer.translate[-2:]
    high, wide = viewer.canvas.size
    if zoom is Zoom.ONE_TO_ONE:
        # of two spacings the finer one, so that no pixel is left out
        camera.zoom = 1 / (float(min(spacing)) * screen_scale)
        # edges of pixels come to lie on those of the screen's, where sampling is sure
        at = np.floor((np.array(camera.center[-2:]) - origin) / spacing)
        at += (np.array([high, wide]) * screen_scale / 2 + 0.5) % 1
        row, column = at * spacing + origin
        camera.center = (0.0, float(row), float(column))
        return
    rows, columns = sweep.shape[1:]
    top, bottom, left, right = sweep.fan_box if zoom is Zoom.FAN else (0, rows, 0, columns)
    height, width = (bottom - top) * spacing[0], (right - left) * spacing[1]
    middle = ((top + bottom - 1) / 2 * spacing[0], (left + right - 1) / 2 * spacing[1])
    camera.center = (0.0, float(origin[0] + middle[0]), float(origin[1] + middle[1]))
    camera.zoom = float((1 - _MARGIN) * min(high / height, wide / width))
