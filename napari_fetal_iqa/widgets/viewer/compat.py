"""Every reach into what napari keeps private, each with the version that it was tried on.

A test of each drives a real viewer (``tests/gui/test_compat.py``); what breaks with a newer napari
breaks here alone.
"""

from collections.abc import Callable
from typing import Any
from weakref import WeakMethod, ref

from napari.layers import Labels
from napari.viewer import Viewer
from qtpy.QtWidgets import QDockWidget, QMainWindow

_FEWEST_CORNERS = 3


def unwrapped(viewer: Viewer) -> Viewer:
    """Return the viewer itself where napari gave a plugin its proxy.

    The proxy wraps what it returns, too, so that its layers are equal to none of the real ones
    (napari 0.9.2, ``PublicOnlyProxy``).
    """
    return getattr(viewer, "__wrapped__", viewer)


def main_window(viewer: Viewer) -> QMainWindow:
    """Return the Qt window of a viewer, which napari has no public way to (napari 0.9.2)."""
    window: QMainWindow = viewer.window._qt_window
    return window


def napari_docks(viewer: Viewer) -> tuple[QDockWidget, QDockWidget]:
    """Return the docks of the layer list and of the layer controls (napari 0.9.2)."""
    return docks_in(main_window(viewer))


def docks_in(window: QMainWindow) -> tuple[QDockWidget, QDockWidget]:
    """Return the docks of the layer list and of the layer controls in a window (napari 0.9.2)."""
    shown: Any = window
    return shown._qt_viewer.dockLayerList, shown._qt_viewer.dockLayerControls


def focus_canvas(viewer: Viewer) -> None:
    """Give the keys to the frame (napari 0.9.2)."""
    viewer.window._qt_viewer.canvas.native.setFocus()


def when_drawn(viewer: Viewer, told: Callable[[], None]) -> Callable[[], None]:
    """Tell whenever the canvas has been drawn; return what ends that (napari 0.9.2)."""
    drawn = viewer.window._qt_viewer.canvas._scene_canvas.events.draw

    def tell(event: object = None) -> None:
        told()

    drawn.connect(tell, position="last")
    return lambda: drawn.disconnect(tell)


def draw_soon(viewer: Viewer) -> None:
    """Let the canvas be drawn once more, though nothing on it may have changed (napari 0.9.2)."""
    viewer.window._qt_viewer.canvas.native.update()


def hide_when_closed(dock: QDockWidget) -> None:
    """Let the X of a dock hide it; napari destroys the dock and what is in it (napari 0.9.2).

    Who clicked there goes on with the frame, wherever the keys were before.
    """
    shown: Any = dock
    viewer_of = shown._ref_qt_viewer

    def hide() -> None:
        shown.hide()
        if (qt_viewer := viewer_of()) is not None:
            qt_viewer.canvas.native.setFocus()

    shown.destroyOnClose = hide  # called by the title bar, looked up at each click


def beside_layer_list(viewer: Viewer, dock: QDockWidget) -> None:
    """Put a dock behind one tab with napari's list of layers, so that it takes no room (0.9.2).

    Where the list does not stand in the dock's own column, it stays there alone.
    """
    window, layers = main_window(viewer), viewer.window._qt_viewer.dockLayerList
    if window.dockWidgetArea(layers) == window.dockWidgetArea(dock):
        window.tabifyDockWidget(layers, dock)


def see_through_polygon(layer: Labels, opacity: float) -> None:
    """Let the frame be seen below a polygon that is being drawn (napari 0.9.2)."""
    layer._overlays["polygon"].opacity = opacity


def close_polygon(layer: Labels) -> bool:
    """Close the polygon that is being drawn on a labels layer; return whether there was one.

    As napari's own key binding does, which is no public function, but by the corners alone that
    were clicked: napari takes the place that the pointer was last seen at for one more (0.9.2).
    """
    polygon: Any = layer._overlays["polygon"]
    if layer.mode != "polygon" or not polygon.points:
        return False
    points = polygon.points
    polygon.points = points[:-1]
    polygon.add_polygon_to_labels(layer)
    if polygon.points:  # too few
        polygon.points = points
    return True


def keep_short_polygons(layer: Labels, told: Callable[[int], None]) -> None:
    """Let a polygon of fewer than three corners be drawn on, and tell how many it has.

    napari drops it without a word at Enter or a double click (napari 0.9.2).
    """
    polygon: Any = layer._overlays["polygon"]
    close = type(polygon).add_polygon_to_labels

    def close_or_keep(layer: Labels) -> None:
        corners = len(polygon.points)
        if not 0 < corners < _FEWEST_CORNERS:
            close(polygon, layer)
            return
        # the last of them is where the pointer is, and follows it
        polygon.points = [*polygon.points, polygon.points[-1]]
        told(corners)

    vars(polygon)["add_polygon_to_labels"] = close_or_keep


def watch_polygon(layer: Labels, told: Callable[[bool], None]) -> Callable[[], None]:
    """Tell whenever corners of a polygon come or go whether one is begun; return what ends that.

    (napari 0.9.2)
    """
    polygon: Any = layer._overlays["polygon"]

    def tell(event: object = None) -> None:
        told(bool(polygon.points))

    polygon.events.points.connect(tell)
    return lambda: polygon.events.points.disconnect(tell)


def begun_polygon(layer: Labels) -> int | None:
    """Return the frame whose polygon is being drawn on a labels layer (napari 0.9.2)."""
    polygon: Any = layer._overlays["polygon"]
    return round(polygon.points[0][0]) if polygon.points else None


def drop_polygon(layer: Labels) -> None:
    """Forget the polygon that is being drawn on a labels layer (napari 0.9.2)."""
    polygon: Any = layer._overlays["polygon"]
    polygon.points = []


def replace_open(
    viewer: Viewer, around: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Callable[[], None]:
    """Put a function around the one by which napari's window opens files; return what undoes it.

    Drop, paste and the menu File come through it, and its errors end in a traceback (napari 0.9.2,
    ``QtViewer._qt_open``).
    """
    qt_viewer: Any = viewer.window._qt_viewer
    ours = around(qt_viewer._qt_open)
    qt_viewer._qt_open = ours

    def undo() -> None:
        if qt_viewer.__dict__.get("_qt_open") is ours:
            del qt_viewer._qt_open

    return undo


def ask_before_close(
    viewer: Viewer, may_close: Callable[[Callable[[], None]], bool]
) -> Callable[[], None]:
    """Let a script's ``viewer.close()`` ask this method first; return what undoes it.

    napari takes the layers away before it asks the window to close (``Viewer.close``, napari
    0.9.2), and its viewer lets no attribute be set that is not one of its fields. Neither the
    viewer nor the method's object is held on to.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    may_close : bound method
        Gets how to close the viewer later, where it answers that it may not now.
    """
    viewer_ref, method_ref = ref(viewer), WeakMethod(may_close)

    def close() -> None:
        shown, ask = viewer_ref(), method_ref()
        if shown is not None and (ask is None or ask(close)):
            type(shown).close(shown)

    def undo() -> None:
        shown = viewer_ref()
        if shown is not None and vars(shown).get("close") is close:
            del vars(shown)["close"]

    vars(viewer)["close"] = close
    return undo


def delete_in_own_context(viewer: Viewer) -> None:
    """Let what a removed layer had on the graphics card be deleted in the canvas's own context.

    napari 0.9.2 deletes it with whatever OpenGL context is current, mostly that in which Qt puts
    the window together. vispy then believes a program to be in use that is not, and the next
    drawing may end the process inside the driver (seen in Mesa's glDrawArrays, where no vertex
    shader was bound).
    """
    canvas: Any = viewer.window._qt_viewer.canvas
    delete = canvas._clean_and_update_scenegraph
    if getattr(delete, "in_own_context", False):
        return  # by an earlier review widget of this viewer

    def delete_here() -> None:
        canvas._scene_canvas.set_current()
        delete()

    delete_here.in_own_context = True  # type: ignore[attr-defined]
    canvas._clean_and_update_scenegraph = delete_here
