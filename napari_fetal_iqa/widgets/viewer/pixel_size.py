"""How large a pixel of the frames is on the screen: what lies on them is as wide at any zoom."""

from napari.components import ViewerModel
from napari.layers import Image
from psygnal import Signal

_NOTICED = 1.1
"""A change by less is not told: what follows is drawn anew, and widths are whole pixels."""

_WIDEST = 6
"""napari 0.9.2 takes time and memory by the square of a contour's width."""


class PixelSize:
    """Screen pixels that one pixel of the frames takes; ``changed`` tells when that has changed.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : Image
        The sweep's layer.
    """

    changed = Signal(float)

    def __init__(self, viewer: ViewerModel, image: Image) -> None:
        self._viewer = viewer
        self._image = image
        self._told = self.value
        viewer.scene.camera.events.zoom.connect(self._zoomed)

    @property
    def value(self) -> float:
        """Screen pixels per pixel, now."""
        return max(1e-6, float(self._viewer.scene.camera.zoom * abs(self._image.scale[-1])))

    def _zoomed(self, event: object = None) -> None:
        value = self.value
        if not 1 / _NOTICED < value / self._told < _NOTICED:
            self._told = value
            self.changed.emit(value)

    def leave(self) -> None:
        """Follow the zoom no longer."""
        self._viewer.scene.camera.events.zoom.disconnect(self._zoomed)


def whole_pixels(screen_px: float, pixel_size: float) -> int:
    """Return how many pixels of the frames, one at least, are about as wide on the screen."""
    return max(1, min(_WIDEST, round(screen_px / pixel_size)))
