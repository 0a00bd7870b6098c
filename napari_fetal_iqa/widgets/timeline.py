"""All frames at once: quality, mask area and labels along the sweeps; click to go there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QPainterPath
from qtpy.QtWidgets import QGraphicsPathItem, QVBoxLayout, QWidget

from napari_fetal_iqa import colours
from napari_fetal_iqa.corrections import Label
from napari_fetal_iqa.widgets.theme import Palette

_LABEL_COLOURS = {
    Label.NONE: colours.NONE,
    Label.OPTIMAL: colours.OPTIMAL,
    Label.SUBOPTIMAL: colours.SUBOPTIMAL,
}
_STRIP_HEIGHT = {Label.NONE: 0.25, Label.OPTIMAL: 1.0, Label.SUBOPTIMAL: 0.65}


@dataclass(frozen=True)
class TimelineData:
    """What the timeline draws.

    Parameters
    ----------
    bounds : sequence of (start, stop)
    quality, area_fraction : (T,) float
        nan where not computed.
    computed : (T,) bool
    labels : (T,) int8
        -1 where nobody said anything.
    by_expert : (T,) bool
    best : int
        -1 for none.
    quality_threshold, area_threshold : float
    """

    bounds: Sequence[tuple[int, int]]
    quality: NDArray[np.float32]
    area_fraction: NDArray[np.float32]
    computed: NDArray[np.bool_]
    labels: NDArray[np.int8]
    by_expert: NDArray[np.bool_]
    best: int = -1
    quality_threshold: float = 0.5
    area_threshold: float = 0.01


class _FrameAxisViewBox(pg.ViewBox):
    """Click and drag choose a frame; the wheel zooms along time only; double click shows all."""

    frame_pointed = Signal(float)

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self.setMouseEnabled(x=True, y=False)

    def mouseClickEvent(self, event: Any) -> None:
        """Go to the frame under the pointer."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.frame_pointed.emit(self._frame_at(event.scenePos()))

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        """Follow the pointer."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.frame_pointed.emit(self._frame_at(event.scenePos()))
        else:
            super().mouseDragEvent(event, axis=0)

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """Show all frames again."""
        event.accept()
        self.autoRange(padding=0)

    def _frame_at(self, position: QPointF) -> float:
        return float(self.mapSceneToView(position).x())


class Timeline(QWidget):
    """The dock under the frames; ``frame_chosen`` tells where the expert pointed."""

    frame_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._data: TimelineData | None = None
        self._view = pg.GraphicsLayoutWidget()
        self._view.ci.layout.setSpacing(0)
        self._view.ci.layout.setContentsMargins(4, 2, 12, 2)
        self._quality = self._add_plot(0, "quality")
        self._area = self._add_plot(1, "area %")
        self._labels = self._add_plot(2, "labels")
        for row, stretch in enumerate((5, 4, 2)):
            self._view.ci.layout.setRowStretchFactor(row, stretch)
        self._quality.setYRange(0, 1, padding=0.06)
        self._quality.getAxis("left").setTicks([[(0, "0"), (0.5, "0.5"), (1, "1")]])
        self._labels.setYRange(0, 1.45, padding=0)
        self._labels.getAxis("left").setTicks([[]])
        self._labels.getAxis("bottom").setStyle(showValues=True)

        self._curves = {
            plot: plot.plot(pen=pg.mkPen(colours.MODEL, width=2), connect="finite")
            for plot in (self._quality, self._area)
        }
        # so that a frame between two that are not computed is seen
        self._dots = {
            plot: pg.ScatterPlotItem(size=3, pen=pg.mkPen(None), brush=colours.MODEL)
            for plot in self._curves
        }
        for plot, dots in self._dots.items():
            plot.addItem(dots)
        self._hatch = QGraphicsPathItem()
        self._hatch.setPen(pg.mkPen(None))
        self._quality.addItem(self._hatch, ignoreBounds=True)
        self._thresholds = {
            plot: pg.InfiniteLine(angle=0, pen=pg.mkPen(colours.NONE, style=Qt.PenStyle.DashLine))
            for plot in (self._quality, self._area)
        }
        self._cursors = []
        for plot in (self._quality, self._area, self._labels):
            cursor = pg.InfiniteLine(angle=90)
            plot.addItem(cursor, ignoreBounds=True)
            self._cursors.append(cursor)
        for plot, line in self._thresholds.items():
            plot.addItem(line, ignoreBounds=True)
        self._stars = {
            plot: pg.ScatterPlotItem(
                symbol="star", size=16, brush=colours.OPTIMAL, pen=pg.mkPen("k", width=0.5)
            )
            for plot in self._curves
        }
        for plot, star in self._stars.items():
            plot.addItem(star)
        self._strip = [
            pg.BarGraphItem(x=[], height=[], width=1, brush=colour, pen=pg.mkPen(None))
            for colour in _LABEL_COLOURS.values()
        ]
        for bars in self._strip:
            self._labels.addItem(bars)
        self._by_expert = pg.ScatterPlotItem(
            symbol="d", size=8, brush=colours.EXPERT, pen=pg.mkPen(None)
        )
        self._labels.addItem(self._by_expert)
        self._bands: list[pg.InfiniteLine | pg.TextItem] = []
        self._palette = Palette()

        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._view)
        self.setMinimumHeight(170)
        self.setToolTip(
            "Click or drag: go to a frame. Wheel: zoom. Double click: all frames.\n"
            "Star: best frame. Diamond: corrected by the expert. Hatched: not computed yet."
        )

    def _add_plot(self, row: int, name: str) -> pg.PlotItem:
        box = _FrameAxisViewBox()
        box.frame_pointed.connect(self._choose)
        plot = self._view.addPlot(row=row, col=0, viewBox=box)
        plot.hideButtons()
        plot.setLabel("left", name)
        plot.getAxis("left").setWidth(58)
        plot.getAxis("bottom").setStyle(showValues=False)
        if row:
            plot.setXLink(self._quality)
        return plot

    def _choose(self, position: float) -> None:
        if self._data is not None:
            self.frame_chosen.emit(int(np.clip(round(position), 0, len(self._data.quality) - 1)))

    def set_palette(self, palette: Palette) -> None:
        """Follow the viewer's theme."""
        self._palette = palette
        self._view.setBackground(palette.background)
        for plot in (self._quality, self._area, self._labels):
            for side in ("left", "bottom"):
                plot.getAxis(side).setPen(palette.muted)
                plot.getAxis(side).setTextPen(palette.text)
            plot.getAxis("left").labelStyle["color"] = palette.text
            plot.getAxis("left").setLabel(plot.getAxis("left").labelText)
        for cursor in self._cursors:
            cursor.setPen(pg.mkPen(palette.text, width=2))
        hatch = QBrush(QColor(palette.muted), Qt.BrushStyle.BDiagPattern)
        self._hatch.setBrush(hatch)
        if self._data is not None:
            self._draw_bands(self._data.bounds)

    def show_data(self, data: TimelineData) -> None:
        """Draw the curves and labels anew."""
        is_new = self._data is None or len(self._data.quality) != len(data.quality)
        if is_new or self._data is None or self._data.bounds != data.bounds:
            self._draw_bands(data.bounds)
        self._data = data
        frames = np.arange(len(data.quality))
        for plot, values in (
            (self._quality, data.quality),
            (self._area, 100 * data.area_fraction),
        ):
            known = np.isfinite(values)
            self._curves[plot].setData(frames, values)
            self._dots[plot].setData(frames[known], values[known])
        self._thresholds[self._quality].setValue(data.quality_threshold)
        self._thresholds[self._area].setValue(100 * data.area_threshold)
        top = np.nanmax(data.area_fraction, initial=data.area_threshold)
        self._area.setYRange(0, 110 * float(top), padding=0)
        round_top = float(f"{100 * float(top):.1g}")
        self._area.getAxis("left").setTicks(
            [[(round_top / 2, f"{round_top / 2:g}"), (round_top, f"{round_top:g}")]]
        )
        self._hatch.setPath(_runs(~data.computed))
        for (label, _), bars in zip(_LABEL_COLOURS.items(), self._strip, strict=True):
            at = frames[data.labels == label]
            bars.setOpts(x=at, height=np.full(len(at), _STRIP_HEIGHT[label]))
        expert = frames[data.by_expert]
        self._by_expert.setData(expert, np.full(len(expert), 1.22))
        self._draw_star(data)
        if is_new:
            self._quality.setXRange(-0.5, len(frames) - 0.5, padding=0)
            for plot in (self._quality, self._area, self._labels):
                plot.setLimits(xMin=-0.5, xMax=len(frames) - 0.5, minXRange=min(10, len(frames)))

    def _draw_star(self, data: TimelineData) -> None:
        """Mark the best frame on its quality, or on its area where nothing scores quality."""
        for star in self._stars.values():
            star.setData([], [])
        if data.best < 0:
            return
        quality, area = data.quality[data.best], 100 * data.area_fraction[data.best]
        if np.isfinite(quality):
            self._stars[self._quality].setData([data.best], [quality])
        elif np.isfinite(area):
            self._stars[self._area].setData([data.best], [area])

    def set_frame(self, frame: int) -> None:
        """Move the cursor."""
        for cursor in self._cursors:
            cursor.setValue(frame)

    def _draw_bands(self, bounds: Sequence[tuple[int, int]]) -> None:
        for item in self._bands:
            item.getViewBox().removeItem(item)
        self._bands = []
        for number, (start, stop) in enumerate(bounds, start=1):
            name = pg.TextItem(f"sweep {number}", color=self._palette.muted, anchor=(0.5, 0))
            name.setPos((start + stop) / 2, 1.06)
            self._quality.addItem(name, ignoreBounds=True)
            self._bands.append(name)
            if start:
                for plot in (self._quality, self._area, self._labels):
                    edge = pg.InfiniteLine(start - 0.5, angle=90, pen=self._palette.muted)
                    plot.addItem(edge, ignoreBounds=True)
                    self._bands.append(edge)


def _runs(waiting: NDArray[np.bool_]) -> QPainterPath:
    """Outline the frames that are not computed yet, as one path of rectangles."""
    path = QPainterPath()
    edges = np.flatnonzero(np.diff(waiting.astype(np.int8), prepend=0, append=0))
    for start, stop in edges.reshape(-1, 2):
        path.addRect(QRectF(start - 0.5, -0.06, stop - start, 1.12))
    return path
