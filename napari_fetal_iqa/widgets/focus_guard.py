"""The keys go where they were sent: to nothing that is not seen, and to nothing that Qt chose."""

from collections.abc import Callable

from qtpy.compat import isalive
from qtpy.QtCore import QChildEvent, QEvent, QObject, QTimer
from qtpy.QtWidgets import QApplication, QDockWidget, QMainWindow, QWidget


class FocusGuard(QObject):
    """Watches the docks of a window, those that come later, too.

    What lies behind a tab is disabled, so that Tab passes it by: Qt only moves it out of sight.
    Whatever is hidden or disabled while it has the keys (a dock by its X, a button that was
    pressed) gives them to the frame; Qt gives them to what comes next, such as a field to type in
    or a box that Space would tick, or leaves them where they were.

    Parameters
    ----------
    window : QMainWindow
    focus_frame : callable
        Gives the keys to the frame.
    """

    def __init__(self, window: QMainWindow, focus_frame: Callable[[], None]) -> None:
        super().__init__(window)
        self._window = window
        self._focus_frame = focus_frame
        self._docks: list[QDockWidget] = []
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        self._application = application
        self._soon = QTimer(self)  # without an interval: once the window has put them in place
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._look)
        application.focusChanged.connect(self._follow)
        window.installEventFilter(self)
        for dock in window.findChildren(QDockWidget):
            self._watch(dock)

    def _watch(self, dock: QDockWidget) -> None:
        if dock not in self._docks:
            self._docks.append(dock)
            dock.installEventFilter(self)
            dock.visibilityChanged.connect(self._look_soon)
            self._soon.start()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Notice docks that come, and one that is hidden with the keys of a window in the back."""
        kind = None if event is None else event.type()
        if kind == QEvent.Type.ChildPolished and isinstance(event, QChildEvent):
            if watched is self._window and isinstance(child := event.child(), QDockWidget):
                self._watch(child)
        elif kind == QEvent.Type.Hide and isinstance(watched, QDockWidget):
            self._hidden(watched)
        return False

    def _hidden(self, dock: QDockWidget) -> None:
        if dock.isHidden() and _holds(dock, self._window.focusWidget()):
            self._focus_frame()

    def _follow(self, left: QWidget | None, focused: QWidget | None) -> None:
        """Give the keys to the frame where Qt takes them from what is being hidden or disabled."""
        if focused is None or left is None or not isalive(left):
            return
        gone = not (left.isVisible() and left.isEnabled())
        if gone and self._window.isAncestorOf(left) and self._window.isAncestorOf(focused):
            self._focus_frame()

    def _look_soon(self, visible: bool) -> None:
        self._soon.start()

    def _look(self) -> None:
        self._docks = [dock for dock in self._docks if isalive(dock)]
        for dock in self._docks:
            behind = _is_behind(dock)
            if behind and _holds(dock, self._window.focusWidget()):
                self._focus_frame()
            dock.setEnabled(not behind)

    def remove(self) -> None:
        """Watch no longer, and leave nothing disabled."""
        self._application.focusChanged.disconnect(self._follow)
        self._window.removeEventFilter(self)
        self._soon.stop()
        for dock in self._docks:
            if isalive(dock):
                dock.removeEventFilter(self)
                dock.visibilityChanged.disconnect(self._look_soon)
                dock.setEnabled(True)
        self._docks = []
        self._focus_frame = _nothing
        self.deleteLater()


def _is_behind(dock: QDockWidget) -> bool:
    """Whether a dock lies behind another one's tab: Qt then moves it out of the window."""
    return not (dock.isHidden() or dock.isFloating()) and dock.geometry().right() < 0


def _holds(dock: QDockWidget, control: QWidget | None) -> bool:
    return control is not None and dock.isAncestorOf(control)


def _nothing() -> None:
    """Do nothing."""
