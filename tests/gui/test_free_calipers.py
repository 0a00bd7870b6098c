"""Free calipers: what a person drags, reads, deletes and finds again."""

import sqlite3

import pytest
from qtpy.QtCore import Qt

from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.geometry.caliper import Caliper, CaliperKind
from napari_fetal_iqa.geometry.ellipse import ramanujan_perimeter
from napari_fetal_iqa.sweep import SweepVolume

from . import mouse

SECONDS = 1000


def drag(widget, begin, end, meanwhile=lambda: None):
    mouse.drag(widget.presenter.view.beside.caliper_tool, widget, begin, end, meanwhile)


def lines(widget):
    listed = [line for line in widget.page.tools.calipers.lines if not line.isHidden()]
    return [line.go.text() for line in listed]


def layer_of(widget):
    return widget.presenter.view.beside.free.layer


def test_a_day_with_free_calipers(review, press, store, phantom, qtbot):
    """Two distances and an ellipse on two frames: read, moved, deleted, undone, hidden, kept."""
    widget, identity = review, phantom.sweep.identity
    mm = phantom.sweep.spacing_mm[0]
    actions, tools = widget.presenter.actions, widget.page.tools
    actions.go(20)
    assert tools.calipers.isHidden()
    press(widget, Qt.Key.Key_M)
    assert tools.measure.main.isChecked()
    assert "Shift+M ellipse, Escape stop" in widget.status_keys.shown
    assert not widget.viewer.scene.camera.mouse_pan
    drag(widget, (40, 40), (40, 90))
    assert lines(widget) == [f"Frame 20, 1: {50 * mm:.1f} mm"]
    assert widget.caption.text.endswith(f"1: {50 * mm:.1f} mm")
    drag(widget, (60, 40), (60, 40))  # two clicks
    drag(widget, (90, 80), (90, 80))
    assert lines(widget)[1] == f"Frame 20, 2: {50 * mm:.1f} mm"
    assert store.corrections(identity) == {}
    assert "0 frames corrected" in widget.page.saved.text()

    drag(widget, (40, 90), (40, 70))  # its end is moved, not a third one begun
    assert lines(widget)[0] == f"Frame 20, 1: {30 * mm:.1f} mm"
    assert len(lines(widget)) == 2

    actions.go(25)
    press(widget, Qt.Key.Key_M, Qt.KeyboardModifier.ShiftModifier)
    assert tools.measure.main.text().startswith("Ellipse")
    qtbot.waitUntil(lambda: "diameter" in widget.caption.text, timeout=20 * SECONDS)
    drag(widget, (80, 60), (80, 120))
    drag(widget, (60, 90), (100, 90))
    around = ramanujan_perimeter(30 * mm, 20 * mm)
    expected = f"{around:.1f} mm, {60 * mm:.1f} × {40 * mm:.1f}"
    assert lines(widget)[2] == f"Frame 25, 1: {expected}"
    assert widget.presenter.session.view(25).measurement is None

    press(widget, Qt.Key.Key_Escape)
    assert not tools.measure.main.isChecked()
    assert widget.viewer.scene.camera.mouse_pan
    assert layer_of(widget).visible
    actions.hide_while_held()
    assert not layer_of(widget).visible
    assert widget.caption.text == ""
    actions.toggle_overlay()
    assert layer_of(widget).visible

    tools.calipers.lines[0].go.click()
    assert widget.presenter.view.navigator.frame == 20
    tools.calipers.lines[0].delete.click()
    assert len(lines(widget)) == 2
    press(widget, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert len(lines(widget)) == 3
    actions.undo()
    assert widget.presenter.view.navigator.frame == 25  # the ellipse goes
    assert len(lines(widget)) == 2
    actions.redo()

    layer = widget.layer
    widget.viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: widget.presenter is None, timeout=20 * SECONDS)
    widget.viewer.add_layer(layer)
    qtbot.waitUntil(lambda: widget.presenter is not None, timeout=20 * SECONDS)
    qtbot.waitUntil(lambda: len(lines(widget)) == 3, timeout=20 * SECONDS)
    qtbot.waitUntil(lambda: layer_of(widget).visible, timeout=20 * SECONDS)  # at frame 25
    assert len(store.calipers(identity, "AK")) == 3


def test_each_caliper_is_one_line_with_its_own_delete_button(review, qtbot):
    widget, calipers = review, review.page.tools.calipers
    tools = widget.presenter.tools
    widget.activateWindow()
    for frame in (20, 23, 25):
        widget.presenter.actions.go(frame)
        tools.measure(CaliperKind.ELLIPSE)
        drag(widget, (80, 60), (80, 120))
        drag(widget, (60, 90), (100, 90))
    tools.look()
    qtbot.waitUntil(lambda: calipers.lines[2].delete.isVisible(), timeout=20 * SECONDS)
    words = calipers.fontMetrics().horizontalAdvance("Frame 1088, 12: 1251.7 mm, 160.7 × 134.0")
    for line in calipers.lines:
        assert line.height() < 2 * calipers.fontMetrics().height()
        assert words < line.go.width()
        assert line.go.geometry().right() < line.delete.geometry().left()
        assert line.delete.geometry().right() < calipers.width()
    assert calipers.height() <= 3 * calipers.lines[0].height() + 4
    assert not calipers._area.verticalScrollBar().isVisible()

    calipers.lines[0].go.click()
    assert widget.presenter.view.navigator.frame == 20
    assert [line.go.isChecked() for line in calipers.lines] == [True, False, False]
    focused = calipers.lines[1].delete
    focused.setFocus()
    focused.click()
    assert [text[:8] for text in lines(widget)] == ["Frame 20", "Frame 25"]
    assert widget.window().focusWidget() is focused
    focused.click()
    focused = calipers.lines[0].delete
    assert widget.window().focusWidget() is focused
    focused.click()
    assert calipers.isHidden()
    assert widget.window().focusWidget() is widget.page.tools.measure.main


def test_without_a_spacing_pixels_are_shown_as_pixels_and_a_line_says_so(
    window, show, tiny_settings, phantom, store
):
    widget = window()
    plain = SweepVolume(phantom.sweep.frames, name="no spacing")
    show(widget, plain)
    widget.presenter.tools.measure(CaliperKind.DISTANCE)
    assert "no millimetres" in widget.page.analysis.error.text()
    drag(widget, (40, 40), (40, 90))
    assert lines(widget)[0].endswith("50.0 px")
    assert "no millimetres" in widget.page.analysis.error.text()
    # the same caliper in a file that says its spacing
    widget.viewer.layers.remove(widget.layer)
    show(widget, phantom.sweep)
    assert lines(widget)[0].endswith(f"{50 * phantom.sweep.spacing_mm[1]:.1f} mm")


def test_a_caliper_waits_where_the_store_is_locked(review, store, phantom, qtbot):
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    review.presenter.tools.measure(CaliperKind.DISTANCE)
    drag(review, (40, 40), (40, 90))
    assert len(lines(review)) == 1
    assert "not saved" in review.page.saved.text()
    other.execute("ROLLBACK")
    other.close()
    qtbot.waitUntil(lambda: review.page.saved.text().endswith("saved"), timeout=20 * SECONDS)
    with CorrectionStore(store.path, "ro") as on_disk:
        assert len(on_disk.calipers(phantom.sweep.identity, "AK")) == 1


@pytest.mark.parametrize("begin", [(40, 90), (70, 90)], ids=["an end", "a new one"])
def test_a_drag_goes_to_no_other_frame(review, press, store, phantom, begin):
    actions, tool = review.presenter.actions, review.presenter.view.beside.caliper_tool
    actions.go(20)
    press(review, Qt.Key.Key_M)
    drag(review, (40, 40), (40, 90))
    before = store.calipers(phantom.sweep.identity, "AK")
    shown = lines(review)
    drag(review, begin, (100, 100), meanwhile=lambda: press(review, Qt.Key.Key_Right))
    assert review.presenter.view.navigator.frame == 21
    assert lines(review) == shown
    assert store.calipers(phantom.sweep.identity, "AK") == before
    assert not tool.in_hand
    assert "unfinished caliper was dropped" in review.page.analysis.error.text()
    drag(review, (50, 40), (50, 70))  # the next one is drawn as ever
    assert len(lines(review)) == 2
    assert "dropped" not in review.page.analysis.error.text()


def test_a_caliper_is_named_in_its_line_and_undo_takes_the_name_back(review, store, phantom, qtbot):
    widget, identity = review, phantom.sweep.identity
    session = widget.presenter.session
    session.free.place(20, Caliper(((10.0, 10.0), (40.0, 10.0))))
    qtbot.waitUntil(lambda: len(lines(widget)) == 1, timeout=20 * SECONDS)
    line = widget.page.tools.calipers.lines[0]
    assert "not named" in line.name.accessibleName()
    offered = [action.text() for action in line.name.menu().actions()]
    assert offered[:2] == ["Not named", "BPD, biparietal diameter"]
    assert not any(words.startswith("HC") for words in offered)  # takes an ellipse
    line.name.menu().actions()[1].trigger()
    assert line.name.text() == "BPD"
    assert [one.measure for one in store.calipers(identity, "AK")] == ["BPD"]
    widget.presenter.actions.undo()
    qtbot.waitUntil(lambda: line.name.text() == "–", timeout=20 * SECONDS)
