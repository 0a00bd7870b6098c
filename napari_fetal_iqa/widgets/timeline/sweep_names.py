"""The row of sweep names above the curves."""

from collections.abc import Sequence

import pyqtgraph as pg
from qtpy.QtGui import QFont, QFontMetrics

from napari_fetal_iqa.widgets.theme import Palette

_ROOM_PX = 4


class SweepNames:
    """Names the sweeps in a row of its own: each over the part of its sweep that is in view.

    Where a name has no room its number stands alone, and where that has none, nothing.

    Parameters
    ----------
    plot : pyqtgraph.PlotItem
        An empty one, as wide as the curves', with the same frames.
    """

    def __init__(self, plot: pg.PlotItem) -> None:
        self._plot = plot
        self._bounds: Sequence[tuple[int, int]] = ()
        self._names: list[pg.TextItem] = []
        metrics = QFontMetrics(QFont())
        self._width_of = metrics.horizontalAdvance
        for side in ("left", "bottom"):
            plot.getAxis(side).setTicks([[]])
            plot.getAxis(side).setPen(pg.mkPen(None))
        plot.getAxis("bottom").setHeight(0)
        self.height = metrics.height() + _ROOM_PX
        plot.setFixedHeight(self.height)
        plot.setYRange(0, 1, padding=0)
        plot.vb.sigXRangeChanged.connect(self._place)
        plot.vb.sigResized.connect(self._place)

    def show(self, bounds: Sequence[tuple[int, int]], palette: Palette) -> None:
        """Name these sweeps, (start, stop) each."""
        for name in self._names:
            self._plot.removeItem(name)
        self._bounds = bounds
        self._names = [pg.TextItem(color=palette.text, anchor=(0.5, 0.5)) for _ in bounds]
        for name in self._names:
            self._plot.addItem(name, ignoreBounds=True)
        self._place()

    @property
    def shown(self) -> list[str]:
        """What stands there, from left to right."""
        return [name.toPlainText() for name in self._names if name.isVisible()]

    def _place(self, *_: object) -> None:
        view = self._plot.vb
        left, right = view.viewRange()[0]
        pixel = (right - left) / max(1.0, view.width())
        for number, ((start, stop), name) in enumerate(
            zip(self._bounds, self._names, strict=True), start=1
        ):
            begin, end = max(left, start - 0.5), min(right, stop - 0.5)
            room = (end - begin) / pixel - _ROOM_PX
            texts = (f"sweep {number}", str(number))
            text = next((text for text in texts if self._width_of(text) <= room), "")
            name.setVisible(bool(text))
            if text:
                name.setText(text)
                name.setPos((begin + end) / 2, 0.5)
