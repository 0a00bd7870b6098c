"""One sweep on the desk: its review, its overlay, and the way along its frames."""

import time
from collections.abc import Collection
from contextlib import suppress

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.geometry.caliper import CaliperKind
from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.review.frame_view import FrameView, Source
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.widgets.viewer.calipers import CALIPERS_NAME, Calipers
from napari_fetal_iqa.widgets.viewer.caption import Caption
from napari_fetal_iqa.widgets.viewer.ellipse_tool import EllipseTool
from napari_fetal_iqa.widgets.viewer.first_paint import FirstPaint
from napari_fetal_iqa.widgets.viewer.foreign_changes import ForeignChanges
from napari_fetal_iqa.widgets.viewer.frame_range import FrameRange
from napari_fetal_iqa.widgets.viewer.frame_seen import (
    hide_other_images,
    show_alone,
    unseen_because,
)
from napari_fetal_iqa.widgets.viewer.marks_beside import MarksBeside
from napari_fetal_iqa.widgets.viewer.mask_layer import MASK_NAME, MaskOverlay
from napari_fetal_iqa.widgets.viewer.navigator import Navigator
from napari_fetal_iqa.widgets.viewer.pixel_size import PixelSize
from napari_fetal_iqa.widgets.viewer.reviewer_outline import ReviewerOutline

_SLICE_SECONDS = 0.01
NO_TOOL = "pan_zoom"
_LEFT_ALONE_MS = 500


class SweepView:
    """Ties a review session to the layers of a viewer, until :meth:`leave`.

    ``tool_changed`` tells which tool the mouse has now, see :attr:`tool`; ``marks_hidden_for_good``
    whether all that lies on the frame is hidden until somebody shows it again.
    """

    tool_changed = Signal(str)
    marks_hidden_for_good = Signal(bool)

    def __init__(
        self,
        viewer: ViewerModel,
        layer: Image,
        session: ReviewSession,
        caption: Caption,
        first_paint: FirstPaint,
    ) -> None:
        self.viewer = viewer
        self.first_paint = first_paint
        self.session = session
        self.image = self._layer = layer
        self.navigator = Navigator(viewer.dims, layer, session.sweep)
        self.beside = MarksBeside(viewer, layer, session, caption)
        self.overlay = MaskOverlay(viewer, layer, session.sweep.shape)
        self.overlay.released.connect(self._paint_held)
        self.calipers = Calipers(viewer, layer, caption)
        self.ellipse = EllipseTool(viewer, layer, self.calipers)
        self.reviewer_outline = ReviewerOutline(viewer, layer)
        self.pixel_size = PixelSize(viewer, layer)
        self.pixel_size.changed.connect(self._follow_pixel_size)
        self._follow_pixel_size(self.pixel_size.value)
        self.selection = FrameRange()
        self._hidden = False
        self._hidden_mode = NO_TOOL
        viewer.mouse_drag_callbacks.insert(0, self._show_what_is_drawn_on)
        self._measured_frame = -1
        self.missing_at_press = ""
        self.overlay.pressed.connect(self._press)
        self.beside.before_changed.connect(self._show_overlay)
        self._held: set[int] = set()
        self._waiting: dict[int, None] = {}
        self._when_idle = QTimer()  # without an interval it fires whenever there is time
        self._when_idle.timeout.connect(self._paint_some)
        self._when_left_alone = QTimer()
        self._when_left_alone.setSingleShot(True)
        self._when_left_alone.setInterval(_LEFT_ALONE_MS)
        self._when_left_alone.timeout.connect(self._remember)
        hide_other_images(viewer, layer)
        viewer.layers.selection.active = layer
        viewer.layers.selection.events.active.connect(self._report_tool)
        self.overlay.layer.events.mode.connect(self._report_tool)
        self._shown_tool = self.tool
        place = session.place
        self.navigator.go(self.navigator.frame if place is None else place)
        self._looked_at = self.navigator.frame
        self._came_at = self._looked_at if place is None else None
        viewer.dims.events.current_step.connect(self._look_at)
        self.changes = ForeignChanges(
            viewer, layer, self.overlay, session.sweep, lambda: self.navigator.frame
        )

    def _follow_pixel_size(self, screen_px: float) -> None:
        for drawn in (self.overlay, self.reviewer_outline, self.calipers, self.beside):
            drawn.set_pixel_size(screen_px)

    @property
    def layers(self) -> list[Layer]:
        """The layers that are ours, from the lowest to the highest."""
        drawn = (self.overlay.layer, self.reviewer_outline.layer, self.calipers.layer)
        drawn_last = (layer for layer in drawn if layer is not None)
        return [self._layer, *self.beside.layers, *drawn_last]

    def name_layers(self) -> None:
        """Give our layers their names, which others had when they came."""
        self.overlay.layer.name, self.calipers.layer.name = MASK_NAME, CALIPERS_NAME
        self.beside.name_layers()

    @property
    def needed_layers(self) -> tuple[Layer, ...]:
        """Layers without which there is no review: they come back where somebody deletes them."""
        return self.overlay.layer, self.calipers.layer, *self.beside.layers

    def unseen_because(self) -> str:
        """Why the frame that would be corrected is not seen; empty where it is seen."""
        if self._layer not in self.viewer.layers:
            return ""  # what was drawn before it went was seen
        if reason := self.changes.reason:
            return reason
        if not self.navigator.on_sweep:
            return "no frame of this sweep is on the screen"
        return unseen_because(self.viewer, self._layer, self.layers)

    def bring_to_front(self) -> None:
        """Show the sweep above all other layers, frame by frame."""
        show_alone(self.viewer, self._layer, self.layers)
        self.navigator.go(self.navigator.frame)

    def paint(self, frames: Collection[int]) -> None:
        """Put the masks that count on these frames, now."""
        for frame in frames:
            self._paint(frame)
        self.overlay.refresh()

    def paint_in_turns(self, frames: Collection[int]) -> None:
        """Put the masks that count on these frames while the window is idle, the shown first."""
        if self.navigator.frame in frames:
            self._waiting = {self.navigator.frame: None, **self._waiting}
        self._waiting.update(dict.fromkeys(frames))
        self._when_idle.start()

    def _paint_some(self) -> None:
        end = time.perf_counter() + _SLICE_SECONDS
        while self._waiting and time.perf_counter() < end:
            shown = self.navigator.frame
            frame = shown if shown in self._waiting else next(iter(self._waiting))
            del self._waiting[frame]
            self._paint(frame)
            if frame == self.navigator.frame:
                self.overlay.refresh()  # takes as long as many frames
                break
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

    def show(self, view: FrameView) -> None:
        """Draw the measurement of the frame on the screen, and let the ellipse tool follow."""
        self._when_left_alone.start()
        comparison = self.session.comparison
        if comparison is None:
            self.reviewer_outline.show(None)
        else:
            self.reviewer_outline.show(comparison.mask(view.frame), comparison.other)
        self.beside.show(view.frame)
        if self.ellipse.in_hand and view.frame == self._measured_frame:
            return  # what came in meanwhile is shown when the expert lets go
        self._measured_frame = view.frame
        self.calipers.show(view.measurement)
        if self.ellipse.active:
            self.ellipse.follow(self._ellipse(view))

    def _remember(self) -> None:
        """Keep the place; where that fails, the corrections' own error is reported."""
        if self.untouched and not self.session.begun:
            return  # next time it may begin at its best frame
        with suppress(StoreError):
            self.session.remember(self._looked_at)

    @property
    def untouched(self) -> bool:
        """Whether nobody has reviewed the sweep before, nor moved along its frames yet."""
        return self._came_at is not None

    def _look_at(self, event: object = None) -> None:
        """Note which frame of the sweep is looked at, while it is one."""
        dims = self.viewer.dims
        is_seen = dims.ndisplay == 2 and tuple(dims.order) == tuple(sorted(dims.order))
        if is_seen and self._layer in self.viewer.layers and not self.changes.reason:
            self._looked_at = self.navigator.frame
            if self._looked_at != self._came_at:
                self._came_at = None

    @staticmethod
    def _ellipse(view: FrameView) -> Ellipse | None:
        return view.measurement.ellipse if view.measurement else None

    @property
    def tool(self) -> str:
        """What the mouse does: ``"ellipse"``, or the mode of the overlay while it is active."""
        if self.ellipse.active:
            return "ellipse"
        if self.beside.tool:
            return self.beside.tool
        overlay = self.overlay.layer
        if self.viewer.layers.selection.active is not overlay:
            return NO_TOOL
        return str(overlay.mode) if overlay.visible else self._hidden_mode

    def _report_tool(self, event: object = None) -> None:
        if self.tool != self._shown_tool:
            self._shown_tool = self.tool
            self.tool_changed.emit(self.tool)

    def use_ellipse(self) -> None:
        """Take the ellipse tool."""
        self.use_tool(NO_TOOL)
        self.hide_marks(False)
        view = self.session.view(self.navigator.frame)
        self._measured_frame = view.frame
        self.ellipse.start(self._ellipse(view))
        self._report_tool()

    def use_caliper(self, kind: CaliperKind) -> None:
        """Take the tool for a free caliper."""
        self.use_tool(NO_TOOL)
        self.hide_marks(False)
        self.beside.caliper_tool.start(kind)
        self._report_tool()

    def mask_of(self, ellipse: Ellipse) -> NDArray[np.bool_]:
        """Fill an ellipse inside the field of view, (H, W)."""
        sweep = self.session.sweep
        filled = ellipse.mask(sweep.shape[1:], sweep.spacing_mm or (1.0, 1.0))
        return filled & sweep.field_of_view

    def _press(self) -> None:
        self.missing_at_press = self.first_paint.missing
        self._show_marks()

    def _show_marks(self) -> None:
        self.beside.before = False
        self.hide_marks(False)

    def _show_overlay(self, event: object = None) -> None:
        visible = not (self._hidden or self.beside.before)
        layer = self.overlay.layer
        if layer.visible == visible:
            return
        if not visible:
            self._hidden_mode = str(layer.mode)
        layer.visible = visible
        if visible:
            layer.mode = self._hidden_mode

    def _show_what_is_drawn_on(self, viewer: ViewerModel, event: object) -> None:
        """Show what is hidden before a click draws: napari lets nobody draw on a hidden layer."""
        if self.tool != NO_TOOL and (self._hidden or self.beside.before):
            self._show_marks()

    @property
    def marks_hidden(self) -> bool:
        """Whether all that lies on the frame is hidden: outlines, ellipse, crosses and words."""
        return self._hidden

    def hide_marks(self, hidden: bool, while_held: bool = False) -> None:
        """Hide all that lies on the frame, or show it again; or hide it while a key is held."""
        self._hidden = hidden
        self._show_overlay()
        self.beside.set_hidden(hidden)
        self.calipers.set_hidden(hidden)
        self.reviewer_outline.set_hidden(hidden)
        if not while_held:
            self.marks_hidden_for_good.emit(hidden)

    def use_tool(self, mode: str) -> None:
        """Take a tool of the overlay: ``"paint"``, ``"erase"``, ``"fill"``, ``"pan_zoom"``."""
        if self.overlay.layer not in self.viewer.layers:
            return  # somebody deleted it: it comes back at once
        if mode != NO_TOOL:
            self._show_marks()  # nobody draws on what is not seen
        self.ellipse.stop()
        self.beside.caliper_tool.stop()
        self.viewer.layers.selection.active = self.overlay.layer
        self.overlay.layer.mode = self._hidden_mode = mode
        self._report_tool()

    def leave_frame(self, for_frame: int | None) -> str:
        """Drop what was begun on a frame that is gone, and draw nothing while frames go by.

        Parameters
        ----------
        for_frame : int or None
            The frame that has come; None where the sweep itself is left.

        Returns
        -------
        str
            One line on what was dropped; empty where nothing was.
        """
        unfinished = {
            "polygon": self.overlay.leave_frame(for_frame),
            "ellipse": self.ellipse.in_hand and for_frame != self._measured_frame,
            "caliper": self.beside.caliper_tool.in_hand,
        }
        self.beside.frame_left()
        why = "the sweep" if for_frame is None else "the frame"
        dropped = (name for name, is_unfinished in unfinished.items() if is_unfinished)
        return next((f"The unfinished {name} was dropped: {why} changed" for name in dropped), "")

    def leave(self) -> None:
        """Take the overlay off the viewer."""
        self._when_idle.stop()
        self._when_left_alone.stop()
        self.viewer.mouse_drag_callbacks.remove(self._show_what_is_drawn_on)
        self.changes.end()
        self.viewer.dims.events.current_step.disconnect(self._look_at)
        self.pixel_size.leave()
        self.viewer.layers.selection.events.active.disconnect(self._report_tool)
        self.overlay.layer.events.mode.disconnect(self._report_tool)
        self._remember()
        self.ellipse.stop()
        self.beside.remove()
        self.reviewer_outline.remove()
        self.calipers.remove()
        self.overlay.remove()
