"""On a screen too low for all docks beside and below each other, some become tabs."""

from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget

from napari_fetal_iqa.widgets.viewer.compat import main_window, napari_docks

LOW = 760
"""Pixels, as Qt counts them. napari's two docks, one above the other, the timeline below them, menu
and status bar need 750 (napari 0.9.2): without this the timeline would lie below the screen."""


def make_room(viewer: Viewer, panel: QDockWidget) -> None:
    """Where the screen is low, put napari's docks behind the panel, and the timeline beside it."""
    window = main_window(viewer)
    screen = window.screen()
    if screen is None or screen.availableGeometry().height() >= LOW:
        return
    for dock in napari_docks(viewer):
        window.tabifyDockWidget(panel, dock)
    panel.raise_()
    window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
    if not window.isMaximized():
        window.resize(window.size().boundedTo(screen.availableSize()))
