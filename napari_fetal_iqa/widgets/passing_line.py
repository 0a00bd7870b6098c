"""The line that another sweep is awaited, which is true for a while only."""

from qtpy.QtCore import QObject, QTimer

from napari_fetal_iqa.widgets.panels.analysis_panel import AnalysisPanel
from napari_fetal_iqa.widgets.viewer.first_paint import AWAITED, FirstPaint

_LOOK_AGAIN_MS = 150


class PassingLine(QObject):
    """Takes a line of the panel away that says what is awaited, once it is awaited no more.

    Parameters
    ----------
    first_paint : FirstPaint
        Knows whether another sweep is awaited.
    panel : AnalysisPanel
        Shows the line.
    parent : QObject
    """

    def __init__(self, first_paint: FirstPaint, panel: AnalysisPanel, parent: QObject) -> None:
        super().__init__(parent)
        self._first_paint, self._panel = first_paint, panel
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_AGAIN_MS)
        self._timer.timeout.connect(self._look)
        panel.error_shown.connect(self._timer.start)

    def _look(self) -> None:
        if not self._panel.error.text().endswith(AWAITED):
            self._timer.stop()
        elif not self._first_paint.missing:
            self._timer.stop()
            self._panel.show_error("")

    def close(self) -> None:
        """Look no more."""
        self._panel.error_shown.disconnect(self._timer.start)
        self._timer.stop()
