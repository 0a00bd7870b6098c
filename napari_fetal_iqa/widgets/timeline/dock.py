"""Where the timeline stands in napari's window: a dock below the frames."""

from functools import cached_property
from typing import TYPE_CHECKING

from napari.viewer import Viewer
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QDockWidget

from napari_fetal_iqa.storage import window_state
from napari_fetal_iqa.widgets.theme import palette_of
from napari_fetal_iqa.widgets.viewer.compat import hide_when_closed, main_window

if TYPE_CHECKING:
    from napari_fetal_iqa.widgets.timeline.widget import Timeline

_HEIGHT = 220


class TimelineDock(QObject):
    """Makes the timeline with the first sweep, for its imports take long; shows and hides it.

    Its X hides it, and napari's Window menu shows it again. ``visibility_changed`` tells either.
    Who closed it has it closed with the next sweep and in the next window, until it is shown again.

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
        self._closed = self._hiding = False

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
        self._closed = window_state.load().timeline_closed
        if self._closed:
            self.dock.hide()
        self.dock.visibilityChanged.connect(self._tell)
        main_window(self._viewer).resizeDocks([self.dock], [_HEIGHT], Qt.Orientation.Vertical)
        return timeline

    def _tell(self, visible: bool) -> None:
        """Tell it, and note where a person closed it or showed it: behind a tab it is neither."""
        hidden = self.dock is not None and self.dock.isHidden()
        if not self._hiding and hidden is not self._closed and (hidden or visible):
            self._closed = hidden
            window_state.keep_timeline(closed=hidden)
        self.visibility_changed.emit(visible)

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
        """Show the timeline of a sweep that is being read: nothing is left of the one before.

        Not where something stands in its place, nor where somebody closed it.
        """
        self.timeline.clear()
        if not self.gives_way and not self._closed:
            self.show()

    def hide(self) -> None:
        """Hide the timeline, where there is one, for which nobody closed it."""
        if self.dock is not None:
            self._hiding = True
            self.dock.hide()
            self._hiding = False

    def toggle(self) -> None:
        """Show the timeline where it is hidden, else hide it."""
        if self.dock is not None and self.visible:
            self.dock.hide()
        else:
            self.show()

    def follow_theme(self) -> None:
        """Take the colours of the viewer's theme."""
        if self.dock is not None:
            self.timeline.set_palette(palette_of(self._viewer.theme))
