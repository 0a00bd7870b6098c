"""The whole frame stays in view while the window changes, unless the expert zoomed."""

from collections.abc import Callable

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QObject, QTimer

_LAID_OUT_MS = 50
"""By then the window has its new layout."""
_LEAST, _MOST = 0.88, 1.02
"""Of the zoom that leaves no margin; napari leaves 5 %."""
_AWAY_PX = 8
_MARGIN = 0.05
"""napari's own."""


def fit_to(viewer: ViewerModel, frames: Layer) -> None:
    """Show the whole frame of a sweep, whatever dimensions other layers have.

    napari's own fit (0.9.2) goes by the numbers of the axes, which are others where one layer has
    more dimensions.
    """
    if viewer.dims.ndisplay != 2 or viewer.canvas.grid.enabled:
        if viewer.dims.ndim == frames.ndim:
            viewer.reset_view(layers=[frames])
        return
    low, high = frames.extent.world[:, -2:]
    sides = high - low + np.abs(frames.scale[-2:])
    camera = viewer.scene.camera
    camera.center = (0.0, *(float(at) for at in (low + high) / 2))
    camera.zoom = float((1 - _MARGIN) * np.min(np.array(viewer.canvas.size) / sides))


class FrameFit(QObject):
    """Fits the frame to the canvas anew whenever the canvas changes its size.

    Once somebody zoomed or moved the picture it stays as it is, until it is fitted again, by
    whatever button or key.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    frames : callable
        Gives the layer of the sweep, or None. What else lies in the viewer is no part of the fit.
    parent : QObject
    """

    def __init__(
        self, viewer: ViewerModel, frames: Callable[[], Layer | None], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._frames = frames
        self._viewer = viewer
        self._size = viewer.canvas.size  # when somebody zoomed or fitted last
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_LAID_OUT_MS)
        self._soon.timeout.connect(self._follow)
        viewer.canvas.events.size.connect(self._resized)
        camera = viewer.scene.camera.events
        self._moves = (camera.zoom, camera.center)
        for move in self._moves:
            move.connect(self._note_size)

    def fit(self) -> None:
        """Show the whole frame, now."""
        frames = self._frames()
        if frames is not None:
            fit_to(self._viewer, frames)
        self._note_size()

    def _resized(self, event: object = None) -> None:
        # napari itself leaves zoom and centre as they are
        self._soon.start()

    def _follow(self) -> None:
        if self._fitted:
            self.fit()

    def _note_size(self, event: object = None) -> None:
        self._size = self._viewer.canvas.size

    @property
    def _fitted(self) -> bool:
        """Whether all there is filled the canvas as it was then, but for a margin."""
        frames, camera = self._frames(), self._viewer.scene.camera
        if frames is None or frames not in self._viewer.layers or self._viewer.dims.ndisplay != 2:
            return False
        low, high = frames.extent.world[:, -2:]
        whole = float(np.min(np.array(self._size) / (high - low)))
        away = np.abs(np.array(camera.center[-2:]) - (low + high) / 2).max() * camera.zoom
        return _LEAST < camera.zoom / whole < _MOST and away < _AWAY_PX

    def remove(self) -> None:
        """Leave the view alone from now on."""
        self._soon.stop()
        self._viewer.canvas.events.size.disconnect(self._resized)
        for move in self._moves:
            move.disconnect(self._note_size)
