"""What counts of a frame is one rule: an exported data set is what fine-tuning learns."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetal_iqa_training.data.corrections import corrected_frames, read_corrections
from fetal_iqa_training.data.labelled_frames import acouslic_frames
from napari_fetal_iqa.corrections import CorrectionStore, FrameCorrection, Label
from napari_fetal_iqa.corrections.agreement import agreements
from napari_fetal_iqa.corrections.consensus import consensus
from napari_fetal_iqa.corrections.corrected_sweeps import gather_corrections
from napari_fetal_iqa.corrections.export import export_case
from napari_fetal_iqa.geometry.mask_codec import decode_mask, encode_mask, outlines_something
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.review.session import ReviewSession
from napari_fetal_iqa.sweep import SweepVolume

SHAPE = (60, 80)
LENGTH = 3
BOUNDS = tuple((start, start + LENGTH) for start in range(0, 6 * LENGTH, LENGTH))
FRAMES = np.random.default_rng(0).integers(20, 255, (6 * LENGTH, *SHAPE), dtype=np.uint8)
SWEEP = SweepVolume(FRAMES, (0.5, 0.25), BOUNDS)


def ellipse(radius):
    rows, columns = np.indices(SHAPE)
    return np.hypot((rows - 30) * 0.5, (columns - 40) * 0.5) < radius


MASKS = {"empty": np.zeros(SHAPE, bool), "small": ellipse(6), "large": ellipse(11)}


def state(label, mask, reviewer, time):
    label_time = "" if label is None else time
    return FrameCorrection(
        3, label, mask, False, reviewer, time, label_time, time if mask is not None else ""
    )


OPTIMAL, SUBOPTIMAL, NONE = Label.OPTIMAL, Label.SUBOPTIMAL, Label.NONE


@pytest.mark.parametrize(
    ("states", "label", "mask"),
    [
        ([(OPTIMAL, b"a"), (OPTIMAL, None), (NONE, b"c")], OPTIMAL, b"a"),
        ([(OPTIMAL, b"a"), (SUBOPTIMAL, b"b")], SUBOPTIMAL, b"b"),
        ([(OPTIMAL, b"a"), (None, b"b")], OPTIMAL, b"a"),
        ([(OPTIMAL, None), (None, b"b")], OPTIMAL, b"b"),
        ([(None, b"a"), (None, b"b")], None, b"b"),
        ([(OPTIMAL, b"a"), (NONE, None), (NONE, None)], NONE, None),
        ([(NONE, b"a")], NONE, None),
    ],
    ids=[
        "the outvoted mask does not count",
        "of equals the latest",
        "the mask of who gave the label",
        "the latest of all where those have none",
        "the latest mask without labels",
        "what is outvoted by none has no mask",
        "none has no mask",
    ],
)
def test_the_label_of_most_counts_with_a_mask_of_theirs(states, label, mask):
    joined = consensus([state(*given, f"R{n}", f"2026-{n}") for n, given in enumerate(states)])
    assert (joined.label, joined.mask) == (label, mask)


FRAME = st.integers(0, len(FRAMES) - 1)
REVIEWER = st.sampled_from(["AK", "BL", "CM"])
LABEL = st.sampled_from([NONE, OPTIMAL, SUBOPTIMAL])
MASK = st.sampled_from(sorted(MASKS))
ACTION = st.one_of(
    st.tuples(st.just("label"), FRAME, REVIEWER, LABEL),
    st.tuples(st.just("mask"), FRAME, REVIEWER, MASK),
    st.tuples(st.just("accept"), FRAME, REVIEWER, LABEL, MASK),
    st.tuples(st.just("revert"), FRAME, REVIEWER),
    st.tuples(st.just("undo"), REVIEWER),
    st.tuples(st.just("redo"), REVIEWER),
)


def act(store, action):
    """Do one thing that a reviewer may do."""
    match action:
        case ("label", frame, reviewer, label):
            store.set_label(SWEEP.identity, frame, label, reviewer)
        case ("mask", frame, reviewer, name):
            store.set_mask(SWEEP.identity, frame, MASKS[name], reviewer)
        case ("accept", frame, reviewer, label, name):
            store.accept(SWEEP.identity, frame, reviewer, label, MASKS[name])
        case ("revert", frame, reviewer):
            store.revert(SWEEP.identity, frame, reviewer)
        case ("undo" | "redo" as step, reviewer):
            getattr(store, step)(SWEEP.identity, reviewer)


def learnt(stores, task):
    """Frame number, positive and mask of all that a task learns from."""
    return {
        int(number): (bool(positive), mask)
        for sweep in read_corrections(stores)
        for part in corrected_frames(sweep, SWEEP, task)
        for number, positive, mask in zip(part.numbers, part.positive, part.masks, strict=True)
    }


@settings(max_examples=40, deadline=None)
@given(st.lists(ACTION, min_size=1, max_size=30), st.booleans())
def test_an_exported_data_set_is_what_fine_tuning_learns(actions, few_frames):
    """But for a frame labelled as an abdomen that nobody outlined: the layout has no place for it.

    Few frames, so that reviewers speak of the same ones.
    """
    with tempfile.TemporaryDirectory() as folder, CorrectionStore(f"{folder}/s.sqlite") as store:
        store.add_sweep(SWEEP)
        for action in actions:
            if few_frames and len(action) > 2:
                action = (action[0], action[1] % 2, *action[2:])
            act(store, action)
        quality, outlines = (learnt([store.path], task) for task in ("cls", "seg"))
        gathered = gather_corrections([store])
        assert bool(gathered) == bool(quality)
        if not gathered:
            return
        done = export_case(Path(folder, "out"), gathered[0], SWEEP)
        exported = {
            int(part.sweep.rpartition(" ")[2]) - 1: part for part in acouslic_frames([done.case])
        }
        written = np.asarray(read_sweep(done.case.mask_path).frames) > 0

    not_outlined = 0
    for frame, (positive, _) in quality.items():
        number, place = divmod(frame, LENGTH)
        if positive and not written[frame].any():
            not_outlined += 1
        else:
            assert positive == (number in exported and exported[number].positive[place])
    assert not_outlined == done.not_outlined
    for frame, (positive, mask) in outlines.items():
        assert np.array_equal(written[frame], mask)
        number, place = divmod(frame, LENGTH)
        if number in exported:
            assert np.array_equal(exported[number].masks[place], mask)
            assert exported[number].positive[place] == positive
            assert np.array_equal(exported[number].frames[place], FRAMES[frame])
        else:
            assert not positive
    positive_frames = {frame for frame in range(len(FRAMES)) if written[frame].any()}
    assert positive_frames == {frame for frame, (positive, _) in outlines.items() if positive}


@settings(max_examples=40, deadline=None)
@given(st.lists(ACTION, min_size=1, max_size=30))
def test_what_the_window_shows_of_a_frame_is_what_is_exported_and_learnt(actions):
    """Also of stores that an earlier window wrote, where an outline left a label None as it was."""
    with tempfile.TemporaryDirectory() as folder, CorrectionStore(f"{folder}/s.sqlite") as store:
        store.add_sweep(SWEEP)
        for action in actions:
            if len(action) > 2:
                action = (action[0], action[1] % 2, "AK", *action[3:])
            act(store, action)
        session = ReviewSession(SWEEP, store, "AK")
        shown = {frame: (session.view(frame), session.mask(frame)) for frame in range(2)}
        counted = {
            correction.frame: correction
            for sweep in gather_corrections([store], "AK")
            for correction in sweep.corrections
        }
    for frame, (view, mask) in shown.items():
        correction = counted.get(frame)
        code = correction and correction.mask
        outlined = np.zeros(SHAPE, bool) if code is None else decode_mask(code, SHAPE)
        assert np.array_equal(mask, outlined)
        assert not (view.label is NONE and mask.any())
        if correction is not None and correction.label is not None:
            assert view.label is correction.label


@pytest.mark.parametrize("order", [("label", "mask"), ("mask", "label")])
def test_of_the_label_none_and_an_outline_the_later_holds(tmp_path, order):
    """Both in one store, and one in either of two."""
    said = {"label": ("label", 1, "AK", NONE), "mask": ("mask", 1, "AK", "large")}
    one, two, whole = (CorrectionStore(tmp_path / f"{name}.sqlite") for name in "abc")
    with one, two, whole:
        for store, which in ((one, order[0]), (two, order[1]), *((whole, each) for each in order)):
            store.add_sweep(SWEEP)
            act(store, said[which])
        for stores in ([one, two], [two, one], [whole]):
            ((state,),) = (sweep.corrections for sweep in gather_corrections(stores))
            expected = (None, encode_mask(MASKS["large"])) if order[1] == "mask" else (NONE, None)
            assert (state.label, state.mask) == expected
        act(whole, ("mask", 1, "BL", "small"))
        (record,) = whole.sweeps()
        assert len(agreements(whole, record)) == (order[1] == "mask")  # else none was outlined
        act(whole, ("undo", "AK"))
        kept = whole.corrections(SWEEP.identity, "AK")[1]
        assert (kept.label is NONE) == (order[0] == "label")
        act(whole, ("redo", "AK"))
        assert (whole.corrections(SWEEP.identity, "AK")[1].label is NONE) == (order[1] == "label")


def test_a_models_outline_that_was_accepted_takes_no_label_none_back(tmp_path):
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        store.add_sweep(SWEEP)
        act(store, ("label", 1, "AK", NONE))
        store.accept(SWEEP.identity, 1, "AK", mask=MASKS["large"])
        assert store.corrections(SWEEP.identity, "AK")[1].label is NONE
        assert not ReviewSession(SWEEP, store, "AK").mask(1).any()


def test_whether_a_packed_mask_outlines_anything_is_told_without_its_shape():
    assert outlines_something(encode_mask(MASKS["small"]))
    far = np.zeros((3000, 3000), bool)
    assert not outlines_something(encode_mask(far))
    far[-1, -1] = True
    assert outlines_something(encode_mask(far))
    assert not outlines_something(b"damaged")


def test_a_reviewer_who_is_exported_alone_is_learnt_alone(tmp_path):
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        store.add_sweep(SWEEP)
        for name, label in (("AK", NONE), ("BL", OPTIMAL), ("CM", OPTIMAL)):
            act(store, ("accept", 4, name, label, "small"))
        alone, together = gather_corrections([store], "AK"), gather_corrections([store])
        assert alone == read_corrections([store.path], "AK")
        assert [one.corrections[0].label for one in (*alone, *together)] == [NONE, OPTIMAL]
        assert export_case(tmp_path / "one", alone[0], SWEEP).optimal == 0
        assert export_case(tmp_path / "all", together[0], SWEEP).optimal == 1
