"""Nothing is stored on a sweep, or a frame, that was not on the screen yet."""

import importlib.util
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QCursor

from napari_fetal_iqa.corrections import Label
from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.widgets.background import sweep_opener
from napari_fetal_iqa.widgets.shortcuts import Action
from napari_fetal_iqa.widgets.viewer.compat import main_window

pytestmark = pytest.mark.gui

SECONDS = 1000
HELD_UP_S = 0.4

spec = importlib.util.spec_from_file_location("x11", Path(__file__).with_name("x11.py"))
x11 = importlib.util.module_from_spec(spec)
spec.loader.exec_module(x11)


@pytest.fixture(autouse=True)
def frames_are_seen():
    """Here frames are seen once they are drawn, and not before."""


@pytest.fixture
def desk(window, tmp_path, phantom, tiny_settings, qtbot):
    """The review of a worklist of two sweeps, whose first is open and seen."""
    for name, first in (("a", 0), ("b", 5)):
        frames = np.asarray(phantom.sweep.frames[first : first + 10])
        write_volume(tmp_path / "exam" / f"{name}.mha", frames, phantom.sweep.spacing_mm)
    widget = window()
    widget.worklist.open_folder(tmp_path / "exam")
    qtbot.waitUntil(lambda: widget.presenter is not None, timeout=20 * SECONDS)
    qtbot.waitUntil(lambda: not widget.first_paint.missing, timeout=20 * SECONDS)
    return widget


def test_keys_that_wait_for_the_next_sweep_are_not_its_before_it_is_drawn(
    desk, store, monkeypatch, qtbot
):
    """As after Ctrl+Page Down and 0 in quick succession."""
    said, before = [], desk.presenter
    error, follow = desk.page.analysis.error, desk.candidates.follow
    draw = desk.viewer.window._qt_viewer.canvas._scene_canvas.events.draw

    def label(*_):
        desk.do(Action.LABEL_NONE)
        said.append(error.text())

    def followed(presenter):  # the sweep was laid out; what waits in the queue comes next
        follow(presenter)
        draw.connect(label, position="last")
        label()

    monkeypatch.setattr(desk.candidates, "follow", followed)
    desk.do(Action.NEXT_IN_WORKLIST)
    if desk.presenter is before:  # which is being left
        label()
    qtbot.waitUntil(lambda: desk.presenter not in (None, before), timeout=20 * SECONDS)
    qtbot.waitUntil(lambda: len(said) > 1 and not desk.first_paint.missing, timeout=20 * SECONDS)
    draw.disconnect(label)
    assert store.events() == []
    assert all(line.startswith("Nothing was changed: ") for line in said)
    assert said[-1] == "Nothing was changed: the frame had not been drawn yet"
    desk.do(Action.LABEL_NONE)
    assert list(store.corrections(desk.presenter.session.sweep.identity)) == [
        desk.presenter.view.navigator.frame
    ]
    assert not error.text()


def test_real_keys_that_wait_while_the_sweep_is_drawn_are_not_its(
    desk, store, press, monkeypatch, qapp, qtbot
):
    """In the X server's queue: behind Ctrl+Page Down, while it is laid out, while it is drawn.

    The window is held up after that for longer than the moment in which nobody can have answered.
    """
    if qapp.platformName() != "xcb":
        pytest.skip("keys are queued by an X server here")
    window, before = int(main_window(desk.viewer).winId()), desk.presenter
    said, typed = [], []
    panel, follow = desk.page.analysis, desk.candidates.follow
    draw = desk.viewer.window._qt_viewer.canvas._scene_canvas.events.draw

    def note():
        said.append(panel.error.text())

    def type_none(*_):
        x11.type_key(window, "0")
        QCursor.pos()  # Qt's own connection has heard of it now
        typed.append("0")

    def drawn(*_):
        if desk.presenter is not before and desk.first_paint.missing:
            draw.disconnect(drawn)
            type_none()
            time.sleep(HELD_UP_S)

    def followed(presenter):
        follow(presenter)
        type_none()

    press(desk, Qt.Key.Key_Escape)  # the window is active
    panel.error_shown.connect(note)
    monkeypatch.setattr(desk.candidates, "follow", followed)
    x11.type_key(window, "Page_Down", control=True)
    type_none()
    draw.connect(drawn, position="last")
    qtbot.waitUntil(lambda: desk.presenter not in (None, before), timeout=20 * SECONDS)
    qtbot.waitUntil(lambda: not desk.first_paint.missing, timeout=20 * SECONDS)
    assert len(typed) == 3
    qtbot.waitUntil(lambda: len(said) + len(store.events()) == 3, timeout=20 * SECONDS)
    assert store.events() == []
    assert {line.partition(":")[0] for line in said} == {"Nothing was changed"}
    assert any("had not been drawn" in line for line in said)
    type_none()
    qtbot.waitUntil(lambda: bool(store.events()), timeout=20 * SECONDS)
    assert [event.label for event in store.events()] == [Label.NONE]
    panel.error_shown.disconnect(note)


def test_from_when_another_sweep_is_asked_for_nothing_goes_to_the_one_that_is_left(
    desk, store, tmp_path, monkeypatch, qtbot
):
    may_read = threading.Event()

    def fail(path):
        may_read.wait(60)
        raise ValueError("unreadable")

    monkeypatch.setattr(sweep_opener, "read_sweep", fail)
    actions, overlay = desk.presenter.actions, desk.presenter.view.overlay
    mask = np.ones(desk.presenter.session.sweep.shape[1:], bool)
    overlay.pressed.emit()  # a stroke that was begun before
    desk.open_file(str(tmp_path / "exam" / "b.mha"))
    try:
        actions.stroke(3, mask)
        assert len(store.events()) == 1
        overlay.pressed.emit()
        actions.stroke(3, ~mask)
        for action in (Action.LABEL_OPTIMAL, Action.ACCEPT_AND_NEXT, Action.UNDO):
            desk.do(action)
            line = desk.page.analysis.error.text()
            assert line == "Nothing was changed: another sweep is being opened"
        desk.page.reviewed.click()
        assert not desk.page.reviewed.isChecked()
        assert len(store.events()) == 1
    finally:
        may_read.set()
    qtbot.waitUntil(lambda: not desk.opener.opening, timeout=20 * SECONDS)
    desk.do(Action.LABEL_OPTIMAL)
    assert len(store.events()) == 2


def test_a_sweep_of_the_list_that_is_read_ahead_is_awaited_until_it_is_there_or_fails(
    desk, store, monkeypatch, qtbot
):
    monkeypatch.setattr(desk.worklist.ahead, "is_reading", lambda source: True)
    desk.do(Action.NEXT_IN_WORKLIST)
    desk.do(Action.LABEL_OPTIMAL)
    assert store.events() == []
    error = desk.page.analysis.error
    assert "another sweep is being opened" in error.text()
    monkeypatch.setattr(desk.worklist.ahead, "is_reading", lambda source: False)
    qtbot.waitUntil(lambda: not error.text(), timeout=20 * SECONDS)  # it is awaited no more
    monkeypatch.setattr(desk.worklist.ahead, "is_reading", lambda source: True)
    desk.worklist._failed_ahead(desk.worklist._wanted, "b.mha: unreadable")
    desk.do(Action.LABEL_OPTIMAL)
    assert len(store.events()) == 1


def test_a_file_that_cannot_be_opened_in_place_of_the_next_sweep_holds_nothing_up(
    desk, store, tmp_path, monkeypatch, qtbot
):
    may_read, read = threading.Event(), sweep_opener.read_source
    desk.worklist.ahead.stop()
    monkeypatch.setattr(
        sweep_opener, "read_source", lambda source: may_read.wait(60) and read(source)
    )
    shown = desk.presenter
    desk.do(Action.NEXT_IN_WORKLIST)
    desk.open_file(str(tmp_path / "gone.mha"))
    may_read.set()
    qtbot.waitUntil(lambda: not desk.opener.opening, timeout=20 * SECONDS)
    assert desk.presenter is shown
    desk.do(Action.LABEL_OPTIMAL)
    assert len(store.events()) == 1


def test_while_a_sweep_is_read_to_its_end_keys_say_that_they_wait(
    desk, store, tmp_path, monkeypatch, qtbot
):
    from napari_fetal_iqa.widgets import review

    may_read, read = threading.Event(), review.prepare_sweep
    monkeypatch.setattr(review, "prepare_sweep", lambda one: may_read.wait(60) and read(one))
    before = desk.presenter
    desk.open_file(str(tmp_path / "exam" / "b.mha"))
    qtbot.waitUntil(lambda: desk.presenter is not before, timeout=20 * SECONDS)
    try:
        desk.do(Action.LABEL_OPTIMAL)
        assert "not read to its end" in desk.page.analysis.error.text()
    finally:
        may_read.set()
    qtbot.waitUntil(lambda: desk.presenter is not None, timeout=20 * SECONDS)
    assert not desk.page.analysis.error.text()
    assert store.events() == []
