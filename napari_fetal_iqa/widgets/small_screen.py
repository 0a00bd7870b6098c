"""Where the docks stand, and that the window is no larger than the screen."""

from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QObject, QPoint, QRect, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow

from napari_fetal_iqa.widgets.viewer.compat import docks_in, main_window, napari_docks

LOW = 760
"""Pixels, as Qt counts them. napari's two docks, one above the other, the timeline below them, menu
and status bar need 750 (napari 0.9.2): without this the timeline would lie below the screen."""

_TITLE = "Fetal IQA review"
"""Short enough for three tabs to be read beside each other."""
_LOOK_AGAIN_MS = 400
_LOOKS = 6
"""The layout asks for less room only once it was made anew, and a window manager takes its time: it
puts the window elsewhere and a frame around it after the first look."""


def is_low(viewer: Viewer) -> bool:
    """Whether the screen is too low for all docks, one above the other."""
    return available(main_window(viewer)).height() < LOW


def available(window: QMainWindow) -> QRect:
    """Return what the window may cover of its screen, in pixels as Qt counts them."""
    screen = window.screen()
    return QRect() if screen is None else screen.availableGeometry()


def make_room(viewer: Viewer, panel: QDockWidget) -> None:
    """Give the panel the whole height; where the screen is low, put napari's docks behind it.

    What lies below the frame lies beside the panel, which has much to show, and not below it.
    """
    window = main_window(viewer)
    window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
    if not is_low(viewer):
        return
    panel.setWindowTitle(_TITLE)
    for dock in napari_docks(viewer):
        window.tabifyDockWidget(panel, dock)
    panel.raise_()


class ScreenFit(QObject):
    """Keeps a window that grew for its docks within the screen.

    A maximised window stays as it is, and so does one that somebody spread over several screens.
    Where a layer's controls ask for more than the screen has, they go behind one tab with the list
    of layers; where that is still too much, they are hidden, and the menu Window shows them.

    Parameters
    ----------
    window : QMainWindow
        Its parent: there is no look at a window that is no more.
    """

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._looks = 0
        self._hid_controls = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._look)
        window.installEventFilter(self)

    def soon(self) -> None:
        """Look at the window's size once its docks are laid out, and a few times more."""
        self._looks = _LOOKS
        self._timer.start(0)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Notice that the docks made the window larger than it may be."""
        grew = event is not None and event.type() == QEvent.Type.Resize
        if grew and isinstance(watched, QMainWindow) and _lacks(watched) > 0 and not self._looks:
            self.soon()
        return super().eventFilter(watched, event)

    def stop(self) -> None:
        """Leave the window alone from now on."""
        self._timer.stop()
        window = self.parent()
        if window is not None:
            window.removeEventFilter(self)

    def _look(self) -> None:
        self._looks -= 1
        if self._looks:
            self._timer.start(_LOOK_AGAIN_MS)
        self._fit()

    def _fit(self) -> None:
        window = self.parent()
        assert isinstance(window, QMainWindow)
        room = available(window)
        if room.isEmpty() or window.isMaximized() or window.isFullScreen():
            return
        around, inside = window.frameGeometry(), window.geometry()
        if _lacks(window) > 0:
            self._squeeze(window)
        screen = window.screen()
        several = screen is not None and len(screen.virtualSiblings()) > 1
        whole = screen.availableVirtualGeometry() if screen is not None and several else room
        if whole.contains(around):
            return
        frame = around.size() - inside.size()
        if around.width() > room.width() or around.height() > room.height():
            window.resize(inside.size().boundedTo(room.size() - frame))
        size = window.size() + frame
        at_most = QPoint(room.right() + 1 - size.width(), room.bottom() + 1 - size.height())
        window.move(
            max(room.left(), min(around.left(), at_most.x())),
            max(room.top(), min(around.top(), at_most.y())),
        )

    def _squeeze(self, window: QMainWindow) -> None:
        layers, controls = docks_in(window)
        if controls.isHidden() or controls.isFloating():
            return
        if layers.isHidden() or controls in window.tabifiedDockWidgets(layers):
            asks_most = controls.minimumSizeHint().height() > layers.minimumSizeHint().height()
            if asks_most and not self._hid_controls:  # who shows them again wants them
                self._hid_controls = True
                controls.hide()
        elif window.dockWidgetArea(layers) == window.dockWidgetArea(controls):
            window.tabifyDockWidget(layers, controls)
            controls.raise_()


def _lacks(window: QMainWindow) -> int:
    """By how many pixels a window, as low as its docks let it be, is higher than the screen."""
    room = available(window)
    if room.isEmpty():
        return 0
    frame = window.frameGeometry().height() - window.height()
    return window.minimumSizeHint().height() + frame - room.height()
