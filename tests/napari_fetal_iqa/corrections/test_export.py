"""Corrections as a data set: what the layout's readers load is what the experts corrected."""

import numpy as np
import pytest

from fetal_iqa_training.data.labelled_frames import acouslic_frames
from napari_fetal_iqa.corrections import CorrectionStore, FrameCorrection, Label, SweepRecord
from napari_fetal_iqa.corrections.corrected_sweeps import CorrectedSweep, gather_corrections
from napari_fetal_iqa.corrections.export import export_case
from napari_fetal_iqa.errors import StoreError, SweepError
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.io import list_cases, read_sweep
from napari_fetal_iqa.sweep import SweepVolume

SHAPE = (60, 80)
SPACING = (0.5, 0.25)


def make_sweep(bounds, spacing_mm=SPACING):
    frames = np.random.default_rng(0).integers(20, 255, (bounds[-1][1], *SHAPE), dtype=np.uint8)
    return SweepVolume(frames, spacing_mm, tuple(bounds), name="Jane_Doe")


def equal(n_sweeps, length):
    return [(start, start + length) for start in range(0, n_sweeps * length, length)]


def ellipse(radius):
    """Abdomen with the semi-axes ``radius`` and ``radius / 2`` in mm."""
    rows, columns = np.indices(SHAPE)
    return np.hypot((rows - 30) * SPACING[0], (columns - 40) * SPACING[1] * 2) < radius


@pytest.fixture
def store(tmp_path):
    with CorrectionStore(tmp_path / "store.sqlite") as store:
        yield store


def export(store, sweep, folder, reviewer=None):
    (corrected,) = gather_corrections([store], reviewer)
    return export_case(folder, corrected, sweep)


def test_what_was_corrected_comes_back_from_the_data_set(store, tmp_path):
    sweep = make_sweep(equal(6, 4))
    store.add_sweep(sweep)
    expected = np.zeros(sweep.shape, np.uint8)
    for frame, label in {1: Label.OPTIMAL, 6: Label.SUBOPTIMAL, 7: None, 9: Label.NONE}.items():
        store.set_mask(sweep.identity, frame, ellipse(8 + frame / 10), "AK")
        if label is not None:
            store.set_label(sweep.identity, frame, label, "AK")
        expected[frame][ellipse(8 + frame / 10)] = {None: 2}.get(label, label)
    store.set_label(sweep.identity, [12, 13], Label.OPTIMAL, "AK")
    store.set_label(sweep.identity, 14, Label.NONE, "AK")

    done = export(store, sweep, tmp_path / "out")

    (case,) = list_cases(tmp_path / "out")
    assert case == done.case
    assert (done.optimal, done.suboptimal, done.not_outlined) == (1, 2, 2)
    assert read_sweep(case.image_path).identity == sweep.identity
    assert read_sweep(case.image_path).spacing_mm == SPACING
    assert np.array_equal(read_sweep(case.mask_path).frames, expected)
    assert [ac is not None for ac in case.ac_mm] == [True, True, False, False, False, False]
    first, second = acouslic_frames([case])
    assert first.positive.tolist() == [False, True, False, False]
    assert second.positive.tolist() == [False, False, True, True]


def test_the_circumference_is_that_of_the_middle_optimal_frame(store, tmp_path):
    """Oracle: the exact perimeter of an ellipse with semi-axes 2 : 1 is 9.68845 b."""
    sweep = make_sweep(equal(6, 6))
    store.add_sweep(sweep)
    radii = {0: 5.0, 1: 9.0, 2: 6.0, 3: 7.0, 4: 5.5}
    for frame, radius in radii.items():
        store.set_mask(sweep.identity, frame, ellipse(radius), "AK")
    store.set_label(sweep.identity, [2, 3, 4], Label.OPTIMAL, "AK")
    store.set_mask(sweep.identity, 7, ellipse(8), "AK")
    ac_mm = export(store, sweep, tmp_path / "out").case.ac_mm
    assert ac_mm[0] == pytest.approx(9.68845 * 7 / 2, rel=0.03)
    assert ac_mm[1] == pytest.approx(9.68845 * 8 / 2, rel=0.03)
    assert ac_mm[2:] == (None,) * 4


def test_a_frame_that_cannot_be_measured_gives_way_to_its_neighbour(store, tmp_path):
    sweep = make_sweep(equal(6, 3))
    store.add_sweep(sweep)
    speck = np.zeros(SHAPE, bool)
    speck[0, 0] = True
    for frame, mask in enumerate([ellipse(8), speck, speck]):
        store.set_mask(sweep.identity, frame, mask, "AK")
    ac_mm = export(store, sweep, tmp_path / "out").case.ac_mm[0]
    assert ac_mm == pytest.approx(9.68845 * 8 / 2, rel=0.03)


def test_names_of_files_do_not_get_into_the_data_set(store, tmp_path):
    sweep = make_sweep(equal(6, 2))
    store.add_sweep(sweep)
    store.set_mask(sweep.identity, 1, ellipse(8), "AK")
    case = export(store, sweep, tmp_path / "out").case
    assert case.uuid.replace("-", "") == sweep.identity[:32]
    assert case.subject_id == case.uuid
    for path in (tmp_path / "out").rglob("*"):
        assert "Jane" not in path.name
        assert path.is_dir() or b"Jane" not in path.read_bytes()


def test_exporting_again_replaces_the_case(store, tmp_path):
    sweep = make_sweep(equal(6, 2))
    store.add_sweep(sweep)
    store.set_mask(sweep.identity, 1, ellipse(8), "AK")
    export(store, sweep, tmp_path / "out")
    store.set_label(sweep.identity, 1, Label.OPTIMAL, "AK")
    export(store, sweep, tmp_path / "out")
    (case,) = list_cases(tmp_path / "out")
    assert read_sweep(case.mask_path).frames[1].max() == 1


@pytest.mark.parametrize(
    ("bounds", "place"),
    [
        ([(0, 11)], {3: 3, 10: 10}),
        ([(0, 4), (4, 11)], {3: 3, 4: 7, 10: 13}),
        ([*equal(5, 2), (10, 11)], {3: 3, 10: 10}),
    ],
)
def test_other_than_six_equal_sweeps_are_padded_with_black_frames(store, tmp_path, bounds, place):
    sweep = make_sweep(bounds)
    store.add_sweep(sweep)
    for frame in place:
        store.set_mask(sweep.identity, frame, ellipse(8), "AK")

    case = export(store, sweep, tmp_path / "out").case

    longest = max(stop - start for start, stop in bounds)
    frames, masks = (np.asarray(read_sweep(p).frames) for p in (case.image_path, case.mask_path))
    assert len(frames) == 6 * longest
    assert np.flatnonzero(masks.any(axis=(1, 2))).tolist() == list(place.values())
    for frame, padded in place.items():
        assert np.array_equal(frames[padded], sweep.frames[frame])
        assert np.array_equal(masks[padded] == 2, ellipse(8))
    assert np.count_nonzero(frames.any(axis=(1, 2))) == len(sweep)
    annotated = {sweep.locate(frame)[0] for frame in place}
    assert {number for number, ac in enumerate(case.ac_mm) if ac is not None} == annotated
    assert sum(int(read.positive.sum()) for read in acouslic_frames([case])) == len(place)


def test_the_bounds_are_those_of_the_review_and_not_of_the_file(store, tmp_path):
    sweep = make_sweep(equal(6, 2))
    store.add_sweep(sweep)
    store.set_mask(sweep.identity, 3, ellipse(8), "AK")
    again = SweepVolume(sweep.frames, SPACING)
    assert again.bounds != sweep.bounds
    case = export(store, again, tmp_path / "out").case
    assert [ac is not None for ac in case.ac_mm] == [False, True, False, False, False, False]


def test_more_than_six_sweeps_are_refused(store, tmp_path):
    sweep = make_sweep(equal(7, 2))
    store.add_sweep(sweep)
    store.set_mask(sweep.identity, 1, ellipse(8), "AK")
    with pytest.raises(SweepError, match="Jane_Doe: has 7 sweeps"):
        export(store, sweep, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_a_spacing_there_is_no_circumference(store, tmp_path):
    sweep = make_sweep(equal(6, 2), spacing_mm=None)
    store.add_sweep(sweep)
    store.set_mask(sweep.identity, 1, ellipse(8), "AK")
    done = export(store, sweep, tmp_path / "out")
    assert done.suboptimal == 1
    assert done.case.ac_mm == (None,) * 6
    assert read_sweep(done.case.image_path).spacing_mm is None


@pytest.mark.parametrize(
    ("frame", "mask", "message"),
    [(1, np.ones((90, 90), bool), "frame 1 is unusable"), (12, ellipse(8), "has no frame 12")],
)
def test_a_damaged_correction_is_named_and_nothing_written(tmp_path, frame, mask, message):
    sweep = make_sweep(equal(6, 2))
    record = SweepRecord(sweep.identity, sweep.shape, SPACING, sweep.bounds)
    correction = FrameCorrection(frame, None, encode_mask(mask), False, "AK", "")
    with pytest.raises(StoreError, match=message):
        export_case(tmp_path / "out", CorrectedSweep(record, (correction,)), sweep)
    assert not (tmp_path / "out").exists()


def test_a_damaged_event_takes_no_other_with_it(store, tmp_path, write_raw):
    sweep = make_sweep(equal(6, 2))
    store.add_sweep(sweep)
    store.set_mask(sweep.identity, 1, ellipse(8), "AK")
    wrong = encode_mask(np.ones((90, 90), bool))
    write_raw(store.path, sweep.identity, reviewer="AK", kind="mask", mask=wrong)
    assert export(store, sweep, tmp_path / "out").suboptimal == 1


def test_an_empty_mask_is_no_outlined_frame(store, tmp_path):
    sweep = make_sweep(equal(6, 2))
    store.add_sweep(sweep)
    store.set_mask(sweep.identity, 1, np.zeros(SHAPE, bool), "AK")
    store.set_label(sweep.identity, 1, Label.OPTIMAL, "AK")
    done = export(store, sweep, tmp_path / "out")
    assert (done.optimal, done.suboptimal, done.not_outlined) == (0, 0, 1)
