"""Whether the frame that keys act on is the one that the person has seen."""

from collections.abc import Callable

from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer
from qtpy.QtGui import QCursor

from napari_fetal_iqa.widgets.viewer.compat import draw_soon, when_drawn

AWAITED = "another sweep is being opened"
_UNANSWERED_MS = 150
"""After a picture is drawn nobody has answered it for so long: seeing and pressing takes longer."""

_READ_MS = 20
"""What the window system has is Qt's a moment after it was asked for, by another thread (xcb)."""


class FirstPaint(QObject):
    """Knows from when another frame is asked for until it has been drawn once.

    What was pressed while it is drawn, or before anybody can have answered what is drawn, was meant
    for the picture before: keys count again only a moment later, once none waits any more. The time
    alone does not tell: a timer that ends while the window is held up goes before the keys that
    came meanwhile, and an empty queue of Qt's before those that the window system still has (Qt 6,
    xcb). So it is asked something, and its answer comes after them; they are refused in the next
    turn of Qt's loop, and only then do keys count.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    awaited : callable
        Whether another sweep is asked for that is not there yet.
    parent : QObject
    """

    def __init__(self, viewer: Viewer, awaited: Callable[[], bool], parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._awaited = awaited
        self._expected = False
        self._answerable = self._timer(_UNANSWERED_MS, self._hear)
        self._heard = self._timer(_READ_MS, self._note_seen)
        self._leave = when_drawn(viewer, self._note_drawn)

    @property
    def missing(self) -> str:
        """Why nothing may be stored by a key or a click now; empty where it may."""
        if self._awaited():
            return AWAITED
        return "the frame had not been drawn yet" if self._expected else ""

    def expect(self) -> None:
        """Note that the frame to be seen is another from now on, which nobody has seen."""
        self._stop()
        self._expected = True
        draw_soon(self._viewer)

    def _timer(self, milliseconds: int, do: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(do)
        return timer

    def _note_drawn(self) -> None:
        waits = self._answerable.isActive() or self._heard.isActive()
        if self._expected and not waits:  # a film draws on and on
            self._answerable.start()

    def _hear(self) -> None:
        QCursor.pos()  # the window system answers once it has sent what it had before
        self._heard.start()

    def _note_seen(self) -> None:
        self._expected = False

    def _stop(self) -> None:
        self._answerable.stop()
        self._heard.stop()

    def remove(self) -> None:
        """Follow the drawing no longer."""
        self._stop()
        self._leave()
