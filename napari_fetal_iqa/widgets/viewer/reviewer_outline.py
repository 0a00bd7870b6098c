"""The outline of another reviewer on the frame being looked at, for comparison."""

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_fetal_iqa import colours
from napari_fetal_iqa.widgets.viewer.mask_layer import remove_soon
from napari_fetal_iqa.widgets.viewer.pixel_size import whole_pixels

_OUTLINE_SCREEN_PX = 1.8


class ReviewerOutline:
    """A flat labels layer over the frames, there only while somebody is compared with.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : Image
        The sweep's layer, whose place and scale the outline shares.
    """

    def __init__(self, viewer: ViewerModel, image: Image) -> None:
        self._viewer = viewer
        self._image = image
        self.layer: Labels | None = None
        self._hidden = False
        self._outline_px = 1

    def set_hidden(self, hidden: bool) -> None:
        """Hide the outline, and others that come, or show it again."""
        self._hidden = hidden
        if self.layer is not None:
            self.layer.visible = not hidden

    def set_pixel_size(self, screen_px: float) -> None:
        """Draw outlines as wide as before, where a pixel takes so much of the screen now."""
        self._outline_px = whole_pixels(_OUTLINE_SCREEN_PX, screen_px)
        if self.layer is not None and self.layer.contour != self._outline_px:
            self.layer.contour = self._outline_px

    def show(self, mask: NDArray[np.bool_] | None, name: str = "") -> None:
        """Outline a mask, (H, W); None takes the outline away."""
        if mask is None:
            self.remove()
            return
        if self.layer is None:
            self.layer = self._add(mask, name)
        else:
            self.layer.data = mask.view(np.uint8)

    def _add(self, mask: NDArray[np.bool_], name: str) -> Labels:
        active = self._viewer.layers.selection.active
        layer = self._viewer.add_labels(
            mask.view(np.uint8),
            name=name,
            scale=self._image.scale[-2:],
            translate=self._image.translate[-2:],
            units=self._image.units[-2:],
            axis_labels=self._image.axis_labels[-2:],
            colormap=DirectLabelColormap(color_dict={None: "transparent", 1: colours.OTHER}),
            opacity=0.9,
            visible=not self._hidden,
        )
        layer.contour = self._outline_px
        layer.editable = False
        self._viewer.layers.selection.active = active
        return layer

    def remove(self) -> None:
        """Take the outline off the viewer."""
        if self.layer is not None:
            remove_soon(self._viewer, self.layer)
            self.layer = None
