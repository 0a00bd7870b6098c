"""What could not be saved is found again: kept aside at once, offered at the next start."""

import sqlite3

import pytest
from qtpy.QtWidgets import QFileDialog

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.corrections.merge import merge
from napari_fetal_iqa.corrections.rescued import merge_rescued
from napari_fetal_iqa.corrections.rescuing import rescues_of
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.widgets.viewer.compat import main_window

SECONDS = 1000


@pytest.fixture
def store():
    """None: the window opens the user's own store."""


@pytest.fixture
def path():
    return paths.default_store()


def make_unwritable(review):
    review.keeper.store._connection.execute("PRAGMA query_only = ON")


def is_shown(notice, words):
    return lambda: not notice.isHidden() and words in notice.message.text()


def test_what_was_rescued_is_offered_at_the_next_start_and_merged_in_the_window(
    review, window, show, path, phantom, qtbot, monkeypatch
):
    told = []
    monkeypatch.setattr("napari_fetal_iqa.widgets.review.show_error", told.append)
    review.presenter.actions.go(7)
    make_unwritable(review)
    review.presenter.actions.label_optimal()
    review.presenter.actions.undo()
    review.presenter.actions.redo()
    review.close()
    (line,) = told
    assert line.index("next start") < line.index("corrections merge")

    again = window()
    notice = again.rescued
    words = "3 corrections of the last session were rescued"
    qtbot.waitUntil(is_shown(notice, words), timeout=20 * SECONDS)
    assert notice.isVisible()
    (rescued,) = rescues_of(path)
    notice.show_where.click()
    assert notice.places.text() == str(rescued)
    for button in (notice.merge, notice.later, notice.show_where):
        assert button.toolTip()
    show(again, phantom.sweep)
    assert again.presenter.session.corrections() == {}
    notice.merge.click()
    qtbot.waitUntil(is_shown(notice, "3 corrections were merged"), timeout=20 * SECONDS)
    qtbot.waitUntil(lambda: list(again.presenter.session.corrections()) == [7])
    assert rescues_of(path) == []
    assert list(path.parent.glob("corrections.merged-*.sqlite"))
    notice.later.click()
    assert not notice.isVisible()


def test_what_is_refused_is_said_and_offered_again(review, window, path, qtbot, monkeypatch):
    monkeypatch.setattr("napari_fetal_iqa.widgets.review.show_error", lambda _: None)
    make_unwritable(review)
    review.presenter.actions.label_optimal()
    review.close()
    again = window()
    notice = again.rescued
    qtbot.waitUntil(is_shown(notice, "1 correction of the last session was rescued"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    notice.merge.click()
    qtbot.waitUntil(is_shown(notice, "Not merged: "), timeout=20 * SECONDS)
    assert "another program" in notice.message.text()
    assert len(rescues_of(path)) == 1
    other.execute("ROLLBACK")
    other.close()
    notice.merge.click()
    qtbot.waitUntil(is_shown(notice, "1 correction was merged"), timeout=20 * SECONDS)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_what_another_window_merged_is_said(review, window, path, qtbot, monkeypatch, when):
    monkeypatch.setattr("napari_fetal_iqa.widgets.review.show_error", lambda _: None)
    make_unwritable(review)
    review.presenter.actions.label_optimal()
    review.close()
    again = window()
    notice = again.rescued
    qtbot.waitUntil(is_shown(notice, "1 correction of the last session was rescued"))
    (rescued,) = rescues_of(path)
    if when == "before":
        merge_rescued(path, rescued)
    else:  # it is in, and not renamed yet
        with CorrectionStore(path) as opened:
            merge(opened, rescued)
    notice.merge.click()
    words = "1 correction was merged by another window"
    qtbot.waitUntil(is_shown(notice, words), timeout=20 * SECONDS)
    assert "0 corrections" not in notice.message.text()
    assert notice.merge.isHidden()
    assert rescues_of(path) == []


def test_what_waits_is_kept_aside_while_it_waits_so_that_a_kill_loses_nothing(review, path, qtbot):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    review.presenter.actions.label_optimal()
    qtbot.waitUntil(lambda: bool(rescues_of(path)), timeout=20 * SECONDS)
    (kept,) = rescues_of(path)
    review.presenter.actions.go(9)
    review.presenter.actions.label_none()

    def labels():
        with CorrectionStore(kept, "ro") as store:
            return [event.label for event in store.events()]

    qtbot.waitUntil(lambda: labels() == [Label.OPTIMAL, Label.NONE], timeout=20 * SECONDS)
    other.execute("ROLLBACK")
    other.close()
    qtbot.waitUntil(lambda: not rescues_of(path), timeout=20 * SECONDS)
    assert not list(path.parent.glob("*.merged-*"))
    with CorrectionStore(path) as on_disk:
        assert len(on_disk.events()) == 2


def test_save_elsewhere_adds_to_a_store_and_asks_again_where_it_may_not(
    closable, monkeypatch, tmp_path
):
    review = closable
    make_unwritable(review)
    review.presenter.actions.label_optimal()
    review.keeper._timer.stop()
    notes = tmp_path / "notes.sqlite"
    notes.write_bytes(b"these are my notes")
    chosen, options = [], []

    def choose(*_, **named):
        options.append(named["options"])
        return str(chosen[-1]), ""

    monkeypatch.setattr(
        "napari_fetal_iqa.widgets.background.close_guard.QFileDialog.getSaveFileName", choose
    )

    def save_elsewhere(path):
        chosen.append(path)
        question = review.close_guard.question
        (button,) = [one for one in question.buttons() if one.text() == "Save elsewhere…"]
        button.click()

    main_window(review.viewer).close()
    save_elsewhere(notes)
    assert not review._closed
    assert review.close_guard.question.isVisible()
    said = review.close_guard.question.informativeText()
    assert said.startswith("Nothing was changed there: ")
    assert "notes.sqlite" in said
    assert notes.read_bytes() == b"these are my notes"
    other = tmp_path / "other.sqlite"
    CorrectionStore(other).close()
    save_elsewhere(other)
    assert review._closed
    with CorrectionStore(other) as store:
        assert [event.label for event in store.events()] == [Label.OPTIMAL]
    assert options == [QFileDialog.Option.DontConfirmOverwrite] * 2
