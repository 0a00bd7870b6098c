"""The ellipse as on a scanner: two diameters are clicked or dragged, then their ends moved."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from numpy.typing import NDArray
from psygnal import Signal

from napari_fetal_iqa.geometry.ellipse import Ellipse, Handle
from napari_fetal_iqa.widgets.viewer.calipers import Calipers

_REACH_PX = 14
"""How near, on the canvas, the pointer must be to a handle to take it."""
HINT = "Click or drag\none diameter,\nthen the other"


class EllipseTool:
    """Draws an ellipse on the frame being looked at; its handles are the crosses of the calipers.

    ``drawn`` tells the ellipse whenever the expert lets go of it.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : Image
        The sweep's layer.
    calipers : Calipers
    """

    drawn = Signal(object)  # Ellipse

    def __init__(self, viewer: ViewerModel, image: Image, calipers: Calipers) -> None:
        self._viewer = viewer
        self._image = image
        self._calipers = calipers
        self._ellipse: Ellipse | None = None
        self._clicked: list[NDArray[np.float64]] = []
        self._dragging = False
        self.active = False

    @property
    def in_hand(self) -> bool:
        """Whether the expert is at work on the ellipse: nothing may be drawn in its place now."""
        return self.active and (self._dragging or bool(self._clicked))

    def start(self, ellipse: Ellipse | None) -> None:
        """Take the mouse; go on from the ellipse of the frame's outline where there is one."""
        if not self.active:
            self.active = True
            self._viewer.scene.camera.mouse_pan = False
            self._viewer.mouse_drag_callbacks.append(self._pressed)
        self.follow(ellipse)

    def stop(self) -> None:
        """Return the mouse back."""
        if self.active:
            self.active = False
            self._viewer.scene.camera.mouse_pan = True
            self._viewer.mouse_drag_callbacks.remove(self._pressed)
            self._clicked = []
            if self._ellipse is None:
                self._calipers.hide()  # what to click next, and what was

    def follow(self, ellipse: Ellipse | None) -> None:
        """Another frame, or another outline, is on the screen."""
        self._ellipse, self._clicked, self._dragging = ellipse, [], False
        self._draw()

    def _draw(self) -> None:
        spacing = self._image.scale[-2:]
        if self._ellipse is not None:
            self._calipers.show_ellipse(self._ellipse, spacing)
        else:
            self._calipers.show_clicks([point / spacing for point in self._clicked], HINT)

    def _pressed(self, viewer: ViewerModel, event: Any) -> Iterator[None]:
        """Follow one press of the mouse to its release."""
        if event.button != 1:
            return
        here = self._place(event)
        if self._ellipse is not None:
            handle = self._handle_near(here)
            if handle is None:
                return
            before, self._dragging = self._ellipse, True
            yield
            while event.type == "mouse_move" and self._dragging:
                self._ellipse = self._ellipse.moved(handle, self._place(event).tolist())
                self._draw()
                yield
            if not self._dragging:
                return  # another frame came meanwhile
            self._dragging = False
            if self._ellipse != before:
                self.drawn.emit(self._ellipse)
            return
        begun = self._clicked
        self._click(here)
        yield
        while event.type == "mouse_move":
            yield
        if self._clicked is not begun:
            return  # another frame came meanwhile, or the ellipse is there
        if np.hypot(*(self._place(event) - here)) > self._reach():
            self._click(self._place(event))

    def _click(self, place: NDArray[np.float64]) -> None:
        if self._ellipse is not None:
            return
        self._clicked.append(place)
        if len(self._clicked) == 4:
            try:
                self._ellipse = Ellipse.from_diameters(self._clicked[:2], self._clicked[2:])
            except ValueError:  # along each other: the second diameter is drawn anew
                self._clicked = self._clicked[:2]
        self._draw()
        if self._ellipse is not None:
            self._clicked = []
            self.drawn.emit(self._ellipse)

    def _place(self, event: Any) -> NDArray[np.float64]:
        """Row and column in mm, as :class:`Ellipse` has them."""
        return np.asarray(event.position[-2:]) - self._image.translate[-2:]

    def _reach(self) -> float:
        return float(_REACH_PX / self._viewer.scene.camera.zoom)

    def _handle_near(self, place: NDArray[np.float64]) -> Handle | None:
        assert self._ellipse is not None
        distances = np.hypot(*(self._ellipse.handles_mm - place).T)
        nearest = int(distances.argmin())
        return Handle(nearest) if distances[nearest] <= self._reach() else None
