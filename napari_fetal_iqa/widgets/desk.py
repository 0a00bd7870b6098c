"""One sweep on the desk: its review, its overlay, and the way along its frames."""

import time
from collections.abc import Collection

from napari.components import ViewerModel
from napari.layers import Image
from qtpy.QtCore import QTimer

from napari_fetal_iqa.analysis.result import Analysis
from napari_fetal_iqa.review import ReviewSession, Source
from napari_fetal_iqa.widgets.navigation import Navigator
from napari_fetal_iqa.widgets.overlay import MaskOverlay
from napari_fetal_iqa.widgets.timeline import TimelineData

_AT_ONCE = 16
_SLICE_SECONDS = 0.01


class Desk:
    """Ties a review session to the layers of a viewer, until :meth:`leave`."""

    def __init__(self, viewer: ViewerModel, layer: Image, session: ReviewSession) -> None:
        self.viewer = viewer
        self.session = session
        self.navigator = Navigator(viewer.dims, layer, session.sweep)
        self.overlay = MaskOverlay(viewer, layer, session.sweep.shape)
        self.overlay.released.connect(self._paint_held)
        self._held: set[int] = set()
        self._waiting: dict[int, None] = {}
        self._when_idle = QTimer()  # without an interval it fires whenever there is time
        self._when_idle.timeout.connect(self._paint_some)
        for other in viewer.layers:
            if isinstance(other, Image) and other is not layer:
                other.visible = False
        viewer.layers.selection.active = layer
        self.navigator.go(self.navigator.frame)

    def paint(self, frames: Collection[int]) -> None:
        """Put the masks that count on these frames: a few at once, many when there is time."""
        if len(frames) <= _AT_ONCE:
            for frame in frames:
                self._paint(frame)
            self.overlay.refresh()
            return
        if self.navigator.frame in frames:
            self._paint(self.navigator.frame)
            self.overlay.refresh()
        self._waiting.update(dict.fromkeys(frames))
        self._when_idle.start()

    def _paint_some(self) -> None:
        end = time.perf_counter() + _SLICE_SECONDS
        shown = self.navigator.frame in self._waiting
        while self._waiting and time.perf_counter() < end:
            frame = next(iter(self._waiting))
            del self._waiting[frame]
            self._paint(frame)
        if shown and self.navigator.frame not in self._waiting:
            self.overlay.refresh()
        if not self._waiting:
            self._when_idle.stop()

    def _paint_held(self) -> None:
        held, self._held = self._held, set()
        self.paint(held)

    def _paint(self, frame: int) -> None:
        if self.overlay.being_painted:
            self._held.add(frame)  # not under the brush
            return
        source = self.session.mask_source(frame)
        if source is Source.NOBODY:
            self.overlay.clear(frame)
        else:
            self.overlay.show(frame, self.session.mask(frame), source)

    def timeline_data(self) -> TimelineData:
        """Give what the timeline draws."""
        session = self.session
        labels, by_expert = session.labels()
        analysis = session.analysis or Analysis(session.sweep)
        return TimelineData(
            bounds=session.sweep.bounds,
            quality=analysis.quality,
            area_fraction=analysis.area_fraction,
            computed=analysis.computed,
            labels=labels,
            by_expert=by_expert,
            best=session.best_frame(),
            quality_threshold=analysis.setup.thresholds.quality,
            area_threshold=analysis.setup.thresholds.area,
        )

    def use_tool(self, mode: str) -> None:
        """Take a tool of the overlay: ``"paint"``, ``"erase"``, ``"pan_zoom"``."""
        self.viewer.layers.selection.active = self.overlay.layer
        self.overlay.layer.mode = mode

    def leave(self) -> None:
        """Take the overlay off the viewer."""
        self._when_idle.stop()
        self.overlay.remove()
