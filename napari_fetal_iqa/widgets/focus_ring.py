"""A ring around the control that has the keyboard, in either theme."""

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, QRectF, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QTabBar,
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
    QTabBar,
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
        return self._ring.parentWidget() if self._ring is not None and isalive(self._ring) else None

    def _follow(self, _: QWidget | None, focused: QWidget | None) -> None:
        # a ring goes with its control, which may be gone by now
        if self._ring is not None and isalive(self._ring):
            self._ring.hide()
            self._ring.deleteLater()
        self._ring = None
        if isinstance(focused, _CONTROLS) and self._is_ours(focused):
            self._ring = _Ring(focused)

    def _is_ours(self, control: QWidget) -> bool:
        """Whether a control is in the window, or in a dialog over it."""
        window: QWidget | None = control.window()
        while window is not None and window is not self.parent():
            beneath = window.parentWidget()
            window = None if beneath is None else beneath.window()
        return window is not None

    def remove(self) -> None:
        """Follow the focus no longer."""
        self._application.focusChanged.disconnect(self._follow)
        self._follow(None, None)
        self.deleteLater()


class _Ring(QWidget):
    """Lies on a control, within it: what lies around it would be cut off by its parent's edge."""

    def __init__(self, control: QWidget) -> None:
        super().__init__(control)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setGeometry(control.rect())
        control.installEventFilter(self)
        self.raise_()
        self.show()

    def eventFilter(self, control: QObject | None, event: QEvent | None) -> bool:
        """Stay as large as the control, and above what it shows."""
        if event is not None and isinstance(control, QWidget):
            if event.type() == QEvent.Type.Resize:
                self.setGeometry(control.rect())
            elif event.type() == QEvent.Type.ChildPolished:
                self.raise_()
        return False

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the ring in the colour of the control's words: legible in either theme."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        control = self.parentWidget() or self
        painter.setPen(QPen(control.palette().color(control.foregroundRole()), _WIDTH))
        inset = _WIDTH / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), 3, 3)
