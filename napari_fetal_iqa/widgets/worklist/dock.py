"""Where the worklist stands in napari's window: on the left, a tab beside napari's layers."""

from functools import cached_property

from napari.viewer import Viewer
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QDockWidget

from napari_fetal_iqa import colours
from napari_fetal_iqa.storage import window_state
from napari_fetal_iqa.widgets.lower_corner import LowerCorner
from napari_fetal_iqa.widgets.theme import palette_of
from napari_fetal_iqa.widgets.viewer.compat import beside_layer_list, focus_canvas, hide_when_closed
from napari_fetal_iqa.widgets.worklist.widget import WorklistWidget


class WorklistDock(QObject):
    """Makes the worklist when it is first wanted; shows and hides it.

    Its X hides it, and napari's Window menu shows it again. ``visibility_changed`` tells either;
    ``made`` gives the worklist once. Whether somebody closed it is kept for the next window.
    """

    visibility_changed = Signal(bool)
    made = Signal(object)  # WorklistWidget

    def __init__(self, viewer: Viewer, corner: LowerCorner, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._corner = corner
        self.dock: QDockWidget | None = None
        self._noted_as_closed: bool | None = None  # nothing as yet

    @cached_property
    def widget(self) -> WorklistWidget:
        """The worklist in its dock."""
        widget = WorklistWidget()
        widget.model.set_trouble_colour(_trouble(self._viewer.theme))
        window = self._viewer.window
        self.dock = window.add_dock_widget(
            widget,
            name="Worklist",
            area="left",
            add_vertical_stretch=False,
            menu=window.window_menu,
        )
        beside_layer_list(self._viewer, self.dock)
        hide_when_closed(self.dock)
        self._note_from_now_on()
        self.dock.visibilityChanged.connect(self._tell)
        widget.left.connect(lambda: focus_canvas(self._viewer))
        self.made.emit(widget)
        return widget

    def _tell(self) -> None:
        self._corner.need("worklist", self.shown)
        if self._noted_as_closed is self.shown:
            self._noted_as_closed = not self.shown
            window_state.keep_worklist(closed=not self.shown)
        self.visibility_changed.emit(self.shown)

    @property
    def shown(self) -> bool:
        """Whether the worklist is there, in front or behind the tab of the layers."""
        return self.dock is not None and not self.dock.isHidden()

    def show_unless_closed(self) -> None:
        """Show the worklist, but for where somebody closed it: the list itself is there."""
        _ = self.widget
        if window_state.load().worklist_closed:
            self.hide()
        else:
            self.show()

    def leave(self) -> None:
        """Hide the worklist with the window, for which nobody closed it."""
        if self.dock is not None:
            self.dock.visibilityChanged.disconnect(self._tell)
            self.dock.hide()
            self._corner.need("worklist", False)
            self.visibility_changed.emit(False)

    def show(self) -> None:
        """Show the worklist, in front."""
        _ = self.widget
        if self.dock is not None:
            self._note_from_now_on()
            self.dock.show()
            self.dock.raise_()
            self._tell()

    def hide(self) -> None:
        """Hide the worklist, where there is one."""
        if self.dock is not None:
            self._note_from_now_on()
            self.dock.hide()
            self._tell()

    def _note_from_now_on(self) -> None:
        if self._noted_as_closed is None:
            self._noted_as_closed = window_state.load().worklist_closed

    def toggle(self) -> None:
        """Show the worklist where it is hidden, else hide it."""
        if self.shown:
            self.hide()
        else:
            self.show()

    def follow_theme(self) -> None:
        """Take the colours of the viewer's theme."""
        if self.dock is not None:
            self.widget.model.set_trouble_colour(_trouble(self._viewer.theme))


def _trouble(theme_name: str) -> str:
    return palette_of(theme_name).ink(colours.ERROR)
