"""Corrections whose store cannot be used for a while, or at all."""

import os
import sqlite3

import numpy as np
import pytest

from napari_fetal_iqa.corrections import (
    Bookmark,
    CorrectionStore,
    Label,
    beyond_rescue,
    move_to_disk,
    rescue,
)
from napari_fetal_iqa.corrections.integrity import check_store
from napari_fetal_iqa.corrections.merge import merge
from napari_fetal_iqa.corrections.news import StoreNews
from napari_fetal_iqa.errors import StoreError, StoreUnwritableError
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.sweep import SweepVolume


@pytest.fixture
def sweep():
    return SweepVolume(np.random.default_rng(0).integers(0, 255, (6, 24, 32), dtype=np.uint8))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


@pytest.fixture
def mask():
    return np.eye(24, 32, dtype=bool)


def fill_the_disk(store):
    """Let no page be added any more, as on a full disk."""
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_is_reported_and_what_was_corrected_is_written_once_there_is_room(path, sweep):
    noise = np.random.default_rng(1).random((6, 24, 32)) < 0.5
    with CorrectionStore(path) as store:
        store.add_sweep(sweep)
        fill_the_disk(store)
        errors = []
        for frame in range(6):
            for _ in range(20):
                try:
                    store.set_mask(sweep.identity, frame, noise[frame], "AK")
                except StoreUnwritableError as error:
                    errors.append(str(error))
        assert errors
        assert all("disk is full" in line and "\n" not in line for line in errors)
        assert len(store.waiting) == len(errors)
        on_screen = store.corrections(sweep.identity, "AK")
        assert sorted(on_screen) == list(range(6))
        store._connection.execute("PRAGMA max_page_count = 100000")
        store.write_waiting()
        assert not store.waiting
    with CorrectionStore(path) as reopened:
        assert len(reopened.events()) == 120
        assert reopened.corrections(sweep.identity, "AK") == on_screen


def test_a_locked_store_keeps_a_new_sweep_and_its_first_label_waiting(path, sweep):
    with CorrectionStore(path) as store:
        store._connection.execute("PRAGMA busy_timeout = 20")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnwritableError, match="another program"):
            store.add_sweep(sweep)
        with pytest.raises(StoreUnwritableError, match="another program"):
            store.set_label(sweep.identity, 2, Label.OPTIMAL, "AK")
        with pytest.raises(StoreUnwritableError):
            store.undo(sweep.identity, "AK")
        assert store.corrections(sweep.identity, "AK") == {}
        other.execute("ROLLBACK")
        other.close()
        store.redo(sweep.identity, "AK")
        assert not store.waiting
    with CorrectionStore(path) as reopened:
        assert reopened.corrections(sweep.identity, "AK")[2].label is Label.OPTIMAL
        assert [event.kind.value for event in reopened.events()] == ["label", "undo", "redo"]


def test_what_can_never_be_written_does_not_wait(path, sweep):
    with CorrectionStore(path) as store:
        with pytest.raises(StoreError):
            store.set_label("unknown", 2, Label.OPTIMAL, "AK")
        assert not store.waiting
        assert store.corrections("unknown", "AK") == {}


def test_what_was_kept_in_memory_moves_to_disk(path, sweep, mask):
    with CorrectionStore(path) as before:
        before.add_sweep(sweep)
        before.set_label(sweep.identity, 1, Label.NONE, "AK")
    kept = CorrectionStore(path, "memory")
    assert not kept.on_disk
    kept.add_sweep(sweep)
    kept.set_label(sweep.identity, 3, Label.OPTIMAL, "AK")
    kept.set_mask(sweep.identity, 3, mask, "AK")
    with move_to_disk(kept) as store:
        assert store.on_disk
        assert sorted(store.corrections(sweep.identity, "AK")) == [1, 3]
        store.undo(sweep.identity, "AK")
    with CorrectionStore(path) as reopened:
        assert reopened.corrections(sweep.identity, "AK")[3].mask is None


def test_memory_leaves_the_file_alone(path):
    path.write_bytes(b"no database")
    CorrectionStore(path, "memory").close()
    assert path.read_bytes() == b"no database"
    with CorrectionStore(path, "memory") as kept:
        with pytest.raises(StoreError, match="not a corrections store"):
            move_to_disk(kept)
        assert kept.events() == []  # still there


def test_what_is_not_on_disk_is_saved_elsewhere_to_be_merged(path, sweep, mask):
    store = CorrectionStore(path)
    store.add_sweep(sweep)
    store.set_label(sweep.identity, 0, Label.NONE, "AK")
    assert rescue(store) is None
    store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreUnwritableError):
        store.set_mask(sweep.identity, 5, mask, "AK")
    rescued = rescue(store)
    store.close()
    with CorrectionStore(path) as again:
        assert merge(again, rescued).events == 1
        assert sorted(again.corrections(sweep.identity, "AK")) == [0, 5]


def test_all_that_is_in_memory_is_rescued_too(path, sweep, mask):
    with CorrectionStore(path, "memory") as kept:
        kept.add_sweep(sweep)
        assert rescue(kept) is None
        kept.set_mask(sweep.identity, 5, mask, "AK")
        with CorrectionStore(rescue(kept)) as rescued:
            assert rescued.corrections(sweep.identity) == kept.corrections(sweep.identity)
    assert not path.exists()


@pytest.fixture
def locked(path):
    """Another program that lets nobody read or write, until it is told."""
    other = sqlite3.connect(path, isolation_level=None)
    yield other
    other.close()


EDITS = {
    "label": lambda store, sweep, mask: store.set_label(sweep.identity, [1, 2], 1, "AK"),
    "mask": lambda store, sweep, mask: store.set_mask(sweep.identity, 2, mask, "AK"),
    "accept": lambda store, sweep, mask: store.accept(sweep.identity, 2, "AK", 1, mask),
    "revert": lambda store, sweep, mask: store.revert(sweep.identity, 2, "AK"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_the_first_edit_of_a_reviewer_waits_though_nothing_can_be_read(
    path, sweep, mask, edit, locked
):
    with CorrectionStore(path) as before:
        before.add_sweep(sweep)
        before.set_label(sweep.identity, 2, Label.SUBOPTIMAL, "AK")
    with CorrectionStore(path) as store:
        store.add_sweep(sweep)
        store._connection.execute("PRAGMA busy_timeout = 20")
        locked.execute("BEGIN EXCLUSIVE")
        for _ in range(2):
            with pytest.raises(StoreUnwritableError, match="another program"):
                edit(store, sweep, mask)
        count = len(store.waiting)
        assert count >= 2
        store.corrections(sweep.identity, "AK")  # of what waits
        locked.execute("ROLLBACK")
        store.write_waiting()
        assert not store.waiting
        on_screen = store.corrections(sweep.identity, "AK")
    with CorrectionStore(path) as reopened:
        assert len(reopened.events()) == 1 + count
        assert reopened.corrections(sweep.identity, "AK") == on_screen
        assert reopened.corrections(sweep.identity, "AK") != {} or edit is EDITS["revert"]


def cut(path):
    os.truncate(path, 5000)


def empty(path):
    os.truncate(path, 0)


def overwrite(path):
    path.write_bytes(b"these are my notes" * 1000)


def remove(path):
    path.unlink()


def move(path):
    path.rename(path.with_name("moved.sqlite"))


def replace_by_notes(path):
    path.unlink()
    path.write_bytes(b"these are my notes" * 1000)


DEATHS = [cut, empty, overwrite, remove, move, replace_by_notes]


@pytest.mark.skipif(os.name != "posix", reason="an open file cannot be replaced")
@pytest.mark.parametrize("first", [True, False], ids=["first edit", "later edit"])
@pytest.mark.parametrize("death", DEATHS)
def test_what_is_reported_after_the_file_died_waits_and_is_rescued(path, sweep, mask, death, first):
    with CorrectionStore(path) as store:
        store.add_sweep(sweep)
        store.set_label(sweep.identity, 0, Label.OPTIMAL, "BM" if first else "AK")
        death(path)
        for frame in range(3):
            with pytest.raises(StoreUnwritableError):
                store.set_mask(sweep.identity, frame, mask, "AK")
        with pytest.raises(StoreUnwritableError):
            store.undo(sweep.identity, "AK")
        assert len(store.waiting) == 4
        assert set(store.corrections(sweep.identity, "AK")) >= {1} | ({0} if not first else set())
        rescued = rescue(store)
    with CorrectionStore(rescued) as saved:
        assert sorted(saved.corrections(sweep.identity, "AK")) == [0, 1]
        assert saved.sweeps()[0].shape == sweep.shape


@pytest.mark.skipif(os.name != "posix", reason="an open file cannot be replaced")
@pytest.mark.parametrize("death", DEATHS)
def test_what_waits_is_written_once_the_store_is_back(path, sweep, mask, death):
    with CorrectionStore(path) as store:
        store.add_sweep(sweep)
        store.set_label(sweep.identity, 0, Label.OPTIMAL, "AK")
        backup = path.read_bytes()
        death(path)
        with pytest.raises(StoreUnwritableError):
            store.set_mask(sweep.identity, 2, mask, "AK")
        with pytest.raises(StoreUnwritableError):
            store.write_waiting()
        path.write_bytes(backup)
        store.write_waiting()
        assert not store.waiting
        store.set_label(sweep.identity, 3, Label.NONE, "AK")
        assert sorted(store.corrections(sweep.identity, "AK")) == [0, 2, 3]
    with CorrectionStore(path) as reopened:
        assert sorted(reopened.corrections(sweep.identity, "AK")) == [0, 2, 3]
    assert check_store(path).problems == ()


@pytest.mark.skipif(os.name != "posix", reason="an open file cannot be replaced")
def test_another_store_in_its_place_learns_of_the_sweep(path, sweep, mask, tmp_path):
    with CorrectionStore(tmp_path / "other.sqlite"):
        pass
    with CorrectionStore(path) as store:
        store.add_sweep(sweep)
        store.set_label(sweep.identity, 0, Label.OPTIMAL, "AK")
        (tmp_path / "other.sqlite").replace(path)
        store.set_mask(sweep.identity, 2, mask, "AK")
        store.set_label(sweep.identity, 3, Label.NONE, "AK")
    with CorrectionStore(path) as reopened:
        assert sorted(reopened.corrections(sweep.identity, "AK")) == [2, 3]


def lock(store, other):
    store._connection.execute("PRAGMA busy_timeout = 20")
    other.execute("BEGIN IMMEDIATE")


@pytest.mark.parametrize("known", [True, False], ids=["known sweep", "new sweep"])
def test_that_a_sweep_was_reviewed_and_where_the_review_stands_wait_too(path, sweep, locked, known):
    with CorrectionStore(path) as store:
        if known:
            store.add_sweep(sweep)
            store.set_fully_reviewed(sweep.identity, "BM", True)
            store.set_bookmark(sweep.identity, "AK", Bookmark(1))
        lock(store, locked)
        if not known:
            with pytest.raises(StoreUnwritableError):
                store.add_sweep(sweep)
        for frame in (2, 3):
            with pytest.raises(StoreUnwritableError, match="another program"):
                store.set_bookmark(sweep.identity, "AK", Bookmark(frame, (0.5, 0.1)))
        for reviewer, reviewed in (("AK", False), ("AK", True), ("BM", False)):
            with pytest.raises(StoreUnwritableError, match="another program"):
                store.set_fully_reviewed(sweep.identity, reviewer, reviewed)
        assert len(store.waiting) == (2 if known else 3)

        def told(store):
            return (
                store.fully_reviewed(sweep.identity),
                store.bookmark(sweep.identity, "AK"),
                [record.identity for record in store.sweeps()],
            )

        expected = (["AK"], Bookmark(3, (0.5, 0.1)), [sweep.identity])
        assert told(store) == expected
        locked.execute("ROLLBACK")
        store.write_waiting()
        assert not store.waiting
        assert told(store) == expected
    with CorrectionStore(path) as reopened:
        assert told(reopened) == expected
    assert check_store(path).problems == ()


def test_news_of_the_file_take_no_waiting_full_review_back(path, sweep, locked):
    with CorrectionStore(path) as store:
        session = ReviewSession(sweep, store, "AK")
        news = StoreNews(sweep.identity, (), ())
        assert not session.fully_reviewed_by(news)
        lock(store, locked)
        session.fully_reviewed = True
        assert store.waiting
        assert session.fully_reviewed_by(news)
        session.fully_reviewed = False
        assert not session.fully_reviewed_by(StoreNews(sweep.identity, (), ("AK",)))


def test_a_full_review_that_cannot_be_waits_not(path, sweep):
    with CorrectionStore(path) as store:
        store.add_sweep(sweep)
        for of, reviewer in (("unknown", "AK"), (sweep.identity, ""), (sweep.identity, 7)):
            with pytest.raises(StoreError, match="nothing was written"):
                store.set_fully_reviewed(of, reviewer, True)
        assert not store.waiting


def test_a_spacing_that_is_corrected_while_the_store_is_locked_counts_at_once(path, sweep, locked):
    def in_mm(spacing):
        return SweepVolume(np.asarray(sweep.frames), spacing_mm=spacing)

    with CorrectionStore(path) as store:
        store.add_sweep(in_mm((1.0, 1.0)))
        lock(store, locked)
        for opened, known in ((0.28, 0.28), (None, 0.28), (0.3, 0.3)):
            with pytest.raises(StoreUnwritableError):
                store.add_sweep(in_mm(opened and (opened, opened)))
            assert store.record(sweep.identity).spacing_mm == (known, known)
            assert store.sweeps()[0].spacing_mm == (known, known)
            assert [one.spacing_mm for one in store.known_sweeps] == [(known, known)]
        locked.execute("ROLLBACK")
        store.write_waiting()
        assert store.sweeps()[0].spacing_mm == (0.3, 0.3)
    with CorrectionStore(path) as reopened:
        assert reopened.sweeps()[0].spacing_mm == (0.3, 0.3)


@pytest.mark.skipif(os.name != "posix", reason="an open file cannot be replaced")
@pytest.mark.parametrize("death", DEATHS)
def test_a_full_review_said_after_the_file_died_is_rescued_and_merged(path, sweep, death):
    with CorrectionStore(path) as store:
        store.add_sweep(sweep)
        store.set_fully_reviewed(sweep.identity, "BM", True)
        backup = path.read_bytes()
        death(path)
        for reviewer, reviewed in (("AK", True), ("BM", False)):
            with pytest.raises(StoreUnwritableError):
                store.set_fully_reviewed(sweep.identity, reviewer, reviewed)
        rescued = rescue(store)
        assert beyond_rescue(store) == 1  # of BM, who has to say it again
    path.unlink(missing_ok=True)
    path.write_bytes(backup)
    with CorrectionStore(path) as again:
        assert merge(again, rescued).reviewed == 1
        assert again.fully_reviewed(sweep.identity) == ["AK", "BM"]
        assert merge(again, rescued).reviewed == 0


@pytest.mark.parametrize("before", [True, False])
def test_where_reviews_stand_moves_to_disk_too(path, sweep, before):
    with CorrectionStore(path) as store:
        store.add_sweep(sweep)
        store.set_fully_reviewed(sweep.identity, "BM", before)
        store.set_bookmark(sweep.identity, "AK", Bookmark(1))
    kept = CorrectionStore(path, "memory")
    kept.add_sweep(sweep)
    kept.set_fully_reviewed(sweep.identity, "AK", True)
    kept.set_fully_reviewed(sweep.identity, "BM", False)
    kept.set_bookmark(sweep.identity, "AK", Bookmark(4))
    assert len(kept.unsaved) == 2
    with move_to_disk(kept) as store:
        assert store.fully_reviewed(sweep.identity) == ["AK"]
        assert store.bookmark(sweep.identity, "AK") == Bookmark(4)
