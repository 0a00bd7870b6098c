"""Stores that cannot be used for a while: reported at once, nothing lost, saved by itself."""

import os
import signal
import sqlite3
import sys
from contextlib import closing

import pytest

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.corrections.schema import SCHEMA_VERSION
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.widgets.viewer.compat import main_window

SECONDS = 1000


@pytest.fixture
def store():
    """None: the window opens the user's own store."""


@pytest.fixture
def path():
    return paths.default_store()


def saved(widget):
    return widget.page.saved.text().endswith("saved")


def wait_ms(widget):
    """How long SQLite waits in the GUI thread for a lock."""
    return widget.keeper.store._connection.execute("PRAGMA busy_timeout").fetchone()[0]


def said(widget, words):
    return lambda: words in widget.page.analysis.error.text()


@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_locked_store_is_waited_for_but_no_key_waits(review, path, lock, qtbot):
    assert saved(review)
    assert not review.page.footer.again.isVisible()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(f"BEGIN {lock}")
    waits = []
    review.keeper.store._connection.set_trace_callback(lambda _: waits.append(wait_ms(review)))
    review.presenter.actions.label_optimal()
    review.keeper.store._connection.set_trace_callback(None)
    assert waits
    assert set(waits) == {0}
    frame = review.presenter.view.navigator.frame
    assert not saved(review)
    assert review.page.footer.again.isVisible()
    qtbot.waitUntil(said(review, "another program"), timeout=20 * SECONDS)
    assert review.page.frame.label_buttons[Label.OPTIMAL].isChecked()
    other.execute("ROLLBACK")
    other.close()
    qtbot.waitUntil(lambda: saved(review), timeout=20 * SECONDS)
    assert not review.page.analysis.error_box.isVisible()
    with CorrectionStore(path) as on_disk:
        (event,) = on_disk.events()
        assert (event.frame, event.label) == (frame, Label.OPTIMAL)


def test_a_sweep_that_is_opened_while_the_store_is_locked_is_reviewed_once_it_is_free(
    review, path, qtbot
):
    review.presenter.actions.label_optimal()
    frame, sweep = review.presenter.view.navigator.frame, review.presenter.session.sweep
    review.viewer.layers.clear()
    qtbot.waitUntil(lambda: review.layer is None)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    review._show_sweep(sweep)
    assert review.presenter is None
    assert "once the store is free" in review.page.analysis.error.text()
    other.execute("ROLLBACK")
    other.close()
    qtbot.waitUntil(lambda: review.presenter is not None, timeout=20 * SECONDS)
    assert not review.page.analysis.error_box.isVisible()
    assert list(review.presenter.session.corrections()) == [frame]


def test_a_lock_of_a_moment_is_no_trouble(review, path, qtbot):
    errors = []
    review.error_occurred.connect(errors.append)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    review.presenter.actions.label_optimal()
    review.presenter.actions.accept_and_next()
    review.presenter.actions.undo()
    assert not saved(review)
    other.execute("ROLLBACK")
    other.close()
    review.keeper._again()  # as its timer does
    assert saved(review)
    assert errors == []
    with CorrectionStore(path) as on_disk:
        assert len(on_disk.events()) == 2


def test_what_is_not_saved_is_tried_again_by_a_button(review, path, qtbot):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    review.presenter.actions.label_optimal()
    review.keeper._timer.start(3600 * SECONDS)
    again = review.page.footer.again
    again.click()
    assert said(review, "another program")()
    assert again.isVisible()
    review.keeper._timer.start(3600 * SECONDS)
    other.execute("ROLLBACK")
    other.close()
    again.click()
    assert saved(review)
    assert not again.isVisible()
    assert not review.page.analysis.error_box.isVisible()


def test_the_last_try_at_closing_waits_for_a_lock(review, monkeypatch):
    review.presenter.actions.label_optimal()
    waits, store = [], review.keeper.store
    monkeypatch.setattr(store, "write_waiting", lambda: waits.append(wait_ms(review)))
    assert review.keeper.unsaved == 0
    assert waits == [500]
    assert wait_ms(review) == 0


def test_that_a_sweep_is_fully_reviewed_is_waited_for(review, path, qtbot):
    identity = review.presenter.session.sweep.identity
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    review.page.reviewed.click()
    assert review.page.reviewed.isChecked()
    assert not saved(review)
    qtbot.waitUntil(said(review, "another program"), timeout=20 * SECONDS)
    other.execute("ROLLBACK")
    other.close()
    qtbot.waitUntil(lambda: saved(review), timeout=20 * SECONDS)
    assert not review.page.analysis.error_box.isVisible()
    with CorrectionStore(path) as on_disk:
        assert on_disk.fully_reviewed(identity) == ["AK"]


def test_a_store_that_cannot_be_opened_is_reported_and_taken_once_it_can(
    window, show, tiny_settings, phantom, path, qtbot
):
    with CorrectionStore(path) as before:
        before.add_sweep(phantom.sweep)
        before.set_label(phantom.sweep.identity, 20, Label.NONE, "AK")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    review = window()
    show(review, phantom.sweep)
    assert "newer" in review.page.analysis.error.text()
    assert not saved(review)
    review.presenter.actions.go(12)
    review.presenter.actions.label_suboptimal()
    assert "newer" in review.page.analysis.error.text()  # it is still so
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    qtbot.waitUntil(lambda: saved(review), timeout=20 * SECONDS)
    assert "2 frames corrected" in review.page.saved.text()
    assert review.presenter.view.navigator.frame == 12
    with CorrectionStore(path) as on_disk:
        assert sorted(on_disk.corrections(phantom.sweep.identity, "AK")) == [12, 20]


def test_what_cannot_be_saved_at_the_end_is_saved_elsewhere(review, path, monkeypatch):
    shown = []
    monkeypatch.setattr("napari_fetal_iqa.widgets.review.show_error", shown.append)
    review.keeper.store._connection.execute("PRAGMA query_only = ON")
    review.presenter.actions.label_optimal()
    review.close()
    (line,) = shown
    rescued = line.split("corrections merge ")[1]
    with CorrectionStore(rescued) as store:
        assert [event.label for event in store.events()] == [Label.OPTIMAL]
    with CorrectionStore(path) as on_disk:
        assert on_disk.events() == []


def test_a_store_that_is_emptied_under_the_window_takes_no_edit_with_it(review, path, monkeypatch):
    shown = []
    monkeypatch.setattr("napari_fetal_iqa.widgets.review.show_error", shown.append)
    os.truncate(path, 0)
    review.presenter.actions.label_optimal()
    assert not saved(review)
    assert review.page.frame.label_buttons[Label.OPTIMAL].isChecked()
    review.close()
    (line,) = shown
    with CorrectionStore(line.split("corrections merge ")[1]) as store:
        assert [event.label for event in store.events()] == [Label.OPTIMAL]


@pytest.fixture
def unwritable(closable):
    """The review with one correction that its store does not take."""
    review = closable
    review.keeper.store._connection.execute("PRAGMA query_only = ON")
    review.presenter.actions.label_optimal()
    review.keeper._timer.stop()
    assert not saved(review)
    return review


def answer(widget, words):
    question = widget.close_guard.question
    (button,) = [one for one in question.buttons() if one.text() == words]
    button.click()


def rescued_from(widget):
    text = widget.close_guard.question.informativeText()
    return text.removeprefix("It is kept in ").split(" in any case: ")[0]


def test_closing_napari_is_held_while_something_is_unsaved_and_it_is_rescued_in_any_case(
    unwritable, qtbot
):
    window = main_window(unwritable.viewer)
    window.close()
    assert window.isVisible()
    question = unwritable.close_guard.question
    assert question.text().startswith("1 correction is not saved yet")
    assert all(button.toolTip() for button in question.buttons())
    with CorrectionStore(rescued_from(unwritable)) as rescued:
        assert [event.label for event in rescued.events()] == [Label.OPTIMAL]

    answer(unwritable, "Stay")
    assert window.isVisible()
    assert not unwritable._closed
    window.close()
    assert window.isVisible()  # held again
    answer(unwritable, "Try again")
    assert window.isVisible()  # in vain
    assert unwritable.close_guard.question.text().startswith("1 correction is not saved yet")

    unwritable.keeper.store._connection.execute("PRAGMA query_only = OFF")
    unwritable.keeper._again()  # as its timer does
    assert unwritable.close_guard.question.text() == "Everything is saved by now."
    seen = [one.text() for one in unwritable.close_guard.question.buttons() if one.isVisible()]
    assert sorted(seen) == ["Close", "Stay"]
    answer(unwritable, "Close")
    assert unwritable._closed
    with CorrectionStore(paths.default_store()) as on_disk:
        assert len(on_disk.events()) == 1


def test_a_script_that_closes_the_viewer_is_held_before_any_layer_goes(unwritable):
    viewer, frame = unwritable.viewer, unwritable.presenter.view.navigator.frame
    viewer.close()
    with CorrectionStore(rescued_from(unwritable)) as rescued:
        assert len(rescued.events()) == 1
    answer(unwritable, "Stay")
    assert main_window(viewer).isVisible()
    assert unwritable.layer in viewer.layers
    unwritable.presenter.actions.go(frame + 1)  # the review goes on
    assert unwritable.presenter.view.navigator.frame == frame + 1
    viewer.close()
    answer(unwritable, "Close")
    assert unwritable._closed
    assert not viewer.layers
    assert "close" not in vars(viewer)


def test_what_is_unsaved_can_be_saved_elsewhere_on_closing(unwritable, monkeypatch, tmp_path):
    chosen = tmp_path / "mine.sqlite"
    monkeypatch.setattr(
        "napari_fetal_iqa.widgets.background.close_guard.QFileDialog.getSaveFileName",
        lambda *_, **__: (str(chosen), ""),
    )
    main_window(unwritable.viewer).close()
    answer(unwritable, "Save elsewhere…")
    assert unwritable._closed
    with CorrectionStore(chosen) as store:
        assert len(store.events()) == 1


def test_a_second_close_is_not_held(unwritable):
    window = main_window(unwritable.viewer)
    window.close()
    kept = rescued_from(unwritable)
    window.close()
    assert unwritable._closed
    with CorrectionStore(kept) as store:
        assert len(store.events()) == 1


def test_what_no_rescue_can_keep_is_said_on_closing(closable):
    review = closable
    review.page.reviewed.click()
    review.keeper.store._connection.execute("PRAGMA query_only = ON")
    review.page.reviewed.click()
    review.keeper._timer.stop()
    main_window(review.viewer).close()
    said = review.close_guard.question.informativeText()
    assert said == (
        "That a sweep is not fully reviewed after all could not be kept: untick it again."
    )
    answer(review, "Close")
    assert review._closed


def test_closing_with_everything_saved_ends_the_review_at_once(closable):
    review = closable
    review.presenter.actions.label_optimal()
    main_window(review.viewer).close()
    assert review._closed
    with CorrectionStore(paths.default_store()) as on_disk:
        assert len(on_disk.events()) == 1


def test_the_end_of_the_program_ends_the_review_too(review, qapp):
    qapp.aboutToQuit.emit()
    assert review._closed


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_to_end_rescues_what_is_unsaved_and_says_where(
    unwritable, qtbot, monkeypatch, capsys, name
):
    quits = []
    monkeypatch.setattr(
        "napari_fetal_iqa.widgets.background.end_signals._quit",
        lambda: quits.append(name),
    )
    os.kill(os.getpid(), getattr(signal, name))
    qtbot.waitUntil(lambda: bool(quits), timeout=20 * SECONDS)
    assert unwritable._closed
    said = capsys.readouterr().err
    with CorrectionStore(said.split("corrections merge ")[1].splitlines()[0]) as rescued:
        assert [event.label for event in rescued.events()] == [Label.OPTIMAL]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_window_that_goes_with_all_docks_shown_says_no_error(closable, qapp, monkeypatch):
    """As after Ctrl+Q: napari forgets its window before the docks are told that they are hidden."""
    review, failed = closable, []
    monkeypatch.setattr(sys, "excepthook", lambda *error: failed.append(error))
    review.candidates.toggle()
    review.worklist.dock.show()
    assert review.candidates.visible
    window = review.viewer.window
    kept = window._qt_window
    del window._qt_window
    try:
        qapp.aboutToQuit.emit()
        review.worklist.dock.dock.show()
        review.candidates.dock.show()
        qapp.processEvents()
        assert failed == []
        assert review._closed
        review.worklist.dock.hide()
    finally:
        window._qt_window = kept
        review.viewer.close()


def test_what_the_panel_says_of_a_sweep_is_not_found_on_the_first_page_later(review, store):
    review._show_error("The store could not be written")
    review.presenter.actions.label_optimal()
    assert not review.page.analysis.error.text()
    assert not review.welcome.error.text()
