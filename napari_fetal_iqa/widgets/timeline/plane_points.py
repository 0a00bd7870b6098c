"""Numerals above the labels: how many of the six criteria the frames meet that were judged."""

from collections.abc import Mapping

import pyqtgraph as pg
from qtpy.QtCore import QRectF
from qtpy.QtGui import QFont, QPainterPath, QTransform

from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.review.plane_criteria import JudgedPlane

_HEIGHT = 1.65
_SIZE_PX = 10


class PlanePoints:
    """One numeral a judged frame, on the strip of labels.

    Parameters
    ----------
    plot : pyqtgraph.PlotItem
        Of the labels.
    """

    def __init__(self, plot: pg.PlotItem) -> None:
        self._numerals = [_numeral(points) for points in range(len(Criterion) + 1)]
        self.spots = pg.ScatterPlotItem(size=_SIZE_PX, pen=pg.mkPen(None), brush="w")
        plot.addItem(self.spots)

    def show_planes(self, planes: Mapping[int, JudgedPlane]) -> None:
        """Draw the scores of these frames, and of no others."""
        self.spots.setData(
            [
                {
                    "pos": (frame, _HEIGHT),
                    "symbol": self._numerals[plane.score],
                    "data": plane.score,
                }
                for frame, plane in planes.items()
            ]
        )

    def set_colour(self, colour: str) -> None:
        """Draw them in another colour, as the theme has it."""
        self.spots.setBrush(colour)


def _numeral(points: int) -> QPainterPath:
    """Return a numeral as pyqtgraph wants a symbol: 1 high, about the origin."""
    path = QPainterPath()
    font = QFont()
    font.setPixelSize(100)
    font.setBold(True)
    path.addText(0, 0, font, str(points))
    box: QRectF = path.boundingRect()
    scale = 1 / box.height()
    centred = QTransform().scale(scale, scale).translate(-box.center().x(), -box.center().y())
    return centred.map(path)
