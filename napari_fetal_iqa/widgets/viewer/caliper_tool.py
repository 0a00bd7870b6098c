"""Free calipers by the mouse: drag a distance, or two diameters of an ellipse; drag their ends."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from numpy.typing import NDArray
from psygnal import Signal

from napari_fetal_iqa.corrections import PlacedCaliper
from napari_fetal_iqa.geometry.caliper import Caliper, CaliperKind, CaliperSize
from napari_fetal_iqa.geometry.ellipse import Ellipse, Handle
from napari_fetal_iqa.widgets.viewer.free_calipers import FreeCaliperLayer

_REACH_PX = 12
"""How near, on the canvas, the pointer must be to an end to take it."""
_MOST_SHOWN = 4
"""Values below the frame; the list in the panel has them all."""
_NEEDED = {CaliperKind.DISTANCE: 2, CaliperKind.ELLIPSE: 4}
CALIPER_HINTS = {
    CaliperKind.DISTANCE: "Click or drag\na distance",
    CaliperKind.ELLIPSE: "Click or drag\none diameter,\nthen the other",
}


def _in_one_line(sizes: Sequence[CaliperSize]) -> str:
    """Return the last of some values, each with its number."""
    first = max(0, len(sizes) - _MOST_SHOWN)
    values = [f"{place + 1}: {sizes[place].length:.1f}" for place in range(first, len(sizes))]
    return "   ".join(values) + (f" {sizes[-1].unit}" if sizes else "")


class CaliperTool:
    """Draws free calipers on the frame being looked at, and moves their ends.

    ``placed`` tells a caliper and the name of the one that it was moved from, empty for a new one.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : Image
        The sweep's layer.
    layer : FreeCaliperLayer
    """

    placed = Signal(object, str)

    def __init__(self, viewer: ViewerModel, image: Image, layer: FreeCaliperLayer) -> None:
        self._viewer = viewer
        self._image = image
        self._layer = layer
        self.spacing_mm: tuple[float, float] | None = None
        self.kind: CaliperKind | None = None
        self._there: tuple[PlacedCaliper, ...] = ()
        self._clicked: list[NDArray[np.float64]] = []
        self._dragging = False

    @property
    def in_hand(self) -> bool:
        """Whether the expert is at work on a caliper: nothing may be drawn in its place now."""
        return self._dragging or bool(self._clicked)

    def start(self, kind: CaliperKind) -> None:
        """Take the mouse."""
        if self.kind is None:
            self._viewer.scene.camera.mouse_pan = False
            self._viewer.mouse_drag_callbacks.append(self._pressed)
        self.kind, self._clicked = kind, []
        self._draw()

    def stop(self) -> None:
        """Return the mouse; what was begun is dropped."""
        if self.kind is not None:
            self.kind, self._clicked, self._dragging = None, [], False
            self._viewer.scene.camera.mouse_pan = True
            self._viewer.mouse_drag_callbacks.remove(self._pressed)
            self._draw()

    def follow(self, there: Sequence[PlacedCaliper]) -> None:
        """Draw the calipers of another frame, or other calipers, unless one is in the hand."""
        if not self.in_hand:
            self._there = tuple(there)
            self._draw()

    def leave_frame(self) -> None:
        """Drop what was begun on a frame that is gone, and draw nothing while frames go by."""
        self._there, self._clicked, self._dragging = (), [], False
        self._layer.hide()

    def _draw(self, changed: Caliper | None = None, mark: str = "") -> None:
        calipers = [changed if changed and one.mark == mark else one.caliper for one in self._there]
        if changed is not None and not mark:
            calipers.append(changed)
        text = _in_one_line([one.size(self.spacing_mm) for one in calipers])
        if self.kind is not None and not calipers:
            text = CALIPER_HINTS[self.kind]
        self._layer.show(calipers, [] if changed else self._clicked, text)

    def _pressed(self, viewer: ViewerModel, event: Any) -> Iterator[None]:
        """Follow one press of the mouse to its release."""
        if event.button != 1 or self.kind is None:
            return
        here = self._place(event)
        taken = None if self._clicked else self._end_near(here)
        self._dragging = True
        try:
            if taken is not None:
                yield from self._move(*taken, event)
            else:
                yield from self._draw_new(here, event)
        finally:
            self._dragging = False

    def _move(self, placed: PlacedCaliper, end: int, event: Any) -> Iterator[None]:
        moved = placed.caliper
        yield
        while event.type == "mouse_move" and self._dragging:
            moved = self._with_end(placed.caliper, end, self._place(event)) or moved
            self._draw(moved, placed.mark)
            yield
        if not self._dragging:
            return  # another frame came meanwhile
        self._dragging = False
        if moved != placed.caliper:
            self.placed.emit(moved, placed.mark)

    def _with_end(self, caliper: Caliper, end: int, to: NDArray[np.float64]) -> Caliper | None:
        """Return a caliper with one end elsewhere; None where nothing would be left of it."""
        spacing = self._image.scale[-2:]
        try:
            if caliper.kind is CaliperKind.ELLIPSE:
                moved = caliper.ellipse(spacing).moved(Handle(end), (to * spacing).tolist())
                return Caliper.of_ellipse(moved, spacing)
            points = list(caliper.points_px)
            points[end] = (float(to[0]), float(to[1]))
            return Caliper(tuple(points))
        except ValueError:
            return None

    def _draw_new(self, here: NDArray[np.float64], event: Any) -> Iterator[None]:
        self._clicked.append(here)
        self._draw(self._new(self._clicked))
        yield
        while event.type == "mouse_move" and self._dragging:
            self._draw(self._new([*self._clicked, self._place(event)]))
            yield
        if not self._dragging:
            return  # another frame came meanwhile
        there = self._place(event)
        if np.hypot(*((there - here) * self._image.scale[-2:])) > self._reach():
            self._clicked.append(there)
        if self.kind is None or len(self._clicked) < _NEEDED[self.kind]:
            self._draw()
            return
        new = self._new(self._clicked)
        self._clicked, self._dragging = self._clicked[:2] if new is None else [], False
        if new is None:  # diameters along each other: the second is drawn anew
            self._clicked = self._clicked if self.kind is CaliperKind.ELLIPSE else []
            self._draw()
        else:
            self.placed.emit(new, "")

    def _new(self, points_px: Sequence[NDArray[np.float64]]) -> Caliper | None:
        """Return what the points so far measure: a diameter of an ellipse is a distance, too."""
        spacing = self._image.scale[-2:]
        try:
            if len(points_px) == 4:
                ends = np.array(points_px) * spacing
                return Caliper.of_ellipse(Ellipse.from_diameters(ends[:2], ends[2:]), spacing)
            if len(points_px) in (2, 3):
                return Caliper(tuple((float(row), float(col)) for row, col in points_px[:2]))
        except ValueError:
            return None
        return None

    def _place(self, event: Any) -> NDArray[np.float64]:
        """Row and column in pixels, at most at the frame's edge."""
        there = np.asarray(event.position[-2:]) - self._image.translate[-2:]
        sides = np.array(self._image.data.shape[-2:])
        return np.clip(there / self._image.scale[-2:], -0.5, sides - 0.5)

    def _reach(self) -> float:
        return float(_REACH_PX / self._viewer.scene.camera.zoom)

    def _end_near(self, place: NDArray[np.float64]) -> tuple[PlacedCaliper, int] | None:
        ends = [
            (float(np.hypot(*((np.array(point) - place) * self._image.scale[-2:]))), nth, end)
            for nth, one in enumerate(self._there)
            for end, point in enumerate(one.caliper.points_px)
        ]
        nearest = min(ends, default=None)
        if nearest is None or nearest[0] > self._reach():
            return None
        return self._there[nearest[1]], nearest[2]
