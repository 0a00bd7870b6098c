"""Loss and, where there are validations, the main figure of a training, step by step."""

import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_fetal_iqa import colours
from napari_fetal_iqa.finetuning.progress import Curves
from napari_fetal_iqa.finetuning.report import label_of
from napari_fetal_iqa.model_library.hold_out import MAIN_METRIC
from napari_fetal_iqa.widgets.theme import Palette

_PLOT_HEIGHT = 96


class FinetuningCurves(QWidget):
    """Two small plots above each other; the second is there once there is something in it."""

    def __init__(self) -> None:
        super().__init__()
        self._view = pg.GraphicsLayoutWidget()
        # so that the wheel scrolls the panel, and Tab goes past
        self._view.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._view.ci.layout.setSpacing(0)
        self._view.ci.layout.setContentsMargins(0, 8, 6, 2)
        self._loss, self._figure = self._make_plot(), self._make_plot()
        self._view.addItem(self._loss, row=0, col=0)
        self._figure.setXLink(self._loss)
        self._loss_curve = self._loss.plot(
            pen=pg.mkPen(colours.MODEL, width=2),
        )
        self._figure_curve = self._figure.plot(
            pen=pg.mkPen(colours.OPTIMAL, width=2),
            symbol="d",
            symbolSize=6,
            symbolBrush=colours.OPTIMAL,
            symbolPen=None,
        )
        self._figure.setYRange(0, 1, padding=0.06)
        self._figure.getAxis("left").setTicks([[(0, "0"), (0.5, "0.5"), (1, "1")]])
        self._has_figure = False
        self._palette = Palette()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._view)
        self.setFixedHeight(_PLOT_HEIGHT)
        self.setToolTip(
            "Blue: the loss of each training step; lower is better.\n"
            "Green: F1 or Dice on the validation frames, where there are any; higher is better."
        )
        self._loss.setLabel("left", "loss")

    def _make_plot(self) -> pg.PlotItem:
        plot = pg.PlotItem()
        plot.hideButtons()
        plot.setMenuEnabled(False)
        plot.setMouseEnabled(False, False)
        plot.getAxis("left").setWidth(48)
        for side in ("left", "bottom"):
            plot.getAxis(side).setStyle(maxTickLevel=0)
            plot.getAxis(side).enableAutoSIPrefix(False)
        plot.getAxis("bottom").setHeight(18)
        return plot

    @property
    def drawn(self) -> tuple[int, int]:
        """How many points the two curves have."""
        counts = (
            0 if curve.xData is None else len(curve.xData)
            for curve in (self._loss_curve, self._figure_curve)
        )
        first, second = counts
        return first, second

    def show_curves(self, task: str, curves: Curves) -> None:
        """Draw the curves of a task anew."""
        self._loss_curve.setData(curves.steps, curves.losses)
        name = MAIN_METRIC.get(task, "")
        if name not in curves.metrics:
            name = next(iter(curves.metrics), "")
        self._show_figure_plot(bool(name))
        steps, values = curves.metrics.get(name, ([], []))
        self._figure_curve.setData(steps, values)
        if name:
            self._figure.setLabel("left", label_of(name))

    def _show_figure_plot(self, shown: bool) -> None:
        if shown == self._has_figure:
            return
        self._has_figure = shown
        if shown:
            self._view.addItem(self._figure, row=1, col=0)
        else:
            self._view.removeItem(self._figure)
        self._loss.getAxis("bottom").setStyle(showValues=not shown)
        self.setFixedHeight(_PLOT_HEIGHT * (2 if shown else 1))
        self.set_palette(self._palette)

    def set_palette(self, palette: Palette) -> None:
        """Follow the viewer's theme."""
        self._palette = palette
        self._view.setBackground(palette.background)
        self._loss_curve.setPen(pg.mkPen(palette.mark(colours.MODEL), width=2))
        self._figure_curve.setPen(pg.mkPen(palette.mark(colours.OPTIMAL), width=2))
        self._figure_curve.setSymbolBrush(palette.mark(colours.OPTIMAL))
        for plot in (self._loss, self._figure):
            for side in ("left", "bottom"):
                plot.getAxis(side).setPen(palette.muted)
                plot.getAxis(side).setTextPen(palette.text)
            left = plot.getAxis("left")
            left.labelStyle["color"] = palette.text
            left.setLabel(left.labelText)
