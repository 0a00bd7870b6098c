"""Where the strip stands, and how it follows the review."""

from functools import cached_property
from typing import Any

from napari.viewer import Viewer
from qtpy.QtCore import QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import QDockWidget

from napari_fetal_iqa.review.candidate_strip import beside, candidate_strip
from napari_fetal_iqa.widgets.candidates.strip import CandidateStrip
from napari_fetal_iqa.widgets.candidates.thumbnails import Thumbnails
from napari_fetal_iqa.widgets.lower_corner import LowerCorner
from napari_fetal_iqa.widgets.presenter import SweepPresenter
from napari_fetal_iqa.widgets.small_screen import is_low
from napari_fetal_iqa.widgets.theme import palette_of
from napari_fetal_iqa.widgets.timeline.dock import TimelineDock
from napari_fetal_iqa.widgets.viewer.compat import hide_when_closed, main_window

_SOON_MS = 400
"""After a change of the review: a stroke or a batch seldom comes alone."""
_ROOMY = 900
"""Pixels of the window's height from which on there is room for the strip without asking."""

_TIMELINE_HEIGHT = 200
"""Pixels that the timeline keeps below the strip."""
_WORTH_SHOWING = 2
"""As many candidates bring the strip up by themselves: one alone is the frame on the screen."""


class Candidates(QObject):
    """The dock of the strip, above the timeline; on a low screen it waits until it is wanted.

    On a screen that is too low for both and the frame, it takes the timeline's place meanwhile.

    Its X hides it, and napari's Window menu shows it again. ``visibility_changed`` tells either.
    """

    visibility_changed = Signal(bool)

    def __init__(
        self, viewer: Viewer, corner: LowerCorner, timeline: TimelineDock, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._corner = corner
        self._timeline = timeline
        self.dock: QDockWidget | None = None
        self._presenter: SweepPresenter | None = None
        self._thumbnails: Thumbnails | None = None
        self._asked = False
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SOON_MS)
        self._soon.timeout.connect(self._show_now)

    @cached_property
    def strip(self) -> CandidateStrip:
        """The strip in its dock."""
        self._corner.need("candidates", True)  # before a low window grows for the strip
        strip = CandidateStrip()
        strip.set_palette(palette_of(self._viewer.theme))
        strip.frame_chosen.connect(self._go)
        window = self._viewer.window
        self.dock = window.add_dock_widget(
            strip,
            name="Candidates",
            area="bottom",
            add_vertical_stretch=False,
            menu=window.window_menu,
        )
        _ = self._timeline.timeline
        if self._timeline.dock is not None:  # above it
            main_window(self._viewer).splitDockWidget(
                self.dock, self._timeline.dock, Qt.Orientation.Vertical
            )
        hide_when_closed(self.dock)
        self._timeline.visibility_changed.connect(self._timeline_shown)
        self.dock.visibilityChanged.connect(self._visibility_changed)
        return strip

    @property
    def visible(self) -> bool:
        """Whether the strip is on the screen."""
        return self.dock is not None and self.dock.isVisible()

    def toggle(self) -> None:
        """Show the strip where it is hidden, else hide it; and leave it so."""
        self._asked = True
        self._set_visible(not self.visible)

    def _set_visible(self, visible: bool) -> None:
        _ = self.strip
        timeline = self._timeline.dock
        if self.dock is not None:
            if visible and is_low(self._viewer) and self._timeline.visible:
                self._timeline.gives_way = True
                self._timeline.hide()
            self.dock.setVisible(visible)
            if visible and timeline is not None and not timeline.isHidden():  # room for both
                heights = [self.strip.minimumHeight(), _TIMELINE_HEIGHT]
                main_window(self._viewer).resizeDocks(
                    [self.dock, timeline], heights, Qt.Orientation.Vertical
                )
        self._soon.start(0)

    def _visibility_changed(self, visible: bool) -> None:
        self._corner.need("candidates", visible)
        if visible:
            self._soon.start(0)
        elif self.dock is not None and self.dock.isHidden() and self._presenter is not None:
            self._asked = True  # hidden by its X: it does not come back by itself
            if self._timeline.gives_way:
                self._timeline.gives_way = False
                self._timeline.show()
        self.visibility_changed.emit(visible)

    def _timeline_shown(self, shown: bool) -> None:
        """Give the place back where somebody wants the timeline: both would hide the frame."""
        if shown and self._timeline.gives_way and self.dock is not None:
            self._timeline.gives_way = False
            self.dock.hide()

    # Following the review ------------------------------------------------------------------

    def follow(self, presenter: SweepPresenter) -> None:
        """Show the candidates of the sweep that is open."""
        self._presenter = presenter
        self._thumbnails = Thumbnails(presenter.session.sweep, self)
        presenter.session.frames_changed.connect(self._changed)
        presenter.session.frames_computed.connect(self._changed)
        presenter.found.connect(self._changed)
        self._viewer.dims.events.current_step.connect(self._frame_changed)
        self._changed()

    def leave(self) -> None:
        """Follow no longer."""
        self._soon.stop()
        if self._presenter is None:
            return
        self._viewer.dims.events.current_step.disconnect(self._frame_changed)
        session = self._presenter.session
        session.frames_changed.disconnect(self._changed)
        session.frames_computed.disconnect(self._changed)
        self._presenter.found.disconnect(self._changed)
        self._presenter = None
        if self.dock is not None:
            self.strip.show_candidates((), None)
        if self._thumbnails is not None:
            self._thumbnails.stop()
            self._thumbnails.deleteLater()
            self._thumbnails = None

    def close(self) -> None:
        """Follow no longer, and go."""
        self.leave()
        if self.dock is not None:
            self.dock.hide()

    def _changed(self) -> None:
        if not self._soon.isActive():
            self._soon.start(_SOON_MS)

    def _show_now(self) -> None:
        if self._presenter is None:
            return
        session = self._presenter.session
        roomy = main_window(self._viewer).height() >= _ROOMY
        if not self.visible:
            if self._asked or not roomy or session.analysis is None:
                return
            if len(candidate_strip(session)) < _WORTH_SHOWING:
                return
            self._set_visible(True)
            return
        self.strip.show_candidates(
            candidate_strip(session), self._thumbnails, self._why_none(self._presenter)
        )
        self.strip.show_frame(self._presenter.view.navigator.frame)

    @staticmethod
    def _why_none(presenter: SweepPresenter) -> str:
        analysis = presenter.session.analysis
        if presenter.looking:
            return ""
        if analysis is None:
            return "No candidates yet: analyse the sweep."
        return "No frame shows the abdomen." if analysis.complete else "No candidates yet."

    def _frame_changed(self, event: Any = None) -> None:
        if self._presenter is not None and self.visible:
            self.strip.show_frame(self._presenter.view.navigator.frame)

    def _go(self, frame: int) -> None:
        if self._presenter is not None:
            self._presenter.actions.go(frame)

    def step(self, step: int) -> None:
        """Go to the next candidate behind or before the frame on the screen."""
        if self._presenter is not None:
            session, here = self._presenter.session, self._presenter.view.navigator.frame
            frame = beside(candidate_strip(session), here, step)
            if frame is not None:
                self._presenter.actions.go(frame)
            else:
                after = "after" if step > 0 else "before"
                why = self._why_none(self._presenter).rstrip(".")
                self._presenter.say(f"No candidate {after} this frame{f': {why}' if why else ''}")

    def follow_theme(self) -> None:
        """Take the colours of the viewer's theme."""
        if self.dock is not None:
            self.strip.set_palette(palette_of(self._viewer.theme))
