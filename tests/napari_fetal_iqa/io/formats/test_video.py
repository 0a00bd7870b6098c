import gc
import struct
import time
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.frames import frame_stack

KINDS = {
    "avi-mjpeg": (".avi", "mjpeg", "yuvj420p"),
    "avi-raw-colour": (".avi", "rawvideo", "bgr24"),
    "avi-lossless": (".avi", "ffv1", "gray"),
    "mp4-h264": (".mp4", "libx264", "yuv420p"),
    "m4v-mpeg4": (".m4v", "mpeg4", "yuv420p"),
    "mov-mjpeg": (".mov", "mjpeg", "yuvj422p"),
}


def write_video(
    path: Path,
    frames: np.ndarray,
    codec: str,
    pixel_format: str,
    times=None,
    drawn="gray",
    options=None,
) -> Path:
    with av.open(path, "w") as video:
        stream = video.add_stream(codec, rate=30, options=options)
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


def boxes(data: bytes, start: int, end: int):
    """Walk the boxes of an MP4 (ISO/IEC 14496-12, section 4.2): kind, start and end."""
    while start < end:
        (length,) = struct.unpack_from(">I", data, start)
        yield data[start + 4 : start + 8], start, start + length
        start += length


def find_box(data: bytes, *kinds: bytes) -> tuple[int, int]:
    start, end = 0, len(data)
    for depth, kind in enumerate(kinds):
        inside = boxes(data, start + 8 * bool(depth), end)
        start, end = next((s, e) for k, s, e in inside if k == kind)
    return start, end


TRACK = (b"moov", b"trak")


def put_matrix(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Write a display matrix into the header of the track (section 8.3.2)."""
    data = bytearray(path.read_bytes())
    start, _ = find_box(data, *TRACK, b"tkhd")
    parts = (a, b, 0, c, d, 0, 0, 0, 1 << 14)
    struct.pack_into(">9i", data, start + 8 + 40, *(part << 16 for part in parts))
    path.write_bytes(data)
    return path


def put_edits(path: Path, edits: list[tuple[int, int]]) -> Path:
    """Write an edit list (section 8.6.6): first frame, or -1 for none, and number of frames."""
    data = bytearray(path.read_bytes())
    (movie_scale,) = struct.unpack_from(">I", data, find_box(data, b"moov", b"mvhd")[0] + 20)
    header = find_box(data, *TRACK, b"mdia", b"mdhd")[0]
    (scale,) = struct.unpack_from(">I", data, header + 20)
    start, end = find_box(data, *TRACK, b"edts")
    (delay,) = struct.unpack_from(">i", data, start + 8 + 20)  # of frames that refer to later ones
    entries = struct.pack(">II", 0, len(edits))
    for first, count in edits:
        at = -1 if first < 0 else first * scale // 30 + delay
        entries += struct.pack(">IiI", count * movie_scale // 30, at, 1 << 16)
    box = struct.pack(">I4s", 8 + len(entries), b"elst") + entries
    box = struct.pack(">I4s", 8 + len(box), b"edts") + box
    for kinds in (TRACK[:1], TRACK):
        outer, outer_end = find_box(data, *kinds)
        struct.pack_into(">I", data, outer, outer_end - outer + len(box) - (end - start))
    assert find_box(data, b"mdat")[0] < start  # so that no offset changes
    data[start:end] = box
    path.write_bytes(data)
    return path


TURNS = {
    "upright": ((1, 0, 0, 1), lambda frame: frame),
    "a quarter to the right": ((0, 1, -1, 0), lambda frame: np.rot90(frame, -1)),
    "a half": ((-1, 0, 0, -1), lambda frame: np.rot90(frame, 2)),
    "a quarter to the left": ((0, -1, 1, 0), lambda frame: np.rot90(frame)),
    "mirrored": ((-1, 0, 0, 1), np.fliplr),
    "upside down": ((1, 0, 0, -1), np.flipud),
    "transposed": ((0, 1, 1, 0), np.transpose),
    "mirrored and a quarter": ((0, -1, -1, 0), lambda frame: np.rot90(frame, 2).T),
}


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
@pytest.mark.parametrize(("matrix", "turn"), TURNS.values(), ids=TURNS.keys())
def test_a_video_is_turned_as_its_track_says(tmp_path, smooth_volume, matrix, turn, ending):
    path = write_video(tmp_path / f"a{ending}", smooth_volume, "libx264", "yuv420p")

    frames = np.asarray(read_sweep(put_matrix(path, *matrix)).frames, int)

    expected = np.stack([turn(frame) for frame in smooth_volume])
    assert frames.shape == expected.shape
    assert np.abs(frames - expected).mean() < 2


def test_the_turn_is_that_of_ffmpeg(tmp_path, smooth_volume):
    path = write_video(tmp_path / "a.mp4", smooth_volume, "libx264", "yuv420p")
    put_matrix(path, 0, 1, -1, 0)

    with av.open(path) as video:
        frame = next(video.decode(video=0))
        turned = np.rot90(frame.reformat(format="gray").to_ndarray(), frame.rotation // 90)

    assert np.corrcoef(turned.ravel(), read_sweep(path).frames[0].ravel())[0, 1] > 0.999


def test_a_compressed_header_hides_no_turn(tmp_path, smooth_volume):
    path = write_video(tmp_path / "a.mov", smooth_volume, "libx264", "yuv420p")
    put_matrix(path, 0, 1, -1, 0)
    data = path.read_bytes()
    start, end = find_box(data, b"moov")
    header = data[start:end]

    def box(kind, content):
        return struct.pack(">I4s", 8 + len(content), kind) + content

    size = struct.pack(">I", len(header))
    packed = box(b"dcom", b"zlib") + box(b"cmvd", size + zlib.compress(header))
    hidden = box(b"moov", box(b"cmov", packed))
    path.write_bytes(data[:start] + hidden + data[end:])
    with av.open(path) as video:  # it is no damaged file
        assert sum(1 for _ in video.decode(video=0)) == len(smooth_volume)

    with pytest.raises(SweepError, match=r"^a\.mov: expected a plain header, .* \(cmov\)"):
        read_sweep(path)


def test_a_slanted_video_is_refused(tmp_path, smooth_volume):
    path = write_video(tmp_path / "a.mp4", smooth_volume, "libx264", "yuv420p")

    with pytest.raises(SweepError, match=r"^a\.mp4: expected .* slanted; export"):
        read_sweep(put_matrix(path, 1, 1, -1, 1))


def counted_frames(n: int) -> np.ndarray:
    """Frames whose grey tells their number."""
    return np.repeat(np.arange(20, 20 + 7 * n, 7, dtype=np.uint8), 48 * 64).reshape(n, 48, 64)


EDITS = {
    "whole": [(0, 30)],
    "its middle": [(5, 12)],
    "its beginning": [(0, 10)],
    "its end": [(12, 18)],
    "after a pause": [(-1, 6), (3, 27)],
    "two parts": [(18, 6), (3, 6)],
    "a part twice": [(0, 6), (0, 6)],
}


@pytest.mark.parametrize("edits", EDITS.values(), ids=EDITS.keys())
@pytest.mark.parametrize("later", [0, 2], ids=["in order", "with frames that refer to later ones"])
def test_a_video_that_was_trimmed_is_what_a_player_shows(tmp_path, edits, later):
    path = write_video(
        tmp_path / "a.mp4", counted_frames(30), "libx264", "yuv420p", options={"bf": str(later)}
    )

    frames = np.asarray(read_sweep(put_edits(path, edits)).frames)

    numbers = np.rint((np.median(frames, axis=(1, 2)) - 20) / 7).astype(int)
    shown = [first + n for first, count in edits if first >= 0 for n in range(count)]
    assert numbers.tolist() == shown


def test_a_trimmed_video_that_is_cut_is_refused(tmp_path):
    whole = write_video(tmp_path / "whole.mp4", counted_frames(30), "libx264", "yuv420p")
    data = bytearray(put_edits(whole, [(5, 12)]).read_bytes())
    start, end = find_box(data, *TRACK, b"mdia", b"minf", b"stbl", b"stsz")
    size, count = struct.unpack_from(">II", data, start + 12)
    assert (size, count) == (0, 30)
    struct.pack_into(">I", data, end - 4, 1 << 24)  # the last frame ends behind the file
    path = tmp_path / "a.mp4"
    path.write_bytes(data)

    with pytest.raises(SweepError, match=r"^a\.mp4: expected (30 video frames|a whole video)"):
        read_sweep(path)


def test_a_small_video_of_many_large_frames_is_refused_before_one_is_decoded(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", np.zeros((60, 640, 640), np.uint8), "libx264", "yuv420p")
    assert 4000 * path.stat().st_size < 60 * 640 * 640
    monkeypatch.setattr(frame_stack, "MODEST_BYTES", 1 << 20)
    monkeypatch.setattr(frame_stack.FrameStack, "append", None)

    with pytest.raises(SweepError, match=r"^a\.mp4: expected an ultrasound sweep.*; export"):
        read_sweep(path)


def test_a_video_that_does_not_count_its_frames_is_stopped_on_the_way(tmp_path, monkeypatch):
    """An edit list may repeat a part without end, and fragments do not say how many they are."""
    path = write_video(tmp_path / "a.mp4", np.zeros((30, 640, 640), np.uint8), "libx264", "yuv420p")
    put_edits(path, [(0, 30)] * 50)
    monkeypatch.setattr(frame_stack, "MODEST_BYTES", 40 * 640 * 640)

    with pytest.raises(SweepError, match=r"^a\.mp4: expected an ultrasound sweep.*; export"):
        read_sweep(path)


LONG_EDITS = {
    "more parts than anybody cuts": [(0, 1)] * 1001,
    "200,000 parts": [(0, 30)] * 200_000,
    "a part of many pixels again and again": [(0, 30)] * 1000,
    "parts without a length": [(0, 0)] * 1000,
}


@pytest.mark.parametrize("edits", LONG_EDITS.values(), ids=LONG_EDITS.keys())
def test_a_long_edit_list_is_refused_before_one_frame_is_decoded(tmp_path, monkeypatch, edits):
    path = write_video(tmp_path / "a.mp4", np.zeros((30, 64, 64), np.uint8), "libx264", "yuv420p")
    put_edits(path, edits)
    monkeypatch.setattr(frame_stack, "MODEST_BYTES", 1 << 20)
    monkeypatch.setattr(frame_stack.FrameStack, "append", None)
    began = time.process_time()

    with pytest.raises(SweepError, match=r"^a\.mp4: expected .*, found .*; export"):
        read_sweep(path)
    assert time.process_time() - began < 5


def test_parts_of_very_many_frames_are_refused_before_ffmpeg_lists_them(tmp_path):
    """Frames of one size need no table: a file of a few bytes may say that there are millions."""
    path = write_video(tmp_path / "a.mp4", counted_frames(30), "libx264", "yuv420p")
    data = bytearray(put_edits(path, [(0, 30)] * 1000).read_bytes())
    start, _ = find_box(data, *TRACK, b"mdia", b"minf", b"stbl", b"stsz")
    struct.pack_into(">II", data, start + 12, 1, 1 << 30)
    path.write_bytes(data)

    with pytest.raises(SweepError, match=r"^a\.mp4: expected .* edit list .*; export"):
        read_sweep(path)


def test_more_than_8_gib_of_video_are_refused_before_one_frame_is_decoded(
    tmp_path, smooth_volume, monkeypatch
):
    path = write_video(tmp_path / "a.mp4", smooth_volume, "libx264", "yuv420p")
    monkeypatch.setattr(frame_stack, "MAX_STACK_BYTES", smooth_volume.size - 1)
    monkeypatch.setattr(frame_stack.FrameStack, "append", None)

    with pytest.raises(SweepError, match=r"^a\.mp4: expected a sweep of at most .*; cut"):
        read_sweep(path)


def test_no_decoded_frame_is_kept(tmp_path, smooth_volume):
    """PyAV's frames refer to themselves, once their side data was looked at."""
    path = put_matrix(
        write_video(tmp_path / "a.mp4", smooth_volume, "libx264", "yuv420p"), 0, 1, -1, 0
    )
    gc.collect()
    gc.disable()
    try:
        read_sweep(path)
        assert not [found for found in gc.get_objects() if isinstance(found, av.VideoFrame)]
    finally:
        gc.enable()
