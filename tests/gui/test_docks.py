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


def window_menu(widget) -> dict:
    menu = widget.viewer.window.window_menu
    return {action.text(): action for action in menu.actions()}


def test_the_timeline_is_hidden_and_opening_another_sweep_shows_it_again(desk, qtbot):
    other = make_phantom(PhantomSettings.small(), seed=4)
    timeline = desk.timeline
    close_by_x(desk.timeline_dock.dock)
    assert not desk.timeline_dock.visible
    assert not desk.page.timeline.isChecked()

    first = desk.presenter
    data, attributes, _ = sweep_layer(other.sweep)
    desk.viewer.add_image(data, **attributes)
    qtbot.waitUntil(lambda: desk.presenter not in (None, first), timeout=20 * SECONDS)
    assert desk.timeline is timeline
    assert desk.timeline_dock.visible


def test_the_panel_and_the_window_menu_show_the_timeline_again(desk):
    close_by_x(desk.timeline_dock.dock)
    desk.page.timeline.click()
    assert desk.timeline_dock.visible
    close_by_x(desk.timeline_dock.dock)
    window_menu(desk)["Timeline"].trigger()
    assert desk.timeline_dock.visible
    assert desk.page.timeline.isChecked()
    desk.do(Action.TOGGLE_TIMELINE)
    assert not desk.timeline_dock.visible


def test_the_review_panel_is_hidden_with_its_work_and_comes_back(desk, qtbot, store, phantom):
    dock = desk._dock
    desk.presenter.actions.label_optimal()
    close_by_x(dock)
    assert not desk.isVisible()
    assert not desk._keys.active

    window_menu(desk)["Fetal IQA review"].trigger()
    assert desk.isVisible()
    assert desk._keys.active
    desk.presenter.actions.next_frame()
    desk.presenter.actions.label_optimal()
    assert len(store.corrections(phantom.sweep.identity)) == 2
