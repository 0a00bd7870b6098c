"""Whose is the lower left corner of napari's window: the left column's, or of what is below."""

from collections.abc import Hashable
from weakref import ref

from napari.viewer import Viewer
from qtpy.compat import isalive
from qtpy.QtCore import QObject, Qt

from napari_fetal_iqa.widgets.viewer.compat import main_window


class LowerCorner(QObject):
    """Gives the corner to the left column while somebody needs it.

    Then the left column goes down to the window's edge beside the timeline: a list in it has room,
    and a low window need not hold napari's layer controls and all that is below one upon the other.
    """

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._window = ref(main_window(viewer))  # the viewer forgets it before it is gone
        self._who: set[Hashable] = set()

    def need(self, who: Hashable, needed: bool) -> None:
        """Note that somebody needs the corner for the left column, or does so no longer."""
        (self._who.add if needed else self._who.discard)(who)
        left, below = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea
        window = self._window()
        if window is not None and isalive(window):
            window.setCorner(Qt.Corner.BottomLeftCorner, left if self._who else below)
