"""Words that never make the panel wider: a path that has no room loses its middle."""

import html
import re

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QLabel, QWidget

_BETWEEN_WORDS = re.compile(r"(<[^<>]*>|\s+)")
_TAG = re.compile(r"</?[a-z]")
_BOLD = 0.88  # of the room: the width of bold letters is not asked for
_NARROWEST = 40


class ElidingLabel(QLabel):
    """Wraps its text between words; a word wider than the label is elided in its middle.

    What was elided stands whole in the tooltip, and in :meth:`text`.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._whole, self._tip = "", ""
        self.setWordWrap(True)
        self.setText(text)

    def setText(self, text: str | None) -> None:
        """Show this text, as far as there is room."""
        if text != self._whole:
            self._whole = text or ""
            self._fit()

    def text(self) -> str:
        """Return the whole text."""
        return self._whole

    def setToolTip(self, tip: str | None) -> None:
        """Show this on hovering, above what was elided."""
        self._tip = tip or ""
        self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Elide for the new width."""
        super().resizeEvent(event)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """Ask for no more than a few letters' width."""
        least = super().minimumSizeHint()
        return QSize(min(_NARROWEST, least.width()), least.height())

    def _fit(self) -> None:
        room = int(_BOLD * self.contentsRect().width())
        rich = self.textFormat() == Qt.TextFormat.RichText or bool(_TAG.search(self._whole))
        metrics = self.fontMetrics()
        elided: list[str] = []

        def fitted(part: str) -> str:
            if _BETWEEN_WORDS.fullmatch(part):
                return part
            word = html.unescape(part) if rich else part
            if room <= 0 or metrics.horizontalAdvance(word) <= room:
                return part
            elided.append(word)
            short = metrics.elidedText(word, Qt.TextElideMode.ElideMiddle, room)
            return html.escape(short) if rich else short

        parts = _BETWEEN_WORDS.split(self._whole) if rich else re.split(r"(\s+)", self._whole)
        super().setText("".join(map(fitted, parts)))
        super().setToolTip("\n".join([*([self._tip] if self._tip else []), *elided]))
        self.setAccessibleDescription(" ".join(elided))
