"""What the window shows is true: tools, keys, measurements, and why a key did nothing."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_fetal_iqa.corrections import Label
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
from napari_fetal_iqa.widgets.shortcuts import Action
from napari_fetal_iqa.widgets.viewer.compat import main_window

pytestmark = pytest.mark.gui

SECONDS = 1000
Key = Qt.Key


@pytest.fixture
def outlined(review, phantom):
    """The frame with the largest abdomen, outlined by the expert, on the screen."""
    frame = int(np.argmax((phantom.masks > 0).sum((1, 2))))
    review.presenter.actions.go(frame)
    review.presenter.actions.stroke(frame, phantom.masks[frame] > 0)
    review.presenter._show_still()
    return review


def lit(review):
    return [
        action for action, button in review.page.frame.tool_buttons.items() if button.isChecked()
    ]


def test_the_tool_that_the_mouse_has_is_lit_however_it_was_taken(review, press):
    assert lit(review) == []
    press(review, Key.Key_P)
    assert lit(review) == [Action.PAINT]
    review.page.frame.tool_buttons[Action.PAINT].click()
    assert lit(review) == [Action.PAINT]
    review.page.frame.tool_buttons[Action.ELLIPSE].click()
    assert lit(review) == [Action.ELLIPSE]
    review.presenter.view.overlay.layer.mode = "erase"  # by napari's own button
    review.presenter.view.ellipse.stop()
    review.presenter.view._report_tool()
    assert lit(review) == [Action.ERASE]
    review.viewer.layers.selection.active = review.layer
    assert lit(review) == []


def test_space_hides_all_that_lies_on_the_frame_while_it_is_held(outlined, press, qtbot):
    review = outlined
    view, caption = review.presenter.view, review.caption
    assert view.calipers.layer.visible
    assert caption.text.startswith("AC ")
    window = main_window(review.viewer)
    press(review, Key.Key_Escape)  # the window is active
    QTest.keyPress(window, Key.Key_Space)
    assert not view.overlay.layer.visible
    assert not view.calipers.layer.visible
    assert caption.text == ""
    review.presenter._show_still()  # as when frames change meanwhile
    assert not view.calipers.layer.visible
    for _ in range(3):  # it repeats, which X tells so, and Qt may take for another press
        QTest.keyRelease(window, Key.Key_Space)
        assert not view.overlay.layer.visible
        QTest.keyPress(window, Key.Key_Space)
    bindings = review._keys
    assert not bindings._let_go
    QTest.keyRelease(window, Key.Key_Space)
    qtbot.waitUntil(lambda: view.overlay.layer.visible, timeout=20_000)
    assert not bindings._held
    assert view.calipers.layer.visible
    assert caption.text.startswith("AC ")


def test_nobody_draws_on_what_is_hidden(outlined, press):
    hidden = outlined.page.frame.marks_hidden
    assert hidden.isHidden()
    press(outlined, Key.Key_H)
    assert not outlined.presenter.view.overlay.layer.visible
    assert hidden.isVisible()  # so that nobody takes it for a frame without marks
    outlined.presenter.actions.hide_while_held()
    outlined.presenter.actions.released(Action.HIDE_WHILE_HELD)
    assert hidden.isVisible()
    press(outlined, Key.Key_P)
    assert outlined.presenter.view.overlay.layer.visible
    assert hidden.isHidden()
    press(outlined, Key.Key_H)
    outlined.presenter.view.overlay.pressed.emit()
    assert outlined.presenter.view.overlay.layer.visible


def test_without_an_abdomen_nothing_is_measured_and_that_is_written(outlined):
    review = outlined
    assert "mm" in review.page.frame.circumference.text()
    review.presenter.actions.label_none()
    review.presenter._show_still()
    assert review.page.frame.diameters.text() == "not measured: no abdomen here"
    assert "mm" not in review.page.frame.circumference.text()
    assert not review.presenter.view.calipers.layer.visible
    assert review.caption.text == ""


def test_a_mask_that_was_cleared_is_a_label_none_and_is_never_the_best_frame(outlined):
    review = outlined
    frame = review.presenter.view.navigator.frame
    review.presenter.actions.clear_mask()
    view = review.presenter.session.view(frame)
    assert view.label is Label.NONE
    assert view.not_measured == "no abdomen here"
    assert review.page.frame.label_buttons[Label.NONE].isChecked()
    labels, by_expert = review.presenter.session.labels()
    assert labels[frame] == Label.NONE
    assert by_expert[frame]


def test_a_mask_in_pieces_is_not_measured(outlined, phantom):
    review = outlined
    frame = review.presenter.view.navigator.frame
    mask = np.zeros(phantom.sweep.shape[1:], bool)
    mask[60:80, 60:80] = mask[60:80, 100:120] = True
    review.presenter.actions.stroke(frame, mask)
    assert review.presenter.session.view(frame).not_measured == "the outline is in pieces"


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (Action.COPY_PREVIOUS, "Nothing to copy"),
        (Action.INTERPOLATE, "Nothing to interpolate between"),
        (Action.UNDO, "Nothing to undo"),
        (Action.REDO, "Nothing to redo"),
    ],
)
def test_a_key_that_can_do_nothing_says_why(review, store, action, reason):
    review.do(action)
    assert reason in review.page.analysis.error.text()
    assert review.page.analysis.error_box.isVisibleTo(review.page)
    assert store.events() == []


@pytest.mark.parametrize("modifier", ["NoModifier", "ShiftModifier", "AltModifier"])
def test_a_polygon_is_the_outline_or_is_added_or_taken_away(outlined, press, qtbot, modifier):
    review = outlined
    frame = review.presenter.view.navigator.frame
    before = review.presenter.session.mask(frame)
    rows, columns = np.nonzero(before)
    top, left = int(rows.mean()), int(columns.mean())
    corners = [[frame, top - 5, left], [frame, top - 5, left + 90], [frame, top + 5, left + 90],
               [frame, top + 5, left], [frame, 0, 0]]  # fmt: skip
    polygon = np.zeros_like(before)
    polygon[top - 5 : top + 5, left : left + 90] = True
    press(review, Key.Key_G)
    review.presenter.view.overlay.layer._overlays["polygon"].points = corners
    held = getattr(Qt.KeyboardModifier, modifier)
    press(review, Key.Key_Return, held)
    expected = {
        "NoModifier": polygon,
        "ShiftModifier": before | polygon,
        "AltModifier": before & ~polygon,
    }[modifier]
    qtbot.waitUntil(lambda: (review.presenter.session.mask(frame) != before).any())
    found = review.presenter.session.mask(frame)
    assert (found != expected).mean() < 0.01  # its edge may be counted in or out
    assert review.presenter.view.overlay.layer._overlays["polygon"].points == []


def test_a_polygon_of_two_corners_is_kept_and_that_is_said(review, store, press):
    press(review, Key.Key_G)
    polygon = begin_polygon(review, review.presenter.view.navigator.frame)
    polygon.points = polygon.points[:3]
    press(review, Key.Key_Return)
    assert "needs three corners, this one has 2 corners" in review.page.analysis.error.text()
    assert len(polygon.points) == 3
    assert store.events() == []
    begin_polygon(review, review.presenter.view.navigator.frame)
    press(review, Key.Key_Return)
    assert len(store.events()) == 1
    assert review.page.analysis.error.text() == ""


def test_a_polygon_that_encloses_nothing_changes_nothing(review, store, press):
    press(review, Key.Key_G)
    frame = review.presenter.view.navigator.frame
    polygon = begin_polygon(review, frame)
    polygon.points = [[frame, 30.2, 40.2], [frame, 30.2, 40.3], [frame, 30.2, 40.4], [frame, 9, 9]]
    press(review, Key.Key_Return)
    assert "encloses no pixel" in review.page.analysis.error.text()
    assert store.events() == []


def begin_polygon(review, frame):
    """Click three corners; the last point is where the pointer is."""
    corners = [[frame, 30.0, 40.0], [frame, 30.0, 90.0], [frame, 70.0, 90.0], [frame, 70.0, 91.0]]
    polygon = review.presenter.view.overlay.layer._overlays["polygon"]
    polygon.points = corners
    return polygon


@pytest.mark.parametrize("let_go", [False, True], ids=["with the tool", "after Escape"])
def test_an_unfinished_polygon_goes_to_no_other_frame(review, store, press, let_go):
    said = review.page.analysis.error
    review.presenter.actions.go(20)
    press(review, Key.Key_G)
    polygon = begin_polygon(review, 20)
    if let_go:
        press(review, Key.Key_Escape)
    press(review, Key.Key_Right)
    assert review.presenter.view.navigator.frame == 21
    assert polygon.points == []
    assert "unfinished polygon was dropped" in said.text()
    if let_go:
        press(review, Key.Key_G)
    review.presenter.actions.close_polygon()
    assert store.events() == []
    begin_polygon(review, 21)  # the next one is stored where it is seen
    review.presenter.actions.close_polygon()
    assert [event.frame for event in store.events()] == [21]
    assert "dropped" not in said.text()


def test_an_unfinished_polygon_goes_to_no_other_sweep(review, show, store, press, qtbot):
    first = review.presenter
    press(review, Key.Key_G)
    begin_polygon(review, first.view.navigator.frame)
    show(review, make_phantom(PhantomSettings.small(), seed=4).sweep)
    qtbot.waitUntil(lambda: review.presenter not in (None, first), timeout=20 * SECONDS)
    assert "unfinished polygon was dropped" in review.page.analysis.error.text()
    press(review, Key.Key_G)
    review.presenter.actions.close_polygon()
    assert store.events() == []


def test_keys_that_have_nothing_to_do_say_why(review, press, store):
    for key, words in (
        (Key.Key_Return, "Nothing to accept on that frame"),
        (Key.Key_N, "Nothing to review yet: analyse the sweep first"),
        (Key.Key_B, "No best frame yet: analyse the sweep first"),
        (Key.Key_V, "Nothing to take back"),
        (Key.Key_C, "Nothing to copy"),
        (Key.Key_I, "Nothing to interpolate"),
    ):
        review.page.analysis.show_error("")
        press(review, key)
        assert review.page.analysis.error.text().startswith(words)
    for key in (Key.Key_Right, Key.Key_Left):
        review.page.analysis.show_error("")
        press(review, key, Qt.KeyboardModifier.ControlModifier)
        assert review.page.analysis.error.text().startswith("No candidate")
    assert store.events() == []


def test_an_outline_on_a_frame_labelled_none_takes_the_label_back_and_says_so(outlined, press):
    review = outlined
    none = review.page.frame.label_buttons[Label.NONE]
    press(review, Key.Key_Right)
    review.presenter.actions.label_none()
    assert none.isChecked()
    review.do(Action.COPY_PREVIOUS)
    review.presenter._show_still()
    assert not none.isChecked()
    assert "label None was taken back" in review.page.analysis.error.text()
    assert "mm" in review.page.frame.circumference.text()
    review.do(Action.UNDO)
    assert none.isChecked()
    assert review.page.analysis.error.text() == ""


@pytest.fixture
def drag(press):
    """Drag over the frame with Space held, by events of the window."""

    def drag(review, *fractions):
        window, canvas = main_window(review.viewer), canvas_of(review.viewer)
        press(review, Key.Key_Shift)  # the window is active
        QTest.keyPress(window, Key.Key_Space)
        places = [
            QPoint(round(canvas.width() * x), round(canvas.height() * y)) for x, y in fractions
        ]
        QTest.mouseMove(canvas, places[0])
        QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=places[0])
        for place in places[1:]:
            QTest.mouseMove(canvas, place)
        QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=places[-1])

    return drag


def canvas_of(viewer):
    return viewer.window._qt_viewer.canvas.native


def let_go(review, qtbot):
    QTest.keyRelease(main_window(review.viewer), Key.Key_Space)
    qtbot.waitUntil(lambda: not review._keys._held, timeout=20 * SECONDS)


def test_who_paints_while_space_hides_all_sees_it_again_and_paints(
    outlined, press, drag, qtbot, store
):
    review, view = outlined, outlined.presenter.view
    press(review, Key.Key_P)
    before, centre = len(store.events()), tuple(review.viewer.scene.camera.center)
    QTest.keyPress(main_window(review.viewer), Key.Key_Space)
    assert not view.overlay.layer.visible
    assert lit(review) == [Action.PAINT]
    drag(review, (0.4, 0.4), (0.45, 0.45), (0.5, 0.5))
    qtbot.waitUntil(lambda: len(store.events()) == before + 1, timeout=20 * SECONDS)
    assert tuple(review.viewer.scene.camera.center) == centre
    assert view.overlay.layer.visible
    let_go(review, qtbot)
    assert view.overlay.layer.visible
    assert view.tool == "paint"


def test_a_corner_of_a_polygon_is_set_while_space_hides_all(outlined, press, drag, qtbot):
    review, overlay = outlined, outlined.presenter.view.overlay
    press(review, Key.Key_G)
    assert outlined.presenter.view.tool == "polygon"
    drag(review, (0.4, 0.4))
    assert overlay.polygon_begun
    let_go(review, qtbot)
    assert overlay.polygon_begun


def test_a_tool_that_is_put_down_while_all_is_hidden_does_not_come_back(outlined, press):
    press(outlined, Key.Key_P)
    press(outlined, Key.Key_H)
    press(outlined, Key.Key_Escape)
    press(outlined, Key.Key_H)
    assert outlined.presenter.view.tool == "pan_zoom"
