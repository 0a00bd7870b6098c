import numpy as np
import pytest
import scipy

from fetal_iqa_training.data.labelled_frames import (
    acouslic_cases,
    acouslic_frames,
    filled,
    frames_of,
)
from fetal_iqa_training.data.validate_acouslic import check_data_set
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.acouslic import list_cases, write_case
from napari_fetal_iqa.io.write import write_volume
from napari_fetal_iqa.sweep import SweepVolume

from ..conftest import FRAMES_PER_SWEEP, SHAPE, disc_volume


def test_annotated_sweeps_come_one_by_one_and_others_never(data):
    sources = list(acouslic_frames(list_cases(data)[:2]))
    assert [s.sweep for s in sources] == [
        f"case{case}, sweep {sweep}" for case in (0, 1) for sweep in range(1, 6)
    ]
    frames, masks = disc_volume(1)
    part = slice(2 * FRAMES_PER_SWEEP, 3 * FRAMES_PER_SWEEP)
    third = sources[7]
    assert (third.frames == frames[part]).all()
    assert (third.masks == (masks[part] > 0)).all()


def test_cases_without_an_annotated_sweep_are_not_listed(data, tmp_path):
    for name, ac_mm in (("seen", [None, 90.0]), ("unseen", [])):
        frames, masks = disc_volume(0)
        write_case(tmp_path, name, SweepVolume(frames), masks, ac_mm, f"of {name}")
    (case,) = acouslic_cases(tmp_path)
    assert (case.name, case.subject_id, case.n_sources) == ("seen", "of seen", 1)
    assert [source.sweep for source in frames_of([case])] == ["seen, sweep 2"]


def test_optimal_and_suboptimal_planes_are_both_positive(data):
    source = next(acouslic_frames(list_cases(data)[:1]))
    assert source.positive.tolist() == [False, False, False, True, True, True]
    assert source.positive.dtype == bool


def test_masks_on_another_grid_are_named(tmp_path):
    frames, masks = disc_volume(0)
    sweep = SweepVolume(frames, (1.0, 1.0))
    case = write_case(tmp_path, "a", sweep, masks, [90.0], "s")
    write_volume(case.mask_path, masks[:, :, :50], (1.0, 1.0))
    with pytest.raises(SweepError, match=r"masks of a\.mha: expected the grid"):
        list(acouslic_frames([case]))


def test_frames_that_are_not_six_sweeps_are_refused(tmp_path):
    frames = np.ones((7, *SHAPE), np.uint8)
    case = write_case(tmp_path, "a", SweepVolume(frames), frames * 0, [90.0], "s")
    with pytest.raises(SweepError, match="expected 6 sweeps of equal length, found 7"):
        list(acouslic_frames([case]))


def test_a_damaged_volume_is_one_line(tmp_path):
    frames, masks = disc_volume(0)
    case = write_case(tmp_path, "a", SweepVolume(frames), masks, [90.0], "s")
    case.image_path.write_bytes(case.image_path.read_bytes()[:300])
    with pytest.raises(SweepError) as caught:
        list(acouslic_frames([case]))
    assert "\n" not in str(caught.value)


def test_a_mask_that_is_an_outline_is_filled(tmp_path):
    """Oracle: the disc that the outline was drawn around, and one that is filled already."""
    frames, masks = disc_volume(0)
    hollow = masks.copy()
    for frame in np.flatnonzero(masks.any(axis=(1, 2))):
        inside = scipy.ndimage.binary_erosion(masks[frame] > 0, iterations=2)
        hollow[frame][inside] = 0
    assert (hollow > 0).sum() < (masks > 0).sum() / 2
    found = {}
    for name, drawn in (("filled", masks), ("outlined", hollow)):
        folder = tmp_path / name
        write_case(folder, "a", SweepVolume(frames, (1.0, 1.0)), drawn, [90.0] * 6, "s")
        found[name] = [source.masks for source in acouslic_frames(list_cases(folder))]
        (check,) = check_data_set(folder).cases
        told = [text for text in check.remarks if "not filled" in text]
        assert bool(told) == (name == "outlined")
    assert np.array_equal(found["filled"], found["outlined"])


def test_an_open_line_and_a_notch_stay_as_they_are():
    mask = np.zeros((1, 9, 9), bool)
    mask[0, 2, 1:8] = mask[0, 2:7, 1] = True
    assert (filled(mask) == mask).all()
