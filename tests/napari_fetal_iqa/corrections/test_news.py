"""Two desks on one store: each learns what the other wrote, and takes back only its own."""

import os
import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from napari_fetal_iqa.corrections import CorrectionStore, Event, EventKind, Label
from napari_fetal_iqa.corrections.events import new_uid
from napari_fetal_iqa.corrections.news import NewsReader
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.sweep import SweepVolume

SWEEP = SweepVolume(np.zeros((12, 8, 8), np.uint8))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


@pytest.fixture
def desks(path):
    """Two open stores on one file, as two windows have them."""
    with CorrectionStore(path) as here, CorrectionStore(path) as there:
        here.add_sweep(SWEEP)
        yield here, there


def labels(store, reviewer="AK"):
    return {
        frame: correction.label
        for frame, correction in store.corrections(SWEEP.identity, reviewer).items()
    }


def test_news_are_what_was_written_since_the_last_look(desks, path):
    _, there = desks
    there.set_label(SWEEP.identity, 1, Label.NONE, "BM")
    reader = NewsReader(path, SWEEP.identity)
    assert [event.frame for event in reader.look().events] == [1]
    assert reader.look() is None
    there.set_label(SWEEP.identity, [3, 4], Label.OPTIMAL, "CD")
    assert [(event.reviewer, event.frame) for event in reader.look().events] == [
        ("CD", 3),
        ("CD", 4),
    ]
    there.set_fully_reviewed(SWEEP.identity, "CD", True)
    assert reader.look().fully_reviewed == ("CD",)
    there.set_fully_reviewed(SWEEP.identity, "CD", False)
    assert reader.look().fully_reviewed == ()
    reader.close()


def test_a_store_that_is_locked_gone_or_another_has_news_once_it_can_be_read(desks, path, tmp_path):
    _, there = desks
    reader = NewsReader(path, SWEEP.identity)
    reader.look()
    there._connection.execute("BEGIN EXCLUSIVE")
    assert reader.look() is None
    there._connection.execute("ROLLBACK")
    there.set_label(SWEEP.identity, 1, Label.NONE, "BM")
    assert len(reader.look().events) == 1

    other = tmp_path / "other.sqlite"
    shutil.copy(path, other)
    with CorrectionStore(other) as store:
        store.set_label(SWEEP.identity, 2, Label.NONE, "BM")
    path.unlink()
    assert reader.look() is None
    os.replace(other, path)
    assert [event.frame for event in reader.look().events] == [1, 2]
    reader.close()


def test_one_desk_shows_what_the_other_wrote_and_shares_its_state(desks, path):
    here, there = desks
    session = ReviewSession(SWEEP, here, "AK")
    reader = NewsReader(path, SWEEP.identity)
    changed = []
    session.frames_changed.connect(changed.append)
    there.set_label(SWEEP.identity, [3, 4], Label.OPTIMAL, "AK")
    there.set_label(SWEEP.identity, 5, Label.OPTIMAL, "BM")
    assert session.take_note(reader.look())
    assert changed == [(3, 4)]
    assert labels(here) == labels(there) == {3: Label.OPTIMAL, 4: Label.OPTIMAL}
    assert session.known_others() == ["BM"]
    there.undo(SWEEP.identity, "AK")
    assert session.take_note(reader.look())
    assert changed == [(3, 4), (3, 4)]
    assert labels(here) == labels(there) == {}
    session.set_label([1], Label.NONE)
    assert not session.take_note(reader.look())  # its own is no news
    reader.close()


def test_undo_and_redo_take_back_what_was_said_at_this_desk_alone(desks, path):
    here, there = desks
    session = ReviewSession(SWEEP, here, "AK")
    session.set_label([1], Label.OPTIMAL)
    reader = NewsReader(path, SWEEP.identity)
    there.refresh(SWEEP.identity)
    there.set_label(SWEEP.identity, 2, Label.SUBOPTIMAL, "AK")
    session.take_note(reader.look())
    assert session.undo() == (1,)
    there.set_label(SWEEP.identity, 3, Label.NONE, "AK")
    session.take_note(reader.look())
    assert labels(here) == {2: Label.SUBOPTIMAL, 3: Label.NONE}
    assert session.undo() == ()
    assert session.redo() == (1,)  # although the other desk has gone on
    there.refresh(SWEEP.identity)
    assert labels(here) == labels(there)
    with CorrectionStore(path) as later:
        assert labels(later) == labels(here)
    reader.close()


@pytest.mark.parametrize("hours", [-20, 20])
def test_undo_passes_over_the_other_desk_whatever_its_clock_says(desks, path, hours):
    _, there = desks
    there.history(SWEEP.identity, "AK")  # it knows nothing of what is said here
    with CorrectionStore(path) as before:
        before.set_label(SWEEP.identity, 1, Label.OPTIMAL, "AK")
    with CorrectionStore(path) as opened:
        session = ReviewSession(SWEEP, opened, "AK")
        reader = NewsReader(path, SWEEP.identity)
        session.take_note(reader.look())
        time = (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="microseconds")
        there._say(
            [Event(SWEEP.identity, "AK", EventKind.LABEL, new_uid(), 2, Label.NONE, time=time)]
        )
        session.take_note(reader.look())
        assert sorted(labels(opened)) == [1, 2]
        assert session.undo() == (1,)
        assert session.undo() == ()
        assert labels(opened) == {2: Label.NONE}
        reader.close()
        assert ReviewSession(SWEEP, opened, "AK").undo() == ()  # also when it is opened again


def test_clocks_that_differ_lead_to_the_same_state_at_both_desks(desks):
    here, there = desks
    for store in desks:
        store.history(SWEEP.identity, "AK")  # neither knows of the other's event when it speaks
    for store, time, label in (
        (here, "2026-05-01T10:00:09.000000+00:00", Label.OPTIMAL),
        (there, "2026-05-01T10:00:03.000000+00:00", Label.NONE),
    ):
        event = Event(
            SWEEP.identity, "AK", EventKind.LABEL, new_uid(), frame=1, label=label, time=time
        )
        store._say([event])
    for store in desks:
        store.refresh(SWEEP.identity)
    assert labels(here) == labels(there) == {1: Label.OPTIMAL}


def test_a_history_is_read_anew_when_its_sweep_is_opened_again(desks):
    here, there = desks
    ReviewSession(SWEEP, here, "AK")
    there.set_label(SWEEP.identity, 7, Label.NONE, "AK")
    assert list(ReviewSession(SWEEP, here, "AK").corrections()) == [7]
