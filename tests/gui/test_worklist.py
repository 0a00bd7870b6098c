"""A day's work: a folder of sweeps, one after the other, in a real window."""

from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QEvent, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLabel, QPushButton

from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.io.discovery import SweepSource
from napari_fetal_iqa.review.worklist.columns import COLUMNS, Row, State
from napari_fetal_iqa.review.worklist.facts import SweepFacts
from napari_fetal_iqa.storage import window_state
from napari_fetal_iqa.storage.recent import recent_sweeps
from napari_fetal_iqa.storage.settings import Settings
from napari_fetal_iqa.widgets.background.tasks import is_prepared
from napari_fetal_iqa.widgets.shortcuts import Action
from napari_fetal_iqa.widgets.worklist import read_ahead
from napari_fetal_iqa.widgets.worklist.widget import WorklistWidget

pytestmark = pytest.mark.gui

SECONDS = 1000
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture(scope="module")
def exam(tmp_path_factory, phantom):
    """A folder of three sweeps and a file that is none."""
    folder = tmp_path_factory.mktemp("exam")
    for number, frames in enumerate(
        (phantom.sweep.frames, phantom.sweep.frames[::-1], phantom.sweep.frames[:, ::-1]), start=1
    ):
        path = folder / f"case_{number}.mha"
        write_volume(path, np.asarray(frames), phantom.sweep.spacing_mm, compress=number == 2)
    (folder / "case_4.mha").write_bytes(b"junk")
    return folder


@pytest.fixture
def desk(window, exam, tiny_settings, qtbot):
    """The review with the folder in its worklist, and the first sweep open."""
    widget = window()
    widget.worklist.open_folder(exam)
    qtbot.waitUntil(lambda: widget.presenter is not None, timeout=20 * SECONDS)
    qtbot.waitUntil(lambda: all(row.facts for row in rows(widget)), timeout=20 * SECONDS)
    return widget


def rows(widget):
    return widget.worklist.widget.model.rows


def shown(widget, key):
    """What one column shows, from top to bottom."""
    column = [column.key for column in COLUMNS].index(key)
    model = widget.worklist.widget.filter
    return [model.index(row, column).data() for row in range(model.rowCount())]


def name_in_front(widget):
    return widget.presenter.session.sweep.name if widget.presenter else None


def wait_for(qtbot, widget, name):
    qtbot.waitUntil(lambda: name_in_front(widget) == name, timeout=20 * SECONDS)


def test_a_folder_is_listed_and_worked_through_by_keys(desk, press, qtbot, store):
    assert shown(desk, "name") == ["▸ case_1", "case_2", "case_3", "case_4"]
    assert shown(desk, "state")[3] == "! failed"
    frames = str(len(desk.presenter.session.sweep))
    assert shown(desk, "frames") == [frames, frames, frames, ""]
    assert desk.worklist.dock.shown

    first = desk.layer
    qtbot.waitUntil(lambda: desk.worklist.ahead._sweep is not None, timeout=20 * SECONDS)
    ahead = desk.worklist.ahead._sweep
    press(desk, Qt.Key.Key_PageDown, CONTROL)
    wait_for(qtbot, desk, "case_2")
    assert desk.presenter.session.sweep is ahead  # read once
    assert first not in desk.viewer.layers
    assert shown(desk, "name")[1] == "▸ case_2"

    desk.presenter.actions.label_optimal()
    desk.page.reviewed.click()
    qtbot.waitUntil(lambda: shown(desk, "state")[1] == "✓ reviewed", timeout=20 * SECONDS)
    assert shown(desk, "corrected") == ["", "1", "", ""]
    desk.page.settings.form.set_field("reviewer", "BM")  # whose review it is counts at once
    qtbot.waitUntil(lambda: shown(desk, "state")[1] == "new", timeout=20 * SECONDS)
    assert shown(desk, "corrected") == ["", "", "", ""]

    press(desk, Qt.Key.Key_PageUp, CONTROL)
    wait_for(qtbot, desk, "case_1")
    press(desk, Qt.Key.Key_PageUp, CONTROL)
    assert "This is the first" in desk.worklist.widget.count.text()


def test_ctrl_held_while_stepping_selects_no_other_sweeps_than_that_on_the_screen(
    desk, press, qtbot
):
    listed = desk.worklist.widget
    selected = listed.table.selectionModel().selectedRows
    press(desk, Qt.Key.Key_Control)  # in a window that is active
    handle = desk.viewer.window._qt_window.windowHandle()
    QTest.keyPress(handle, Qt.Key.Key_PageDown, CONTROL)  # the window system knows it as held
    wait_for(qtbot, desk, "case_2")
    assert QApplication.keyboardModifiers() == CONTROL
    desk.do(Action.NEXT_IN_WORKLIST)
    wait_for(qtbot, desk, "case_3")
    assert [index.row() for index in selected()] == listed.selected() == [2]
    QTest.keyRelease(handle, Qt.Key.Key_PageDown)

    listed.table.selectAll()  # by nobody, and the keys are on the frame
    assert listed.selected() == [2]
    at = listed.table.visualRect(listed.filter.index(0, 0)).center()
    QTest.mouseClick(listed.table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert listed.selected() == [0]
    listed.show_front(None)  # another sweep than these
    assert selected() == listed.selected() == []


def test_of_sweeps_wanted_in_a_row_the_last_one_comes(desk, qtbot):
    desk.worklist.ahead.stop()  # so that the next one is not there at once
    desk.do(Action.NEXT_IN_WORKLIST)
    desk.do(Action.NEXT_IN_WORKLIST)
    wait_for(qtbot, desk, "case_3")
    qtbot.wait(100)
    assert name_in_front(desk) == "case_3"
    assert len([layer for layer in desk.viewer.layers if "case" in layer.name]) == 1


def test_the_list_is_filtered_and_sorted_and_opened_from_the_keyboard(desk, press, qtbot):
    listed = desk.worklist.widget
    QTest.keyClicks(listed.search, "case_3")
    assert shown(desk, "name") == ["case_3"]
    assert listed.count.text().startswith("1 of 4")
    press(desk, Qt.Key.Key_Control)  # in a window that is active
    canvas = desk.viewer.window._qt_viewer.canvas.native
    listed.search.setFocus()
    QTest.keyClick(listed.search, Qt.Key.Key_Return)
    wait_for(qtbot, desk, "case_3")
    assert listed.window().focusWidget() is canvas
    listed.search.setFocus()
    listed.search.clear()
    press(desk, Qt.Key.Key_PageUp, CONTROL)
    wait_for(qtbot, desk, "case_2")
    assert listed.window().focusWidget() is canvas
    QTest.keyClicks(listed.search, "case_3")
    desk.worklist.ahead.stop()
    listed.search.setFocus()
    QTest.keyClick(listed.search, Qt.Key.Key_Return)
    QTest.keyClicks(listed.search, " ")  # who types on keeps the keys
    wait_for(qtbot, desk, "case_3")
    assert listed.window().focusWidget() is listed.search
    QTest.keyClick(listed.search, Qt.Key.Key_Escape)
    listed.states.setCurrentText(str(State.FAILED))
    assert shown(desk, "name") == ["▸ case_3", "case_4"]  # the one on the screen stays
    listed.states.setCurrentIndex(0)
    listed.table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert shown(desk, "name") == ["case_4", "▸ case_3", "case_2", "case_1"]
    desk.do(Action.NEXT_IN_WORKLIST)  # in the order that is shown
    wait_for(qtbot, desk, "case_2")
    listed.table.take_focus()
    QTest.keyClick(listed.table, Qt.Key.Key_Down)
    QTest.keyClick(listed.table, Qt.Key.Key_Return)
    wait_for(qtbot, desk, "case_1")


def test_whose_sweeps_these_are_is_said_from_the_keyboard_and_shown(desk, press, qtbot, store):
    listed = desk.worklist.widget
    assert shown(desk, "subject") == ["", "", "", ""]
    listed.table.take_focus()
    listed.table.selectRow(1)
    QTest.keyClick(listed.table, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    press(desk, Qt.Key.Key_I, CONTROL)
    qtbot.waitUntil(lambda: desk.worklist.subjects.dialog is not None, timeout=20 * SECONDS)
    dialog = desk.worklist.subjects.dialog
    assert "2 sweeps: case_2, case_3" in dialog.findChild(QLabel).text()
    assert not dialog.keep.isEnabled()  # nothing to forget
    for control in (dialog.name, *dialog.findChildren(QPushButton)):
        assert control.toolTip()
    QTest.keyClicks(dialog.name, "Ada")
    QTest.keyClick(dialog.name, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: shown(desk, "subject") == ["", "A", "A", ""], timeout=20 * SECONDS)
    assert "2 sweeps noted" in listed.count.text()
    assert name_in_front(desk) == "case_1"  # nothing was opened
    assert len({one.key for one in store.subjects().values()}) == 1

    listed.table.clearSelection()
    menu = listed.offer(listed.table.rect().center())  # of the sweep that the keys are on
    {action.text().split("\t")[0]: action for action in menu.actions()}[
        "Only sweeps of subject A"
    ].trigger()
    menu.close()
    assert shown(desk, "name") == ["case_2", "case_3"]
    listed.search.clear()

    desk.worklist.subjects.say([rows(desk)[0], rows(desk)[3]], "Ada")  # the last one is junk
    qtbot.waitUntil(lambda: shown(desk, "subject")[0] == "A", timeout=20 * SECONDS)
    told = "of 1 of 2 sweeps: subject not noted: case_4.mha"
    qtbot.waitUntil(lambda: told in desk.page.analysis.error.text(), timeout=20 * SECONDS)
    desk.worklist.subjects.say(rows(desk)[:3], "")
    qtbot.waitUntil(lambda: shown(desk, "subject") == ["", "", "", ""], timeout=20 * SECONDS)
    assert store.subjects() == {}


def test_what_failed_says_why_and_is_told_when_it_is_opened(desk, qtbot):
    model = desk.worklist.widget.filter
    tip = model.index(3, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "case_4.mha: expected" in tip
    desk.worklist.widget.table.selectRow(3)
    assert "case_4.mha: expected" in desk.worklist.widget.count.text()
    desk.worklist.open(3)
    qtbot.waitUntil(lambda: bool(desk.page.analysis.error.text()), timeout=20 * SECONDS)
    assert name_in_front(desk) == "case_1"
    assert desk.worklist.widget.selected() == [0]  # not that which did not come
    assert desk.worklist.widget.table.currentIndex().row() == 0
    desk.do(Action.NEXT_IN_WORKLIST)  # goes on from what is seen
    wait_for(qtbot, desk, "case_2")


def test_sweeps_that_cannot_be_read_are_marked_and_passed_over(
    window, exam, tiny_settings, tmp_path, qtbot, press
):
    whole = (exam / "case_2.mha").read_bytes()
    for name, content in {
        "1_cut": whole[: len(whole) // 2],  # its header is good
        "2_whole": whole,
        "3_junk": b"junk",
        "4_cut": whole[: len(whole) // 2],
        "5_whole": whole,
        "6_cut": whole[: len(whole) // 2],
    }.items():
        (tmp_path / f"{name}.mha").write_bytes(content)
    widget = window()
    widget.worklist.open_folder(tmp_path)
    listed = widget.worklist.widget
    wait_for(qtbot, widget, "2_whole")
    assert "Passed over, cannot be read: 1_cut" in listed.count.text()
    qtbot.waitUntil(lambda: all(row.facts for row in rows(widget)), timeout=20 * SECONDS)
    ahead = widget.worklist.ahead
    qtbot.waitUntil(lambda: ahead.has_read, timeout=20 * SECONDS)
    assert ahead._source.path.name == "5_whole.mha"
    widget.worklist.look_again()  # headers say nothing of what is cut
    qtbot.waitUntil(lambda: widget.worklist._lookup is None, timeout=20 * SECONDS)
    failed = ["! failed", "! failed", "! failed"]
    assert [shown(widget, "state")[row] for row in (0, 2, 3)] == failed

    press(widget, Qt.Key.Key_PageDown, CONTROL)
    wait_for(qtbot, widget, "5_whole")
    assert "Passed over, cannot be read: 3_junk, 4_cut" in listed.count.text()
    press(widget, Qt.Key.Key_PageDown, CONTROL)
    qtbot.waitUntil(lambda: shown(widget, "state")[5] == "! failed", timeout=20 * SECONDS)
    press(widget, Qt.Key.Key_PageDown, CONTROL)
    assert "This is the last sweep shown that can be read" in listed.count.text()
    press(widget, Qt.Key.Key_PageUp, CONTROL)
    wait_for(qtbot, widget, "2_whole")


def test_the_next_sweep_is_analysed_while_this_one_is_reviewed(window, exam, tiny_settings, qtbot):
    widget = window()
    widget.settings_file.keep(tiny_settings.model_copy(update={"analyse_on_open": True}))
    widget.worklist.open_folder(exam)
    qtbot.waitUntil(lambda: widget.presenter is not None, timeout=20 * SECONDS)
    qtbot.waitUntil(
        lambda: rows(widget)[1].facts is not None and rows(widget)[1].facts.analysed == 1,
        timeout=120 * SECONDS,
    )
    assert rows(widget)[1].facts.best_frame is not None
    widget.do(Action.NEXT_IN_WORKLIST)
    wait_for(qtbot, widget, "case_2")
    qtbot.waitUntil(lambda: widget.presenter.session.analysis is not None, timeout=20 * SECONDS)
    assert widget.presenter.session.analysis.complete  # from the cache, at once


def test_the_worklist_is_closed_and_comes_back_from_menu_and_panel(desk):
    dock = desk.worklist.dock
    button = dock.dock.titleBarWidget().findChild(QPushButton, "QTitleBarCloseButton")
    button.click()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert not dock.shown
    assert not desk.page.worklist.isChecked()
    desk.page.worklist.click()
    assert dock.shown
    dock.hide()
    menu = desk.viewer.window.window_menu
    {action.text(): action for action in menu.actions()}["Worklist"].trigger()
    assert dock.shown


def test_the_empty_page_goes_on_with_what_was_open_last(desk, qtbot, exam):
    desk.do(Action.NEXT_IN_WORKLIST)
    wait_for(qtbot, desk, "case_2")
    qtbot.waitUntil(lambda: recent_sweeps()[0].name == "case_2.mha", timeout=20 * SECONDS)
    desk.viewer.layers.remove(desk.layer)
    qtbot.waitUntil(lambda: desk.welcome.go_on.isVisible(), timeout=20 * SECONDS)
    qtbot.waitUntil(lambda: "case_2" in desk.welcome.go_on.text(), timeout=20 * SECONDS)
    desk.welcome.go_on.click()
    wait_for(qtbot, desk, "case_2")
    assert desk.worklist.widget.model.in_front == 1


def test_a_worklist_that_was_closed_stays_closed_when_one_goes_on(desk, qtbot, exam):
    dock = desk.worklist.dock
    dock.dock.titleBarWidget().findChild(QPushButton, "QTitleBarCloseButton").click()
    assert window_state.load().worklist_closed
    qtbot.waitUntil(lambda: bool(recent_sweeps()), timeout=20 * SECONDS)
    desk.worklist.open_recent(recent_sweeps()[0])
    first = desk.presenter
    qtbot.waitUntil(lambda: desk.presenter not in (None, first), timeout=20 * SECONDS)
    assert not dock.shown
    assert desk.worklist.widget.model.in_front == 0  # the list is there all the same
    desk.worklist.open_folder(exam)  # which is wanted now
    qtbot.waitUntil(lambda: dock.shown, timeout=20 * SECONDS)
    assert not window_state.load().worklist_closed
    desk.shut_down()
    assert not dock.shown
    assert not window_state.load().worklist_closed  # nobody closed it: the window ended


def test_without_a_folder_the_list_says_how_to_begin(window, tiny_settings):
    widget = window()
    assert not widget.worklist.dock.shown
    widget.do(Action.NEXT_IN_WORKLIST)
    assert widget.worklist.dock.shown
    assert widget.worklist.widget._pages.currentIndex() == 0


def test_a_folder_without_sweeps_is_told_in_the_panel(window, tiny_settings, tmp_path, qtbot):
    widget = window()
    widget.worklist.open_folder(tmp_path)
    qtbot.waitUntil(lambda: "found none" in widget.welcome.error.text(), timeout=20 * SECONDS)


def test_every_control_of_the_list_has_a_tooltip_and_a_name(desk):
    listed = desk.worklist.widget
    for control in (listed.search, listed.states, listed.table):
        assert control.toolTip()
        assert control.accessibleName()
    for button in listed.findChildren(QPushButton):
        assert button.toolTip()


def test_a_folder_that_is_dropped_on_the_window_is_listed(window, exam, tiny_settings, qtbot):
    widget = window()
    widget.viewer.window._qt_viewer._qt_open([str(exam)], stack=False)
    wait_for(qtbot, widget, "case_1")
    assert len(rows(widget)) == 4


@pytest.fixture
def narrow(qtbot):
    """A list of five hundred sweeps at the width of napari's own docks."""
    widget = WorklistWidget()
    qtbot.addWidget(widget)
    states = [{}, {"reviewed": True}, {"analysed": 0.49}, {"analysed": 1.0}, {"failed": "junk"}]
    sweeps = [
        Row(SweepSource(Path(f"case_{n}.mha")), f"case_{n:03}", SweepFacts(9, **states[n % 5]))
        for n in range(500)
    ]
    widget.show_rows("exam", sweeps)
    widget.resize(240, 400)
    widget.show()
    return widget


def test_words_are_not_cut_in_a_narrow_list_and_its_titles_say_what_is_left_out(narrow):
    narrow.show_front(1)  # written bold
    table, titles = narrow.table, narrow.table.horizontalHeader()
    state = [column.key for column in COLUMNS].index("state")
    assert narrow.filter.index(2, state).data() == "49 %"
    for place in range(1, len(COLUMNS)):
        if not table.isColumnHidden(place):
            assert table.columnWidth(place) >= table.sizeHintForColumn(place)
            assert table.columnWidth(place) >= titles.sectionSizeHint(place)

    def told():
        return narrow.filter.headerData(
            state, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole
        )

    assert "In a wider list also: " in told()
    assert "Frames" in told()
    narrow.resize(1600, 400)
    assert "In a wider list" not in told()


def test_the_sweep_on_the_screen_stays_in_view_when_the_list_is_sorted_or_filtered(narrow):
    narrow.show_front(400)
    table = narrow.table

    def in_view():
        return table.viewport().rect().contains(table.visualRect(table.currentIndex()).center())

    table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert narrow.filter.mapToSource(table.currentIndex()).row() == 400
    assert in_view()
    narrow.search.setText("case_4")
    narrow.search.clear()
    assert in_view()


def outcome(generator):
    """What a generator gave, and what it returned."""
    given = []
    while True:
        try:
            given.append(next(generator))
        except StopIteration as end:
            return given, end.value


def test_a_sweep_that_there_is_no_room_for_is_not_read_ahead(exam, monkeypatch):
    source = SweepSource(exam / "case_2.mha")
    monkeypatch.setattr(read_ahead, "MOST_BYTES", 1)
    assert outcome(read_ahead.prepare(source, None, None, None, no, no)) == (
        [],
        read_ahead.Outcome.LEFT,
    )


def test_reading_ahead_stops_in_the_middle_and_analysing_gives_way(exam, tiny_models):
    source = SweepSource(exam / "case_2.mha")
    asked = iter([False, False, True])
    stopped = read_ahead.prepare(source, None, None, None, lambda: next(asked), no)
    assert outcome(stopped) == ([], read_ahead.Outcome.LEFT)  # after three frames of sixty

    settings = Settings(cls_model=str(tiny_models["cls"]), seg_model=str(tiny_models["seg"]))
    busy = read_ahead.prepare(source, None, None, settings, no, lambda: True)
    (sweep,), came = outcome(busy)
    assert came is read_ahead.Outcome.GAVE_WAY
    assert is_prepared(sweep)


def no():
    return False
