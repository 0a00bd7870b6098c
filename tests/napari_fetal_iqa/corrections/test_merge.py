"""Corrections of another machine join those made here; nothing is lost or changed."""

import multiprocessing
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fetal_iqa.corrections import CorrectionStore, Event, History, Label
from napari_fetal_iqa.corrections.integrity import check_store
from napari_fetal_iqa.corrections.merge import merge
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.sweep import SweepVolume

SHAPE = (8, 10)
BOX = np.ones(SHAPE, bool)


def volume(seed):
    frames = np.random.default_rng(seed).integers(0, 255, (12, *SHAPE), dtype=np.uint8)
    return SweepVolume(frames)


SWEEP = volume(0)


@pytest.fixture
def clock(monkeypatch):
    """Set the clock that times events; it ticks with every event."""
    hours, ticks = [10], count()

    def now():
        return f"2026-11-22T{hours[0]:02}:00:00.{next(ticks):06}+00:00"

    def set_clock(hour):
        hours[0] = hour

    original = Event.__init__

    def timed(self, *arguments, **named):
        original(self, *arguments, **{"time": now(), **named})

    monkeypatch.setattr(Event, "__init__", timed)
    return set_clock


@pytest.fixture
def here(tmp_path):
    with CorrectionStore(tmp_path / "here.sqlite") as store:
        store.add_sweep(SWEEP)
        yield store


@pytest.fixture
def there(tmp_path):
    with CorrectionStore(tmp_path / "there.sqlite") as store:
        store.add_sweep(SWEEP)
        yield store


def labels(store, reviewer=None):
    states = store.corrections(SWEEP.identity, reviewer)
    return {frame: state.label for frame, state in states.items()}


def test_events_and_sweeps_of_both_are_there_afterwards(here, there):
    other_sweep = volume(1)
    here.set_label(SWEEP.identity, 1, Label.OPTIMAL, "AK")
    there.add_sweep(other_sweep)
    there.set_label(SWEEP.identity, 1, Label.NONE, "BM")
    there.set_mask(other_sweep.identity, 2, BOX, "BM", answers="seg-91bc")
    done = merge(here, there.path)
    assert (done.events, done.sweeps, done.known) == (2, 1, 0)
    assert [record.identity for record in here.sweeps()] == [SWEEP.identity, other_sweep.identity]
    assert set(there.events()) <= set(here.events())
    assert labels(here, "AK") == {1: Label.OPTIMAL}
    assert labels(here, "BM") == {1: Label.NONE}


def test_what_comes_last_is_in_the_same_transaction(here, there, monkeypatch):
    def fail(store, subjects):
        raise StoreError("the disk is full")

    monkeypatch.setattr(CorrectionStore, "take_over_subjects", fail)
    before = here.events(), here.sweeps()
    with pytest.raises(StoreError, match="nothing of"):
        merge(here, there.path)
    assert (here.events(), here.sweeps()) == before
    assert set(here.known_sweeps) == set(before[1])


def test_merging_twice_adds_nothing(here, there):
    there.set_label(SWEEP.identity, range(5), Label.OPTIMAL, "BM")
    merge(here, there.path)
    before = here.events()
    done = merge(here, there.path)
    assert (done.events, done.sweeps, done.known) == (0, 0, 5)
    assert here.events() == before


def test_the_other_file_is_never_changed(here, there):
    there.set_label(SWEEP.identity, 1, Label.OPTIMAL, "BM")
    there.close()
    content = there.path.read_bytes()
    there.path.chmod(0o400)
    files = sorted(path.name for path in there.path.parent.iterdir())
    merge(here, there.path)
    assert there.path.read_bytes() == content
    assert sorted(path.name for path in there.path.parent.iterdir()) == files


def test_a_store_opened_to_read_cannot_be_written(here):
    here.close()
    with (
        CorrectionStore(here.path, "ro") as store,
        pytest.raises(StoreError, match="cannot be written"),
    ):
        store.set_label(SWEEP.identity, 1, Label.OPTIMAL, "AK")


@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_a_store_that_is_not_there_is_made_only_by_who_may(tmp_path, mode):
    path = tmp_path / "nowhere" / "store.sqlite"
    with pytest.raises(StoreError, match="there is no corrections store"):
        CorrectionStore(path, mode)
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(StoreError, match="not a corrections store"):
        CorrectionStore(tmp_path / "empty.sqlite", mode)
    assert [file.name for file in tmp_path.iterdir()] == ["empty.sqlite"]
    assert (tmp_path / "empty.sqlite").stat().st_size == 0


def test_a_folder_with_a_strange_name_is_no_hindrance(tmp_path):
    path = tmp_path / "a b?mode=ro#%41 ü" / "store.sqlite"
    with CorrectionStore(path) as store:
        store.add_sweep(SWEEP)
    assert path.is_file()
    with CorrectionStore(path, "ro") as store:
        assert len(store.sweeps()) == 1


def test_undo_goes_on_in_the_merged_store_as_in_the_other(here, there):
    there.set_label(SWEEP.identity, 1, Label.OPTIMAL, "BM")
    there.set_label(SWEEP.identity, [1, 2], Label.NONE, "BM")
    there.undo(SWEEP.identity, "BM")
    merge(here, there.path)
    for store in (here, there):
        assert labels(store) == {1: Label.OPTIMAL}
        assert store.redo(SWEEP.identity, "BM") == [1, 2]
        assert store.undo(SWEEP.identity, "BM") == [1, 2]
        assert store.undo(SWEEP.identity, "BM") == [1]
        assert store.undo(SWEEP.identity, "BM") == []


def test_of_one_reviewer_at_two_desks_the_later_word_counts(here, there, clock):
    clock(11)
    here.set_label(SWEEP.identity, 1, Label.OPTIMAL, "AK")
    clock(9)
    there.set_label(SWEEP.identity, 1, Label.NONE, "AK")
    assert labels(here) == {1: Label.OPTIMAL}
    merge(here, there.path)
    assert labels(here) == {1: Label.OPTIMAL}
    merge(there, here.path)
    assert labels(there) == {1: Label.OPTIMAL}
    assert here.undo(SWEEP.identity, "AK") == [1]
    assert labels(here) == {1: Label.NONE}


def test_a_redo_is_kept_though_something_came_between_at_the_other_desk(here, there, clock):
    here.set_label(SWEEP.identity, 1, Label.OPTIMAL, "AK")
    here.undo(SWEEP.identity, "AK")
    clock(11)
    there.set_label(SWEEP.identity, 2, Label.NONE, "AK")
    clock(12)
    here.redo(SWEEP.identity, "AK")
    merge(here, there.path)
    assert labels(here) == {1: Label.OPTIMAL, 2: Label.NONE}


def test_what_is_reported_after_the_clock_went_back_is_still_the_last_word(here, clock):
    clock(11)
    here.set_label(SWEEP.identity, 1, Label.OPTIMAL, "AK")
    clock(9)
    here.set_label(SWEEP.identity, 1, Label.NONE, "AK")
    here.set_label(SWEEP.identity, [2, 3], Label.NONE, "AK")
    here.undo(SWEEP.identity, "AK")
    here.close()
    with CorrectionStore(here.path) as reopened:
        assert labels(reopened) == {1: Label.NONE}
        assert reopened.redo(SWEEP.identity, "AK") == [2, 3]


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from(["AK", "BM"]),
            st.sampled_from(["label", "undo", "redo"]),
            st.integers(0, 3),
            st.sampled_from(Label),
        ),
        max_size=25,
    )
)
@settings(deadline=None, max_examples=30)
def test_it_does_not_matter_which_store_is_merged_into_which(tmp_path_factory, steps):
    """Two copies of one store go on apart; oracle: the union of events, replayed by time."""
    folder = tmp_path_factory.mktemp("desks")
    with CorrectionStore(folder / "a.sqlite") as a, CorrectionStore(folder / "b.sqlite") as b:
        a.add_sweep(SWEEP)
        a.set_label(SWEEP.identity, [0, 1], Label.SUBOPTIMAL, "AK")
        merge(b, a.path)
        for at_a, reviewer, step, frame, label in steps:
            store = a if at_a else b
            if step == "label":
                store.set_label(SWEEP.identity, frame, label, reviewer)
            else:
                getattr(store, step)(SWEEP.identity, reviewer)
        every = sorted({*a.events(), *b.events()}, key=lambda event: event.time)
        merge(a, b.path)
        merge(b, a.path)
        for reviewer in ("AK", "BM"):
            union = History(event for event in every if event.reviewer == reviewer).state()
            assert a.corrections(SWEEP.identity, reviewer) == union
            assert b.corrections(SWEEP.identity, reviewer) == union


def test_a_damaged_store_is_not_taken_over(here, there, write_raw):
    there.set_label(SWEEP.identity, 1, Label.OPTIMAL, "BM")
    wrong = encode_mask(np.ones((90, 90), bool))
    write_raw(there.path, SWEEP.identity, kind="mask", mask=wrong)
    with pytest.raises(StoreError, match=r"there\.sqlite: damaged .*nothing was taken over"):
        merge(here, there.path)
    assert here.events() == []


def _die_while_writing(path):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN IMMEDIATE")
    row = (SWEEP.identity, bytes(50_000))
    for number in range(20):
        connection.execute(
            "INSERT INTO event (uid, time, reviewer, sweep, frame, kind, action, mask, accepted, "
            "tool) VALUES (?, '', 'AK', ?, 0, 'mask', 'a', ?, 0, '')",
            (str(number), *row),
        )
    os._exit(0)


@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_a_store_whose_writing_was_cut_off_is_mended_by_a_check_and_not_before(here, there):
    there.set_label(SWEEP.identity, 1, Label.OPTIMAL, "BM")
    there.close()
    process = multiprocessing.get_context("fork").Process(
        target=_die_while_writing, args=(there.path,)
    )
    process.start()
    process.join()
    content = there.path.read_bytes()
    with pytest.raises(StoreError, match=r"cut off; mend it with .*corrections check"):
        merge(here, there.path)
    assert there.path.read_bytes() == content
    assert check_store(there.path).problems == ()
    assert merge(here, there.path).events == 1


def test_a_store_cannot_lose_anything_to_itself(here, tmp_path):
    here.set_label(SWEEP.identity, 1, Label.OPTIMAL, "AK")
    copy = tmp_path / "copy.sqlite"
    shutil.copy(here.path, copy)
    assert merge(here, here.path).events == 0
    assert merge(here, copy).events == 0
    assert len(here.events()) == 1


def another_shape(path, write_raw):
    """Say that the sweep has other frames, and outline one of them."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE sweep SET height = 4, width = 4")
    write_raw(path, SWEEP.identity, kind="mask", mask=encode_mask(np.ones((4, 4), bool)))


def another_spacing(path, write_raw):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE sweep SET row_mm = 3.0, column_mm = 0.2")


def the_same_name(path, write_raw):
    write_raw(path, SWEEP.identity, uid="taken", frame=2, label=1)


def two_of_one_name(path, write_raw):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("ALTER TABLE event RENAME TO e0")
        connection.execute("CREATE TABLE event AS SELECT * FROM e0")
        connection.execute("DROP TABLE e0")
    for frame in (1, 2):
        write_raw(path, SWEEP.identity, uid="twice", frame=frame, label=1, number=frame + 90)


@pytest.mark.parametrize(
    ("poison", "refusal"),
    [
        (another_shape, f"sweep {SWEEP.identity[:8]}: 12 frames of 4 x 4, but here .* of 8 x 10"),
        (
            another_spacing,
            f"sweep {SWEEP.identity[:8]}: spacing of 3 x 0.2 mm, but here it has 0.3 x 0.2 mm",
        ),
        (the_same_name, "event taken: another event of this name"),
        (two_of_one_name, "its tables or indices are not those"),
    ],
)
def test_what_contradicts_this_store_is_refused_with_all_the_rest(
    here, there, write_raw, poison, refusal
):
    write_raw(here.path, SWEEP.identity, uid="taken", label=1)
    there.add_sweep(volume(1))
    there.set_label(volume(1).identity, 1, Label.OPTIMAL, "BM")
    there.close()
    poison(there.path, write_raw)
    here.add_sweep(replace(SWEEP, spacing_mm=(0.3, 0.2)))
    before = here.events(), here.sweeps(), check_store(here.path)
    with pytest.raises(StoreError, match=refusal):
        merge(here, there.path)
    assert (here.events(), here.sweeps(), check_store(here.path)) == before
    with CorrectionStore(here.path) as reopened:
        assert (reopened.events(), reopened.sweeps()) == before[:2]


def test_sweeps_split_in_another_way_are_still_the_same_sweep(here, there, tmp_path):
    split = SWEEP.with_bounds(4)
    with CorrectionStore(tmp_path / "split.sqlite") as other:
        other.add_sweep(split)
        other.set_label(split.identity, 1, Label.OPTIMAL, "BM")
        done = merge(here, other.path)
    assert (done.events, done.other_bounds) == (1, (split.identity,))
    assert here.sweeps()[0].bounds == ((0, 12),)
    assert merge(here, here.path).other_bounds == ()


def test_opening_the_sweep_corrects_its_spacing_and_bounds(here):
    ours = replace(SWEEP, spacing_mm=(0.3, 0.2))
    with closing(sqlite3.connect(here.path)) as connection, connection:
        connection.execute(
            "UPDATE sweep SET row_mm = 3.0, column_mm = 0.2, bounds = '[[0, 4], [4, 12]]'"
        )
    with CorrectionStore(here.path) as reopened:
        reopened.add_sweep(SWEEP)  # which says nothing of its spacing
        assert reopened.sweeps()[0].spacing_mm == (3.0, 0.2)
        reopened.add_sweep(ours)
        (record,) = reopened.sweeps()
        assert (record.spacing_mm, record.bounds) == ((0.3, 0.2), ours.bounds)


def test_spacings_that_differ_by_rounding_agree(here, there):
    here.add_sweep(replace(SWEEP, spacing_mm=(0.3, 0.2)))
    there.add_sweep(replace(SWEEP, spacing_mm=(0.3 * (1 + 1e-7), 0.2)))
    assert merge(here, there.path).sweeps == 0
    assert here.sweeps()[0].spacing_mm == (0.3, 0.2)


def test_a_backup_brings_back_what_was_damaged_here(here, there, write_raw):
    there.set_label(SWEEP.identity, 2, Label.OPTIMAL, "BM")
    there.set_label(SWEEP.identity, 3, Label.NONE, "BM")
    there.set_subject(SWEEP.identity, "P-7")
    damaged, _ = there.events()
    write_raw(here.path, SWEEP.identity, uid=damaged.uid, frame=b"\x02", label=1, reviewer="BM")
    insert_damaged_subject(here.path)
    assert len(check_store(here.path).problems) == 2
    assert merge(here, there.path).events == 2
    assert labels(here, "BM") == {2: Label.OPTIMAL, 3: Label.NONE}
    assert here.subjects() == there.subjects()
    assert merge(here, there.path).events == 0  # nor a second time
    assert labels(here, "BM") == {2: Label.OPTIMAL, 3: Label.NONE}


def insert_damaged_subject(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        row = (SWEEP.identity, "no hash", "none")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("INSERT INTO subject (sweep, key, salt) VALUES (?, ?, ?)", row)
