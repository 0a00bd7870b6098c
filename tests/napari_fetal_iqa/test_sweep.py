import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from scipy import ndimage

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.sweep import SweepVolume, describe, sweep_bounds


def frames(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@given(st.integers(1, 2000), st.one_of(st.none(), st.integers(1, 2500)))
def test_bounds_cover_every_frame_once_in_order(n_frames, frames_per_sweep):
    bounds = sweep_bounds(n_frames, frames_per_sweep)

    covered = [frame for start, stop in bounds for frame in range(start, stop)]
    assert covered == list(range(n_frames))


@pytest.mark.parametrize(("n_frames", "n_sweeps"), [(840, 6), (140, 1), (280, 2), (232, 1), (1, 1)])
def test_a_multiple_of_140_frames_is_that_many_sweeps_and_anything_else_is_one(n_frames, n_sweeps):
    assert len(sweep_bounds(n_frames)) == n_sweeps


def test_the_last_sweep_may_be_shorter():
    assert sweep_bounds(10, 4) == ((0, 4), (4, 8), (8, 10))


@pytest.mark.parametrize("frames_per_sweep", [0, -3])
def test_a_sweep_has_at_least_one_frame(frames_per_sweep):
    with pytest.raises(SweepError, match="1 or more"):
        sweep_bounds(10, frames_per_sweep)


@pytest.mark.parametrize(
    "array",
    [frames(3, 4), frames(0, 4, 4), frames(2, 3, 4, 3), frames(2, 3, 4).astype(np.int16)],
    ids=["2D", "no frames", "colour", "16-bit"],
)
def test_a_volume_is_frames_rows_columns_of_uint8(array):
    with pytest.raises(SweepError, match="expected frames"):
        SweepVolume(array)


@pytest.mark.parametrize("spacing_mm", [(0.0, 0.3), (0.3, -1.0), (np.nan, 1.0), (np.inf, 1.0)])
def test_spacing_is_positive_and_finite(spacing_mm):
    with pytest.raises(SweepError, match="spacing"):
        SweepVolume(frames(2, 3, 4), spacing_mm)


@pytest.mark.parametrize(
    "bounds",
    [((0, 3), (4, 10)), ((1, 10),), ((0, 9),), ((0, 10), (10, 10)), ((0, 6), (6, 4), (4, 10))],
    ids=["gap", "late start", "early end", "empty sweep", "backwards"],
)
def test_bounds_that_do_not_cover_the_frames_are_refused(bounds):
    with pytest.raises(SweepError, match="one after the other"):
        SweepVolume(frames(10, 3, 4), bounds=bounds)


def test_bounds_are_set_by_the_caller_and_the_frames_shared():
    sweep = SweepVolume(frames(10, 3, 4), bounds=((0, 3), (3, 10)))

    again = sweep.with_bounds(4)

    assert sweep.bounds == ((0, 3), (3, 10))
    assert again.bounds == ((0, 4), (4, 8), (8, 10))
    assert again.frames is sweep.frames


def test_a_frame_is_located_in_its_sweep():
    sweep = SweepVolume(frames(10, 3, 4), bounds=((0, 3), (3, 10)))

    assert [sweep.locate(frame) for frame in (0, 2, 3, 9)] == [(0, 0), (0, 2), (1, 0), (1, 6)]
    with pytest.raises(IndexError):
        sweep.locate(10)


def test_identity_is_the_hash_of_shape_and_pixels_and_of_nothing_else():
    array = frames(4, 5, 6)
    sweep = SweepVolume(array, (0.3, 0.3), name="a")

    expected = hashlib.sha256(b"(4, 5, 6)" + array.tobytes()).hexdigest()
    assert sweep.identity == expected
    assert SweepVolume(np.asfortranarray(array), name="b").identity == expected
    assert SweepVolume(array.reshape(4, 6, 5)).identity != expected


@given(st.integers(0, 4 * 5 * 6 - 1), st.integers(1, 255))
def test_identity_changes_with_any_pixel(position, change):
    array = frames(4, 5, 6)
    before = SweepVolume(array.copy()).identity

    array.reshape(-1)[position] ^= change

    assert SweepVolume(array).identity != before


def fan(shape: tuple[int, int]) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.abs(columns - shape[1] // 2) < rows


def test_field_of_view_is_the_non_black_fan_without_specks_and_holes():
    truth = fan((40, 60))
    array = frames(30, 40, 60) // 2 * truth + 9 * truth.astype(np.uint8)
    array[:, 30, 30] = 0  # a pixel that is dark in every frame
    array[5, 2, 3] = 200  # a logo outside of the fan
    array[:, ~truth] = np.maximum(array[:, ~truth], 4)  # noise of compression

    assert np.array_equal(SweepVolume(array).field_of_view, truth)


def test_a_caption_that_touches_the_fan_is_no_part_of_it():
    truth = fan((80, 200))
    image = Image.fromarray(truth.astype(np.uint8) * 90)
    draw = ImageDraw.Draw(image)
    draw.text((6, 20), "CARDIAC 4.1 MHz", fill=200)  # its end lies on the fan's edge
    draw.line((100, 79, 199, 10), fill=200, width=2)
    array = np.array(image)[np.newaxis]
    beyond = ~ndimage.binary_dilation(truth, iterations=6)  # a part of its last letter stays
    assert (array[0, 20:32] > 0)[beyond[20:32]].sum() > 100

    found = SweepVolume(array).field_of_view

    assert np.count_nonzero(truth & ~found) <= 8, "no more than the tips of its sharp corners"
    assert not found[beyond].any()


def test_a_field_of_view_of_few_pixels_is_kept():
    array = np.zeros((2, 20, 20), np.uint8)
    array[:, 5:8, 5:8] = 90

    assert SweepVolume(array).field_of_view.sum() == 9


def test_field_of_view_of_a_black_volume_is_the_whole_frame():
    assert SweepVolume(np.zeros((3, 4, 5), np.uint8)).field_of_view.all()


def test_trailing_black_frames_do_not_change_the_field_of_view():
    truth = fan((40, 60))
    bright = np.full((5, 40, 60), 90, np.uint8) * truth
    padded = np.concatenate([bright, np.zeros((100, 40, 60), np.uint8)])

    assert np.array_equal(SweepVolume(padded).field_of_view, truth)


def test_describe_returns_technical_facts():
    info = describe(SweepVolume(frames(280, 5, 6), (0.2, 0.3), name="case", source_format="test"))

    assert (info.name, info.format, info.spacing_mm) == ("case", "test", (0.2, 0.3))
    assert (info.frames, info.rows, info.columns) == (280, 5, 6)
    assert info.sweeps == ((0, 140), (140, 280))
    assert info.field_of_view_fraction == 1
    assert len(info.identity) == 64
