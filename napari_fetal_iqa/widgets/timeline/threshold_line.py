"""A dashed line at a threshold, with its value; it can be dragged."""

from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import Qt, Signal

from napari_fetal_iqa import colours
from napari_fetal_iqa.widgets.theme import Palette

_BEHIND_ALPHA = 160


class ThresholdLine(pg.InfiniteLine):
    """Lies across a plot; ``reset_wanted`` tells of a double click on it.

    Parameters
    ----------
    plot : pyqtgraph.PlotItem
    highest : float
        The line stays between 0 and this.
    text : str
        How its value is written, as for :meth:`str.format`.
    """

    reset_wanted = Signal()

    def __init__(self, plot: pg.PlotItem, highest: float, text: str) -> None:
        super().__init__(
            angle=0,
            movable=True,
            bounds=(0, highest),
            pen=pg.mkPen(colours.NONE, style=Qt.PenStyle.DashLine),
            hoverPen=pg.mkPen(colours.NONE, width=3),
            label=text,
            labelOpts={"position": 1, "anchors": [(1, 0), (1, 1)]},  # at its right end
        )
        plot.addItem(self, ignoreBounds=True)
        self.sigClicked.connect(self._clicked)

    def set_palette(self, palette: Palette) -> None:
        """Follow the viewer's theme."""
        grey = palette.mark(colours.NONE)
        self.setPen(pg.mkPen(grey, style=Qt.PenStyle.DashLine))
        self.setHoverPen(pg.mkPen(grey, width=3))
        self.label.setColor(palette.text)
        behind = pg.mkColor(palette.background)
        behind.setAlpha(_BEHIND_ALPHA)  # the curve goes on below the number
        self.label.fill = pg.mkBrush(behind)

    def _clicked(self, line: pg.InfiniteLine, event: Any) -> None:
        if event.double():
            self.reset_wanted.emit()
