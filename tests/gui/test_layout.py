"""What a person sees of the window: nothing below the fold, cut off, covered or lost."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QApplication,
    QLabel,
    QMessageBox,
    QPushButton,
    QStyle,
    QStyleOptionButton,
    QWidget,
)

from napari_fetal_iqa.storage import window_state
from napari_fetal_iqa.widgets.panels.eliding_label import ElidingLabel
from napari_fetal_iqa.widgets.viewer.compat import main_window

Key = Qt.Key
SECONDS = 1000
LONG = "/a/folder/of/" + "an_exam_that_somebody_named_at_length_" * 4 + "/sweep.mha"


def is_seen(control, window) -> bool:
    """Whether the whole of a control is on the screen."""
    region = control.visibleRegion().boundingRect()
    place = QRect(control.mapTo(window, QPoint()), control.size())
    return region.size() == control.size() and window.rect().contains(place)


def test_a_day_s_work_is_above_the_fold_of_a_small_window(review, qtbot):
    window = main_window(review.viewer)
    for button in (review.page.candidates, review.page.worklist):
        if not button.isChecked():
            button.click()
    qtbot.waitUntil(lambda: review.page.candidates.isChecked() and review.page.worklist.isChecked())
    QApplication.processEvents()
    assert (window.width(), window.height()) == (1280, 800)
    frame, page = review.page.frame, review.page
    daily = [*frame.findChildren(QPushButton), frame.place, frame.circumference, page.saved]
    daily += [page.best, page.waiting, page.open, page.analysis.doing]
    assert [control for control in daily if not is_seen(control, window)] == []
    for section in page.sections:
        section.expand(animate=False)
    bar = page.scroll_area.verticalScrollBar()
    bar.setValue(bar.maximum())
    QApplication.processEvents()
    assert is_seen(page.saved, window)


def test_a_section_that_is_unfolded_is_scrolled_to(review, qtbot):
    page, window = review.page, main_window(review.viewer)
    page.open_sections()
    bar = page.scroll_area.verticalScrollBar()
    for section in page.sections:
        bar.setValue(0)
        section.toggleButton().click()
        qtbot.waitUntil(lambda section=section: is_seen(section.toggleButton(), window))
        first = section.content()
        view = page.scroll_area.viewport()
        seen = min(first.height(), view.height() - section.toggleButton().height() - 20)
        qtbot.waitUntil(
            lambda first=first, seen=seen: first.visibleRegion().boundingRect().height() >= seen,
            timeout=20 * SECONDS,
        )
        section.toggleButton().click()


def text_room(button) -> int:
    """Height in pixels that a button's style leaves for its text."""
    option = QStyleOptionButton()
    button.initStyleOption(option)
    element = QStyle.SubElement.SE_PushButtonContents
    return button.style().subElementRect(element, option, button).height()


def test_no_button_is_too_low_for_its_text(review, qtbot):
    review.timeline.fit_button.setEnabled(True)
    review.page.open_sections()
    QApplication.processEvents()
    buttons = main_window(review.viewer).findChildren(QPushButton)
    buttons = [one for one in buttons if one.isVisible() and one.text()]
    assert review.timeline.fit_button in buttons
    low = {one.text() for one in buttons if text_room(one) < one.fontMetrics().ascent()}
    assert not low


def test_long_names_make_nothing_wider_and_stand_whole_in_the_tooltip(review, qtbot):
    page = review.page
    for section in page.sections:
        section.expand(animate=False)
    labels = page.findChildren(ElidingLabel)
    assert {page.about, page.saved, page.analysis.models} <= set(labels)
    for label in labels:
        label.setText(f"Reading <b>{LONG}</b> failed")
    page.analysis.show_error(f"{LONG}: no such file")
    QApplication.processEvents()
    view, content = page.scroll_area.viewport(), page.scroll_area.widget()
    assert content.width() == view.width()
    assert content.minimumSizeHint().width() <= view.width()
    assert "…" in super(ElidingLabel, page.about).text()
    assert LONG in page.about.toolTip()
    assert LONG in page.about.text()
    short = ElidingLabel("AC 231.4 mm & more")
    assert super(ElidingLabel, short).text() == "AC 231.4 mm & more"


def test_sections_are_found_as_they_were_left(window, tiny_settings):
    first = window()
    folded = [section.toggleButton().text() for section in first.page.sections]
    assert folded == [
        "▸  Plane criteria",
        "▸  Result of the case",
        "▸  Models and reviewer",
        "▸  Learn",
        "▸  Export",
    ]
    first.page.sections[-1].toggleButton().click()
    assert first.page.sections[-1].toggleButton().text() == "▾  Export"
    first.close()
    second = window()
    assert [section.isExpanded() for section in second.page.sections] == [*[False] * 4, True]
    assert second.page.export.isVisibleTo(second.page)
    assert not second.page.settings.isVisibleTo(second.page)  # nor does Tab go there
    second.page.sections[-1].toggleButton().click()
    assert window_state.load().open_sections == frozenset()
    (window_state._place()).write_text("[not ours")
    assert window_state.load().open_sections == frozenset()


def test_the_keys_are_read_beside_the_frame_and_the_timeline(review, press, qtbot):
    dock = review.timeline_dock.dock
    press(review, Key.Key_Question)
    assert review.keys_page.isVisible()
    assert not [one for one in QApplication.topLevelWidgets() if isinstance(one, QMessageBox)]
    assert dock.visibleRegion().boundingRect().size() == dock.size()
    frame = review.presenter.view.navigator.frame
    press(review, Key.Key_Right)  # goes on working meanwhile
    assert review.presenter.view.navigator.frame == frame + 1
    press(review, Key.Key_Question)
    assert review.page.isVisible()
    press(review, Key.Key_Question)
    qtbot.mouseClick(review.keys_page.back, Qt.MouseButton.LeftButton)
    assert review.page.isVisible()
    press(review, Key.Key_Question)
    press(review, Key.Key_Escape)
    assert review.page.isVisible()
    press(review, Key.Key_Question)
    review.viewer.layers.clear()  # the keys are those of a sweep that is gone
    qtbot.waitUntil(review.welcome.isVisible, timeout=20 * SECONDS)


def test_a_refusal_is_seen_though_the_keys_are_shown(review, press):
    press(review, Key.Key_Question)
    assert review.keys_page.isVisible()
    review.viewer.dims.order = (1, 0, 2)
    press(review, Key.Key_1)  # stores nothing, and says why
    assert review.page.analysis.error.text()
    assert review.page.analysis.error.isVisible()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_ring_shows_where_the_keyboard_is(review, qtbot, theme):
    review.viewer.theme = theme
    window = main_window(review.viewer)
    window.activateWindow()
    controls = [review.page.sections[0].toggleButton(), review.page.open]
    controls += [review.timeline.fit_button]
    review.timeline.fit_button.setEnabled(True)
    review.page.scroll_area.ensureWidgetVisible(controls[0])
    for control in controls:
        control.setFocus(Qt.FocusReason.TabFocusReason)
        qtbot.waitUntil(control.hasFocus, timeout=20 * SECONDS)
        assert review._focus_ring.ringed is control
        QApplication.processEvents()
        picture = control.grab().toImage()
        column = [picture.pixelColor(picture.width() // 2, y) for y in range(7)]
        light = [colour.lightnessF() for colour in column]
        # a bright line on the dark panel, a dark one on the light
        assert max(light) - min(light) > 0.5, f"no ring on {control.text()}"


def test_the_ring_is_whole_on_every_control_that_tab_goes_to(review, qtbot):
    window = main_window(review.viewer)
    window.activateWindow()
    for section in review.page.sections:
        section.expand(animate=False)
    for button in (review.page.candidates, review.page.worklist):
        if not button.isChecked():
            button.click()
    review.worklist.widget.show_rows("exam", [])
    ringed: list[QWidget] = []
    start = review.page.open
    start.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(start.hasFocus, timeout=20 * SECONDS)
    for _ in range(100):
        control = QApplication.focusWidget()
        if control in ringed:
            break
        ring = review._focus_ring._ring
        if ring is not None:
            assert review._focus_ring.ringed is control
            QApplication.processEvents()
            if is_seen(control, window):  # Qt scrolls to it, but for what is larger than the view
                seen = ring.visibleRegion().boundingRect()
                assert seen.size() == ring.size(), control.toolTip()
            ringed.append(control)
        QTest.keyClick(control, Qt.Key.Key_Tab)
    assert len(ringed) > 30
    listed = review.worklist.widget
    for control in (listed.search, listed.states, listed.table):
        control.setFocus(Qt.FocusReason.TabFocusReason)
        qtbot.waitUntil(control.hasFocus, timeout=20 * SECONDS)
        QApplication.processEvents()
        seen = review._focus_ring._ring.visibleRegion().boundingRect()
        assert seen.size() == control.size()


def test_what_lies_on_the_frame_is_as_wide_at_every_zoom(review):
    view, camera = review.presenter.view, review.viewer.scene.camera
    first = view.pixel_size.value
    widths = []
    for factor in (1, 2, 8):
        camera.zoom = camera.zoom * factor * first / view.pixel_size.value
        screen_px = view.pixel_size.value
        assert view.overlay.layer.contour == min(6, max(1, round(2.5 / screen_px)))
        widths.append(view.calipers.layer.size.max() * screen_px)
    assert widths == pytest.approx([13] * 3, rel=0.11)
    camera.zoom *= 0.01
    assert view.calipers.layer.size.max() < review.layer.data.shape[-1] / 30  # a small picture
    review.presenter.actions.toggle_fill()
    camera.zoom *= 0.1
    assert view.overlay.layer.contour == 0  # masks stay filled
    review.presenter.actions.toggle_fill()
    assert view.overlay.layer.contour > 1


def test_the_frame_fills_a_window_that_grew_unless_somebody_zoomed(review, qtbot):
    window, camera = main_window(review.viewer), review.viewer.scene.camera

    def fills() -> bool:
        height, width = np.array(review.viewer.canvas.size) / camera.zoom
        extent = np.ptp(review.layer.extent.world[:, 1:], axis=0)
        return max(extent[0] / height, extent[1] / width) == pytest.approx(0.95, abs=0.03)

    qtbot.waitUntil(fills, timeout=20 * SECONDS)
    before = camera.zoom
    window.resize(1700, 1000)
    qtbot.waitUntil(lambda: camera.zoom > 1.1 * before and fills(), timeout=20 * SECONDS)
    camera.zoom = zoomed = 3 * camera.zoom
    window.resize(1300, 820)
    qtbot.waitUntil(lambda: review.viewer.canvas.size[1] < 1000, timeout=20 * SECONDS)
    qtbot.waitUntil(lambda: not review.frame_fit._soon.isActive())
    assert camera.zoom == zoomed
    review.frame_fit.fit()
    assert fills()


def test_a_reviewer_s_long_name_leaves_saved_to_be_read(window, show, phantom, tiny_settings):
    widget = window()
    show(widget, phantom.sweep)
    widget.page.show_saved("somebody_with_a_name_of_their_own_" * 5, 3, True)
    QApplication.processEvents()
    assert super(ElidingLabel, widget.page.saved).text().endswith("3 frames corrected, saved")


def cut_off(part) -> list[str]:
    """Words that wrap and are shown with less height than they need."""
    return [
        label.text()
        for label in part.findChildren(QLabel)
        if label.wordWrap()
        and label.isVisible()
        and label.height() < label.heightForWidth(label.width())
    ]


def test_words_that_wrap_are_whole_in_every_section(review, qtbot):
    page = review.page
    window = main_window(review.viewer)
    assert (window.width(), window.height()) == (1280, 800)
    for section in page.sections:
        section.expand(animate=False)
    qtbot.waitUntil(lambda: cut_off(page) == [], timeout=5 * SECONDS)
    filled = [label for label in page.findChildren(QLabel) if label.wordWrap()]
    filled = [label for label in filled if any(s.isAncestorOf(label) for s in page.sections)]
    assert page.export.message in filled
    # a section has more or less to say, and Qt has a width of its own for each
    for words in (11, 13, 17, 23, 31, 80):
        for label in filled:
            label.setText("Done: 1 sweep written\n" + "and said " * words)
            label.show()
        qtbot.waitUntil(lambda: cut_off(page) == [], timeout=5 * SECONDS)
    bar = page.scroll_area.verticalScrollBar()
    bar.setValue(bar.maximum())
    QApplication.processEvents()
    assert is_seen(page.export.message, window)
