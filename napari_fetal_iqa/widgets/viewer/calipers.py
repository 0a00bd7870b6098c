"""The measured ellipse and its diameters on the frame, as a scanner draws calipers."""

from collections.abc import Sequence

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Points
from numpy.typing import NDArray

from napari_fetal_iqa.geometry.biometry import AbdomenMeasurement
from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.widgets.viewer.caption import Caption
from napari_fetal_iqa.widgets.viewer.mask_layer import remove_soon

_OUTLINE_DOTS = 60
_DIAMETER_DOTS = 15
_ENDS = 4
_N_POINTS = _OUTLINE_DOTS + 2 * _DIAMETER_DOTS + _ENDS
_COLOUR = "white"
CALIPERS_NAME = "Calipers"
_DOT_SCREEN_PX, _CROSS_SCREEN_PX = 3.0, 13.0
_SCREEN_PX = np.array([_DOT_SCREEN_PX] * (_N_POINTS - _ENDS) + [_CROSS_SCREEN_PX] * _ENDS)
_SHARE = _SCREEN_PX / 450
"""At most so much of the frame's width."""


class Calipers:
    """A dotted ellipse, its two dotted diameters with crosses at their ends, and the AC in mm.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : Image
        The sweep's layer, whose place and scale the calipers share.
    caption : Caption
        Shows the AC and the diameters.
    """

    def __init__(self, viewer: ViewerModel, image: Image, caption: Caption) -> None:
        self._viewer = viewer
        self._columns = image.data.shape[-1]
        n_dots = _N_POINTS - _ENDS
        self.layer: Points = viewer.add_points(
            np.zeros((_N_POINTS, 2)),
            name=CALIPERS_NAME,
            scale=image.scale[-2:],
            translate=image.translate[-2:],
            units=image.units[-2:],
            axis_labels=image.axis_labels[-2:],
            size=_SCREEN_PX,
            symbol=["disc"] * n_dots + ["cross"] * _ENDS,
            face_color=_COLOUR,
            border_width=0,
            opacity=0.85,
            visible=False,
        )
        self.layer.editable = False
        self._unit = "mm" if "milli" in str(image.units[-1]) else "px"
        self._caption = caption
        self._hidden, self._shown = False, ("", False)
        caption.begin()

    def set_pixel_size(self, screen_px: float) -> None:
        """Draw as large as before, where a pixel takes so much of the screen now.

        On a small picture less, so that the outline is seen below.
        """
        self.layer.size = np.minimum(_SCREEN_PX / screen_px, _SHARE * self._columns)

    def show(self, measurement: AbdomenMeasurement | None) -> None:
        """Draw a measurement, or nothing."""
        if measurement is None:
            self.hide()
            return
        self.show_ellipse(measurement.ellipse, np.asarray(measurement.spacing_mm))

    def hide(self) -> None:
        """Draw nothing."""
        self._show("", crosses=False)

    def show_ellipse(self, ellipse: Ellipse, spacing_mm: NDArray[np.float64]) -> None:
        """Draw an ellipse, measured or being changed."""
        ends = ellipse.handles_mm[:_ENDS].reshape(2, 2, 2) / spacing_mm
        first, second = ellipse.semi_axes_mm
        lengths = 2 * max(first, second), 2 * min(first, second)
        outline = ellipse.outline_mm(_OUTLINE_DOTS) / spacing_mm
        self._draw(outline, ends, ellipse.circumference_mm, lengths)

    def show_clicks(self, clicked_px: Sequence[NDArray[np.float64]], hint: str) -> None:
        """Mark where the ends of diameters were clicked, and show what comes next."""
        if clicked_px:
            shown = [*clicked_px, *[clicked_px[-1]] * _ENDS][:_ENDS]
            self.layer.data = np.array([clicked_px[0]] * (_N_POINTS - _ENDS) + shown)
        self._show(hint, crosses=bool(clicked_px))

    def _draw(
        self,
        outline_px: NDArray[np.float64],
        ends_px: NDArray[np.float64],
        circumference: float,
        lengths: tuple[float, float],
    ) -> None:
        along = np.linspace(0, 1, _DIAMETER_DOTS + 2)[1:-1, None]
        diameters = [start + along * (stop - start) for start, stop in ends_px]
        self.layer.data = np.concatenate([outline_px, *diameters, ends_px.reshape(_ENDS, 2)])
        longer, shorter = lengths
        unit = self._unit
        text = f"AC {circumference:.1f} {unit}\n{longer:.1f} × {shorter:.1f} {unit}"
        self._show(text, crosses=True)

    def _show(self, text: str, crosses: bool) -> None:
        self._shown = text, crosses
        self._caption.show("" if self._hidden else text)
        # napari draws all anew for a value that is the same, too
        if self.layer.visible != (crosses and not self._hidden):
            self.layer.visible = crosses and not self._hidden

    def set_hidden(self, hidden: bool) -> None:
        """Hide what is drawn, and what will be, or show it again."""
        self._hidden = hidden
        self._show(*self._shown)

    def remove(self) -> None:
        """Take the calipers off the viewer, once napari is done with what it is doing."""
        self._caption.end()
        remove_soon(self._viewer, self.layer)
