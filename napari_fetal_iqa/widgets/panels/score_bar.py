"""A score between 0 and 1 as a bar with words on it."""

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_fetal_iqa import colours
from napari_fetal_iqa.widgets.theme import palette_around

_HEIGHT_EM = 1.7
_END_PX = 3


class ScoreBar(QWidget):
    """Looks like a progress bar, but draws with the rest of the window.

    Qt's own bar draws at once whenever it is set, and the whole window with it: that costs more
    than the frame itself while an expert scrubs.
    """

    def __init__(self) -> None:
        super().__init__()
        self._score: float | None = None
        self.text = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(round(_HEIGHT_EM * self.fontMetrics().height()))

    def show_score(self, score: float | None, text: str) -> None:
        """Show a score, 0 to 1 or None, and words on it."""
        self._score, self.text = score, text
        self.setAccessibleName(text)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the bar and the words."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().color(self.foregroundRole())
        trough = QColor(ink)
        trough.setAlpha(40)
        palette = palette_around(self)
        filled = QColor(palette.fill(colours.MODEL))
        painter.setPen(Qt.PenStyle.NoPen)
        whole = QRectF(self.rect())
        part = QRectF(whole)
        part.setWidth(whole.width() * (self._score or 0))
        for area, colour in ((whole, trough), (part, filled)):
            painter.setBrush(colour)
            painter.drawRoundedRect(area, 3, 3)
        if self._score:  # where it ends is seen in every theme
            painter.fillRect(
                QRectF(max(0.0, part.right() - _END_PX), 0, _END_PX, whole.height()),
                QColor(palette.mark(colours.MODEL)),
            )
        painter.setPen(ink)
        painter.drawText(whole, Qt.AlignmentFlag.AlignCenter, self.text)
