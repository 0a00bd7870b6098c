"""Docks that are closed by their X: hidden, and brought back; nothing is destroyed."""

import pytest
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QApplication, QDockWidget, QPushButton, QWidget

from napari_fetal_iqa.contributions.layers import sweep_layer
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
from napari_fetal_iqa.storage import window_state
from napari_fetal_iqa.widgets.shortcuts import Action
from napari_fetal_iqa.widgets.viewer.compat import focus_canvas, main_window, napari_docks

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


def test_a_timeline_that_a_person_closed_stays_closed_until_it_is_shown_again(review, qtbot):
    dock, timeline = review.timeline_dock, review.timeline
    hide_canvas(review)

    def open_another(seed):
        first = review.presenter
        other = make_phantom(PhantomSettings.small(), seed=seed)
        data, attributes, _ = sweep_layer(other.sweep)
        review.viewer.add_image(data, **attributes)
        qtbot.waitUntil(lambda: review.presenter not in (None, first), timeout=20 * SECONDS)

    close_by_x(dock.dock)
    assert not dock.visible
    assert not review.page.timeline.isChecked()
    assert window_state.load().timeline_closed
    open_another(4)
    assert review.timeline is timeline
    assert not dock.visible
    assert not review.page.timeline.isChecked()

    review.page.timeline.click()
    assert dock.visible
    assert not window_state.load().timeline_closed
    dock.hide()  # by nobody: it comes with the next sweep
    open_another(5)
    assert dock.visible
    assert not window_state.load().timeline_closed


def test_a_timeline_that_was_closed_in_the_window_before_is_brought_back_by_its_button(
    window, show, tiny_settings, phantom
):
    window_state.keep_timeline(closed=True)
    review = window()
    show(review, phantom.sweep)
    dock = review.timeline_dock
    assert (dock.visible, review.page.timeline.isChecked()) == (False, False)
    review.page.timeline.click()
    assert (dock.visible, review.page.timeline.isChecked()) == (True, True)
    assert not window_state.load().timeline_closed
    review.shut_down()  # closes it for nobody
    assert not window_state.load().timeline_closed


@pytest.fixture(params=["in front", "in the back"])
def other_window(request, qtbot):
    """Another window, which has the keys in the second case; gives what makes it so."""
    other = QWidget()
    qtbot.addWidget(other)

    def raise_it(review):
        front = other if request.param == "in the back" else main_window(review.viewer)
        other.setVisible(front is other)

        def active():
            front.activateWindow()
            return front.isActiveWindow()

        qtbot.waitUntil(active, timeout=20 * SECONDS)

    return raise_it


def test_who_closes_a_dock_has_the_keys_on_the_frame(review, other_window):
    review.do(Action.TOGGLE_WORKLIST)
    worklist = review.worklist.dock
    canvas = review.viewer.window._qt_viewer.canvas.native
    whole = main_window(review.viewer)
    other_window(review)
    for dock, had_the_keys, close in (
        (review.timeline_dock.dock, worklist.widget.search, close_by_x),
        (worklist.dock, worklist.widget.search, close_by_x),
        (worklist.dock, worklist.widget.search, lambda dock: dock.hide()),
        (review._dock, review.page.open, close_by_x),
    ):
        dock.show()
        dock.raise_()
        had_the_keys.setFocus()
        assert whole.focusWidget() is had_the_keys
        close(dock)
        assert whole.focusWidget() is canvas


def test_a_control_that_is_hidden_or_disabled_leaves_its_keys_to_the_frame(review, press):
    canvas, whole = review.viewer.window._qt_viewer.canvas.native, main_window(review.viewer)
    press(review, Qt.Key.Key_Escape)  # the window is active
    analysis = review.page.analysis
    for button, take_away in (
        (analysis.analyse, analysis.analyse.hide),
        (review.page.open, lambda: review.page.open.setEnabled(False)),
    ):
        button.setFocus()
        assert whole.focusWidget() is button
        take_away()
        assert whole.focusWidget() is canvas  # and not on the box that Space would tick


def test_tab_passes_by_what_lies_behind_a_tab(review, press, qtbot):
    review.do(Action.TOGGLE_WORKLIST)
    layers, worklist = napari_docks(review.viewer)[0], review.worklist.dock.dock
    whole = main_window(review.viewer)
    for front, behind in ((worklist, layers), (layers, worklist)):
        front.raise_()
        qtbot.waitUntil(lambda b=behind: not b.isEnabled(), timeout=20 * SECONDS)
        qtbot.waitUntil(lambda f=front: f.isEnabled(), timeout=20 * SECONDS)
        focus_canvas(review.viewer)
        first, passed = whole.focusWidget(), set()
        while (now := whole.focusWidget()) not in passed:
            passed.add(now)
            press(review, Qt.Key.Key_Tab)
        assert first in passed
        assert len(passed) > 5
        assert not any(behind.isAncestorOf(control) for control in passed)
    worklist.raise_()
    qtbot.waitUntil(worklist.isEnabled, timeout=20 * SECONDS)
    review.worklist.dock.widget.search.setFocus()
    assert worklist.isAncestorOf(whole.focusWidget())
    layers.raise_()
    canvas = review.viewer.window._qt_viewer.canvas.native
    qtbot.waitUntil(lambda: whole.focusWidget() is canvas, timeout=20 * SECONDS)
    review.shut_down()
    assert layers.isEnabled()
    assert worklist.isEnabled()


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
