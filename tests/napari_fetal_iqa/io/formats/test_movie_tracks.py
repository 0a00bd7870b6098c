"""What an MP4 holds besides frames: fragments that may be cut, alternatives, notes on turning."""

import logging
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep

FRAGMENTED = {
    "one a frame": "frag_every_frame+empty_moov",
    "one a key frame": "frag_keyframe+empty_moov+default_base_moof",
    "with an index": "dash+global_sidx+frag_keyframe",
}


def write_movie(path: Path, *films: np.ndarray, flags: str = "", options=None) -> Path:
    """Write each (T, H, W) film as a track of its own."""
    with av.open(path, "w", options={"movflags": flags} if flags else {}) as movie:
        streams = []
        for film in films:
            stream = movie.add_stream("libx264", rate=30, options=options or {"g": "4", "bf": "0"})
            stream.height, stream.width, stream.pix_fmt = *film.shape[1:], "yuv420p"
            streams.append(stream)
        for n in range(len(films[0])):
            for stream, film in zip(streams, films, strict=True):
                frame = av.VideoFrame.from_ndarray(film[n], format="gray")
                frame.pts, frame.time_base = n, Fraction(1, 30)
                movie.mux(stream.encode(frame))
        for stream in streams:
            movie.mux(stream.encode())
    return path


def flat_film(grey: int, frames: int = 8) -> np.ndarray:
    return np.full((frames, 48, 64), grey, np.uint8)


def top_boxes(data: bytes) -> list[tuple[bytes, int, int]]:
    found, place = [], 0
    while place < len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        found.append((kind, place, place + size))
        place += size
    return found


@pytest.mark.parametrize("kind", FRAGMENTED)
def test_a_fragmented_video_cut_within_a_fragment_is_refused(tmp_path, smooth_volume, kind):
    whole = write_movie(tmp_path / "whole.mp4", smooth_volume, flags=FRAGMENTED[kind])
    data = whole.read_bytes()
    assert read_sweep(whole).shape == smooth_volume.shape
    boxes = top_boxes(data)
    assert [box for box, _, _ in boxes].count(b"moof") > 1
    # Between two fragments a cut leaves no trace, unless an index counts them.
    unseen = {stop for box, _, stop in boxes if box in (b"mdat", b"mfra")}
    if kind == "with an index":
        unseen = {boxes[-1][1]} if boxes[-1][0] == b"mfra" else set()
    lengths = {*range(200, len(data) - 1, 211)}
    lengths |= {at + by for _, at, _ in boxes[3:] for by in (0, 1, 3, 4, 8, 12)} - {len(data)}
    path = tmp_path / "a.mp4"
    for length in sorted(lengths - unseen):
        path.write_bytes(data[:length])

        with pytest.raises(SweepError, match=r"^a\.mp4: expected .*; copy"):
            read_sweep(path)


def test_zeros_behind_a_video_cut_nothing_off(tmp_path, smooth_volume):
    path = write_movie(tmp_path / "a.mp4", smooth_volume)
    data = path.read_bytes()
    for padding in (1, 7, 512):
        path.write_bytes(data + bytes(padding))

        assert read_sweep(path).shape == smooth_volume.shape


def test_a_video_that_goes_up_to_the_end_of_its_file_is_whole(tmp_path, smooth_volume):
    """A box without a size is one that a program wrote without knowing its end."""
    path = write_movie(tmp_path / "a.mp4", smooth_volume, flags="faststart")
    data = bytearray(path.read_bytes())
    kind, at, stop = top_boxes(data)[-1]
    assert (kind, stop) == (b"mdat", len(data))
    struct.pack_into(">I", data, at, 0)
    path.write_bytes(data)

    assert read_sweep(path).shape == smooth_volume.shape


def set_enabled(path: Path, *enabled: bool) -> Path:
    """Write whether each track is enabled (ISO/IEC 14496-12, section 8.3.2)."""
    data, at = bytearray(path.read_bytes()), 0
    for flag in enabled:
        at = data.index(b"tkhd", at) + 4
        data[at + 1 : at + 4] = bytes([0, 0, 3 if flag else 2])
    path.write_bytes(data)
    return path


ENABLED = {
    "the first": ((True, False), 60, False),
    "the second": ((False, True), 180, False),
    "both": ((True, True), 60, True),
    "none": ((False, False), 60, True),
}


@pytest.mark.parametrize(("enabled", "grey", "told"), ENABLED.values(), ids=ENABLED.keys())
def test_of_several_videos_the_enabled_one_is_read(tmp_path, caplog, enabled, grey, told):
    path = write_movie(tmp_path / "a\x1b.mp4", flat_film(60), flat_film(180))

    with caplog.at_level(logging.WARNING):
        sweep = read_sweep(set_enabled(path, *enabled))

    assert np.median(sweep.frames) == pytest.approx(grey, abs=2)
    assert sweep.frames_per_second == pytest.approx(30)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["a?.mp4: the first of its 2 videos is read"] * told


def test_a_turn_is_found_behind_very_many_boxes(tmp_path, smooth_volume):
    path = write_movie(tmp_path / "a.mp4", smooth_volume)
    upright = read_sweep(path).shape
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    struct.pack_into(">9i", data, at, 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    start = next(at for kind, at, _ in top_boxes(data) if kind == b"moov")
    assert start > data.index(b"mdat")  # so that no offset changes
    path.write_bytes(data[:start] + struct.pack(">I4s", 8, b"free") * 12_000 + data[start:])

    assert read_sweep(path).shape == (upright[0], upright[2], upright[1])


TURNED = {"a quarter": "rotate=90", "a half": "rotate=180"}


@pytest.mark.parametrize("turn", TURNED.values(), ids=TURNED.keys())
def test_frames_that_turn_themselves_are_refused(tmp_path, smooth_volume, turn):
    plain = write_movie(tmp_path / "plain.mp4", smooth_volume)
    path = tmp_path / "a.mp4"
    with av.open(plain) as source, av.open(path, "w") as movie:
        stream = source.streams.video[0]
        copy = movie.add_stream_from_template(stream)
        note = av.BitStreamFilterContext(
            f"h264_metadata=display_orientation=insert:{turn}", stream, copy
        )
        for packet in source.demux(stream):
            for changed in note.filter(packet if packet.size else None):
                changed.stream = copy
                movie.mux(changed)

    with pytest.raises(SweepError, match=r"^a\.mp4: expected .* track turns.*; export it again"):
        read_sweep(path)
