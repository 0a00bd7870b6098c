"""The whole frame stays in view while the window changes, unless the expert zoomed."""

import math

from napari.components import ViewerModel
from qtpy.QtCore import QObject, QTimer

_LAID_OUT_MS = 50
"""By then the window has its new layout."""
_SAME = 1e-3


class FrameFit(QObject):
    """Fits the frame to the canvas anew whenever the canvas changes its size.

    Once somebody zoomed or moved the picture it stays as it is, until it is fitted again.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    parent : QObject
    """

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._fitted: tuple[float, ...] | None = None
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_LAID_OUT_MS)
        self._soon.timeout.connect(self._follow)
        viewer.canvas.events.size.connect(self._resized)

    def fit(self) -> None:
        """Show the whole frame, now."""
        self._viewer.reset_view()
        self._fitted = self._place

    def _resized(self, event: object = None) -> None:
        # napari itself leaves zoom and centre as they are
        self._soon.start()

    def _follow(self) -> None:
        if self._fitted is None or _near(self._place, self._fitted):
            self.fit()

    @property
    def _place(self) -> tuple[float, ...]:
        camera = self._viewer.scene.camera
        return (math.log(camera.zoom), *camera.center[-2:])

    def remove(self) -> None:
        """Leave the view alone from now on."""
        self._soon.stop()
        self._viewer.canvas.events.size.disconnect(self._resized)


def _near(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(abs(a - b) < _SAME * max(1, abs(b)) for a, b in zip(one, other, strict=True))
