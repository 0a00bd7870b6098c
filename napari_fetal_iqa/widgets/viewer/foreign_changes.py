"""What others change of the layers that a review stands on: scripts, plugins, napari itself."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer
from numpy.typing import NDArray
from psygnal import Signal

from napari_fetal_iqa.contributions.layers import METADATA_KEY, grid_attributes
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.widgets.viewer.mask_layer import MaskOverlay

_PLACED_BY = ("scale", "translate", "rotate", "shear", "affine")
_SEEN_BY = ("visible", "opacity", "blending")

Place = Mapping[str, NDArray[np.float64]]
"""Scale, shift, turn, shear and further transform of a layer."""


def place_of(layer: Layer) -> Place:
    """Return where a layer lies, to be compared or put back."""
    return {name: np.array(getattr(layer, name), float) for name in _PLACED_BY}


def put_back(layer: Layer, place: Place) -> bool:
    """Put a layer where it lay; return whether it lay elsewhere."""
    if _same(place_of(layer), place):
        return False
    for name, value in place.items():
        setattr(layer, name, value)
    return True


def as_read(layer: Layer, sweep: SweepVolume) -> bool:
    """Put the layer that our reader made of a sweep where the file says; return whether it moved.

    Somebody may have moved or scaled it while another sweep was reviewed: what is drawn on it
    would be measured wrong. Other layers lie where they lie.
    """
    if layer.metadata.get(METADATA_KEY) is not sweep:
        return False
    place = {
        "scale": np.array(grid_attributes(sweep)["scale"], float),
        "translate": np.zeros(3),
        "rotate": np.eye(3),
        "shear": np.zeros(3),
        "affine": np.eye(4),
    }
    return put_back(layer, place)


class ForeignChanges:
    """Watches the sweep's layer and the outlines over it, until :meth:`end`.

    ``noticed`` tells that something changed which may keep the review from going on, or bring it
    back: ask :attr:`reason`, and the view whether the frame is seen.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : Image
        The sweep's layer.
    overlay : MaskOverlay
    sweep : SweepVolume
        Its frames are what the layer shows; they may have been replaced while it was read.
    frame : callable
        Gives the frame that is looked at.

    Attributes
    ----------
    written : bool
        Whether somebody was found to have written into the sweep's pixels.
    place : Place
        Of the sweep's layer when the review began.
    """

    noticed = Signal()

    def __init__(
        self,
        viewer: ViewerModel,
        image: Image,
        overlay: MaskOverlay,
        sweep: SweepVolume,
        frame: Callable[[], int],
    ) -> None:
        self._image = image
        self._overlay = overlay
        self._sweep = sweep
        self._frame = frame
        self.written = False
        self.place = place_of(image)
        dims, layers = viewer.dims.events, viewer.layers.events
        camera = viewer.scene.camera.events
        self._emitters: list[Any] = [
            dims.order,
            dims.ndisplay,
            dims.margin_left,
            dims.margin_right,
            viewer.canvas.grid.events.enabled,
            camera.center,
            camera.zoom,
            layers.inserted,
            layers.removed,
            layers.moved,
            layers.reordered,
            image.events.data,
            overlay.layer.events.data,
            *(getattr(image.events, name) for name in (*_PLACED_BY, *_SEEN_BY)),
            *(getattr(overlay.layer.events, name) for name in _PLACED_BY),
        ]
        for emitter in self._emitters:
            emitter.connect(self._notice)

    def end(self) -> None:
        """Watch no longer."""
        for emitter in self._emitters:
            emitter.disconnect(self._notice)

    def _notice(self, event: object = None) -> None:
        self.noticed.emit()

    @property
    def reason(self) -> str:
        """Why no correction may be stored any more; empty where all is as it was.

        Compares, whatever was told: what is stored belongs to the pixels on the screen.
        """
        if self._image.data is not self._sweep.frames:
            return "the pixels of its layer were replaced"
        if self._sweep.was_written(frame := self._frame()):
            self.written = True
            return f"somebody wrote into the pixels of frame {frame}"
        if not _same(place_of(self._image), self.place):
            return "its layer was moved, turned or scaled"
        if not self._overlay.is_ours:
            return "the outlines over it were replaced"
        if not _same(place_of(self._overlay.layer), self.place):
            return "the outlines over it were moved, turned or scaled"
        return ""


def _same(place: Place, other: Place) -> bool:
    return all(np.array_equal(place[name], other[name]) for name in place)
