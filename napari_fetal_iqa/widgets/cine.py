"""The film of a sweep: frames by the clock, until somebody else moves or edits."""

import time

from napari.components import ViewerModel
from qtpy.QtCore import QObject, Qt, QTimer, Signal

from napari_fetal_iqa.review.cine import CineMode, frame_at, rate_of
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.widgets.viewer.navigator import Navigator

_SHORTEST_MS = 5
"""Between two frames, so that keys and the mouse get their turn where drawing takes long."""


class Cine(QObject):
    """Plays one sweep, or the whole volume; a film that falls behind drops frames.

    ``changed`` tells the mode, or None where it stopped.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    navigator : Navigator
    sweep : SweepVolume
    parent : QObject
    """

    changed = Signal(object)

    def __init__(
        self, viewer: ViewerModel, navigator: Navigator, sweep: SweepVolume, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._navigator = navigator
        self._sweep = sweep
        self.rate = rate_of(sweep.frames_per_second)
        self.clock = time.perf_counter
        self.mode: CineMode | None = None
        self.whole = False
        self._began, self._begin, self._expected = 0.0, 0, 0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._go_on)
        viewer.dims.events.current_step.connect(self._moved)

    @property
    def rate_in_words(self) -> str:
        """The rate, and where it comes from."""
        sweep = self._sweep
        own = sweep.frames_per_second is not None and self.rate == sweep.frames_per_second
        source = sweep.rate_source if own else "usual, as the file says none"
        return f"{self.rate:.3g} frames a second ({source})"

    def toggle(self, mode: CineMode) -> None:
        """Play in a mode; stop where it is playing so already."""
        if self.mode is mode:
            self.stop()
        else:
            self.play(mode)

    def play(self, mode: CineMode) -> None:
        """Play from the frame on the screen."""
        self.mode = mode
        self._began, self._begin = self.clock(), self._navigator.frame
        self._expected = self._begin
        self._wait()
        self.changed.emit(mode)

    def set_whole(self, whole: bool) -> None:
        """Play the whole volume, or one sweep of it."""
        self.whole = whole
        if self.mode is not None:
            self.play(self.mode)

    def stop(self) -> None:
        """Stay at the frame on the screen."""
        self._timer.stop()
        if self.mode is not None:
            self.mode = None
            self.changed.emit(None)

    def _wait(self) -> None:
        """Wait for the moment at which the next frame is due."""
        elapsed = self.clock() - self._began
        due = (int(elapsed * self.rate) + 1) / self.rate
        self._timer.start(max(_SHORTEST_MS, round(1000 * (due - elapsed))))

    def _go_on(self) -> None:
        if self.mode is None:
            return
        elapsed = self.clock() - self._began
        whole = (0, len(self._sweep))
        bounds = whole if self.whole else self._sweep.bounds[self._sweep.locate(self._begin)[0]]
        self._expected = frame_at(elapsed, self.rate, self._begin, bounds, self.mode)
        self._navigator.go(self._expected)
        self._wait()

    def _moved(self, event: object = None) -> None:
        if self.mode is not None and self._navigator.frame != self._expected:
            self.stop()  # somebody went elsewhere

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._viewer.dims.events.current_step.disconnect(self._moved)
