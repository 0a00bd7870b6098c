"""Nothing is written that cannot be read, whoever brings it."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from napari_fetal_iqa.corrections import (
    Bookmark,
    CorrectionStore,
    Event,
    EventKind,
    Label,
    SweepRecord,
)
from napari_fetal_iqa.corrections.integrity import check_store
from napari_fetal_iqa.corrections.validity import CLOCK_SKEW, sound_sweep
from napari_fetal_iqa.errors import StoreError, StoreUnwritableError
from napari_fetal_iqa.geometry.caliper import Caliper
from napari_fetal_iqa.geometry.mask_codec import decode_mask, encode_mask
from napari_fetal_iqa.sweep import SweepVolume

SHAPE = (24, 32)
MASK = np.zeros(SHAPE, bool)
MASK[5:15, 6:20] = True
SWEEP = SweepVolume(np.arange(5 * 24 * 32).astype(np.uint8).reshape(5, *SHAPE))
ID = SWEEP.identity


@pytest.fixture
def store(tmp_path):
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        store.add_sweep(SWEEP)
        store.set_label(ID, 1, Label.OPTIMAL, "AK")
        yield store


TAKEN = {
    "numpy frame of no dimension": lambda s: s.set_mask(ID, np.array(3), MASK, "AK"),
    "mask of 0.0 and 1.0": lambda s: s.set_mask(ID, 3, MASK.astype(float), "AK"),
    "caliper of float32": lambda s: s.set_caliper(ID, 1, Caliper(np.eye(2, dtype="f4")), "AK"),
    "caliper of int64": lambda s: s.set_caliper(
        ID, 1, Caliper(tuple(map(tuple, np.eye(2, dtype=int)))), "AK"
    ),
    "numpy frame": lambda s: s.set_mask(ID, np.int64(3), MASK, "AK"),
    "numpy frame of a label": lambda s: s.set_label(ID, np.int32(3), 1, "AK"),
    "numpy frames": lambda s: s.set_label(ID, np.array([2, 3]), np.uint8(1), "AK"),
    "a frame as an array": lambda s: s.set_label(ID, np.array(3), Label.OPTIMAL, "AK"),
    "a mask of numbers": lambda s: s.set_mask(ID, 3, MASK.astype(np.float32), "AK"),
    "accepted": lambda s: s.accept(ID, np.int64(3), "AK", np.int64(1), MASK),
    "a name with a joiner": lambda s: s.set_label(ID, 3, 1, "نگار\u200cپور"),
    "numpy bookmark": lambda s: s.set_bookmark(ID, "AK", Bookmark(np.int64(3), (np.float32(1), 0))),
}


@pytest.mark.parametrize("call", TAKEN.values(), ids=TAKEN)
def test_what_numpy_gives_is_taken_as_the_number_it_is(store, call):
    call(store)
    before = store.corrections(ID)
    store.close()
    assert check_store(store.path).problems == ()
    with CorrectionStore(store.path, "ro") as reopened:
        assert reopened.corrections(ID) == before
        for state in before.values():
            assert state.mask is None or np.array_equal(decode_mask(state.mask, SHAPE), MASK)
        events = reopened.events()
    assert {type(event.frame) for event in events} == {int}


REFUSED = {
    "mask of nothing": lambda s: s.set_mask(ID, 3, np.full(SHAPE, np.nan), "AK"),
    "mask of probabilities": lambda s: s.set_mask(ID, 3, np.full(SHAPE, 0.4), "AK"),
    "blank reviewer": lambda s: s.set_label(ID, 3, 1, "  "),
    "several frames of one mask": lambda s: s.set_mask(ID, np.array([1, 2]), MASK, "AK"),
    "beyond": lambda s: s.set_label(ID, 5, 1, "AK"),
    "beyond, one of a range": lambda s: s.set_label(ID, range(3, 7), 1, "AK"),
    "negative": lambda s: s.set_mask(ID, -1, MASK, "AK"),
    "half a frame": lambda s: s.set_label(ID, 1.5, 1, "AK"),
    "a whole frame as a float": lambda s: s.set_label(ID, np.float64(1), 1, "AK"),
    "a frame as text": lambda s: s.set_label(ID, "1", 1, "AK"),
    "one frame as a float": lambda s: s.set_label(ID, 3.0, 1, "AK"),
    "no frame": lambda s: s.set_label(ID, None, 1, "AK"),
    "a frame as an array of no dimension": lambda s: s.set_label(ID, np.array(1.5), 1, "AK"),
    "revert beyond": lambda s: s.revert(ID, 5, "AK"),
    "accept beyond": lambda s: s.accept(ID, 5, "AK", Label.OPTIMAL, MASK),
    "label": lambda s: s.set_label(ID, 1, 3, "AK"),
    "huge label": lambda s: s.set_label(ID, 1, 10**30, "AK"),
    "label as a float": lambda s: s.accept(ID, 1, "AK", 1.0),
    "mask size": lambda s: s.set_mask(ID, 2, np.ones((10, 10), bool), "AK"),
    "mask turned": lambda s: s.set_mask(ID, 2, MASK.T, "AK"),
    "one value as a mask": lambda s: s.set_mask(ID, 2, np.True_, "AK"),
    "text as a mask": lambda s: s.set_mask(ID, 2, np.full(SHAPE, "x"), "AK"),
    "accepted mask size": lambda s: s.accept(ID, 2, "AK", 1, np.ones((10, 10), bool)),
    "nobody": lambda s: s.set_label(ID, 1, 1, ""),
    "no name": lambda s: s.set_label(ID, 1, 1, None),
    "bytes as a name": lambda s: s.set_label(ID, 1, 1, b"AK"),
    "a number as a name": lambda s: s.set_label(ID, 1, 1, 7),
    "a letter as a name": lambda s: s.set_label(ID, 1, 1, "A" * 201),
    "escape": lambda s: s.set_label(ID, 1, 1, "A\x1b[2J"),
    "end of line": lambda s: s.set_label(ID, 1, 1, "A\nB"),
    "turned writing": lambda s: s.set_label(ID, 1, 1, "A\u202eB"),
    "half a pair": lambda s: s.set_label(ID, 1, 1, "A\ud800"),
    "unknown sweep": lambda s: s.set_label("b" * 64, 1, 1, "AK"),
    "unknown sweep of a mask": lambda s: s.set_mask("b" * 64, 1, MASK, "AK"),
    "bookmark beyond": lambda s: s.set_bookmark(ID, "AK", Bookmark(5)),
    "bookmark of nothing": lambda s: s.set_bookmark(ID, "AK", Bookmark()),
    "endless threshold": lambda s: s.set_bookmark(ID, "AK", Bookmark(1, (math.inf, 0.1))),
    "no threshold": lambda s: s.set_bookmark(ID, "AK", Bookmark(1, (0.1, math.nan))),
    "bookmark of an unknown sweep": lambda s: s.set_bookmark("b" * 64, "AK", Bookmark(1)),
    "reviewed by nobody": lambda s: s.set_fully_reviewed(ID, "", True),
    "reviewed, unknown": lambda s: s.set_fully_reviewed("b" * 64, "AK", True),
}


CALLS = {
    "label": lambda s, sweep, who: s.set_label(sweep, 1, 1, who),
    "mask": lambda s, sweep, who: s.set_mask(sweep, 1, MASK, who),
    "accept": lambda s, sweep, who: s.accept(sweep, 1, who, 1, MASK),
    "revert": lambda s, sweep, who: s.revert(sweep, 1, who),
    "caliper": lambda s, sweep, who: s.set_caliper(sweep, 1, Caliper(((1, 1), (5, 5))), who),
    "undo": lambda s, sweep, who: s.undo(sweep, who),
    "redo": lambda s, sweep, who: s.redo(sweep, who),
    "bookmark": lambda s, sweep, who: s.set_bookmark(sweep, who, Bookmark(1)),
    "reviewed": lambda s, sweep, who: s.set_fully_reviewed(sweep, who, True),
    "history": lambda s, sweep, who: s.history(sweep, who),
    "calipers": lambda s, sweep, who: s.calipers(sweep, who),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_name_that_is_no_text_is_refused_in_one_line_by_every_call(store, call):
    for sweep, who, what in (
        ([ID], "AK", "sweep, found list"),
        (None, "AK", "sweep, found NoneType"),
        (3, "AK", "sweep, found int"),
        (ID, {}, "reviewer, found dict"),
    ):
        with pytest.raises(StoreError, match=f"nothing was written; expected text as {what}$"):
            call(store, sweep, who)
    assert len(store.events()) == 1
    assert store.reviewers() == ["AK"]


@pytest.mark.parametrize("frames", [3.0, None, np.array(1.5)])
def test_a_frame_that_is_none_is_told_what_was_expected(store, frames):
    with pytest.raises(StoreError, match="expected a whole number as frame, or several, found "):
        store.set_label(ID, frames, 1, "AK")


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line_and_does_not_wait(store, call):
    before = store.corrections(ID)
    with pytest.raises(StoreError) as refused:
        call(store)
    assert not isinstance(refused.value, StoreUnwritableError)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400 + len(str(store.path))
    assert not store.waiting
    assert len(store.events()) == 1
    assert store.corrections(ID) == before
    assert store.bookmark(ID, "AK") is None
    assert check_store(store.path).problems == ()


def later(delta):
    return (datetime.now(UTC) + delta).isoformat(timespec="microseconds")


SOUND = Event(ID, "AK", EventKind.LABEL, "a", 1, Label.OPTIMAL)
UNSOUND = {
    "time of the future": {"time": later(CLOCK_SKEW + timedelta(days=1))},
    "time of 2999": {"time": "2999-01-01T00:00:00+00:00"},
    "no UTC": {"time": "2026-11-22T10:00:00.000000+01:00"},
    "no zone": {"time": "2026-11-22T10:00:00.000000"},
    "another way to write it": {"time": "20261122T100000Z"},
    "no day": {"time": "2026-02-30T10:00:00.000000+00:00"},
    "no time": {"time": ""},
    "no text as a time": {"time": 7},
    "kind": {"kind": "guess"},
    "accepted": {"accepted": 2},
    "mask in a label": {"mask": encode_mask(MASK)},
    "label in a mask": {"kind": EventKind.MASK},
    "frame of an undo": {"kind": EventKind.UNDO, "label": None},
    "mask of another size": {"kind": "mask", "label": None, "mask": encode_mask(MASK[:-1])},
    "half a mask": {"kind": "mask", "label": None, "mask": encode_mask(MASK)[:-3]},
    "no mask": {"kind": "mask", "label": None, "mask": MASK},
    "no name of its own": {"uid": ""},
    "action": {"action": None},
    "tool": {"tool": b"1"},
    "answers": {"answers": "\x00"},
    "long answers": {"answers": "m" * 10_000},
}


@pytest.mark.parametrize("changed", UNSOUND.values(), ids=UNSOUND)
def test_of_several_events_an_unsound_one_keeps_all_out(store, changed):
    good, bad = replace(SOUND, uid="1"), replace(SOUND, **{"uid": "2", **changed})
    with pytest.raises(StoreError, match="nothing was written; event"):
        store.append([good, bad])
    assert len(store.events()) == 1


@pytest.mark.parametrize("nobody", [None, "", b"AK", 3], ids=repr)
def test_undo_and_history_of_nobody_are_refused_and_count_nobody(store, nobody):
    for call in (store.undo, store.redo, store.history, store.calipers):
        with pytest.raises(StoreError, match="reviewer"):
            call(ID, nobody)
    assert store.reviewers(ID) == ["AK"]
    assert store.corrections(ID)[1].label is Label.OPTIMAL


def test_a_clock_may_be_a_little_ahead(store):
    store.append([replace(SOUND, time=later(timedelta(hours=14)))])
    store.set_label(ID, 1, Label.NONE, "AK")
    with CorrectionStore(store.path) as reopened:
        assert reopened.corrections(ID)[1].label is Label.NONE


RECORD = SweepRecord("a" * 64, (5, *SHAPE), (0.3, 0.2), ((0, 2), (2, 5)))


@pytest.mark.parametrize(
    "changed",
    [
        {"identity": None},
        {"identity": "a\x1b"},
        {"identity": "../a"},
        {"identity": ".a"},
        {"identity": "a\\b"},
        {"identity": "a" * 65},
        {"identity": "a b"},
        {"shape": (math.inf, 24, 32)},
        {"shape": (5.0, 24, 32)},
        {"shape": (0, 24, 32)},
        {"shape": (5, 1 << 21, 1)},
        {"shape": (2, 32768, 16384)},
        {"spacing_mm": (math.inf, 0.2)},
        {"spacing_mm": (0.3, math.nan)},
        {"spacing_mm": (0.3, -0.2)},
        {"spacing_mm": ("0.3", 0.2)},
        {"bounds": ()},
        {"bounds": ((0, 2), (3, 5))},
        {"bounds": ((0, 2), (2, 6))},
        {"bounds": ((0, 5), (5, 9))},
        {"bounds": ((0, 0), (0, 5))},
        {"bounds": ((0, math.inf),)},
    ],
    ids=str,
)
def test_a_sweep_that_cannot_be_is_none(changed):
    assert sound_sweep(RECORD) == RECORD
    with pytest.raises(ValueError, match=r"."):
        sound_sweep(replace(RECORD, **changed))


class LostBattery(datetime):
    """A clock that begins again where the machine was built."""

    @classmethod
    def now(cls, tz=None):
        return cls(2000, 1, 1, tzinfo=tz)


def test_a_clock_without_a_battery_hides_nothing(store, monkeypatch):
    monkeypatch.setattr("napari_fetal_iqa.corrections.validity.datetime", LostBattery)
    monkeypatch.setattr("napari_fetal_iqa.corrections.events.datetime", LostBattery)
    store.set_label(ID, 1, Label.NONE, "AK")
    with CorrectionStore(store.path) as reopened:
        assert len(reopened.events()) == 2
        assert reopened.corrections(ID)[1].label is Label.NONE
