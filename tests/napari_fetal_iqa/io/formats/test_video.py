from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep

KINDS = {
    "avi-mjpeg": (".avi", "mjpeg", "yuvj420p"),
    "avi-raw-colour": (".avi", "rawvideo", "bgr24"),
    "avi-lossless": (".avi", "ffv1", "gray"),
    "mp4-h264": (".mp4", "libx264", "yuv420p"),
    "m4v-mpeg4": (".m4v", "mpeg4", "yuv420p"),
    "mov-mjpeg": (".mov", "mjpeg", "yuvj422p"),
}


def write_video(
    path: Path, frames: np.ndarray, codec: str, pixel_format: str, times=None, drawn="gray"
) -> Path:
    with av.open(path, "w") as video:
        stream = video.add_stream(codec, rate=30)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixel_format
        stream.bit_rate = 4_000_000
        for time, pixels in zip(times or range(len(frames)), frames, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format=drawn)
            frame.pts, frame.time_base = time, Fraction(1, 30)
            for packet in stream.encode(frame):
                video.mux(packet)
        for packet in stream.encode():
            video.mux(packet)
    return path


@pytest.mark.parametrize(("ending", "codec", "pixel_format"), KINDS.values(), ids=KINDS.keys())
def test_reads_every_frame_in_full_range(tmp_path, smooth_volume, ending, codec, pixel_format):
    path = write_video(tmp_path / f"clip{ending}", smooth_volume, codec, pixel_format)

    sweep = read_sweep(path)

    assert sweep.shape == smooth_volume.shape
    assert np.abs(np.asarray(sweep.frames, int) - smooth_volume).mean() < 2
    assert np.asarray(sweep.frames).max() > 200
    assert (sweep.name, sweep.spacing_mm, sweep.source_format) == ("clip", None, "video")


def test_lossless_video_keeps_every_grey_value(tmp_path, volume):
    path = write_video(tmp_path / "a.avi", volume, "ffv1", "gray")

    assert np.array_equal(read_sweep(path).frames, volume)


def test_black_and_white_of_studio_range_become_0_and_255(tmp_path):
    frames = np.zeros((4, 64, 64), np.uint8)
    frames[:, :, 32:] = 255

    sweep = read_sweep(write_video(tmp_path / "a.mp4", frames, "libx264", "yuv420p"))

    assert sweep.frames[:, :, :24].max() <= 3
    assert sweep.frames[:, :, 40:].min() >= 252


CODECS = {
    **KINDS,
    "avi-huffyuv": (".avi", "huffyuv", "rgb24"),
    "avi-png": (".avi", "png", "rgb24"),
    "avi-lossless-colour": (".avi", "ffv1", "bgr0"),
    "mp4-h264-444": (".mp4", "libx264", "yuv444p"),
    "mov-qtrle": (".mov", "qtrle", "rgb24"),
    "mov-prores": (".mov", "prores_ks", "yuv422p10le"),
}


@pytest.mark.parametrize("kind", [kind for kind, of in CODECS.items() if of[2] != "gray"])
def test_red_green_and_blue_become_their_luma(tmp_path, kind):
    ending, codec, pixel_format = CODECS[kind]
    colours = np.zeros((4, 64, 96, 3), np.uint8)
    for channel in range(3):
        colours[:, :, 32 * channel : 32 * channel + 32, channel] = 255
    path = write_video(tmp_path / f"a{ending}", colours, codec, pixel_format, drawn="rgb24")

    frames = np.asarray(read_sweep(path).frames)

    found = [np.median(frames[:, 20:40, left : left + 12]) for left in (10, 42, 74)]
    assert found == pytest.approx([76, 150, 29], abs=3)


def test_an_avi_whose_recorder_dropped_frames_is_read(tmp_path, smooth_volume):
    times = [0, 1, 2, 6, 7, 8, 9]
    path = write_video(tmp_path / "a.avi", smooth_volume, "mjpeg", "yuvj420p", times)
    with av.open(path) as video:
        assert video.streams.video[0].frames == 10

    sweep = read_sweep(path)

    assert sweep.shape == smooth_volume.shape
    assert np.abs(np.asarray(sweep.frames, int) - smooth_volume).mean() < 2


def test_140_frames_are_a_sweep_and_frames_per_sweep_overrules(tmp_path):
    frames = np.zeros((280, 16, 16), np.uint8)
    path = write_video(tmp_path / "a.avi", frames, "ffv1", "gray")

    assert len(read_sweep(path).bounds) == 2
    assert len(read_sweep(path, frames_per_sweep=70).bounds) == 4


@pytest.mark.parametrize("kind", ["avi-mjpeg", "mp4-h264", "mov-mjpeg"])
def test_a_video_cut_anywhere_is_refused_or_whole(
    tmp_path, smooth_volume, kind, count_refused_cuts
):
    ending, codec, pixel_format = KINDS[kind]
    path = write_video(tmp_path / f"a{ending}", smooth_volume, codec, pixel_format)
    whole = np.asarray(read_sweep(path).frames)
    size = path.stat().st_size

    lengths = sorted({*range(1, size, 293), *range(1, 300), *range(size - 40, size)})
    assert count_refused_cuts(path, whole, lengths) > 10


def test_a_sound_file_is_no_sweep(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(path, "w") as sound:
        stream = sound.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            sound.mux(packet)

    with pytest.raises(SweepError, match="expected a video, found none"):
        read_sweep(path)


def test_a_video_without_frames_is_no_sweep(tmp_path):
    path = tmp_path / "a.avi"
    with av.open(path, "w") as video:
        stream = video.add_stream("mjpeg", rate=30)
        stream.height, stream.width, stream.pix_fmt = 16, 16, "yuvj420p"
        video.start_encoding()

    with pytest.raises(SweepError, match=r"a\.avi: expected"):
        read_sweep(path)


def test_a_playlist_under_the_name_of_a_video_is_not_followed(tmp_path, smooth_volume):
    write_video(tmp_path / "secret.mp4", smooth_volume, "libx264", "yuv420p")
    path = tmp_path / "a.mp4"
    path.write_text("#EXTM3U\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n")

    with pytest.raises(SweepError, match=r"a\.mp4: expected a whole video"):
        read_sweep(path)
