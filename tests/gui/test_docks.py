"""Docks that are closed by their X: hidden, and brought back; nothing is destroyed."""

import pytest
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication, QDockWidget, QPushButton

from napari_fetal_iqa.contributions.layers import sweep_layer
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
from napari_fetal_iqa.widgets.shortcuts import Action

pytestmark = pytest.mark.gui

SECONDS = 1000


def close_by_x(dock: QDockWidget) -> None:
    button = dock.titleBarWidget().findChild(QPushButton, "QTitleBarCloseButton")
    button.click()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def hide_canvas(widget) -> None:
    """Draw nothing: software OpenGL can crash on a layer added while the canvas grows.

    The crash is in napari 0.9.2's own drawing (glDrawArrays); docks do not need the canvas.
    """
    widget.viewer.window._qt_viewer.canvas.native.hide()


def window_menu(widget) -> dict:
    menu = widget.viewer.window.window_menu
    return {action.text(): action for action in menu.actions()}


def test_the_timeline_is_hidden_and_opening_another_sweep_shows_it_again(review, qtbot):
    other = make_phantom(PhantomSettings.small(), seed=4)
    timeline = review.timeline
    hide_canvas(review)
    close_by_x(review.timeline_dock.dock)
    assert not review.timeline_dock.visible
    assert not review.page.timeline.isChecked()

    first = review.presenter
    data, attributes, _ = sweep_layer(other.sweep)
    review.viewer.add_image(data, **attributes)
    qtbot.waitUntil(lambda: review.presenter not in (None, first), timeout=20 * SECONDS)
    assert review.timeline is timeline
    assert review.timeline_dock.visible


def test_the_panel_and_the_window_menu_show_the_timeline_again(review):
    close_by_x(review.timeline_dock.dock)
    review.page.timeline.click()
    assert review.timeline_dock.visible
    close_by_x(review.timeline_dock.dock)
    window_menu(review)["Timeline"].trigger()
    assert review.timeline_dock.visible
    assert review.page.timeline.isChecked()
    review.do(Action.TOGGLE_TIMELINE)
    assert not review.timeline_dock.visible


def test_the_review_panel_is_hidden_with_its_work_and_comes_back(review, qtbot, store, phantom):
    dock = review._dock
    review.presenter.actions.label_optimal()
    close_by_x(dock)
    assert not review.isVisible()
    assert not review._keys.active

    window_menu(review)["Fetal IQA review"].trigger()
    assert review.isVisible()
    assert review._keys.active
    review.presenter.actions.next_frame()
    review.presenter.actions.label_optimal()
    assert len(store.corrections(phantom.sweep.identity)) == 2
