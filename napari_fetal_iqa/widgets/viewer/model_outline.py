"""The model's outline below the expert's own: faint, or in its place, as before the correction."""

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_fetal_iqa import colours
from napari_fetal_iqa.widgets.viewer.mask_layer import remove_soon

MODEL_OUTLINE_NAME = "Model's outline"
_FAINT, _STRONG = 0.4, 0.9
_FAINT_PX, _STRONG_PX = 2, 3


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
        self.layer.contour = _FAINT_PX
        self.layer.editable = False
        self._hidden, self._shown = False, False

    def show(self, mask: NDArray[np.bool_] | None, *, alone: bool) -> None:
        """Outline a mask, (H, W), faintly below another or ``alone``; None takes it away."""
        self._shown = mask is not None
        if mask is not None:
            self.layer.data = np.ascontiguousarray(mask).view(np.uint8)
            # napari draws all anew for a value that is the same, too
            opacity, width = (_STRONG, _STRONG_PX) if alone else (_FAINT, _FAINT_PX)
            if self.layer.opacity != opacity:
                self.layer.opacity = opacity
                self.layer.contour = width
        self._update()

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
