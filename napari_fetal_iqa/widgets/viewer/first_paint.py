"""Whether the frame that keys act on is the one that the person has seen."""

from collections.abc import Callable

from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer

from napari_fetal_iqa.widgets.viewer.compat import draw_soon, when_drawn

AWAITED = "another sweep is being opened"
_UNANSWERED_MS = 150
"""After a picture is drawn nobody has answered it for so long: seeing and pressing takes longer."""


class FirstPaint(QObject):
    """Knows from when another frame is asked for until it has been drawn once.

    What was pressed while it is drawn, or before anybody can have answered what is drawn, was meant
    for the picture before: keys count again only a moment later, once no event waits any more. An
    empty queue alone does not tell: keys that the window system has come after it (Qt 6, xcb).

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
        self._queue_empty = QTimer(self)
        self._queue_empty.setSingleShot(True)
        self._queue_empty.setInterval(_UNANSWERED_MS)
        self._queue_empty.timeout.connect(self._note_seen)
        self._leave = when_drawn(viewer, self._note_drawn)

    @property
    def missing(self) -> str:
        """Why nothing may be stored by a key or a click now; empty where it may."""
        if self._awaited():
            return AWAITED
        return "the frame had not been drawn yet" if self._expected else ""

    def expect(self) -> None:
        """Note that the frame to be seen is another from now on, which nobody has seen."""
        self._queue_empty.stop()
        self._expected = True
        draw_soon(self._viewer)

    def _note_drawn(self) -> None:
        if self._expected and not self._queue_empty.isActive():  # a film draws on and on
            self._queue_empty.start()

    def _note_seen(self) -> None:
        self._expected = False

    def remove(self) -> None:
        """Follow the drawing no longer."""
        self._queue_empty.stop()
        self._leave()
