"""Each reach into what napari keeps private, in a real viewer of the napari that is installed."""

import numpy as np
import pytest
from napari.layers import Labels
from napari.utils._proxies import PublicOnlyProxy

from napari_fetal_iqa.widgets.viewer import compat

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


def test_the_viewer_is_found_behind_the_proxy_that_napari_gives_to_plugins(viewer):
    assert compat.unwrapped(PublicOnlyProxy(viewer)) is viewer
    assert compat.unwrapped(viewer) is viewer


def test_the_window_is_the_one_that_napari_shows(viewer):
    from qtpy.QtWidgets import QMainWindow

    window = compat.main_window(viewer)
    assert isinstance(window, QMainWindow)
    viewer.title = "a title of its own"
    assert "a title of its own" in window.windowTitle()


@pytest.fixture
def layer(viewer) -> Labels:
    layer = viewer.add_labels(np.zeros((20, 20), np.uint8))
    layer.selected_label = 2
    layer.mode = "polygon"
    return layer


def test_a_polygon_that_was_drawn_is_closed_and_filled(layer):
    layer._overlays["polygon"].points = [[2, 2], [2, 12], [12, 12], [12, 2], [19, 2]]
    assert compat.close_polygon(layer)
    assert layer.data[7, 7] == 2
    assert not layer.data[15:].any()


def test_without_a_polygon_nothing_is_closed(layer):
    assert not compat.close_polygon(layer)
    layer.mode = "paint"
    assert not compat.close_polygon(layer)
    assert not layer.data.any()


def test_a_polygon_of_fewer_than_three_corners_is_kept_and_told(layer):
    told, begun = [], []
    compat.keep_short_polygons(layer, told.append)
    leave = compat.watch_polygon(layer, begun.append)
    polygon = layer._overlays["polygon"]
    polygon.points = [[2, 2], [2, 12], [12, 12]]  # the last is where the pointer is
    assert compat.close_polygon(layer)
    assert told == [2]
    assert polygon.points == [[2, 2], [2, 12], [12, 12]]
    polygon.points = [[2, 2], [2, 12]]  # as before a double click closes it
    polygon.add_polygon_to_labels(layer)
    assert told == [2, 2]
    assert polygon.points == [[2, 2], [2, 12], [2, 12]]
    assert not layer.data.any()
    polygon.points = [[2, 2], [2, 12], [12, 12], [12, 2]]
    polygon.add_polygon_to_labels(layer)
    assert layer.data[7, 7] == 2
    assert begun[0]
    assert not begun[-1]
    leave()
    count = len(begun)
    polygon.points = [[2, 2]]
    assert len(begun) == count


def test_a_polygon_that_is_being_drawn_is_seen_through(layer):
    compat.see_through_polygon(layer, 0.3)
    assert layer._overlays["polygon"].opacity == 0.3


def test_what_a_removed_layer_had_on_the_graphics_card_is_deleted_in_the_canvas_own_context(
    review, qtbot
):
    from qtpy.QtGui import QOpenGLContext

    canvas = review.viewer.window._qt_viewer.canvas
    current = []
    finish = canvas._scene_canvas.context.finish

    def watched():
        current.append(QOpenGLContext.currentContext())
        finish()

    canvas._scene_canvas.context.finish = watched
    picture = review.viewer.add_image(np.zeros((4, 5)), opacity=0.1)
    qtbot.wait(1)  # Qt puts the window together, in a context of its own
    canvas.native.doneCurrent()
    review.viewer.layers.remove(picture)
    assert current == [canvas.native.context()]
