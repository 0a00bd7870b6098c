"""A store that was damaged is found out, whatever it is that was damaged."""

import re
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.corrections.integrity import check_store
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.sweep import SweepVolume

SHAPE = (24, 32)
MASK = np.ones(SHAPE, bool)


@pytest.fixture
def sweep():
    frames = np.random.default_rng(0).integers(0, 255, (12, *SHAPE), dtype=np.uint8)
    return SweepVolume(frames, spacing_mm=(0.3, 0.2))


@pytest.fixture
def path(tmp_path, sweep):
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        store.add_sweep(sweep)
        store.set_label(sweep.identity, [0, 11], Label.OPTIMAL, "AK")
        store.set_mask(sweep.identity, 3, MASK, "AK")
        store.revert(sweep.identity, 3, "AK")
        store.undo(sweep.identity, "AK")
    return store.path


def tamper(path, *statements):
    """Change what cannot be changed through the store."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("DROP TRIGGER event_is_never_changed")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_sound_store_is_counted(path):
    found = check_store(path)
    assert (found.events, found.sweeps, found.problems) == (6, 1, ())


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "UPDATE event SET mask = x'00' WHERE mask IS NOT NULL",
            "event 3: .*frame 3: damaged mask",
        ),
        ("UPDATE event SET frame = 12 WHERE frame = 11", "event 2: .*frame 12: .*frames 0 to 11"),
        ("UPDATE event SET frame = -1 WHERE frame = 0", "event 1: .*frame -1: .*frames 0 to 11"),
        ("UPDATE event SET frame = 'x' WHERE frame = 0", "event 1: unreadable"),
        ("UPDATE event SET kind = 'guess' WHERE number = 2", "event 2: unreadable.*guess"),
        ("UPDATE event SET label = 7 WHERE number = 2", "event 2: unreadable.*7"),
        ("UPDATE event SET reviewer = x'00' WHERE number = 2", "event 2: unreadable.*text"),
        ("UPDATE event SET time = 'noon' WHERE number = 2", "event 2: expected a time.*noon"),
        (
            "UPDATE event SET time = '2026-11-22T12:00:00' WHERE number = 2",
            "event 2: expected a time in UTC",
        ),
        ("UPDATE event SET sweep = 'other' WHERE number = 2", "event 2: .*sweep other, which"),
        ("UPDATE sweep SET bounds = '[[0'", "sweep .*unreadable"),
        ("UPDATE sweep SET height = 0", "sweep .*unreadable.*shape"),
        ("UPDATE sweep SET height = 1000000000000", "sweep .*unreadable.*shape"),
    ],
)
def test_what_is_damaged_is_named(path, statement, problem):
    tamper(path, statement)
    assert any(re.match(problem, line) for line in check_store(path).problems)


def test_one_bad_event_does_not_hide_the_next(path):
    tamper(path, "UPDATE event SET time = 'noon' WHERE number IN (1, 2)")
    assert len(check_store(path).problems) == 2


def test_a_mask_that_was_drawn_over_is_checked_too(path, sweep, write_raw):
    wrong = encode_mask(np.ones((90, 90), bool))
    write_raw(path, sweep.identity, reviewer="AK", kind="mask", frame=5, mask=wrong)
    with CorrectionStore(path) as store:
        store.set_mask(sweep.identity, 5, MASK, "AK")
    (problem,) = check_store(path).problems
    assert "frame 5: damaged mask" in problem


def test_pages_that_were_overwritten_are_found(path, sweep):
    with CorrectionStore(path) as store:
        noise = np.random.default_rng(1).random(SHAPE) < 0.5
        for frame in range(12):
            store.set_mask(sweep.identity, frame, noise, "AK")
            store.set_label(sweep.identity, range(12), Label.NONE, "AK")
    content = bytearray(path.read_bytes())
    content[-8192:] = bytes(8192)
    path.write_bytes(content)
    assert check_store(path).problems


def test_a_store_that_is_read_past_an_unreadable_event_says_how_to_find_it(path, caplog):
    tamper(path, "UPDATE event SET label = 7 WHERE number = 2")
    with CorrectionStore(path) as store:
        assert len(store.events()) == len(store.events()) == 5
    (line,) = caplog.messages
    assert "event 2" in line
    assert "corrections check" in line


def test_a_check_to_read_only_changes_nothing(path):
    content = path.read_bytes()
    check_store(path, "ro")
    assert path.read_bytes() == content


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(StoreError, match="there is no corrections store"):
        check_store(tmp_path / "nothing.sqlite")
    (tmp_path / "notes.txt").write_text("these are my notes" * 100)
    with pytest.raises(StoreError, match="not a corrections store"):
        check_store(tmp_path / "notes.txt")
