"""A ring around the control that has the keyboard, in either theme."""

from qtpy.compat import isalive
from qtpy.QtCore import QObject, QRectF
from qtpy.QtGui import QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFocusFrame,
    QLineEdit,
    QTextEdit,
    QWidget,
)

_CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QTextEdit,
)
_WIDTH = 2


class FocusRing(QObject):
    """Follows the focus through a window; napari's style shows it on none of its controls.

    Parameters
    ----------
    window : QWidget
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        self._application = application
        self._ring: _Ring | None = None
        application.focusChanged.connect(self._follow)

    @property
    def ringed(self) -> QWidget | None:
        """The control within the ring."""
        return self._ring.widget() if self._ring is not None and isalive(self._ring) else None

    def _follow(self, _: QWidget | None, focused: QWidget | None) -> None:
        # a ring goes with the parent of its control, which may be gone by now
        if self._ring is not None and isalive(self._ring):
            self._ring.hide()
            self._ring.deleteLater()
        self._ring = None
        window = self.parent()
        if isinstance(focused, _CONTROLS) and focused.window() is window:
            self._ring = _Ring(focused)

    def remove(self) -> None:
        """Follow the focus no longer."""
        self._application.focusChanged.disconnect(self._follow)
        self._follow(None, None)
        self.deleteLater()


class _Ring(QFocusFrame):
    def __init__(self, control: QWidget) -> None:
        super().__init__(control)
        self.setWidget(control)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        control = self.widget() or self
        # the colour of its words: of much contrast on the panel of either theme
        painter.setPen(QPen(control.palette().color(control.foregroundRole()), _WIDTH))
        inset = _WIDTH / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), 3, 3)
