import numpy as np
import pytest

from fetal_iqa_training.data.corrections import (
    corrected_frames,
    count_usable,
    read_corrections,
)
from fetal_iqa_training.errors import TrainingError
from napari_fetal_iqa.corrections import CorrectionStore, FrameCorrection, Label, SweepRecord
from napari_fetal_iqa.corrections.corrected_sweeps import CorrectedSweep
from napari_fetal_iqa.errors import StoreError
from napari_fetal_iqa.sweep import SweepVolume

from ..conftest import disc_volume

FRAMES, MASKS = disc_volume(0)
SWEEP = SweepVolume(FRAMES, (1.0, 1.0), name="sweep0")


@pytest.fixture
def store(tmp_path):
    with CorrectionStore(tmp_path / "review.sqlite") as opened:
        opened.add_sweep(SWEEP)
        yield opened


def learnt(store, task, reviewer=None):
    """What a task learns: frame, positive, pixels of abdomen."""
    (sweep,) = read_corrections([store.path], reviewer)
    found = []
    for source in corrected_frames(sweep, SWEEP, task):
        for frame, mask, positive in zip(source.frames, source.masks, source.positive, strict=True):
            number = next(n for n, other in enumerate(FRAMES) if (other == frame).all())
            found.append((number, bool(positive), int(mask.sum())))
    return found


def test_labels_train_quality_and_both_planes_are_positive(store):
    store.set_label(SWEEP.identity, [0, 1], Label.NONE, "AK")
    store.set_label(SWEEP.identity, 3, Label.OPTIMAL, "AK")
    store.set_label(SWEEP.identity, 4, Label.SUBOPTIMAL, "AK")
    assert [(f, p) for f, p, _ in learnt(store, "cls")] == [
        (0, False),
        (1, False),
        (3, True),
        (4, True),
    ]


def test_masks_train_outlines_and_none_trains_that_there_is_no_outline(store):
    abdomen = MASKS[3] > 0
    store.set_mask(SWEEP.identity, 3, abdomen, "AK")
    store.set_label(SWEEP.identity, 0, Label.NONE, "AK")
    store.set_label(SWEEP.identity, 4, Label.OPTIMAL, "AK")
    assert learnt(store, "seg") == [(0, False, 0), (3, True, int(abdomen.sum()))]


def test_a_mask_without_a_label_trains_quality_too(store):
    store.set_mask(SWEEP.identity, 3, MASKS[3] > 0, "AK")
    store.set_mask(SWEEP.identity, 5, np.zeros_like(MASKS[0], bool), "AK")
    assert [(f, p) for f, p, _ in learnt(store, "cls")] == [(3, True), (5, False)]


def test_a_confirmed_prediction_trains_and_what_was_undone_does_not(store):
    store.accept(SWEEP.identity, 3, "AK", Label.OPTIMAL, MASKS[3] > 0)
    store.set_label(SWEEP.identity, 4, Label.OPTIMAL, "AK")
    store.undo(SWEEP.identity, "AK")
    assert [f for f, _, _ in learnt(store, "cls")] == [3]


def test_the_latest_word_of_each_reviewer_counts(store):
    store.set_label(SWEEP.identity, 3, Label.NONE, "AK")
    store.set_label(SWEEP.identity, 3, Label.OPTIMAL, "AK")
    store.set_label(SWEEP.identity, 3, Label.NONE, "BL")
    assert [(f, p) for f, p, _ in learnt(store, "cls", "AK")] == [(3, True)]
    assert [(f, p) for f, p, _ in learnt(store, "cls", "BL")] == [(3, False)]


def test_the_label_that_most_gave_counts_with_the_latest_mask_of_those(store):
    small, large = MASKS[3] > 0, np.ones_like(MASKS[3], bool)
    for name, label, mask in (
        ("AK", Label.OPTIMAL, small),
        ("BL", Label.NONE, large),
        ("CM", Label.OPTIMAL, None),
        ("DN", Label.NONE, None),
        ("EO", Label.OPTIMAL, None),
    ):
        store.set_label(SWEEP.identity, 3, label, name)
        if mask is not None:
            store.set_mask(SWEEP.identity, 3, mask, name)
    assert learnt(store, "cls") == [(3, True, int(small.sum()))]
    (sweep,) = read_corrections([store.path])
    assert sweep.reviewers == ("AK", "BL", "CM", "DN", "EO")


def test_of_labels_that_equally_many_gave_the_latest_counts(store):
    store.set_label(SWEEP.identity, 3, Label.OPTIMAL, "AK")
    store.set_label(SWEEP.identity, 3, Label.NONE, "BL")
    assert learnt(store, "cls") == [(3, False, 0)]
    store.set_label(SWEEP.identity, 3, Label.OPTIMAL, "AK")
    assert learnt(store, "cls") == [(3, True, 0)]


def test_frames_nobody_spoke_of_train_only_where_the_sweep_was_fully_reviewed(store):
    store.set_label(SWEEP.identity, 3, Label.OPTIMAL, "AK")
    assert len(read_corrections([store.path], negatives=5)[0].corrections) == 1
    store.set_fully_reviewed(SWEEP.identity, "AK", True)
    assert len(read_corrections([store.path])[0].corrections) == 1
    assert read_corrections([store.path], "BL", negatives=5) == ()
    (sweep,) = read_corrections([store.path], negatives=5)
    frames = [c.frame for c in sweep.corrections]
    assert frames == [0, 3, 9, 18, 27, 35]
    assert [c.label for c in sweep.corrections if c.frame != 3] == [Label.NONE] * 5
    (everything,) = read_corrections([store.path], negatives=1000)
    assert [c.frame for c in everything.corrections] == list(range(len(FRAMES)))


def test_one_reviewers_word_in_two_stores_counts_once_and_the_later_one_holds(store, tmp_path):
    store.set_label(SWEEP.identity, 3, Label.NONE, "AK")
    with CorrectionStore(tmp_path / "other.sqlite") as other:
        other.add_sweep(SWEEP)
        other.append(store.events())
        other.set_label(SWEEP.identity, 3, Label.OPTIMAL, "AK")
    for stores in ([store.path, other.path], [other.path, store.path]):
        (sweep,) = read_corrections(stores)
        assert [c.label for c in sweep.corrections] == [Label.OPTIMAL]


def test_a_label_in_one_store_and_a_later_mask_in_another_both_count(store, tmp_path):
    store.set_label(SWEEP.identity, 3, Label.OPTIMAL, "AK")
    with CorrectionStore(tmp_path / "other.sqlite") as other:
        other.add_sweep(SWEEP)
        other.set_mask(SWEEP.identity, 3, MASKS[3] > 0, "AK")
    for stores in ([store.path, other.path], [other.path, store.path]):
        ((correction,),) = [sweep.corrections for sweep in read_corrections(stores)]
        assert correction.label is Label.OPTIMAL
        assert correction.mask is not None


def test_a_sweep_that_was_only_opened_is_not_there(store):
    assert read_corrections([store.path]) == ()


def test_counts_are_those_of_the_frames(store):
    store.set_label(SWEEP.identity, [0, 1, 2], Label.NONE, "AK")
    store.set_mask(SWEEP.identity, 3, MASKS[3] > 0, "AK")
    store.set_label(SWEEP.identity, 4, Label.OPTIMAL, "AK")
    sweeps = read_corrections([store.path])
    assert count_usable(sweeps, "cls") == (2, 3)
    assert count_usable(sweeps, "seg") == (1, 3)


def test_a_missing_store_is_named_and_not_made(tmp_path):
    with pytest.raises(TrainingError, match=r"none\.sqlite: there is no corrections store"):
        read_corrections([tmp_path / "none.sqlite"])
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_store_is_refused(tmp_path):
    path = tmp_path / "notes.sqlite"
    path.write_text("not a database, but long enough to look like a file of some kind")
    with pytest.raises(StoreError):
        read_corrections([path])


def test_a_damaged_mask_names_its_frame():
    record = SweepRecord(SWEEP.identity, SWEEP.shape, None, SWEEP.bounds)
    damaged = FrameCorrection(7, None, b"garbage", False, "AK", "2026")
    with pytest.raises(TrainingError, match="frame 7 is unusable"):
        next(corrected_frames(CorrectedSweep(record, (damaged,)), SWEEP, "seg"))
