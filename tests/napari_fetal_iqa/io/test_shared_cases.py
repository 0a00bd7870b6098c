"""Files from situations in public bug reports, where they lie beside the project."""

import os
from pathlib import Path

import numpy as np
import pytest

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep

H, W = 24, 32


def cine(frames: int) -> np.ndarray:
    return (np.arange(frames * H * W) % 251).astype(np.uint8).reshape(frames, H, W)


@pytest.fixture(scope="module")
def cases() -> Path:
    data = os.environ.get("FETAL_IQA_DATA", Path(__file__).parents[4] / "shared" / "data")
    folder = Path(data).parent / "cases" / "files"
    if not folder.is_dir():
        pytest.skip("the shared cases are not here")
    return folder


VOLUMES = {
    "nrrd_list_first.nrrd": (cine(3), None),
    "nrrd_time_first.nrrd": (cine(20), (0.3, 0.2)),
    "nrrd_units_of_axes.nrrd": (cine(20), (0.3, 0.2)),
    "mha_4d_one.mha": (None, (1, 1)),
    "nifti_eye.nii": (None, (1, 1)),
    "met_long.mha": (None, (0.3, 0.2)),
    "windows_path/scan.mhd": (None, (0.3, 0.2)),
    "utf8/Bauch_Größe.mhd": (None, (0.3, 0.2)),
}


@pytest.mark.parametrize(("name", "expected"), VOLUMES.items())
def test_volumes_are_read_right(cases, name, expected):
    frames, spacing = expected

    sweep = read_sweep(cases / name)

    assert sweep.spacing_mm == (spacing if spacing is None else pytest.approx(spacing))
    assert ("placeholder" in sweep.spacing_note) == (spacing == (1, 1))
    assert frames is None or np.array_equal(sweep.frames, frames)
    assert sweep.shape[1:] == (H, W)


def test_a_colour_picture_of_nifti_is_one_frame(cases):
    sweep = read_sweep(cases / "nifti_colour_picture.nii")

    grey = round(0.299 * 250 + 0.587 * 100 + 0.114 * 10)
    assert sweep.shape == (1, H, W)
    assert np.all(np.asarray(sweep.frames) == grey)


def test_tracked_sweeps_are_turned_and_measured(cases):
    marked_far, unmarked_near = (read_sweep(cases / f"plus_{o}.mha") for o in ("MF", "UN"))

    assert np.array_equal(marked_far.frames, unmarked_near.frames)
    assert marked_far.frames[0][:8].mean() < marked_far.frames[0][-8:].mean()  # the apex above
    assert marked_far.spacing_mm == unmarked_near.spacing_mm == (0.2, 0.2)


def test_a_turned_video_stands_upright(cases):
    assert read_sweep(cases / "video_rotated.mp4").shape == (6, 64, 48)


@pytest.mark.parametrize("name", ["vid_bomb.mp4", "gif_bomb41.gif"])
def test_bombs_are_refused(cases, name):
    with pytest.raises(SweepError, match="expected an ultrasound sweep, found"):
        read_sweep(cases / name)


@pytest.mark.parametrize("name", ["mixed_folder", "acouslic"])
def test_folders_are_what_they_hold(cases, name):
    if name == "acouslic":
        assert read_sweep(cases / name).name == "abc"
    else:
        with pytest.raises(SweepError, match=r"found 2 \(monday\.mha, mixed_folder\)"):
            read_sweep(cases / name)
