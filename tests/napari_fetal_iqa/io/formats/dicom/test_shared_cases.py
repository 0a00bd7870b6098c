"""The shared cases of public bug reports, where this machine has them."""

import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.pixels import pixel_array

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep

DATA = os.environ.get("FETAL_IQA_DATA", Path(__file__).parents[6] / "shared" / "data")
CASES = Path(DATA).parent / "cases" / "files"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")

ROWS, COLUMNS = np.mgrid[:24, :32]
SIX = np.stack([20 * frame + 3 * ROWS + 2 * COLUMNS for frame in range(6)]).astype(np.uint8)


def read(name: str):
    sweep = read_sweep(CASES / name)
    return sweep, np.asarray(sweep.frames)


def test_six_frames_are_read_where_their_number_is_missing():
    assert np.array_equal(read("frames_raw_missing.dcm")[1], SIX)
    assert np.abs(read("frames_jpeg_missing.dcm")[1].astype(int) - SIX).max() <= 3


def test_three_bytes_a_pixel_are_read_as_ybr():
    stored = pydicom.dcmread(CASES / "ybr422_full_length.dcm")
    stored.PhotometricInterpretation = "YBR_FULL"

    assert np.array_equal(read("ybr422_full_length.dcm")[1], pixel_array(stored, raw=True)[..., 0])


def test_compressed_pixels_are_not_shown():
    with pytest.raises(SweepError, match="found compressed ones"):
        read("encapsulated_called_raw.dcm")


def test_padding_is_black():
    grey = np.stack([(10 * frame + 4 * ROWS + 3 * COLUMNS) % 256 for frame in range(3)])
    grey[:, :4] = 0

    assert np.array_equal(read("padding_value.dcm")[1], grey)


def test_two_scales_over_one_picture_are_no_spacing():
    sweep, _ = read("two_regions.dcm")

    assert sweep.spacing_mm is None
    assert "2 ultrasound regions" in sweep.spacing_note


def test_decimal_commas_are_read():
    sweep, frames = read("decimal_comma.dcm")

    assert sweep.spacing_mm == (0.11, 0.22)
    assert frames.shape == (3, 24, 32)


def test_a_file_without_preamble_is_read():
    stored = pydicom.dcmread(CASES / "no_preamble.dcm", force=True)

    assert read("no_preamble.dcm")[1].tobytes() == stored.PixelData


def test_a_copy_counts_once():
    stored = [
        pydicom.dcmread(CASES / "dicom_copy" / name).pixel_array
        for name in ("IM1", "IM2", "IM3", "IM4")
    ]

    assert np.array_equal(read("dicom_copy")[1], np.stack(stored))


def test_a_bomb_of_items_is_refused():
    with pytest.raises(SweepError, match="elements, found more"):
        read("deflate_items.dcm")
