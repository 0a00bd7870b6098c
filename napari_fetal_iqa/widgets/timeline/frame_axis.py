"""A plot whose horizontal axis is the frames: what the pointer does there."""

from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import QPointF, Qt, Signal


class FrameAxisViewBox(pg.ViewBox):
    """The wheel zooms along time only.

    Click and drag tell the frame under the pointer; where ranges can be chosen, a drag tells its
    two ends instead. A double click asks for all frames, and takes back where its first click went.

    Parameters
    ----------
    choose_ranges : bool
    """

    frame_pointed = Signal(float)
    range_pointed = Signal(float, float)
    all_wanted = Signal()

    def __init__(self, choose_ranges: bool = False) -> None:
        super().__init__(enableMenu=False)
        self._choose_ranges = choose_ranges
        self.setMouseEnabled(x=True, y=False)

    def mouseClickEvent(self, event: Any) -> None:
        """Go to the frame under the pointer."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.frame_pointed.emit(self.frame_at(event.scenePos()))

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        """Follow the pointer, or choose a range."""
        if event.button() != Qt.MouseButton.LeftButton:
            super().mouseDragEvent(event, axis=0)
            return
        event.accept()
        here = self.frame_at(event.scenePos())
        if self._choose_ranges:
            self.range_pointed.emit(self.frame_at(event.buttonDownScenePos()), here)
        else:
            self.frame_pointed.emit(here)

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """Show all frames again."""
        event.accept()
        if event.button() == Qt.MouseButton.LeftButton:
            self.all_wanted.emit()

    def frame_at(self, position: QPointF) -> float:
        """Return the place along the frames of a position in the scene."""
        return float(self.mapSceneToView(position).x())
