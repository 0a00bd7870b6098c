"""What a de-identified copy keeps of the pixels: the fan, and no writing."""

import io

import numpy as np
import pytest
from PIL import Image

from napari_fetal_iqa.anonymising.fan import cut_to_fan
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.sweep import SweepVolume

from .fans import SHAPE, fan_area, fan_frames, written


def test_writing_beside_the_fan_is_blacked_and_listed_once_a_line():
    frames = fan_frames()
    frames[:, written("DOE JANE", (2, 2))] = 200
    frames[3:5, written("12:30", (96, 2))] = 90

    cut = cut_to_fan(SweepVolume(frames))

    assert not (cut.keep & ~fan_area()).any()
    assert (cut.keep & fan_area()).sum() > 0.97 * fan_area().sum()
    assert sorted(area.frames for area in cut.areas) == [2, 12]
    assert all(area.rows[1] < 20 and not area.in_fan for area in cut.areas)


def test_writing_over_the_fan_that_never_changes_is_blacked():
    text = written("DOE", (54, 60))
    frames = fan_frames()
    frames[:, text] = 255

    cut = cut_to_fan(SweepVolume(frames))

    assert not cut.keep[text].any()
    assert [area.in_fan for area in cut.areas] == [True]
    assert (cut.keep & fan_area()).sum() > 0.9 * fan_area().sum()


def test_a_box_that_touches_the_fan_does_not_keep_what_is_written_in_it():
    frames = fan_frames(2)
    frames[:, 4:6, 4:124] = frames[:, 92:94, 4:124] = 200
    frames[:, 4:94, 4:6] = frames[:, 4:94, 122:124] = 200
    frames[:, 4:30, 63:65] = 200  # down to the fan
    text = written("DOE", (10, 10))
    frames[:, text] = 200

    cut = cut_to_fan(SweepVolume(frames))

    assert SweepVolume(frames).field_of_view[text].all()  # the box is one area with the fan
    assert not cut.keep[text].any()
    assert (cut.keep & fan_area()).sum() > 0.95 * fan_area().sum()


@pytest.mark.parametrize("quality", [60, 90])
def test_writing_that_flickers_by_lossy_compression_is_blacked(quality):
    text = written("DOE", (54, 60))
    frames = fan_frames()
    frames[:, text] = 235
    for number, frame in enumerate(frames):
        stream = io.BytesIO()
        Image.fromarray(frame).save(stream, "JPEG", quality=quality)
        frames[number] = np.asarray(Image.open(stream))
    assert (np.ptp(frames, axis=0)[text] > 8).mean() > 0.7  # it does flicker

    cut = cut_to_fan(SweepVolume(frames))

    assert (cut.keep & text).sum() < 0.02 * text.sum()
    assert (cut.keep & fan_area()).sum() > 0.8 * fan_area().sum()


def test_black_frames_at_the_end_hide_no_writing():
    text = written("DOE", (54, 60))
    frames = fan_frames()
    frames[:, text] = 255
    frames[-1] = 0

    assert not cut_to_fan(SweepVolume(frames)).keep[text].any()


def test_anechoic_areas_of_the_fan_stay():
    frames = fan_frames()
    frames[:, 50:60, 60:70] = 3

    assert cut_to_fan(SweepVolume(frames)).keep[52:58, 62:68].all()


def large_panel():
    frames = fan_frames()
    frames[:, fan_area()] = 0
    frames[:, :80, :] = 120  # a panel of the scanner
    frames[:, 84:94, 20:40] = np.random.default_rng(1).integers(0, 255, (12, 10, 20))
    return frames


def grey_all_over():
    return np.random.default_rng(2).integers(60, 255, (12, *SHAPE), np.uint8)


def still_picture():
    frames = fan_frames()
    frames[:] = frames[:1]
    frames[:, 60:64, 60:64] = np.arange(12)[:, None, None] * 20
    return frames


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        (np.zeros((12, *SHAPE), np.uint8), "dark"),
        (grey_all_over(), "fills the whole frame"),
        (large_panel(), "moves lies beside"),
        (still_picture(), "never changes"),
    ],
    ids=["dark", "grey", "panel", "still"],
)
def test_without_a_fan_nothing_is_cut(frames, why):
    with pytest.raises(SweepError, match=why) as refused:
        cut_to_fan(SweepVolume(frames))

    assert "--keep-pixels" in str(refused.value)
