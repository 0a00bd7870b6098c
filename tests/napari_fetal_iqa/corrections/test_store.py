"""An expert's correction is never lost and never changed."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fetal_iqa.corrections import (
    Bookmark,
    CorrectionStore,
    Event,
    EventKind,
    History,
    Label,
    latest,
)
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.geometry.mask_codec import decode_mask, encode_mask
from napari_fetal_iqa.sweep import SweepVolume

SHAPE = (24, 32)


@pytest.fixture
def sweep():
    frames = np.random.default_rng(0).integers(0, 255, (12, *SHAPE), dtype=np.uint8)
    return SweepVolume(frames, spacing_mm=(0.3, 0.2))


@pytest.fixture
def store(tmp_path, sweep):
    with CorrectionStore(tmp_path / "reviews" / "store.sqlite") as store:
        store.add_sweep(sweep)
        yield store


def disc(radius):
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return (rows - 12) ** 2 + (columns - 16) ** 2 <= radius**2


def test_a_correction_is_there_after_reopening(store, sweep):
    store.set_label(sweep.identity, 3, Label.OPTIMAL, "AK", answers="cls-7f3a")
    store.set_mask(sweep.identity, 3, disc(6), "AK", answers="seg-91bc")
    store.close()
    with CorrectionStore(store.path) as reopened:
        state = reopened.corrections(sweep.identity)[3]
        events = reopened.events(sweep.identity)
    assert state.label is Label.OPTIMAL
    assert np.array_equal(decode_mask(state.mask, SHAPE), disc(6))
    assert not state.accepted
    assert [event.answers for event in events] == ["cls-7f3a", "seg-91bc"]
    assert all(event.time.endswith("+00:00") and event.tool for event in events)


def test_a_sweep_is_known_by_facts_alone(store, sweep):
    (record,) = store.sweeps()
    assert record.identity == sweep.identity
    assert record.shape == (12, *SHAPE)
    assert record.spacing_mm == (0.3, 0.2)
    assert record.bounds == ((0, 12),)


def test_the_latest_word_on_a_frame_counts(store, sweep):
    store.set_label(sweep.identity, 3, Label.OPTIMAL, "AK")
    store.set_label(sweep.identity, 3, Label.SUBOPTIMAL, "AK")
    assert store.corrections(sweep.identity)[3].label is Label.SUBOPTIMAL
    assert len(store.events()) == 2


def test_a_range_of_labels_is_one_action_to_undo(store, sweep):
    store.set_label(sweep.identity, range(2, 6), Label.OPTIMAL, "AK")
    assert set(store.corrections(sweep.identity)) == {2, 3, 4, 5}
    assert store.undo(sweep.identity, "AK") == [2, 3, 4, 5]
    assert store.corrections(sweep.identity) == {}
    assert store.redo(sweep.identity, "AK") == [2, 3, 4, 5]
    assert set(store.corrections(sweep.identity)) == {2, 3, 4, 5}


def test_masks_of_several_frames_are_one_action_to_undo(store, sweep):
    store.set_mask(sweep.identity, 3, disc(9), "AK")
    masks = {2: disc(4), 3: disc(5), 4: None, 6: disc(0)}
    store.set_masks(sweep.identity, masks, "AK", answers="seg-91bc")
    state = store.corrections(sweep.identity)
    assert list(state) == [2, 3, 6]
    assert all(np.array_equal(decode_mask(state[f].mask, SHAPE), masks[f]) for f in state)
    assert [event.answers for event in store.events()] == [None, *4 * ["seg-91bc"]]
    assert store.undo(sweep.identity, "AK") == [2, 3, 4, 6]
    (left,) = store.corrections(sweep.identity).values()
    assert np.array_equal(decode_mask(left.mask, SHAPE), disc(9))


def test_masks_are_written_all_or_none(store, sweep):
    with pytest.raises(StoreError):
        store.set_masks(sweep.identity, {2: disc(4), None: disc(5)}, "AK")
    assert store.events() == []
    assert store.corrections(sweep.identity, "AK") == {}


def test_undo_goes_on_after_reopening(store, sweep):
    store.set_label(sweep.identity, 1, Label.OPTIMAL, "AK")
    store.set_mask(sweep.identity, 1, disc(5), "AK")
    store.undo(sweep.identity, "AK")
    store.close()
    with CorrectionStore(store.path) as reopened:
        assert reopened.corrections(sweep.identity)[1].mask is None
        reopened.redo(sweep.identity, "AK")
        assert reopened.corrections(sweep.identity)[1].mask is not None
        reopened.undo(sweep.identity, "AK")
        reopened.undo(sweep.identity, "AK")
        assert reopened.corrections(sweep.identity) == {}
        assert reopened.undo(sweep.identity, "AK") == []


def test_something_new_after_an_undo_ends_the_redo(store, sweep):
    store.set_label(sweep.identity, 1, Label.OPTIMAL, "AK")
    store.undo(sweep.identity, "AK")
    store.set_label(sweep.identity, 2, Label.NONE, "AK")
    assert store.redo(sweep.identity, "AK") == []


def test_reviewers_stay_apart_and_named(store, sweep):
    store.set_label(sweep.identity, 1, Label.OPTIMAL, "AK")
    store.set_label(sweep.identity, 1, Label.NONE, "BM")
    assert store.reviewers() == ["AK", "BM"]
    assert store.corrections(sweep.identity, "AK")[1].label is Label.OPTIMAL
    assert store.corrections(sweep.identity, "BM")[1].label is Label.NONE
    assert store.corrections(sweep.identity)[1].reviewer == "BM"
    store.undo(sweep.identity, "BM")
    assert store.corrections(sweep.identity, "AK")[1].label is Label.OPTIMAL


def test_of_label_and_mask_the_last_word_each_counts(store, sweep):
    store.set_label(sweep.identity, 1, Label.OPTIMAL, "AK")
    store.set_mask(sweep.identity, 1, disc(5), "AK")
    store.set_mask(sweep.identity, 1, disc(7), "BM")
    joined = latest([store.corrections(sweep.identity, name)[1] for name in ("AK", "BM")])
    assert joined.label is Label.OPTIMAL
    assert np.array_equal(decode_mask(joined.mask, SHAPE), disc(7))
    assert joined.reviewer == "BM"


def test_a_copy_of_the_open_file_holds_everything(store, sweep, tmp_path):
    store.set_label(sweep.identity, 1, Label.OPTIMAL, "AK")
    copy = tmp_path / "mailed.sqlite"
    copy.write_bytes(store.path.read_bytes())
    with CorrectionStore(copy) as mailed:
        assert mailed.corrections(sweep.identity)[1].label is Label.OPTIMAL


def test_accepting_is_a_correction_that_says_so(store, sweep):
    store.accept(sweep.identity, 4, "AK", Label.OPTIMAL, disc(7))
    state = store.corrections(sweep.identity)[4]
    assert state.accepted
    assert state.label is Label.OPTIMAL
    assert store.undo(sweep.identity, "AK") == [4]


def test_going_back_to_the_model_leaves_the_frame_uncorrected(store, sweep):
    store.set_mask(sweep.identity, 4, disc(7), "AK")
    store.set_mask(sweep.identity, 4, None, "AK")
    assert store.corrections(sweep.identity) == {}
    assert len(store.events()) == 2


def test_an_empty_mask_is_a_word_of_its_own(store, sweep):
    store.set_mask(sweep.identity, 4, np.zeros(SHAPE, bool), "AK")
    state = store.corrections(sweep.identity)[4]
    assert not decode_mask(state.mask, SHAPE).any()


def test_events_can_be_neither_changed_nor_deleted(store, sweep):
    store.set_label(sweep.identity, 1, Label.OPTIMAL, "AK")
    with closing(sqlite3.connect(store.path)) as other, other:
        for statement in ("DELETE FROM event", "UPDATE event SET label = 0"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                other.execute(statement)


def test_nothing_can_be_corrections_of_an_unknown_sweep(store):
    with pytest.raises(StoreError, match="does not know"):
        store.set_label("no such sweep", 1, Label.OPTIMAL, "AK")
    assert store.events() == []


def test_a_file_of_another_kind_is_refused_and_untouched(tmp_path):
    text = tmp_path / "notes.sqlite"
    text.write_bytes(b"these are my notes" * 100)
    with pytest.raises(StoreError, match="not a corrections store"):
        CorrectionStore(text)
    assert text.read_bytes() == b"these are my notes" * 100

    foreign = tmp_path / "foreign.sqlite"
    with closing(sqlite3.connect(foreign)) as connection, connection:
        connection.execute("CREATE TABLE other (a)")
    with pytest.raises(StoreError, match="not a corrections store"):
        CorrectionStore(foreign)


def test_a_store_of_a_newer_version_is_refused(store):
    store.close()
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="update napari-fetal-iqa"):
        CorrectionStore(store.path)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened or made"):
        CorrectionStore(tmp_path / "file" / "store.sqlite")


def test_a_store_locked_by_another_program_is_reported(store, sweep, monkeypatch):
    store._connection.execute("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another program"):
        store.set_label(sweep.identity, 1, Label.OPTIMAL, "AK")
    other.execute("ROLLBACK")
    other.close()
    store.set_label(sweep.identity, 1, Label.OPTIMAL, "AK")
    assert store.corrections(sweep.identity)[1].label is Label.OPTIMAL


@given(st.lists(st.sampled_from(["label", "mask", "range", "undo", "redo"]), max_size=40))
@settings(deadline=None)
def test_undo_and_redo_behave_as_a_stack_of_states(steps):
    """Oracle: a list of whole states and a cursor."""
    history = History()
    states, cursor = [{}], 0
    for number, step in enumerate(steps):
        current = dict(states[cursor])
        if step in ("undo", "redo"):
            action = history.next_undo if step == "undo" else history.next_redo
            moved = cursor + (1 if step == "redo" else -1)
            assert (action is not None) == (0 <= moved < len(states))
            if action is not None:
                history.apply(Event("s", "AK", EventKind(step), action))
                cursor = moved
        else:
            frames = range(number % 4, number % 4 + 3) if step == "range" else [number % 5]
            for frame in frames:
                label, mask = current.get(frame, (None, None))
                if step == "mask":
                    mask = encode_mask(disc(1 + number % 8))
                    event = Event("s", "AK", EventKind.MASK, str(number), frame, mask=mask)
                    label = None if label is Label.NONE else label  # the outline takes it back
                else:
                    label = Label(number % 3)
                    event = Event("s", "AK", EventKind.LABEL, str(number), frame, label=label)
                history.apply(event)
                current[frame] = (label, mask)
            states[cursor + 1 :] = [current]
            cursor += 1
        seen = {frame: (state.label, state.mask) for frame, state in history.state().items()}
        assert seen == states[cursor]


@given(st.integers(1, 40), st.integers(1, 40), st.randoms(use_true_random=False))
def test_a_mask_comes_back_as_it_went(rows, columns, chance):
    mask = np.array([chance.random() < 0.5 for _ in range(rows * columns)]).reshape(rows, columns)
    assert np.array_equal(decode_mask(encode_mask(mask), (rows, columns)), mask)


@pytest.mark.parametrize("code", [b"", b"garbage", encode_mask(np.ones((90, 90), bool))])
def test_a_damaged_mask_is_an_error_and_not_a_picture(code):
    with pytest.raises(ValueError, match="damaged mask"):
        decode_mask(code, SHAPE)


def test_a_bookmark_is_overwritten_and_each_reviewers_own(store, sweep):
    assert store.bookmark(sweep.identity, "AK") is None
    store.set_bookmark(sweep.identity, "AK", Bookmark(3))
    store.set_bookmark(sweep.identity, "AK", Bookmark(7, (0.4, 0.02)))
    store.set_bookmark(sweep.identity, "BM", Bookmark(1))
    store.close()
    with CorrectionStore(store.path) as reopened:
        assert reopened.bookmark(sweep.identity, "AK") == Bookmark(7, (0.4, 0.02))
        assert reopened.bookmark(sweep.identity, "BM") == Bookmark(1)
        assert reopened.events() == []


def test_a_store_of_the_first_version_is_brought_up_to_date(store, sweep):
    store.set_label(sweep.identity, 3, Label.OPTIMAL, "AK")
    store.close()
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("DROP TABLE bookmark")
        connection.execute("DROP TABLE reviewed")
        connection.execute("DROP TABLE subject")
        connection.execute("DROP TABLE caliper")
        connection.execute("DROP TABLE remark")
        connection.execute("DROP TABLE age")
        connection.execute("PRAGMA user_version = 1")
    with CorrectionStore(store.path, "ro") as untouched:
        assert untouched.corrections(sweep.identity)[3].label is Label.OPTIMAL
    with CorrectionStore(store.path) as reopened:
        reopened.set_bookmark(sweep.identity, "AK", Bookmark(3))
        reopened.set_fully_reviewed(sweep.identity, "AK", True)
        assert reopened.corrections(sweep.identity)[3].label is Label.OPTIMAL


def test_a_store_of_the_second_version_keeps_its_bookmarks(store, sweep):
    store.set_bookmark(sweep.identity, "AK", Bookmark(3))
    store.close()
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("DROP TABLE reviewed")
        connection.execute("DROP TABLE subject")
        connection.execute("DROP TABLE caliper")
        connection.execute("DROP TABLE remark")
        connection.execute("DROP TABLE age")
        connection.execute("PRAGMA user_version = 2")
    with CorrectionStore(store.path) as reopened:
        assert reopened.bookmark(sweep.identity, "AK") == Bookmark(3)
        assert reopened.fully_reviewed(sweep.identity) == []


def test_a_sweep_is_fully_reviewed_until_its_reviewer_says_otherwise(store, sweep):
    for name in ("BM", "AK", "AK"):
        store.set_fully_reviewed(sweep.identity, name, True)
    with CorrectionStore(store.path) as reopened:
        assert reopened.fully_reviewed(sweep.identity) == ["AK", "BM"]
        reopened.set_fully_reviewed(sweep.identity, "AK", False)
        assert reopened.fully_reviewed(sweep.identity) == ["BM"]
