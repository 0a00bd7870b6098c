"""Free calipers on the frame: solid lines with numbered ends, where the abdomen's are dotted."""

from collections.abc import Sequence

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Vectors
from numpy.typing import NDArray

from napari_fetal_iqa import colours
from napari_fetal_iqa.geometry.caliper import Caliper, CaliperKind
from napari_fetal_iqa.widgets.viewer.caption import Caption
from napari_fetal_iqa.widgets.viewer.mask_layer import remove_soon

FREE_CALIPERS_NAME = "Free calipers"
_OUTLINE_LINES = 72
_LINE_SCREEN_PX, _CROSS_SCREEN_PX, _DIGIT_SCREEN_PX = 2.0, 6.5, 16.0

_STROKES = ((0, 0, 0, 1), (0, 1, 1, 1), (1, 1, 2, 1), (2, 0, 2, 1), (1, 0, 2, 0), (0, 0, 1, 0))
_MIDDLE = (1, 0, 1, 1)
_SEGMENTS = (
    *("012345", "12", "01436", "01236", "1256"),
    *("02356", "023456", "012", "0123456", "012356"),
)
"""Strokes of each digit, as on a seven-segment display."""


class FreeCaliperLayer:
    """A flat vectors layer: distances, ellipses, crosses at their ends, and a number at each.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : Image
        The sweep's layer, whose place and scale the calipers share.
    caption : Caption
        Shows their values.
    """

    def __init__(self, viewer: ViewerModel, image: Image, caption: Caption) -> None:
        self._viewer = viewer
        self._caption = caption
        self._cross, self._digit = _CROSS_SCREEN_PX, _DIGIT_SCREEN_PX
        self._last: tuple[Sequence[Caliper], Sequence[NDArray[np.float64]]] = ((), ())
        self.layer: Vectors = viewer.add_vectors(
            np.zeros((1, 2, 2)),
            name=FREE_CALIPERS_NAME,
            scale=image.scale[-2:],
            translate=image.translate[-2:],
            units=image.units[-2:],
            axis_labels=image.axis_labels[-2:],
            edge_color=colours.FREE,
            edge_width=_LINE_SCREEN_PX,
            vector_style="line",
            opacity=0.95,
            visible=False,
        )
        self._hidden, self._lines, self._text = False, False, ""

    def show(
        self,
        calipers: Sequence[Caliper],
        clicked_px: Sequence[NDArray[np.float64]] = (),
        text: str = "",
    ) -> None:
        """Draw calipers, numbered from 1, and where ends of a new one were clicked."""
        self._last = calipers, clicked_px
        lines = [line for place, one in enumerate(calipers) for line in self._drawn(one, place + 1)]
        lines += [line for point in clicked_px for line in self._crossed(point)]
        if lines:
            starts, ends = np.swapaxes(np.asarray(lines, np.float64).reshape(-1, 2, 2), 0, 1)
            self.layer.data = np.stack([starts, ends - starts], 1)
        self._lines, self._text = bool(lines), text
        self._update()

    def set_pixel_size(self, screen_px: float) -> None:
        """Draw as large as before, where a pixel takes so much of the screen now."""
        self.layer.edge_width = _LINE_SCREEN_PX / screen_px
        self._cross, self._digit = _CROSS_SCREEN_PX / screen_px, _DIGIT_SCREEN_PX / screen_px
        if self._lines:
            self.show(*self._last, self._text)

    def hide(self) -> None:
        """Draw nothing."""
        self._lines, self._text = False, ""
        self._update()

    def set_hidden(self, hidden: bool) -> None:
        """Hide what is drawn, and what will be, or show it again."""
        self._hidden = hidden
        self._update()

    def _update(self) -> None:
        visible = self._lines and not self._hidden
        if self.layer.visible != visible:
            self.layer.visible = visible
        self._caption.add("" if self._hidden else self._text)

    def _drawn(self, caliper: Caliper, number: int) -> list[NDArray[np.float64]]:
        points = np.array(caliper.points_px)
        lines = [np.array(pair) for pair in zip(points[::2], points[1::2], strict=True)]
        if caliper.kind is CaliperKind.ELLIPSE:
            outline = caliper.ellipse((1.0, 1.0)).outline_mm(_OUTLINE_LINES)
            around = zip(outline, np.roll(outline, -1, axis=0), strict=True)
            lines = [np.array(pair) for pair in around]
        lines += [line for point in points for line in self._crossed(point)]
        rightmost = points[points[:, 1].argmax()]
        return lines + self._numbered(rightmost + (-self._digit, 2 * self._cross), number)

    def _crossed(self, point: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        ends = np.array([(-1, -1), (1, 1)]) * self._cross
        return [point + ends, point + ends * (1, -1)]

    def _numbered(self, place: NDArray[np.float64], number: int) -> list[NDArray[np.float64]]:
        strokes = np.array([*_STROKES, _MIDDLE], np.float64).reshape(-1, 2, 2) * self._digit / 2
        return [
            place + (0, nth * self._digit) + strokes[int(segment)]
            for nth, digit in enumerate(str(number))
            for segment in _SEGMENTS[int(digit)]
        ]

    def remove(self) -> None:
        """Take the calipers off the viewer, once napari is done with what it is doing."""
        remove_soon(self._viewer, self.layer)
