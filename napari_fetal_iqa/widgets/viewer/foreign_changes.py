"""What others change of the layers that a review stands on: scripts, plugins, napari itself."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer
from numpy.typing import NDArray
from psygnal import Signal

from napari_fetal_iqa.widgets.viewer.mask_layer import MaskOverlay

_PLACED_BY = ("scale", "translate", "rotate", "shear", "affine")
_SEEN_BY = ("visible", "opacity", "blending")

Place = Mapping[str, NDArray[np.float64]]
"""Scale, shift, turn, shear and further transform of a layer."""


def place_of(layer: Layer) -> Place:
    """Return where a layer lies, to be compared or put back."""
    return {name: np.array(getattr(layer, name), float) for name in _PLACED_BY}


def put_back(layer: Layer, place: Place) -> None:
    """Put a layer where it lay."""
    for name, value in place.items():
        setattr(layer, name, value)


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

    Attributes
    ----------
    place : Place
        Of the sweep's layer when the review began.
    """

    noticed = Signal()

    def __init__(self, viewer: ViewerModel, image: Image, overlay: MaskOverlay) -> None:
        self._image = image
        self._overlay = overlay
        self._pixels = image.data
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
        if self._image.data is not self._pixels:
            return "the pixels of its layer were replaced"
        if not _same(place_of(self._image), self.place):
            return "its layer was moved, turned or scaled"
        if not self._overlay.is_ours:
            return "the outlines over it were replaced"
        if not _same(place_of(self._overlay.layer), self.place):
            return "the outlines over it were moved, turned or scaled"
        return ""


def _same(place: Place, other: Place) -> bool:
    return all(np.array_equal(place[name], other[name]) for name in place)
