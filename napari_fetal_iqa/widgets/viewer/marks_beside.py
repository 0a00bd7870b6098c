"""What lies on the frame beside outline and calipers: the model's outline, free calipers."""

from napari.components import ViewerModel
from napari.layers import Image, Layer
from psygnal import Signal

from napari_fetal_iqa.geometry.caliper import CaliperKind
from napari_fetal_iqa.review.frame_view import FrameView, Source
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.widgets.viewer.caliper_tool import CaliperTool
from napari_fetal_iqa.widgets.viewer.caption import Caption
from napari_fetal_iqa.widgets.viewer.free_calipers import FREE_CALIPERS_NAME, FreeCaliperLayer
from napari_fetal_iqa.widgets.viewer.model_outline import MODEL_OUTLINE_NAME, ModelOutline

_TOOLS = {
    CaliperKind.DISTANCE: "measure_distance",
    CaliperKind.ELLIPSE: "measure_ellipse",
}


class MarksBeside:
    """Draws them for the frame on the screen, once it stays.

    ``before_changed`` tells whether the frame is shown as it was before the expert corrected it.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : Image
        The sweep's layer.
    session : ReviewSession
    caption : Caption
    """

    before_changed = Signal(bool)

    def __init__(
        self, viewer: ViewerModel, image: Image, session: ReviewSession, caption: Caption
    ) -> None:
        self._session = session
        self.outline = ModelOutline(viewer, image)
        self.free = FreeCaliperLayer(viewer, image, caption)
        self.caliper_tool = CaliperTool(viewer, image, self.free)
        self.caliper_tool.spacing_mm = session.sweep.spacing_mm
        self._before = False

    @property
    def layers(self) -> tuple[Layer, Layer]:
        """Its layers, from the lowest to the highest."""
        return self.outline.layer, self.free.layer

    def name_layers(self) -> None:
        """Give the layers their names, which others had when they came."""
        self.outline.layer.name, self.free.layer.name = MODEL_OUTLINE_NAME, FREE_CALIPERS_NAME

    @property
    def tool(self) -> str:
        """The tool that the mouse has by this; empty for none."""
        return _TOOLS[self.caliper_tool.kind] if self.caliper_tool.kind else ""

    @property
    def before(self) -> bool:
        """Whether the model's outline is shown in place of the expert's."""
        return self._before

    @before.setter
    def before(self, before: bool) -> None:
        if before != self._before:
            self._before = before
            self.before_changed.emit(before)

    def show(self, frame: int) -> None:
        """Draw what lies on a frame."""
        corrected = self._session.mask_source(frame) is Source.EXPERT
        mask = self._session.models_mask(frame) if corrected or self._before else None
        self.outline.show(mask, alone=self._before)
        self.caliper_tool.follow(self._session.free.on(frame))

    def view(self, frame: int) -> FrameView:
        """Return what there is to show of a frame: as it is now, or as it was before."""
        return self._session.models_view(frame) if self._before else self._session.view(frame)

    def frame_left(self) -> None:
        """Draw nothing while frames go by; the next is shown as it is now."""
        self.before = False
        self.outline.hide()
        self.caliper_tool.leave_frame()

    def set_pixel_size(self, screen_px: float) -> None:
        """Draw as wide and as large as before, where a pixel takes so much of the screen now."""
        self.outline.set_pixel_size(screen_px)
        self.free.set_pixel_size(screen_px)

    def set_hidden(self, hidden: bool) -> None:
        """Hide all of it, or show it again."""
        self.outline.set_hidden(hidden)
        self.free.set_hidden(hidden)

    def remove(self) -> None:
        """Take all of it off the viewer."""
        self.caliper_tool.stop()
        self.outline.remove()
        self.free.remove()
