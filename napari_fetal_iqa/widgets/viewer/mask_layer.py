"""The masks over the frames: one labels layer, the model's outline blue, the expert's orange."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import skimage
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication

from napari_fetal_iqa import colours
from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.review.session import Source
from napari_fetal_iqa.widgets.viewer.compat import (
    begun_polygon,
    close_polygon,
    drop_polygon,
    keep_short_polygons,
    see_through_polygon,
    watch_polygon,
)
from napari_fetal_iqa.widgets.viewer.pixel_size import whole_pixels

MASK_NAME = "Abdomen"
MODEL_VALUE = 1
EXPERT_VALUE = 2
_OUTLINE_SCREEN_PX = 2.5
_OUTLINE_OPACITY, _FILLED_OPACITY = 0.9, 0.35
_VALUES = {Source.MODEL: MODEL_VALUE, Source.EXPERT: EXPERT_VALUE}


class MaskOverlay:
    """The labels layer over a sweep's image layer.

    A stroke begins from whatever outline is shown and makes the whole mask of that frame the
    expert's. ``stroke`` tells the frame and its new mask, (H, W) bool; ``pressed`` and
    ``released`` tell when a stroke begins and ends; ``polygon_changed`` whether a polygon is begun,
    ``refused`` in one line why one was not taken.
    """

    stroke = Signal(int, object)
    pressed = Signal()
    released = Signal()
    polygon_changed = Signal(bool)
    refused = Signal(str)

    def __init__(self, viewer: ViewerModel, image: Image, shape: tuple[int, int, int]) -> None:
        self._viewer = viewer
        self._dragging = False
        self._unreported: set[int] = set()
        # Zeros are not in memory until a mask is painted on them.
        self._data = np.zeros(shape, np.uint8)
        self._painted: set[int] = set()
        self.layer: Labels = viewer.add_labels(
            self._data,
            name=MASK_NAME,
            scale=image.scale,
            translate=image.translate,
            units=image.units,
            axis_labels=image.axis_labels,
            colormap=DirectLabelColormap(
                color_dict={
                    None: colours.EXPERT,
                    0: "transparent",
                    MODEL_VALUE: colours.MODEL,
                    EXPERT_VALUE: colours.EXPERT,
                }
            ),
            opacity=_OUTLINE_OPACITY,
        )
        self._outline_px = 1
        self.layer.contour = self._outline_px
        self.layer.n_edit_dimensions = 2
        self.layer.selected_label = EXPERT_VALUE
        self.layer.brush_size = max(5, round(shape[2] / 40))
        self.layer.events.paint.connect(self._on_paint)
        self.layer.events.n_edit_dimensions.connect(self._edit_one_frame)
        self.layer.mouse_drag_callbacks.append(self._watch_drag)
        see_through_polygon(self.layer, _FILLED_OPACITY)
        self.layer.paint_polygon = self._take_polygon  # napari would add it to what is there
        keep_short_polygons(self.layer, self._say_too_short)
        self.polygon_begun = False
        self._leave_polygon = watch_polygon(self.layer, self._note_polygon)

    @property
    def is_ours(self) -> bool:
        """Whether the layer still shows what is painted here; a script may replace it."""
        return self.layer.data is self._data

    def take_back(self) -> None:
        """Show our outlines where somebody replaced them."""
        if not self.is_ours:
            self.layer.data = self._data

    def _edit_one_frame(self, event: object = None) -> None:
        """Let no stroke go to the frames beside the one on the screen."""
        if self.layer.n_edit_dimensions != 2:
            self.layer.n_edit_dimensions = 2

    def show(self, frame: int, mask: NDArray[np.bool_], source: Source) -> None:
        """Put a mask on a frame; call :meth:`refresh` when all are put."""
        np.multiply(mask, _VALUES[source], out=self._data[frame], casting="unsafe")
        self._painted.add(frame)

    def clear(self, frame: int) -> None:
        """Take the mask off a frame; call :meth:`refresh` when all are off."""
        if frame in self._painted:
            self._data[frame] = 0
            self._painted.remove(frame)

    def refresh(self) -> None:
        """Draw the shown frame anew."""
        self.layer.refresh(thumbnail=False, extent=False)

    def toggle_fill(self) -> None:
        """Show the masks filled, and see-through; or their outlines again."""
        filled = self.layer.contour > 0
        self.layer.contour = 0 if filled else self._outline_px
        self.layer.opacity = _FILLED_OPACITY if filled else _OUTLINE_OPACITY

    def set_pixel_size(self, screen_px: float) -> None:
        """Draw outlines as wide as before, where a pixel takes so much of the screen now."""
        self._outline_px = whole_pixels(_OUTLINE_SCREEN_PX, screen_px)
        if self.layer.contour not in (0, self._outline_px):
            self.layer.contour = self._outline_px

    def scale_brush(self, factor: float) -> None:
        """Make the brush larger or smaller, by one pixel at least."""
        size = self.layer.brush_size
        scaled = round(size * factor)
        self.layer.brush_size = min(
            200, max(1, scaled + (scaled == size) * (1 if factor > 1 else -1))
        )

    def close_polygon(self) -> bool:
        """Close the polygon that is being drawn; return whether one was.

        One of fewer than three corners goes on being drawn, and that is said.
        """
        return close_polygon(self.layer)

    def _say_too_short(self, corners: int) -> None:
        self.refused.emit(
            f"A polygon needs three corners, this one has {counted(corners, 'corner')}: click on; "
            "nothing was changed"
        )

    def _note_polygon(self, begun: bool) -> None:
        if begun != self.polygon_begun:
            self.polygon_begun = begun
            self.polygon_changed.emit(begun)

    def leave_frame(self, for_frame: int | None) -> bool:
        """Drop the polygon that is being drawn unless on this frame; return whether one was."""
        begun = begun_polygon(self.layer)
        if begun is None or begun == for_frame:
            return False
        drop_polygon(self.layer)
        return True

    def _watch_drag(self, layer: Labels, event: Any) -> Iterator[None]:
        """Note from when to when a stroke is under way."""
        self._dragging = layer.mode not in ("pan_zoom", "transform")
        if self._dragging:
            self.pressed.emit()
        yield
        while event.type == "mouse_move":
            yield
        self._dragging = False
        QTimer.singleShot(0, self.report_strokes)

    @property
    def being_painted(self) -> bool:
        """Whether the expert is at work on what is shown: nothing may be put over it now."""
        return self._dragging or bool(self._unreported)

    def _take_polygon(self, points: Sequence[Sequence[float]], label: int) -> None:
        """Take a closed polygon for the outline; Shift adds it to what is there, Alt removes it."""
        corners = np.asarray(points, float)
        frame = round(corners[0, 0])
        there = self._data[frame] > 0
        polygon = skimage.draw.polygon2mask(there.shape, corners[:, 1:])
        if not polygon.any():
            self.refused.emit("The polygon encloses no pixel of the frame: nothing was changed")
            return
        held = QApplication.keyboardModifiers()
        if held & Qt.KeyboardModifier.ShiftModifier:
            polygon = there | polygon
        elif held & Qt.KeyboardModifier.AltModifier:
            polygon = there & ~polygon
        self.stroke.emit(frame, polygon)

    def _on_paint(self, event: Any) -> None:
        # napari says so before a fill or a polygon is in the data
        self._unreported.update(frame for atom in event.value for frame in _frames_of(atom))
        QTimer.singleShot(0, self.report_strokes)

    def report_strokes(self) -> None:
        """Report the strokes that are done; this happens by itself once napari is done."""
        unreported, self._unreported = sorted(self._unreported), set()
        for frame in unreported:
            self._painted.add(frame)
            self.stroke.emit(frame, self._data[frame] > 0)
        if not self._dragging:
            self.released.emit()

    def remove(self) -> None:
        """Take the layer off the viewer, once napari is done with what it is doing."""
        self._leave_polygon()
        self.layer.events.paint.disconnect(self._on_paint)
        self.layer.events.n_edit_dimensions.disconnect(self._edit_one_frame)
        remove_soon(self._viewer, self.layer)


def _frames_of(atom: tuple[Any, ...]) -> list[int]:
    """Return which frames one step of napari's paint history changed."""
    frames = atom[0][0]
    if isinstance(frames, slice):
        return list(range(frames.start, frames.stop))
    return np.unique(frames).tolist()


def remove_soon(viewer: ViewerModel, layer: Layer) -> None:
    """Remove a layer, if it is still there, once napari is done with what it is doing."""

    def remove() -> None:  # holds on to both: Qt forgets the methods of objects that are gone
        if layer in viewer.layers:
            viewer.layers.remove(layer)

    QTimer.singleShot(0, remove)
