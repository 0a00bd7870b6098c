"""What is unfolded is seen: the panel scrolls to it."""

from qtpy.QtCore import QObject, QPoint, QTimer
from qtpy.QtWidgets import QScrollArea, QWidget

_LAID_OUT_MS = 50
"""By then the section has its height."""


class UnfoldedInView(QObject):
    """Scrolls as little as shows a section that was unfolded; of a long one, its beginning.

    Parameters
    ----------
    area : QScrollArea
        In whose widget the sections stand.
    parent : QObject
    """

    def __init__(self, area: QScrollArea, parent: QObject) -> None:
        super().__init__(parent)
        self._area = area
        self._section: QWidget | None = None
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_LAID_OUT_MS)
        self._soon.timeout.connect(self._scroll)

    def toggled(self, section: QWidget, unfolded: bool) -> None:
        """Scroll to a section that was unfolded, once it is laid out."""
        if unfolded:
            self._section = section
            self._soon.start()

    def _scroll(self) -> None:
        section, content = self._section, self._area.widget()
        bar, view = self._area.verticalScrollBar(), self._area.viewport()
        if section is None or content is None or bar is None or view is None:
            return
        top = section.mapTo(content, QPoint()).y()
        below = top + section.height() - view.height()
        if below > bar.value():
            bar.setValue(min(top, below))
