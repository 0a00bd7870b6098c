"""Stores that cannot be used for a while: reported at once, nothing lost, saved by itself."""

import os
import sqlite3

import pytest

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.corrections.schema import SCHEMA_VERSION
from napari_fetal_iqa.storage import paths

SECONDS = 1000


@pytest.fixture
def store():
    """None: the window opens the user's own store."""


@pytest.fixture
def path():
    return paths.default_store()


def saved(widget):
    return widget.page.saved.text().endswith("saved")


def test_a_locked_store_is_waited_for(review, path, qtbot):
    assert saved(review)
    review.keeper.store._connection.execute("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    review.presenter.actions.label_optimal()
    frame = review.presenter.view.navigator.frame
    assert not saved(review)
    assert "another program" in review.page.analysis.error.text()
    assert review.page.frame.label_buttons[Label.OPTIMAL].isChecked()
    other.execute("ROLLBACK")
    other.close()
    qtbot.waitUntil(lambda: saved(review), timeout=20 * SECONDS)
    assert not review.page.analysis.error_box.isVisible()
    with CorrectionStore(path) as on_disk:
        (event,) = on_disk.events()
        assert (event.frame, event.label) == (frame, Label.OPTIMAL)


def test_a_store_that_cannot_be_opened_is_reported_and_taken_once_it_can(
    window, show, tiny_settings, phantom, path, qtbot
):
    with CorrectionStore(path) as before:
        before.add_sweep(phantom.sweep)
        before.set_label(phantom.sweep.identity, 20, Label.NONE, "AK")
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    review = window()
    show(review, phantom.sweep)
    assert "newer" in review.page.analysis.error.text()
    assert not saved(review)
    review.presenter.actions.go(12)
    review.presenter.actions.label_suboptimal()
    assert "newer" in review.page.analysis.error.text()  # it is still so
    with sqlite3.connect(path) as connection:
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


def test_a_store_that_is_emptied_under_the_window_takes_no_edit_with_it(desk, path, monkeypatch):
    shown = []
    monkeypatch.setattr("napari_fetal_iqa.widgets.review.show_error", shown.append)
    os.truncate(path, 0)
    desk.presenter.actions.label_optimal()
    assert not saved(desk)
    assert desk.page.frame.label_buttons[Label.OPTIMAL].isChecked()
    desk.close()
    (line,) = shown
    with CorrectionStore(line.split("corrections merge ")[1]) as store:
        assert [event.label for event in store.events()] == [Label.OPTIMAL]
