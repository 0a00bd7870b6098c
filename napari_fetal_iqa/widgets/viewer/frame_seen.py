"""Whether the frame of a sweep is seen on the screen, and how to get it back where it is not."""

from collections.abc import Collection

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Points, Shapes, Surface
from numpy.typing import NDArray

from napari_fetal_iqa.widgets.viewer.frame_fit import fit_to

_SEEN = 0.2
"""Opacity from which on a sweep is seen."""
_OPAQUE = 0.75
"""Opacity from which on a layer hides what lies below it; napari's labels and shapes have 0.7."""
_SEE_THROUGH = ("additive", "minimum", "multiplicative")
"""napari's blendings that let the layers below be seen."""
_MOST_COVERED = 0.5
_SIDE = 9
"""Points asked along each side of the frame."""
_LEAST_PX = 16
"""Of the frame on the screen, along its longer side."""


def unseen_because(viewer: ViewerModel, image: Image, ours: Collection[Layer]) -> str:
    """Return why no single frame of a sweep is seen as it is; empty where it is seen.

    What is partly transparent, or covers less than half, is no hindrance.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    image : Image
        The sweep's layer, which is in the viewer.
    ours : collection of Layer
        Layers that belong to the review, which hide nothing.
    """
    dims, layers = viewer.dims, viewer.layers
    if dims.ndisplay != 2:
        return "the 3D view shows no single frame"
    if tuple(dims.order) != tuple(sorted(dims.order)):
        return "the axes of the view are exchanged"
    if viewer.canvas.grid.enabled:
        return "the layers lie beside each other, as a grid"
    if _frames_in_slice(viewer, image) > 1:
        return "the view shows several frames as one, by the thickness of its slices"
    if not image.visible or image.opacity < _SEEN:
        return "the sweep is hidden"
    place = layers.index(image)
    if any(layers.index(layer) < place for layer in ours if layer in layers):
        return "the sweep lies over its outlines"
    part = _part_on_canvas(viewer, image)
    if part is None:
        return "the frame lies beside what the window shows"
    # a slice of napari's own list would be another such list, which is never let go (napari 0.9.2)
    higher = list(layers)[place + 1 :]
    above = [layer for layer in higher if layer not in ours and _may_cover(viewer, layer)]
    if above and _covered(viewer, above, part) > _MOST_COVERED:
        only_images = all(isinstance(layer, Image) for layer in above)
        return f"another {'image' if only_images else 'layer'} lies over the sweep"
    return ""


def hide_other_images(viewer: ViewerModel, image: Image) -> None:
    """Leave no other picture below or above a sweep."""
    for other in viewer.layers:
        if isinstance(other, Image) and other is not image:
            other.visible = False


def show_alone(viewer: ViewerModel, image: Image, ours: Collection[Layer]) -> None:
    """Show a sweep above all other layers, frame by frame, where it lies."""
    dims = viewer.dims
    dims.ndisplay = 2
    dims.order = tuple(sorted(dims.order))
    dims.margin_left = dims.margin_right = (0.0,) * dims.ndim
    viewer.canvas.grid.enabled = False
    image.visible, image.opacity = True, 1.0
    for layer in ours:
        viewer.layers.move(viewer.layers.index(layer), len(viewer.layers))
    if _part_on_canvas(viewer, image) is None:
        fit_to(viewer, image)


def _frames_in_slice(viewer: ViewerModel, image: Image) -> int:
    if str(image.projection_mode) == "none":
        return 1
    axis, step = viewer.dims.ndim - image.ndim, float(abs(image.scale[0]))
    before, after = viewer.dims.margin_left[axis], viewer.dims.margin_right[axis]
    return 1 + round(before / step) + round(after / step)


def _part_on_canvas(viewer: ViewerModel, image: Image) -> NDArray[np.float64] | None:
    """Return the rectangle of the frame that the window shows, in the world, (2, 2); or None."""
    camera = viewer.scene.camera
    low, high = image.extent.world[:, -2:]
    middle = np.array(camera.center[-2:])
    half = np.array(viewer.canvas.size) / camera.zoom / 2
    low, high = np.maximum(low, middle - half), np.minimum(high, middle + half)
    sides = high - low
    if sides.min() <= 0 or sides.max() * camera.zoom < _LEAST_PX:
        return None
    return np.array([low, high])


def _may_cover(viewer: ViewerModel, layer: Layer) -> bool:
    """Return whether a layer can hide anything here, asked without its pixels."""
    seen_through = str(layer.blending) in _SEE_THROUGH or (
        layer.opacity < _OPAQUE and str(layer.blending) != "opaque"
    )
    if not layer.visible or seen_through:
        return False
    if not isinstance(layer, Image | Labels | Shapes | Points | Surface):
        return False
    others = viewer.dims.point[viewer.dims.ndim - layer.ndim : -2]
    low, high = layer.extent.world[:, : layer.ndim - 2]
    reach = np.abs(np.asarray(layer.scale)[: layer.ndim - 2]) / 2
    return bool(np.all((low - reach <= others) & (others <= high + reach)))


def _covered(viewer: ViewerModel, above: Collection[Layer], part: NDArray[np.float64]) -> float:
    """Return how much of a rectangle these layers hide together, 0 to 1."""
    place = (np.arange(_SIDE) + 0.5) / _SIDE
    rows, columns = (part[0][axis] + place * (part[1] - part[0])[axis] for axis in (0, 1))
    before = viewer.dims.point[:-2]
    hidden = [
        any(_hides(layer, (*before, row, column)) for layer in above)
        for row in rows
        for column in columns
    ]
    return float(np.mean(hidden))


def _hides(layer: Layer, position: tuple[float, ...]) -> bool:
    """Return whether a layer is opaque at a place in the world."""
    if isinstance(layer, Surface):  # which knows no values where it is seen as a plane
        low, high = layer.extent.world[:, -2:]
        return bool(np.all((low <= position[-2:]) & (position[-2:] <= high)))
    value = layer.get_value(position, world=True)
    if isinstance(layer, Labels):
        return bool(value)
    if isinstance(layer, Shapes):
        shape = value[0] if value else None
        return shape is not None and layer.face_color[shape][3] >= _OPAQUE
    if isinstance(layer, Points):
        return value is not None and layer.face_color[value][3] >= _OPAQUE
    if value is None:
        return False
    pixel = np.ravel(value)
    if len(pixel) == 4:  # with its own opacity
        largest = 1.0 if pixel.dtype.kind == "f" else np.iinfo(pixel.dtype).max
        return bool(pixel[3] >= _OPAQUE * largest)
    return not bool(np.isnan(pixel).any())
