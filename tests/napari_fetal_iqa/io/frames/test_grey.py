import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from napari_fetal_iqa.io.frames import grey
from napari_fetal_iqa.io.frames.grey import luma, to_grey_frames


def test_grey_bytes_are_passed_through_uncopied(volume):
    assert to_grey_frames(volume) is volume


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.int32, np.uint32, np.int64])
def test_other_integers_within_8_bits_keep_their_values(dtype):
    frames = np.arange(120).reshape(2, 6, 10).astype(dtype)

    assert np.array_equal(to_grey_frames(frames), frames)


def test_bool_becomes_0_and_1():
    assert to_grey_frames(np.array([[[True, False]]])).tolist() == [[[1, 0]]]


def test_wide_integers_are_windowed_from_0_to_the_highest():
    frames = np.array([[[0, 1000, 2000, 4000]]], np.uint16)

    assert to_grey_frames(frames).tolist() == [[[0, 64, 128, 255]]]


def test_negative_values_are_windowed_from_the_lowest():
    assert to_grey_frames(np.array([[[-100, 0, 100]]], np.int16)).tolist() == [[[0, 128, 255]]]


def test_the_window_is_that_of_the_whole_volume():
    frames = np.array([[[0.0, 1.0]], [[0.0, 4.0]]], np.float32)

    assert to_grey_frames(frames).tolist() == [[[0, 64]], [[0, 255]]]


def test_nan_is_dark_and_infinities_are_the_ends_of_the_range():
    frames = np.array([[[np.nan, -np.inf, np.inf, 2.0, 0.0]]])

    assert to_grey_frames(frames).tolist() == [[[0, 0, 255, 255, 0]]]


def test_the_least_contrast_that_there_can_be_is_shown():
    assert to_grey_frames(np.array([[[0.0, 5e-324]]])).tolist() == [[[0, 255]]]


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_volume_without_contrast_is_black(value):
    assert not to_grey_frames(np.full((2, 3, 4), value)).any()


@given(hnp.arrays(np.float64, (2, 3, 4), elements=st.floats(width=64)))
def test_any_floats_become_bytes_in_the_same_order(frames):
    grey = to_grey_frames(frames)

    order = np.argsort(np.nan_to_num(frames, nan=-np.inf), axis=None)
    assert grey.dtype == np.uint8
    assert (np.diff(grey.reshape(-1)[order].astype(int)) >= 0).all()


def test_slope_and_intercept_come_before_the_window():
    frames = np.array([[[0, 50, 100]]], np.uint8)

    assert to_grey_frames(frames, slope=2.0, intercept=-100.0).tolist() == [[[0, 128, 255]]]


@given(hnp.arrays(np.uint8, (3, 4, 3)))
def test_colour_becomes_the_grey_that_pillow_makes(frame):
    expected = np.asarray(Image.fromarray(frame, "RGB").convert("L"))

    assert np.array_equal(luma(frame), expected)
    assert np.array_equal(to_grey_frames(frame[np.newaxis])[0], expected)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_grey_drawn_as_colour_comes_back_and_alpha_is_ignored(volume, channels):
    stored = np.repeat(volume[..., np.newaxis], channels, axis=-1)
    if channels in (2, 4):
        stored[..., -1] = 7

    assert np.array_equal(to_grey_frames(stored), volume)


def test_wide_colour_is_mixed_before_the_window():
    white, green = [4000] * 3, [0, 4000, 0]

    assert to_grey_frames(np.array([[[white, green]]], np.uint16)).tolist() == [[[255, 150]]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_frames_of_several_blocks_are_as_those_of_one(monkeypatch, dtype):
    colours = (np.random.default_rng(0).random((2, 37, 20, 3)) * 255).astype(dtype) * 3
    whole = to_grey_frames(colours)
    monkeypatch.setattr(grey, "BLOCK_PIXELS", 100)  # 5 rows

    assert np.array_equal(to_grey_frames(colours), whole)
    assert luma(colours[0]).dtype == dtype


def test_grey_of_a_large_colour_frame_takes_little_more_than_itself():
    frame = np.zeros((2048, 2048, 4), np.uint8)
    tracemalloc.start()

    luma(frame)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * frame.nbytes / 4
