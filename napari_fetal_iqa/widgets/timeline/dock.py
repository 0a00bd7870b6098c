"""Where the timeline stands in napari's window: a dock below the frames."""

from functools import cached_property
from typing import TYPE_CHECKING

from napari.viewer import Viewer
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QDockWidget

from napari_fetal_iqa.widgets.theme import palette_of
from napari_fetal_iqa.widgets.viewer.compat import hide_when_closed, main_window

if TYPE_CHECKING:
    from napari_fetal_iqa.widgets.timeline.widget import Timeline

_HEIGHT = 220


class TimelineDock(QObject):
    """Makes the timeline with the first sweep, for its imports take long; shows and hides it.

    Its X hides it, and napari's Window menu shows it again. ``visibility_changed`` tells either.

    Attributes
    ----------
    gives_way : bool
        Whether something else stands in its place, so that it does not come with the next sweep.
    """

    visibility_changed = Signal(bool)

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.dock: QDockWidget | None = None
        self.gives_way = False

    @cached_property
    def timeline(self) -> "Timeline":
        """The timeline in its dock."""
        from napari_fetal_iqa.widgets.timeline.widget import Timeline

        timeline = Timeline()
        timeline.set_palette(palette_of(self._viewer.theme))
        window = self._viewer.window
        self.dock = window.add_dock_widget(
            timeline,
            name="Timeline",
            area="bottom",
            add_vertical_stretch=False,
            menu=window.window_menu,
        )
        hide_when_closed(self.dock)
        self.dock.visibilityChanged.connect(self.visibility_changed)
        main_window(self._viewer).resizeDocks([self.dock], [_HEIGHT], Qt.Orientation.Vertical)
        return timeline

    @property
    def visible(self) -> bool:
        """Whether the timeline is on the screen."""
        return self.dock is not None and self.dock.isVisible()

    def show(self) -> None:
        """Show the timeline."""
        _ = self.timeline
        if self.dock is not None:
            self.dock.show()

    def begin(self) -> None:
        """Show the timeline of a sweep that is being read: nothing is left of the one before."""
        self.timeline.clear()
        if not self.gives_way:
            self.show()

    def hide(self) -> None:
        """Hide the timeline, where there is one."""
        if self.dock is not None:
            self.dock.hide()

    def toggle(self) -> None:
        """Show the timeline where it is hidden, else hide it."""
        if self.visible:
            self.hide()
        else:
            self.show()

    def follow_theme(self) -> None:
        """Take the colours of the viewer's theme."""
        if self.dock is not None:
            self.timeline.set_palette(palette_of(self._viewer.theme))
