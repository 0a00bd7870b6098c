"""The model's outline below the expert's own: faint, or in its place, as before the correction."""

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_fetal_iqa import colours
from napari_fetal_iqa.widgets.viewer.mask_layer import remove_soon
from napari_fetal_iqa.widgets.viewer.pixel_size import whole_pixels

MODEL_OUTLINE_NAME = "Model's outline"
_FAINT, _STRONG = 0.4, 0.9
_FAINT_SCREEN_PX, _STRONG_SCREEN_PX = 1.8, 2.5


class ModelOutline:
    """A flat labels layer over the frames; seen where the expert's outline took the model's place.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : Image
        The sweep's layer, whose place and scale the outline shares.
    """

    def __init__(self, viewer: ViewerModel, image: Image) -> None:
        self._viewer = viewer
        self.layer: Labels = viewer.add_labels(
            np.zeros(image.data.shape[-2:], np.uint8),
            name=MODEL_OUTLINE_NAME,
            scale=image.scale[-2:],
            translate=image.translate[-2:],
            units=image.units[-2:],
            axis_labels=image.axis_labels[-2:],
            colormap=DirectLabelColormap(color_dict={None: "transparent", 1: colours.MODEL}),
            opacity=_FAINT,
            visible=False,
        )
        self.layer.contour = 1
        self._alone, self._screen_px = False, 1.0
        self.layer.editable = False
        self._hidden, self._shown = False, False

    def show(self, mask: NDArray[np.bool_] | None, *, alone: bool) -> None:
        """Outline a mask, (H, W), faintly below another or ``alone``; None takes it away."""
        self._shown = mask is not None
        if mask is not None:
            self.layer.data = np.ascontiguousarray(mask).view(np.uint8)
            # napari draws all anew for a value that is the same, too
            opacity = _STRONG if alone else _FAINT
            if self.layer.opacity != opacity:
                self.layer.opacity = opacity
            self._alone = alone
            self.set_pixel_size(self._screen_px)
        self._update()

    def set_pixel_size(self, screen_px: float) -> None:
        """Draw as wide as before, where a pixel takes so much of the screen now."""
        self._screen_px = screen_px
        wanted = _STRONG_SCREEN_PX if self._alone else _FAINT_SCREEN_PX
        width = whole_pixels(wanted, screen_px)
        if self.layer.contour != width:
            self.layer.contour = width

    def hide(self) -> None:
        """Show nothing, while frames go by."""
        self.show(None, alone=False)

    def set_hidden(self, hidden: bool) -> None:
        """Hide the outline, and what comes, or show it again."""
        self._hidden = hidden
        self._update()

    def _update(self) -> None:
        visible = self._shown and not self._hidden
        if self.layer.visible != visible:
            self.layer.visible = visible

    def remove(self) -> None:
        """Take the outline off the viewer."""
        remove_soon(self._viewer, self.layer)
