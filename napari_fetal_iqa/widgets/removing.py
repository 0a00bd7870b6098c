"""Taking layers off the viewer while napari is at work on them."""

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QTimer


def remove_soon(viewer: ViewerModel, layer: Layer) -> None:
    """Remove a layer, if it is still there, once napari is done with what it is doing."""

    def remove() -> None:  # holds on to both: Qt forgets the methods of objects that are gone
        if layer in viewer.layers:
            viewer.layers.remove(layer)

    QTimer.singleShot(0, remove)
