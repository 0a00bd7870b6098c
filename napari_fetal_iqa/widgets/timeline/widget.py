"""All frames at once: quality, mask area and labels along the sweeps; click to go there."""

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QCursor, QPainterPath
from qtpy.QtWidgets import (
    QApplication,
    QGraphicsPathItem,
    QLabel,
    QPushButton,
    QStackedLayout,
    QToolTip,
    QWidget,
)

from napari_fetal_iqa import colours
from napari_fetal_iqa.corrections import Label
from napari_fetal_iqa.widgets.focus import with_own_keys
from napari_fetal_iqa.widgets.theme import Palette
from napari_fetal_iqa.widgets.timeline.data import TimelineData, describe
from napari_fetal_iqa.widgets.timeline.frame_axis import FrameAxisViewBox
from napari_fetal_iqa.widgets.timeline.plane_points import PlanePoints
from napari_fetal_iqa.widgets.timeline.sweep_names import SweepNames
from napari_fetal_iqa.widgets.timeline.threshold_line import ThresholdLine

_LABEL_COLOURS = {
    Label.NONE: colours.NONE,
    Label.OPTIMAL: colours.OPTIMAL,
    Label.SUBOPTIMAL: colours.SUBOPTIMAL,
}
_RANGE_FILL = (86, 180, 233, 90)
_EMPTY = "Quality, area and labels of every frame stand here once the sweep is read"
_LEAST_HEIGHT = 170
_AXIS_WIDTH, _MARGIN = 58, 4
_ROUNDING = 1e-3
_STRIP_HEIGHT = {Label.NONE: 0.25, Label.OPTIMAL: 1.0, Label.SUBOPTIMAL: 0.65}


class Timeline(QWidget):
    """The dock under the frames.

    ``frame_chosen`` tells where the expert pointed, ``range_chosen`` which frames the expert
    dragged over on the strip of labels, first and last; ``thresholds_moved`` the thresholds of
    quality and area that were dragged, ``thresholds_reset`` that the models' own are wanted back.
    """

    frame_chosen = Signal(int)
    range_chosen = Signal(int, int)
    thresholds_moved = Signal(float, float)
    thresholds_reset = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._data: TimelineData | None = None
        self._view = pg.GraphicsLayoutWidget()
        self._view.ci.layout.setSpacing(0)
        self._view.ci.layout.setContentsMargins(4, 2, 12, 2)
        self._quality = self._add_plot(1, "quality")
        self._area = self._add_plot(2, "area")
        self._labels = self._add_plot(3, "labels", choose_ranges=True)
        self._names = SweepNames(self._add_plot(0, ""))
        for row, stretch in enumerate((0, 5, 4, 3)):
            self._view.ci.layout.setRowStretchFactor(row, stretch)
        self._quality.setYRange(0, 1, padding=0.06)
        self._quality.getAxis("left").setTicks([[(0, "0"), (0.5, "0.5"), (1, "1")]])
        self._labels.setYRange(0, 1.45, padding=0)
        self._points = PlanePoints(self._labels)
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
            plot: ThresholdLine(plot, highest, value)
            for plot, highest, value in (
                (self._quality, 1, "{value:.2f}"),
                (self._area, 100, "{value:.1f} %"),
            )
        }
        self._range = pg.LinearRegionItem(movable=False, brush=pg.mkBrush(*_RANGE_FILL))
        self._range.hide()
        self._labels.addItem(self._range, ignoreBounds=True)
        self._cursors = []
        for plot in (self._quality, self._area, self._labels):
            cursor = pg.InfiniteLine(angle=90)
            plot.addItem(cursor, ignoreBounds=True)
            self._cursors.append(cursor)
        for line in self._thresholds.values():
            line.sigDragged.connect(self._thresholds_dragged)
            line.reset_wanted.connect(self.thresholds_reset)
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
        self._disagreements = pg.ScatterPlotItem(
            symbol="x", size=10, brush=colours.ERROR, pen=pg.mkPen(None)
        )
        self._labels.addItem(self._disagreements)
        self._edges: list[tuple[pg.PlotItem, pg.InfiniteLine]] = []
        self._palette = Palette()
        self._clicked_from: int | None = None
        self._frame = 0

        self._empty = QLabel(_EMPTY)
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._empty)  # no axis before there are frames
        self._pages.addWidget(self._view)
        self.fit_button = QPushButton("Fit", self._view)
        self.fit_button.setToolTip("Show all frames; the wheel zooms")
        self.fit_button.setAccessibleName("Fit the timeline to all frames")
        self.fit_button.clicked.connect(self.fit)
        with_own_keys(self.fit_button)
        self.fit_button.setStyleSheet("padding: 0")  # it is no higher than the names beside it
        self.fit_button.setGeometry(0, 0, _AXIS_WIDTH - _MARGIN, self._names.height)
        self._quality.vb.sigXRangeChanged.connect(self._zoomed)
        self.setAccessibleName("Timeline")
        self.setMinimumHeight(_LEAST_HEIGHT)
        self.setToolTip(
            "Click or drag: go to a frame. Drag on the labels: choose a range to label.\n"
            "Drag a dashed line: another threshold; double click it: the models' own.\n"
            "Wheel: zoom. Double click, or Fit: all frames. Star: best frame.\n"
            "Diamond: corrected by the expert. Cross: reviewers disagree.\n"
            "Numeral: criteria of the plane that a judged frame meets, of six.\n"
            "Hatched: not computed yet."
        )
        self._view.scene().sigMouseMoved.connect(self._hover)

    def _add_plot(self, row: int, name: str, choose_ranges: bool = False) -> pg.PlotItem:
        box = FrameAxisViewBox(choose_ranges)
        box.frame_pointed.connect(self._choose)
        box.range_pointed.connect(self._choose_range)
        box.all_wanted.connect(self._fit_where_it_was)
        plot = self._view.addPlot(row=row, col=0, viewBox=box)
        plot.hideButtons()
        plot.setLabel("left", name)
        plot.getAxis("left").setWidth(_AXIS_WIDTH)
        plot.getAxis("bottom").setStyle(showValues=False)
        if row != 1:
            plot.setXLink(self._quality)
        return plot

    def _frame_near(self, position: float) -> int:
        assert self._data is not None
        return int(np.clip(round(position), 0, len(self._data.quality) - 1))

    def _choose(self, position: float) -> None:
        if self._data is not None:
            self._clicked_from = self._frame
            self.frame_chosen.emit(self._frame_near(position))

    def _choose_range(self, begin: float, end: float) -> None:
        if self._data is not None:
            self.range_chosen.emit(self._frame_near(begin), self._frame_near(end))

    def fit(self) -> None:
        """Show all frames."""
        if self._data is not None:
            self._quality.setXRange(-0.5, len(self._data.quality) - 0.5, padding=0)

    def _fit_where_it_was(self) -> None:
        """Show all frames, and the one that was shown before the double click began."""
        self.fit()
        if self._clicked_from is not None:
            self.frame_chosen.emit(self._clicked_from)

    @property
    def zoomed(self) -> bool:
        """Whether some frames are out of view."""
        left, right = self._quality.vb.viewRange()[0]
        return self._data is not None and right - left < len(self._data.quality) - _ROUNDING

    def _zoomed(self) -> None:
        self.fit_button.setEnabled(self.zoomed)

    def _thresholds_dragged(self) -> None:
        quality, area = (line.value() for line in self._thresholds.values())
        self.thresholds_moved.emit(float(quality), float(area) / 100)

    def _hover(self, position: QPointF) -> None:
        """Describe the frame under the pointer."""
        data = self._data
        if data is None or QApplication.mouseButtons() != Qt.MouseButton.NoButton:
            return
        frame = self._frame_near(self._quality.getViewBox().frame_at(position))
        QToolTip.showText(QCursor.pos(), describe(data, frame), self._view)

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
        self._dye_marks(palette)
        for line in self._thresholds.values():
            line.set_palette(palette)
        hatch = QBrush(QColor(palette.muted), Qt.BrushStyle.BDiagPattern)
        self._hatch.setBrush(hatch)
        if self._data is not None:
            self._draw_edges(self._data.bounds)

    def _dye_marks(self, palette: Palette) -> None:
        """Draw curves, bars and marks so that they are seen on the theme's background."""
        model = palette.mark(colours.MODEL)
        for curve in self._curves.values():
            curve.setPen(pg.mkPen(model, width=2))
        for dots in self._dots.values():
            dots.setBrush(model)
        for star in self._stars.values():
            star.setBrush(palette.mark(colours.OPTIMAL))
            star.setPen(pg.mkPen(palette.text, width=0.5))
        for bars, colour in zip(self._strip, _LABEL_COLOURS.values(), strict=True):
            bars.setOpts(brush=palette.mark(colour))
        self._by_expert.setBrush(palette.mark(colours.EXPERT))
        self._points.set_colour(palette.text)
        self._disagreements.setBrush(palette.mark(colours.ERROR))
        for edge in self._range.lines:
            edge.setPen(pg.mkPen(model))

    def clear(self) -> None:
        """Show no axis: there are no frames."""
        self._data = None
        self._pages.setCurrentWidget(self._empty)

    def show_data(self, data: TimelineData) -> None:
        """Draw the curves and labels anew."""
        is_new = self._data is None or len(self._data.quality) != len(data.quality)
        if is_new or self._data is None or self._data.bounds != data.bounds:
            self._draw_edges(data.bounds)
        self._data = data
        self._pages.setCurrentWidget(self._view)
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
            [[(value, f"{value:g} %") for value in (round_top / 2, round_top)]]
        )
        self._hatch.setPath(_runs(~data.computed))
        for (label, _), bars in zip(_LABEL_COLOURS.items(), self._strip, strict=True):
            at = frames[data.labels == label]
            bars.setOpts(x=at, height=np.full(len(at), _STRIP_HEIGHT[label]))
        expert = frames[data.by_expert]
        self._by_expert.setData(expert, np.full(len(expert), 1.22))
        self._disagreements.setData(data.disagreements, np.full(len(data.disagreements), 1.22))
        self._points.show_planes(data.planes)
        self._labels.setYRange(0, 1.9 if data.planes else 1.45, padding=0)
        self._draw_star(data)
        if is_new:
            for plot in (self._quality, self._area, self._labels):
                plot.setLimits(xMin=-0.5, xMax=len(frames) - 0.5, minXRange=min(10, len(frames)))
            self.fit()

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

    def show_range(self, ends: tuple[int, int] | None) -> None:
        """Mark the frames that a label goes to."""
        self._range.setVisible(ends is not None)
        if ends is not None:
            self._range.setRegion((ends[0] - 0.5, ends[1] + 0.5))

    def set_frame(self, frame: int) -> None:
        """Move the cursor, and what is in view with it where it would be left."""
        self._frame = frame
        for cursor in self._cursors:
            cursor.setValue(frame)
        left, right = self._quality.vb.viewRange()[0]
        if self._data is not None and not left <= frame <= right:
            half = (right - left) / 2
            self._quality.setXRange(frame - half, frame + half, padding=0)

    def _draw_edges(self, bounds: Sequence[tuple[int, int]]) -> None:
        """Draw where one sweep ends and the next begins, and name them."""
        for plot, edge in self._edges:
            plot.removeItem(edge)  # not from its view box alone: the plot holds on to it, too
        self._edges = []
        self._names.show(bounds, self._palette)
        for start, _ in bounds[1:]:
            for plot in (self._quality, self._area, self._labels):
                edge = pg.InfiniteLine(start - 0.5, angle=90, pen=self._palette.muted)
                plot.addItem(edge, ignoreBounds=True)
                self._edges.append((plot, edge))


def _runs(waiting: NDArray[np.bool_]) -> QPainterPath:
    """Outline the frames that are not computed yet, as one path of rectangles."""
    path = QPainterPath()
    edges = np.flatnonzero(np.diff(waiting.astype(np.int8), prepend=0, append=0))
    for start, stop in edges.reshape(-1, 2):
        path.addRect(QRectF(start - 0.5, -0.06, stop - start, 1.12))
    return path
