"""Where the docks stand; on a screen too low for all of them, some become tabs."""

from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget

from napari_fetal_iqa.widgets.viewer.compat import main_window, napari_docks

LOW = 760
"""Pixels, as Qt counts them. napari's two docks, one above the other, the timeline below them, menu
and status bar need 750 (napari 0.9.2): without this the timeline would lie below the screen."""


def make_room(viewer: Viewer, panel: QDockWidget) -> None:
    """Give the panel the whole height; where the screen is low, put napari's docks behind it.

    What lies below the frame lies beside the panel, which has much to show, and not below it.
    """
    window = main_window(viewer)
    window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
    screen = window.screen()
    if screen is None or screen.availableGeometry().height() >= LOW:
        return
    for dock in napari_docks(viewer):
        window.tabifyDockWidget(panel, dock)
    panel.raise_()
    if not window.isMaximized():
        window.resize(window.size().boundedTo(screen.availableSize()))
