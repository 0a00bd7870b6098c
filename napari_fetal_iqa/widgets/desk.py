"""One sweep on the desk: its review, its overlay, and the way along its frames."""

from collections.abc import Iterable

from napari.components import ViewerModel
from napari.layers import Image

from napari_fetal_iqa.analysis.result import Analysis
from napari_fetal_iqa.review import ReviewSession, Source
from napari_fetal_iqa.widgets.navigation import Navigator
from napari_fetal_iqa.widgets.overlay import MaskOverlay
from napari_fetal_iqa.widgets.timeline import TimelineData


class Desk:
    """Ties a review session to the layers of a viewer, until :meth:`leave`."""

    def __init__(self, viewer: ViewerModel, layer: Image, session: ReviewSession) -> None:
        self.viewer = viewer
        self.session = session
        self.navigator = Navigator(viewer.dims, session.sweep)
        self.overlay = MaskOverlay(viewer, layer)
        viewer.layers.selection.active = layer

    def paint(self, frames: Iterable[int]) -> None:
        """Put the masks that count on these frames."""
        for frame in frames:
            source = self.session.mask_source(frame)
            if source is Source.NOBODY:
                self.overlay.clear(frame)
            else:
                self.overlay.show(frame, self.session.mask(frame), source)
        self.overlay.refresh()

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
        self.overlay.remove()
